"""The recall flow: read, rank, choose within the budget, render. It calls no model."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TypeAlias

from langchain_core.messages import BaseMessage

from langgraph_learning import prompts
from langgraph_learning._engine.flow import Flow
from langgraph_learning._engine.learning.messages import EVERYBODY, Speakers
from langgraph_learning._engine.recall.follow_up import search_text
from langgraph_learning._engine.recall.read_stores import read_stores
from langgraph_learning._engine.repository import RankedSnapshot, scoped_to
from langgraph_learning.errors import LearningError
from langgraph_learning.records import Identity, Record, Scope
from langgraph_learning.reports import Recall, Receipt, ShownRecord
from langgraph_learning.stores import Entry, LearningStore, Operation, Ranked
from langgraph_learning.stores.base import FAULTS
from langgraph_learning.words import tokens

MIN_TOKENS = 20
"""If more tokens than this are free, a record that is always shown but too long is cut instead of left out."""
LONGEST_NAME = 60
"""The longest name of another user that is shown, in characters."""
AuthorName: TypeAlias = Callable[[str], str | None]
"""Returns the name to show for a user id; None if there is none."""
LONGEST_QUERY = 4_000
"""The longest text that is searched for, in characters."""


@dataclass(frozen=True)
class RecallRules:
    """The rules for every recall of a machine: what to read, how long the text may be, and how to name other users."""

    stores: Sequence[LearningStore]
    budget: int = 2_000
    """The most tokens of the text."""
    author_name: AuthorName | None = None


@dataclass(frozen=True)
class Candidate:
    """An entry of a learning store that may be chosen, with the line that shows it."""

    snapshot: RankedSnapshot
    label: str
    line: str
    entry: Entry
    brief: str = ""

    @property
    def cost(self) -> int:
        """The number of tokens of the line and its newline."""
        return tokens(self.line) + 1

    @property
    def always(self) -> bool:
        """Whether it is chosen before all entries that are chosen by their score."""
        return self.entry.first or self.snapshot.store.recalled == "always"

    @property
    def place(self) -> int:
        """The position in its section: entries that are shown first have negative numbers, the others follow by age."""
        ages, ranked = self.snapshot.ages, self.entry.ranked
        age = ages[ranked[0].record.id] if ranked else -1
        if self.entry.place is not None:
            return self.entry.place - len(ages)
        return age - len(ages) if self.entry.first or not ranked else age

    @property
    def shown(self) -> list[ShownRecord]:
        """The lines of the receipt, one per record; the first record has all the tokens, the others 0."""
        costs = [self.cost, *(0 for _ in self.entry.ranked[1:])]
        return [
            ShownRecord(
                id=item.record.id,
                store=self.snapshot.store.name,
                label=self.label,
                score=item.score,
                reason="always" if self.always else _reason(item),
                tokens=cost,
                parts={name: round(part, 4) for name, part in item.parts.items() if part},
            )
            for item, cost in zip(self.entry.ranked, costs, strict=False)
        ]


def _reason(ranked: Ranked) -> str:
    helpful, harmful = ranked.votes
    votes = f"; found helpful {helpful}, harmful {harmful}" if helpful or harmful else ""
    if ranked.matched:
        return f"matches {', '.join(ranked.matched)}{votes}"
    if ranked.parts.get("neighbours", 0.0) > ranked.parts.get("meaning", 0.0):
        return f"beside what matches{votes}"
    return f"{'similar' if ranked.score > 0 else 'recent'}{votes}"


def attribute(
    snapshot: RankedSnapshot, identity: Identity | None, author_name: AuthorName | None = None
) -> RankedSnapshot:
    """Return the snapshot with an author in each shared record that another user taught; the author is rendered."""
    if snapshot.scope.namespace is None:
        return snapshot
    own = identity.user_id if identity else None
    users = dict.fromkeys(item.record.source.user_id for item in snapshot.order)
    names = {user: _author(user, author_name) for user in users if user is not None and user != own}
    order = []
    for item in snapshot.order:
        source = item.record.source
        if source.user_id in names:
            named = source.model_copy(update={"author": names[source.user_id]})
            item = replace(item, record=item.record.model_copy(update={"source": named}))
        order.append(item)
    return replace(snapshot, order=tuple(order))


def _author(user: str, author_name: AuthorName | None) -> str:
    """Return the name to show for a user, on one line, short and without brackets.

    Users may choose their names, so a name is untrusted text: it must not look like a part of the prompt.
    """
    given = str(author_name(user) or "") if author_name is not None else ""
    return re.sub(r"[\s()\[\],;]+", " ", given)[:LONGEST_NAME].strip() or "another user"


def recall(
    rules: RecallRules,
    identity: Identity,
    query: str | None,
    *,
    at: datetime | None = None,
    messages: Sequence[BaseMessage] = (),
    speakers: Speakers = EVERYBODY,
    turn: str | None = None,
) -> Flow[Recall]:
    """Return the records that fit `query` best, as a text within the budget, with the receipt.

    Args:
        rules: The learning stores to read, and the budget.
        identity: The user, thread and agent of the run. A learning store whose scope needs more than that is skipped.
        query: The text to search for; None for what the user said last in `messages`.
        at: The moment whose records are wanted; by default now. For a past moment, records that held then and were
            superseded later are returned as well.
        messages: The messages of this thread that the model gets anyway; they are not recalled again.
        speakers: The rules that tell the user's messages from those of others.
        turn: The id of the turn, for the receipt; None outside of a graph.
    """
    receipt = Receipt() if turn is None else Receipt(turn=turn, identity=identity, at=datetime.now(UTC))
    reached = scoped_to(rules.stores, identity)
    if not reached:
        return Recall(receipt=receipt)
    text = (yield from search_text(query, reached, messages, speakers))[:LONGEST_QUERY]
    seen = {(identity.thread_id, message.id) for message in messages if message.id}
    read = yield from read_stores(reached, text, at=at, seen=seen)
    snapshots = [attribute(snapshot, identity, rules.author_name) for snapshot in read]
    candidates = [candidate for snapshot in snapshots for candidate in _candidates(snapshot, text)]
    return _render(snapshots, _choose(candidates, snapshots, rules.budget), rules.budget, receipt)


def search(
    stores: Iterable[LearningStore], identity: Identity, query: str, limit: int, at: datetime | None = None
) -> Flow[list[Record]]:
    """Return up to `limit` records that fit `query`, the best first; `at` has the meaning that it has in `recall`."""
    snapshots = yield from read_stores(scoped_to(stores, identity), query, at=at)
    shown = [item for snapshot in snapshots for item in snapshot.order if item.record.id not in snapshot.suppressed]
    fitting = sorted((item for item in shown if item.matched or item.score > 0), key=lambda item: -item.score)
    return [item.record for item in fitting[: max(limit, 0)]]


def lookup(
    store: LearningStore,
    scope: Scope,
    search: Operation,
    at: datetime,
    budget: int,
    identity: Identity | None = None,
    author_name: AuthorName | None = None,
) -> Flow[str]:
    """Return the answer to an agent's search, as lines within `budget` tokens.

    Args:
        store: The learning store to search.
        scope: The scope of the records.
        search: One of its `searches`: the text to search for, and how many results to show.
        at: The present time, for searches by age.
        budget: The most tokens of the answer.
        identity: The user of the agent, whose name is not shown as an author.
        author_name: Returns the name to show for another user.

    Raises:
        LearningError: The learning store raised an error on its records.
    """
    asked = search.model_dump()
    query = str(asked.get("query") or "")[:LONGEST_QUERY]
    [read] = yield from read_stores([(store, scope)], query, status=None)
    snapshot = attribute(read, identity, author_name)
    labels = {record.id: label for label, record in snapshot.labels.items()}
    try:
        entries, left = store.search_entries(search, snapshot.order, at, complete=snapshot.complete), budget
        entries = entries[: asked.get("limit") or None]
    except FAULTS as error:
        raise LearningError(f"{store.name} failed: {type(error).__name__}") from error
    lines: list[str] = []
    for entry in entries:
        label = labels.get(entry.ranked[0].record.id, "") if store.named_by_id and len(entry.ranked) == 1 else ""
        shown = line(entry.text, label)
        if tokens(shown) > left and entry.brief and len(entries) > 1:  # a single entry is cut instead
            shown = line(entry.brief, label)
        if tokens(shown) > left:
            if lines:
                break
            shown = clip_to_budget(shown, left)
        left -= tokens(shown) + 1
        lines.append(shown)
    return "\n".join(lines)


def _candidates(snapshot: RankedSnapshot, query: str) -> list[Candidate]:
    store, labels = snapshot.store, {record.id: label for label, record in snapshot.labels.items()}
    actionable = bool(store.tools) and store.named_by_id
    candidates = []
    for entry in snapshot.entries(snapshot.order, query):
        if store.captures and entry.score <= 0:  # a passage without any match
            continue
        if any(item.record.id in snapshot.suppressed for item in entry.ranked):
            continue
        label = labels.get(entry.ranked[0].record.id, "") if entry.ranked else ""
        shown = label if actionable and len(entry.ranked) == 1 else ""
        brief = line(entry.brief, shown) if entry.brief else ""
        candidates.append(Candidate(snapshot, label, line(entry.text, shown), entry, brief))
    return candidates


def line(text: str, label: str) -> str:
    """Return `text`, escaped, as one item of a list in a prompt, after its short id if it has one."""
    shown = prompts.escape(text).strip().replace("\n", "\n  ")
    return f"- [{label}] {shown}" if label else f"- {shown}"


def _choose(candidates: list[Candidate], snapshots: Sequence[RankedSnapshot], budget: int) -> list[Candidate]:
    """Return the candidates that fit into `budget`: those that are always shown, then the best by score.

    A candidate that is too long is replaced by its brief form, cut, or skipped; smaller ones after it may still fit.
    """
    # Reserve room for the tags, the headings, and the lines that say how many records are not shown.
    hidden = [
        (snapshot, [_more_line(snapshot, len(snapshot.records) + snapshot.unread)])
        for snapshot in snapshots
        if snapshot.records
    ]
    frame = tokens(_text(hidden))
    left, chosen = budget - frame, []
    room = {snapshot.store.name: int(snapshot.store.share * budget) for snapshot in snapshots}
    for candidate in sorted(candidates, key=_turn_to_choose):
        name = candidate.snapshot.store.name
        free = min(left, room[name])
        if candidate.cost > free and candidate.brief:
            candidate = replace(candidate, line=candidate.brief)
        if candidate.always and candidate.cost > free > MIN_TOKENS:  # show at least its beginning
            candidate = replace(candidate, line=clip_to_budget(candidate.line, free - 1))
        if candidate.cost <= free:
            left -= candidate.cost
            room[name] -= candidate.cost
            chosen.append(candidate)
    return chosen


def _turn_to_choose(candidate: Candidate) -> tuple[int, float]:
    """Return the sort key: entries always shown, then those of learning stores with a limited share, then by score."""
    if candidate.always:
        return 0, 0.0
    return (1 if candidate.snapshot.store.share < 1 else 2), -candidate.entry.score


def clip_to_budget(line: str, budget: int) -> str:
    """Return the beginning of `line` that fits into `budget` tokens."""
    beginning = line[: budget * 4]
    while tokens(beginning + "...") > budget:
        beginning = beginning[: -max(1, len(beginning) // 20)]
    return f"{beginning}..."


def _render(snapshots: Sequence[RankedSnapshot], chosen: list[Candidate], budget: int, receipt: Receipt) -> Recall:
    """Return the recall of the chosen candidates, with the receipt completed.

    A section is in order of age and not of score, so that the same choice always gives the same text.
    """
    sections, records, shown, left_out = [], [], [], {}
    for snapshot in snapshots:
        own = sorted((candidate for candidate in chosen if candidate.snapshot is snapshot), key=lambda one: one.place)
        within = list({item.record.id: item.record for candidate in own for item in candidate.entry.ranked}.values())
        hidden = len(snapshot.records) - len(snapshot.suppressed) - len(within) + snapshot.unread
        lines = [candidate.line for candidate in own] + ([_more_line(snapshot, hidden)] if hidden else [])
        if hidden:
            left_out[snapshot.store.name] = hidden
        if lines:
            sections.append((snapshot, lines))
        records += within
        shown += [entry for candidate in own for entry in candidate.shown]
    text = _text(sections)
    if tokens(text) > budget:  # the tags and headings alone are too long
        read = {snapshot.store.name: len(snapshot.records) + snapshot.unread for snapshot in snapshots}
        return Recall(receipt=receipt.model_copy(update={"left_out": read}))
    choice = {"shown": tuple(shown), "left_out": left_out, "tokens": tokens(text)}
    return Recall(text=text, records=tuple(records), receipt=receipt.model_copy(update=choice))


def _more_line(snapshot: RankedSnapshot, hidden: int) -> str:
    """Return the line that says how many records are not shown, and names the search tool if the agent has it."""
    store = snapshot.store
    tools = [search.__name__ for search in store.searches if search in store.tools]
    ask = f"; ask to search by {tools[0]}" if tools else ""
    return f"more was said{ask}" if store.captures else f"{hidden} more{ask}"


def _text(sections: Sequence[tuple[RankedSnapshot, Sequence[str]]]) -> str:
    if not sections:
        return ""
    blocks = [
        "\n".join([f"<{snapshot.store.name}>", snapshot.store.title, *lines, f"</{snapshot.store.name}>"])
        for snapshot, lines in sections
    ]
    return "\n".join(["<learning_context>", prompts.load("recall"), *blocks, "</learning_context>"])
