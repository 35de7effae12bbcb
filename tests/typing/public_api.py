"""The types of the public API, as its users' checkers see them. This file is read by type checkers and never run."""

from collections.abc import AsyncIterator, Iterator
from typing import Any, assert_type

from langchain.agents import create_agent
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage
from langchain_core.tools import BaseTool
from langchain_core.vectorstores import VectorStore
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.store.base import BaseStore
from pydantic import Field

from langgraph_learning import (
    Commit,
    CurationReport,
    DecisionLogConfig,
    EntityMemoryConfig,
    LearnedKnowledgeConfig,
    LearningContext,
    LearningDB,
    LearningMachine,
    LearningMode,
    LearningSaver,
    Proposal,
    Recall,
    Receipt,
    Record,
    Revision,
    Scope,
    Scoped,
    SessionContextConfig,
    Source,
    UserMemoryConfig,
    UserProfileConfig,
    connect,
    create_learning_agent,
)
from langgraph_learning.records import Change, Refusal, Usage
from langgraph_learning.reports import Feedback
from langgraph_learning.schemas import UserProfile
from langgraph_learning.testing import ScriptedChatModel, op


class Developer(UserProfile):
    languages: list[str] = Field(default=[])
    experience_years: int | None = None


def configured(model: BaseChatModel, vectors: VectorStore) -> None:
    learning = LearningMachine(
        model=model,
        user_profile=UserProfileConfig(schema=Developer, mode=LearningMode.PROPOSE),
        user_memory=UserMemoryConfig(enable_delete=False),
        session_context=SessionContextConfig(enable_planning=True),
        entity_memory=EntityMemoryConfig(namespace="user"),
        learned_knowledge=LearnedKnowledgeConfig(knowledge=vectors),
        decision_log=DecisionLogConfig(agent="planner"),
    )
    assert_type(learning, LearningMachine)
    assert_type(learning.tools(), list[BaseTool])
    assert_type(learning.context(), str)
    assert_type(learning.messages({"messages": []}), list[BaseMessage])
    assert_type(learning.name, str)
    assert_type(learning.messages_key, str)
    assert_type(learning.scoped(user_id="alex"), Scoped)
    assert_type(learning.scoped(user_id=7, thread_id="t"), Scoped)


def agents(model: BaseChatModel, learning: LearningMachine) -> None:
    with connect("sqlite:///learning.db") as db:
        assert_type(db, LearningDB)
        assert_type(db.store, BaseStore)
        assert_type(db.checkpointer, LearningSaver)
        agent = create_learning_agent("openai:gpt-5.2", learning=learning, db=db)
        assert_type(agent, CompiledStateGraph[Any, Any, Any, Any])
        agent.invoke({"messages": [("user", "Hi.")]}, context={"user_id": "alex"})
    create_agent(
        model,
        tools=[*learning.tools()],
        middleware=[*learning.middleware()],
        context_schema=LearningContext,
    )


async def databases() -> None:
    async with connect("postgresql://localhost/learning", schema="mine") as db:
        assert_type(db, LearningDB)


def call_model(state: MessagesState) -> MessagesState:
    return state


async def acall_model(state: MessagesState) -> dict[str, Any]:
    return {"messages": state["messages"]}


def composed(learning: LearningMachine) -> None:
    builder = StateGraph(MessagesState, context_schema=LearningContext)
    builder.add_node("recall", learning.recall_node())
    builder.add_node("agent", learning.wrap(call_model))
    builder.add_node("other", learning.wrap(acall_model))
    builder.add_node("extract", learning.extract_node())
    builder.add_node("review", learning.review_node())
    builder.add_edge(START, "recall")
    builder.add_edge("review", END)
    builder.compile().invoke({"messages": []}, context={"user_id": "alex", "timezone": "Europe/Berlin"})
    learning.around(call_model).compile()
    learning.around(builder.compile(), name="inner").compile()
    learning.inbox().compile()


