"""Turns of a learning agent on a database, and what they leave there."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
from langchain_core.messages import HumanMessage
from langchain_core.runnables import RunnableConfig
from psycopg.sql import SQL, Identifier

from langgraph_learning import LearningDB, LearningMachine, create_learning_agent
from langgraph_learning.testing import ScriptedChatModel, op

FACT = "Likes green tea"


def talk(db: LearningDB, user: str, thread: str, text: str = "I like green tea") -> str:
    """Hold one turn that teaches a fact, and return the reply."""
    learned = [op("add_memory", content=FACT, quote="I like green tea")]
    model = ScriptedChatModel(replies=["Hello"], repeat=True, extractions=[learned, learned, learned])
    agent = create_learning_agent(model, learning=LearningMachine(user_memory=True, on_error="raise"), db=db)
    config: RunnableConfig = {"configurable": {"thread_id": thread}}
    given: Any = {"messages": [HumanMessage(text)]}
    return str(agent.invoke(given, config, context={"user_id": user})["messages"][-1].text)


def talk_at_once(db: LearningDB, users: list[str]) -> list[str]:
    """Let all users hold a turn at once."""
    with ThreadPoolExecutor(len(users)) as threads:
        return list(threads.map(lambda user: talk(db, user, f"thread of {user}"), users))


def memories(db: LearningDB, user: str) -> list[str]:
    """Return what is known of a user."""
    scoped = LearningMachine(user_memory=True, model=ScriptedChatModel()).scoped(user_id=user, store=db.store)
    return [record.text for record in scoped.records()]


def count_rows(url: str, schema: str, table: str) -> int:
    """Count the rows of a table, past any pooler."""
    with psycopg.connect(url) as connection:
        row = connection.execute(SQL("select count(*) from {}").format(Identifier(schema, table))).fetchone()
        assert row is not None
        return int(row[0])
