"""The events that `reflect` reads: calls that failed and then worked, outcomes, corrections and votes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from langgraph.store.base import Item, PutOp

from langgraph_learning import prompts
from langgraph_learning._engine.learning.grounding import Spoken
from langgraph_learning._engine.learning.messages import clip_middle
from langgraph_learning._engine.learning.parse_requests import normalize_quote
from langgraph_learning._engine.maintenance.votes import ballot_key, read_ballot
from langgraph_learning._engine.repository import ScopeSnapshot
from langgraph_learning.records import Actor, Change, Commit, Namespace, Remove, Trajectory, Update

LONGEST_EVENT = 6_000
"""How many characters of one event the model gets."""
OUTCOME = "outcome"
"""The field of a record that holds its outcome."""
REFLECTION = "reflection"
"""The turn id of commits that a reflection made; later reflections skip these commits."""
# `assistant` marks the text of votes, which come from people, so its actor is `person`.
_ACTORS: dict[Spoken, Actor] = {"user": "user", "assistant": "person", "agent": "agent", "other": "tool"}


@dataclass(frozen=True)
class Evidence:
    """One event: who said what in it, and in which turn.

    The text about votes has the speaker `assistant`, because no person stated it about the world.
    """

    key: str
    at: datetime
    kind: str
    spoken: tuple[tuple[Spoken, str], ...]
    turns: tuple[str, ...] = ()
    """The ids of the event's messages; without them, the id of its turn or its commit."""
    thread_id: str | None = None
    user_id: str | None = None
    against: str | None = None
    """The id of the record, if more voters found it harmful than helpful."""

    @property
    def place(self) -> tuple[str, str]:
        """The key by which events are sorted: the time, then the event's key."""
        return (self.at.isoformat(), self.key)

    @property
    def line(self) -> str:
        """The text that the model gets, escaped as data."""
        text = clip_middle("\n".join(text for _, text in self.spoken), LONGEST_EVENT)
        return f'<event kind="{self.kind}" on="{self.at:%Y-%m-%d}">\n{prompts.escape(text)}\n</event>'

    def speaker(self, quote: str) -> Actor | None:
        """Return who said `quote` in this event, the user before others; None if nobody did."""
        wanted = normalize_quote(quote)
        ordered = sorted(self.spoken, key=lambda part: part[0] != "user")
        speaker = next((who for who, text in ordered if wanted and wanted in normalize_quote(text)), None)
        return _ACTORS[speaker] if speaker is not None else None


def events_of_commit(commit: Commit, names: Iterable[str]) -> list[Evidence]:
    """Return the events of a commit; `names` are the learning stores that the reflection may change."""
    if commit.turn == REFLECTION:
        return []
    whose, own = commit.identity, (commit.turn or commit.id,)
    events: list[tuple[str, tuple[tuple[Spoken, str], ...], tuple[str, ...]]] = []
    if (path := commit.trajectory) is not None and _has_recovered(path):
        events.append(("calls", _spoken_in(path), path.message_ids))
    events += [(OUTCOME, (("agent", change.text),), own) for change in commit.changes if _tells_outcome(change)]
    changed = [change for change in commit.changes if change.store in names and change.kind != "add"]
    corrections = [change for change in changed if change.source.actor == "user"]
    events += [("correction", _correction(change), change.source.message_ids) for change in corrections]
    return [
        Evidence(f"{commit.id}/{number}", commit.at, kind, spoken, turns or own, whose.thread_id, whose.user_id)
        for number, (kind, spoken, turns) in enumerate(events)
    ]


def _has_recovered(trajectory: Trajectory) -> bool:
    """Return whether a tool failed and then worked."""
    failed: set[str] = set()
    for step in trajectory.calls:
        if step.failed:
            failed.add(step.name)
        elif step.name in failed:
            return True
    return False


def _spoken_in(trajectory: Trajectory) -> tuple[tuple[Spoken, str], ...]:
    spoken: list[tuple[Spoken, str]] = [("user", trajectory.asked)]
    for step in trajectory.calls:
        spoken.append(("agent", f"{step.name} {step.arguments}"))
        spoken.append(("other", f"{'error' if step.failed else 'ok'}: {step.result}"))
    return tuple(spoken)


def _tells_outcome(change: Change) -> bool:
    return isinstance(change, Update) and bool(change.content.get(OUTCOME)) and bool(change.text)


def _correction(change: Change) -> tuple[tuple[Spoken, str], ...]:
    what = "taken out" if isinstance(change, Remove) else "changed to"
    return (("user", change.source.quote or ""), ("assistant", f"{change.store} {what}: {change.text}"))


def events_of_votes(snapshot: ScopeSnapshot, ballots: Sequence[Item]) -> list[Evidence]:
    """Return one event for each record that was voted on, with the votes counted now."""
    by_key = {item.key: item for item in ballots}
    events: list[Evidence] = []
    for record in snapshot.records:
        item = by_key.get(ballot_key((record.store, record.id)))
        helpful, harmful = read_ballot(item).tally(record)
        if item is None or not (helpful or harmful):
            continue
        counted = f"found helpful {helpful} times, harmful {harmful} times"
        text = f"{snapshot.store.name}, {counted}: {record.text}"
        against = record.id if harmful > helpful else None
        spoken: tuple[tuple[Spoken, str], ...] = (("assistant", text),)
        events.append(Evidence(f"votes/{record.id}", item.updated_at, "votes", spoken, against=against))
    return events


@dataclass(frozen=True)
class Mark:
    """The last event of an agent that was reflected on, and the version of the item that stores it."""

    namespace: Namespace
    key: str
    place: tuple[str, str] = ("", "")
    version: int = 0

    def moved_to(self, event: Evidence) -> PutOp:
        """Return the store operation that moves the mark to `event`."""
        return PutOp(self.namespace, self.key, {"place": list(event.place)}, index=False)


def read_mark(namespace: Namespace, key: str, item: object) -> Mark:
    """Return the stored mark; if there is none, a mark before every event."""
    if not isinstance(item, Item):
        return Mark(namespace, key)
    at, event = item.value["place"]
    return Mark(namespace, key, (str(at), str(event)), int(getattr(item, "version", 1)))