def scoped(alex: Scoped) -> None:
    assert_type(alex.records(), list[Record])
    assert_type(alex.search("tea", limit=3), list[Record])
    assert_type(alex.recall("tea"), Recall)
    assert_type(alex.learn([("user", "I like tea.")]), Commit | None)
    assert_type(alex.profile(), UserProfile)
    assert_type(alex.profile(Developer), Developer)
    assert_type(alex.profile(Developer).languages, list[str])
    assert_type(alex.commits(), list[Commit])
    assert_type(alex.history("m1"), list[Revision])
    assert_type(alex.undo("c1"), Commit)
    assert_type(alex.proposals(), list[Proposal])
    assert_type(alex.decide("p1", "approve", edit={"content": "Likes tea"}).result == "approved", bool)
    assert_type(alex.curate(), CurationReport)
    assert_type(alex.feedback("c1", helpful=True), Feedback)
    assert_type(alex.forget(), dict[str, int])
    assert_type(alex.export(), Iterator[dict[str, Any]])
    assert_type(alex.load(alex.export()), int)


async def ascoped(alex: Scoped) -> None:
    assert_type(await alex.arecords(), list[Record])
    assert_type(await alex.asearch("tea"), list[Record])
    assert_type(await alex.arecall("tea"), Recall)
    assert_type(await alex.alearn([("user", "I like tea.")]), Commit | None)
    assert_type(await alex.aprofile(), UserProfile)
    assert_type(await alex.aprofile(Developer), Developer)
    assert_type(await alex.acommits(), list[Commit])
    assert_type(await alex.ahistory("m1"), list[Revision])
    assert_type(await alex.aundo("c1"), Commit)
    assert_type(await alex.aproposals(), list[Proposal])
    assert_type((await alex.adecide("p1", "reject")).reason, str)
    assert_type(await alex.acurate(dry_run=False, max_age_days=30), CurationReport)
    assert_type(await alex.afeedback("c1", helpful=False), Feedback)
    assert_type(await alex.aforget(), dict[str, int])
    assert_type(alex.aexport(), AsyncIterator[dict[str, Any]])
    assert_type(await alex.aload([]), int)


def nouns(record: Record, commit: Commit, revision: Revision, recalled: Recall) -> None:
    assert_type(record.id, str)
    assert_type(record.text, str)
    assert_type(record.scope, Scope)
    assert_type(record.source, Source)
    assert_type(record.source.quote, str | None)
    assert_type(record.source.approved_by, str | None)
    assert_type(record.version, int)
    assert_type(commit.changes, tuple[Change, ...])
    assert_type(commit.refused, tuple[Refusal, ...])
    assert_type(commit.usage, Usage)
    assert_type([change.text for change in commit.changes], list[str])
    assert_type(revision.record, Record | None)
    assert_type(recalled.text, str)
    assert_type(recalled.records, tuple[Record, ...])
    assert_type(recalled.receipt, Receipt)


def tested() -> None:
    model = ScriptedChatModel(replies=["Hi."], extractions=[[op("add_memory", content="Keeps bees")]])
    assert_type(model.prompt("extraction"), str)
    LearningMachine(model=model, user_memory=True)


def refused(learning: LearningMachine, alex: Scoped) -> None:
    """What a checker must complain of: mypy of an ignore that nothing needs, pyright (it heeds none) of each line."""
    LearningMachine(user_memry=True)  # type: ignore[call-arg]
    LearningMachine(on_error="ignore")  # type: ignore[arg-type]
    UserMemoryConfig(mode="always")  # type: ignore[arg-type]
    alex.decide("p1", "maybe")  # type: ignore[arg-type]
    alex.profile(int)  # type: ignore[type-var]
    learning.scoped("alex")  # type: ignore[call-arg]
    create_learning_agent("openai:gpt-5.2", db="sqlite:///learning.db")  # type: ignore[arg-type]
