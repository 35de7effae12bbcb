"""A personal assistant: who the user is, what this conversation is for, and the people in their life.

Every conversation opens the database and makes the agent anew, as another process would. The people are entities in a
namespace of the user's own: an application that serves groups names one for each, and nobody reads another's.
"""

from typing import Any

from langchain_core.language_models import BaseChatModel
from pydantic import JsonValue
from rich.console import Console

from examples.database import database
from examples.model import stand_in_reply
from examples.terminal import turn
from langgraph_learning import EntityMemoryConfig, LearningMachine, SessionContextConfig, connect, create_learning_agent
from langgraph_learning.testing import model_or_script, op

CONVERSATIONS = [
    ("alex", "monday", ["Hi, I'm Alex Chen. My sister Sarah is visiting next month."]),
    ("alex", "tuesday", ["Who am I, and who is Sarah?"]),
    ("alex", "visit", ["Plan Sarah's visit with me. She likes hiking.", "The trail is picked. What is next?"]),
    ("sam", "hello", ["Who is Sarah?"]),
]
PLAN: list[JsonValue] = ["Pick a trail", "Book a table", "Buy the tickets"]
EXTRACTIONS: list[list[dict[str, Any]]] = [
    [
        op("update_user_profile", name="Alex Chen", quote="I'm Alex Chen"),
        op(
            "remember_about",
            entity="Sarah",
            entity_type="person",
            facts=["Visits next month"],
            quote="Sarah is visiting",
        ),
        op("link_entities", entity="Alex Chen", relation="sister", related_entity="Sarah", quote="My sister Sarah"),
        op("update_session_context", summary="Alex told that Sarah, their sister, is visiting next month."),
    ],
    [op("update_session_context", summary="Alex asked who they are, and who Sarah is.")],
    [
        op("remember_about", entity="Sarah", entity_type="person", facts=["Likes hiking"], quote="She likes hiking"),
        op("update_session_context", summary="A plan was made.", goal="Plan Sarah's visit", plan=PLAN),
    ],
    [op("update_session_context", summary="The trail is picked; a table comes next.", progress=PLAN[:1])],
    [op("update_session_context", summary="Sam asked who Sarah is: nobody known.")],
]


def learning_of(user: str) -> LearningMachine:
    """Return the machine that serves one user; `user` comes from your authentication."""
    return LearningMachine(
        user_profile=True,
        session_context=SessionContextConfig(enable_planning=True),
        entity_memory=EntityMemoryConfig(namespace=f"user:{user}:personal"),
    )


def main() -> None:
    console = Console(highlight=False)
    model, model_note = model_or_script([stand_in_reply] * len(EXTRACTIONS), EXTRACTIONS)
    console.print(model_note)
    with database() as url:
        for user, thread, texts in CONVERSATIONS:
            _conversation(model, url, user, thread, texts, console)
        for user, thread in (("alex", "visit"), ("sam", "hello")):
            _known(url, user, thread, console)


def _conversation(model: BaseChatModel, url: str, user: str, thread: str, texts: list[str], console: Console) -> None:
    with connect(url) as db:  # nothing but the database is left of the conversation before
        agent = create_learning_agent(model, learning=learning_of(user), db=db)
        for text in texts:
            console.print(f"\n[bold]{user}[/] in {thread!r}: {text}")
            turn(agent, user, thread, text, console)


def _known(url: str, user: str, thread: str, console: Console) -> None:
    with connect(url) as db:
        console.print(f"\n[bold]What is known of {user} in {thread!r}[/]")
        for record in learning_of(user).scoped(user_id=user, thread_id=thread, store=db.store).records():
            console.print(f"  {record.store}: {record.text}", markup=False)
            for name in ("goal", "plan", "progress"):
                if record.store == "session_context" and record.content.get(name):
                    console.print(f"    {name}: {record.content[name]}", markup=False)


if __name__ == "__main__":
    main()
