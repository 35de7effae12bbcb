"""A life of interactions: what a user says, and tasks with tools whose first try fails, mixed evenly.

What is said is a LoCoMo conversation, two messages an interaction. The tasks fill it up to the length that is asked
for: each counts the rows of a table that has moved; the agent guesses the old name, reads the error, and finds the new
one.
Nothing of it is a model's: the agent's steps are written down here, and what a model would have noted down of the
conversation are the data set's own observations, each with the turns that it rests on.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage

from benchmarks.locomo import Conversation
from langgraph_learning.testing import Operations, op

THINGS = (
    "orders invoices customers suppliers shipments returns refunds payments products reviews coupons carts sessions"
    " tickets agents calls visits leads contracts licences devices sensors alarms flights bookings passengers pilots"
    " rooms guests tables dishes recipes courses students teachers exams grades books loans readers"
).split()
"""What the tables hold; each is a kind of task of its own."""
COUNT = "select count(*) from "
MOVED = ("_v2", "_archive", "_2026", "_eu", "_current")


@dataclass(frozen=True, slots=True)
class Interaction:
    """One exchange, and what of it would be noted down."""

    thread: str
    at: datetime
    messages: list[BaseMessage]
    facts: list[tuple[str, str, list[str]]] = field(default_factory=list)
    """Observations: of whom, what, and the turns that it rests on, the last of which is here."""
    thing: str | None = None
    """What was counted, where it is a task."""

    @property
    def operations(self) -> Operations:
        """What a model may have asked for after it."""
        if self.thing is not None:
            return [
                op(
                    "save_procedure",
                    quote=query_of(self.thing),
                    title=f"Count {self.thing}",
                    when=f"Somebody asks how many {self.thing} there are",
                    steps=[f"run_sql: {query_of(self.thing)}"],
                    pitfalls=[f"the table {self.thing} is gone"],
                )
            ]
        texts = {str(message.id): str(message.text) for message in self.messages}
        return [
            each
            for who, fact, about in self.facts
            for each in (
                op("add_memory", content=fact, quote=texts.get(about[-1])),
                op("remember_about", entity=who, entity_type="person", facts=[fact], quote=texts.get(about[-1])),
            )
        ]


def query_of(thing: str) -> str:
    """Return the query that works."""
    return COUNT + thing + MOVED[THINGS.index(thing) % len(MOVED)]


def live(talk: Conversation, length: int) -> list[Interaction]:
    """Return a life of `length` interactions: the conversation, cut off or filled up with tasks in between."""
    turns = list(_spoken(talk))[:length]
    tasks = length - len(turns)
    life: list[Interaction] = []
    for place in range(length):
        done = place - sum(event.thing is None for event in life)
        if not turns or (tasks and done * length < tasks * place):
            life.append(_task(done, life[-1].at if life else talk.sessions[0].at))
        else:
            life.append(turns.pop(0))
    return life


def _spoken(talk: Conversation) -> Iterator[Interaction]:
    for session in talk.sessions:
        for number in range(0, len(session.messages), 2):
            pair = session.messages[number : number + 2]
            ids = {str(message.id) for message in pair}
            told = [(fact, about) for fact, about in session.facts if about and about[-1] in ids]
            facts = [(session.speakers[fact], fact, about) for fact, about in told]
            yield Interaction(session.name, session.at + timedelta(minutes=number), pair, facts)


def _task(number: int, at: datetime) -> Interaction:
    thing = THINGS[number % len(THINGS)]
    first, second = (
        AIMessage("", tool_calls=[{"name": "run_sql", "args": {"query": query}, "id": f"{number}-{place}"}])
        for place, query in enumerate((COUNT + thing, query_of(thing)))
    )
    return Interaction(
        f"task-{number}",
        at + timedelta(seconds=30),
        [
            HumanMessage(f"How many {thing} are there?", id=f"task-{number}"),
            first,
            ToolMessage(f"no such table: {thing}", tool_call_id=f"{number}-0", name="run_sql", status="error"),
            second,
            ToolMessage(str(100 + number), tool_call_id=f"{number}-1", name="run_sql"),
            AIMessage(f"There are {100 + number}.", id=f"task-{number}-answer"),
        ],
        thing=thing,
    )
