"""From what a model asked for to one atomic write: validate, plan, cap, write, and again on a lost race."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from pydantic import JsonValue

from langgraph_learning.engine.flow import Flow, write
from langgraph_learning.engine.records import SEARCHED, Known, as_commit, find_commit, load, put_commit, puts
from langgraph_learning.engine.turn import derived_id
from langgraph_learning.engine.wire import read_operation
from langgraph_learning.errors import ConflictError
from langgraph_learning.records import Change, Commit, Identity, Refusal, Source, Usage
from langgraph_learning.stores import Operation, Refused

log = logging.getLogger(__name__)

TRIES = 50
"""How often a commit is planned anew: of so many writers of one record, each loses to every other once at most."""


@dataclass(frozen=True)
class Request:
    """One operation as a model asked for it, and what it rests on."""

    operation: object
    arguments: Mapping[str, JsonValue]
    source: Source = field(default_factory=Source)


@dataclass(frozen=True)
class Draft:
    """What is to be committed: asked by whom, under which id, with which limits.

    `limits` are changes per learning store; `pinned` are the record ids by the short ids that a model was shown, per
    learning store: by the time of writing the order of the records may be another; `marked` keeps also an empty
    commit, so that the same turn is not asked about again.
    """

    id: str
    identity: Identity
    at: datetime
    requests: tuple[Request, ...]
    limits: Mapping[str, int]
    pinned: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    usage: Usage = field(default_factory=Usage)
    marked: bool = True


@dataclass
class Plan:
    """The changes so far, and what is known when they are made."""

    draft: Draft
    known: dict[str, Known]
    changes: list[Change] = field(default_factory=list)
    refused: list[Refusal] = field(default_factory=list)

    def __post_init__(self) -> None:
        pinned = self.draft.pinned
        self.labels = {name: {**_counted(known), **pinned.get(name, {})} for name, known in self.known.items()}
        self.left = dict(self.draft.limits)

    def add(self, request: Request) -> None:
        """Plan one request; what cannot be carried out is refused, and its siblings stand."""
        name = str(request.operation)
        stores = [known.store for known in self.known.values()]
        try:
            store, operation, refused = read_operation(stores, request.operation, request.arguments)
        except LookupError as error:
            self.refused.append(Refusal(operation=name, reason=str(error.args[0])))
            return
        self.refused += refused
        if operation is not None:
            known = self.known[store.name]
            self._take(known, name, self._planned(known, name, operation), request.source)

    def _planned(self, known: Known, name: str, operation: Operation) -> list[Change]:
        try:
            return known.store.plan(self._resolved(operation, known), known.records)
        except Refused as error:
            self.refused.append(Refusal(operation=name, reason=str(error.args[0])))
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            # A fault of one learning store must not cost the others what they have learned.
            log.exception("%s.plan failed", known.store.name)
            self.refused.append(Refusal(operation=name, reason=f"{known.store.name} failed: {type(error).__name__}"))
        return []

    def _resolved(self, operation: Operation, known: Known) -> Operation:
        """Put the record's own id in the place of the short one."""
        short = getattr(operation, "id", None) if "id" in type(operation).model_fields else None
        if short is None:
            return operation
        ids = {record.id for record in known.records}
        labels = self.labels[known.store.name]
        found = labels.get(str(short))
        if found not in ids:
            there = ", ".join(label for label, record in labels.items() if record in ids)
            raise Refused(f"there is no record {short!r}; there {f'is {there}' if there else 'are none'}")
        return operation.model_copy(update={"id": found})

    def _take(self, known: Known, name: str, changes: list[Change], source: Source) -> None:
        limit, left = self.draft.limits[known.store.name], self.left[known.store.name]
        if len(changes) > left:
            log.warning("%s: over %d changes a turn, the rest is dropped", known.store.name, limit)
            self.refused.append(Refusal(operation=name, reason=f"over the limit of {limit} changes a turn"))
        taken = [self._own(change, source) for change in changes[:left]]
        self.left[known.store.name] -= len(taken)
        self.changes += taken
        self.known[known.store.name] = known.after(taken, self.draft.at)

    def _own(self, change: Change, source: Source) -> Change:
        """Give a change its source, and a new record an id that a repeated run gives it, too."""
        identified = change.id or derived_id("record", self.draft.id, len(self.changes), change.text)
        return change.model_copy(update={"source": source, "id": identified})


def _counted(known: Known) -> dict[str, str]:
    """The short ids by age, where recall has counted all records, too: else they could mean others than it showed."""
    return known.short_ids if len(known.records) <= SEARCHED else {}


def commit(draft: Draft, known: Sequence[Known]) -> Flow[Commit]:
    """Write what `draft` asks for, given what is `known`; a lost race is planned again on what is there now.

    Raises:
        ConflictError: Others were first every time.
    """
    for left in reversed(range(TRIES)):
        plan = Plan(draft, {each.store.name: each for each in known})
        for request in draft.requests:
            plan.add(request)
        made = Commit(
            id=draft.id,
            identity=draft.identity,
            at=draft.at,
            changes=tuple(plan.changes),
            refused=tuple(plan.refused),
            usage=draft.usage,
        )
        if not (made.changes or draft.marked):
            return made
        try:
            yield from _write(made, known)
        except ConflictError:
            if not left:
                raise
        else:
            return made
        [found], known = yield from load([(each.store, each.scope) for each in known], find_commit(*_key(draft)))
        if (earlier := as_commit(found)) is not None:
            return earlier
    raise AssertionError("unreachable")


def _key(draft: Draft) -> tuple[Identity, str]:
    return draft.identity, draft.id


def _write(made: Commit, known: Sequence[Known]) -> Flow[None]:
    marker = put_commit(made)
    operations, expect = [marker], {(marker.namespace, marker.key): 0}
    for each in known:
        mine = [change for change in made.changes if change.store == each.store.name]
        more, versions = puts(each, mine, made.at)
        operations += more
        expect.update(versions)
    yield from write(operations, expect, made.id)
