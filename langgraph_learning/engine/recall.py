"""The recall flow: choose, rank, budget, render; one round trip to the store and no model call."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from langgraph.store.base import SearchOp
from pydantic import Field

from langgraph_learning import prompts
from langgraph_learning.engine.ballots import as_ballots, find_ballots, tallies
from langgraph_learning.engine.flow import Flow, Stand, batch, beyond, standing
from langgraph_learning.engine.index import nearest
from langgraph_learning.engine.rank import ranked, voted
from langgraph_learning.engine.records import SEARCHED, Known, known, read, scoped_to
from langgraph_learning.errors import LearningError
from langgraph_learning.records import ACTIVE, ARCHIVED, DOCUMENT, Frozen, Identity, Record, Scope
from langgraph_learning.stores import Entry, LearningStore, Operation, Ranked
from langgraph_learning.stores.base import FAULTS
from langgraph_learning.text import tokens

LEAST = 20
"""How many tokens must be left for the beginning of a record that is too long."""
LONGEST_QUERY = 4_000
"""How much of the turn is searched for, in characters."""


class Shown(Frozen):
    """One recalled record: where it is, how it is called, and why it was chosen. No text: it may be forgotten."""

    id: str
    store: str
    label: str
    score: float
    reason: str
    tokens: int
    parts: dict[str, float] = Field(default_factory=dict)
    """What the score is the sum of: `words` and `meaning`, or the store's own `search`."""


class Receipt(Frozen):
    """What a recall considered, chose and why, in which turn and for whom; ids only."""

    shown: tuple[Shown, ...] = ()
    left_out: dict[str, int] = Field(default_factory=dict)
    tokens: int = 0
    turn: str = ""
    """The id of the human message that it answers; empty outside of a graph."""
    identity: Identity | None = None
    at: datetime | None = None


class Recall(Frozen):
    """What a model is shown, the records it was made of, and the receipt."""

    text: str = ""
    records: tuple[Record, ...] = ()
    receipt: Receipt = Receipt()

    def of_turn(self, turn: str, identity: Identity, at: datetime) -> "Recall":
        """Return it with a receipt that says which turn it was."""
        known = {"turn": turn, "identity": identity, "at": at}
        return self.model_copy(update={"receipt": self.receipt.model_copy(update=known)})


@dataclass(frozen=True)
class Candidate:
    """A piece that may be shown, with the line that would show it."""

    known: Known
    label: str
    line: str
    entry: Entry
    brief: str = ""

    @property
    def cost(self) -> int:
        """The tokens of the line."""
        return tokens(self.line) + 1

    @property
    def always(self) -> bool:
        """Whether it goes before what is chosen by how well it fits."""
        return self.entry.first or self.known.store.recalled == "always"

    @property
    def place(self) -> int:
        """Where it stands in its part: what opens it, then what it is about by age."""
        ages, ranked = self.known.ages, self.entry.ranked
        age = ages[ranked[0].record.id] if ranked else -1
        return age - len(ages) if self.entry.first or not ranked else age

    @property
    def shown(self) -> list[Shown]:
        """The entries of the receipt: the tokens count for the record it is about."""
        costs = [self.cost, *(0 for _ in self.entry.ranked[1:])]
        return [
            Shown(
                id=each.record.id,
                store=self.known.store.name,
                label=self.label,
                score=each.score,
                reason="always" if self.always else _reason(each),
                tokens=cost,
                parts={name: round(part, 4) for name, part in each.parts.items() if part},
            )
            for each, cost in zip(self.entry.ranked, costs, strict=False)
        ]


def _reason(ranked: Ranked) -> str:
    helpful, harmful = ranked.votes
    said = f"; found helpful {helpful}, harmful {harmful}" if helpful or harmful else ""
    if ranked.matched:
        return f"matches {', '.join(ranked.matched)}{said}"
    return f"{'similar' if ranked.score > 0 else 'recent'}{said}"


def _ranked(each: Known, query: str) -> list[Ranked]:
    return voted(ranked(each.records, query, each.scores, final=each.ranked), each.votes)


def recall(stores: Iterable[LearningStore], identity: Identity, query: str, budget: int) -> Flow[Recall]:
    """Return what fits `query` best within `budget` tokens.

    Args:
        stores: The learning stores to look into.
        identity: Who is asking; without what a learning store's scope takes it is not read.
        query: What the user said in this turn.
        budget: How long the text may be, in tokens.
    """
    mine = scoped_to(stores, identity)
    if not mine:
        return Recall()
    found = yield from _found(mine, query[:LONGEST_QUERY])
    candidates = [candidate for each in found for candidate in _candidates(each, query[:LONGEST_QUERY])]
    return _rendered(found, _chosen(candidates, found, budget), budget)


def search(stores: Iterable[LearningStore], identity: Identity, query: str, limit: int) -> Flow[list[Record]]:
    """Return the records that fit `query`, the best first."""
    found = yield from _found(scoped_to(stores, identity), query)
    best = [choice for each in found for choice in _ranked(each, query)]
    aside = frozenset().union(*(each.aside for each in found))
    fitting = [each for each in best if (each.matched or each.score > 0) and each.record.id not in aside]
    return [choice.record for choice in sorted(fitting, key=lambda choice: -choice.score)[: max(limit, 0)]]


def lookup(store: LearningStore, scope: Scope, search: Operation, at: datetime, budget: int) -> Flow[str]:
    """Return what answers an agent's search, as lines within `budget` tokens.

    Args:
        store: The learning store to look into.
        scope: Whose records.
        search: One of its `searches`: what to look for, and how much of it to show.
        at: Now, for searches by age.
        budget: How long the answer may be, in tokens.

    Raises:
        LearningError: The learning store failed over its records.
    """
    asked = search.model_dump()
    query = str(asked.get("query") or "")[:LONGEST_QUERY]
    [found] = yield from _found([(store, scope)], query, status=None)
    best = _ranked(found, query)
    labels = {record.id: label for label, record in found.labels.items()}
    try:
        entries, left = store.answers(search, best, at)[: asked.get("limit") or None], budget
    except FAULTS as error:
        raise LearningError(f"{store.name} failed: {type(error).__name__}") from error
    lines: list[str] = []
    for entry in entries:
        label = labels.get(entry.ranked[0].record.id, "") if store.named_by_id and len(entry.ranked) == 1 else ""
        shown = line(entry.text, label)
        if tokens(shown) > left and entry.brief and len(entries) > 1:  # alone it is shown as far as it goes
            shown = line(entry.brief, label)
        if tokens(shown) > left:
            if lines:
                break
            shown = clipped(shown, left)
        left -= tokens(shown) + 1
        lines.append(shown)
    return "\n".join(lines)


def _found(stores: Sequence[tuple[LearningStore, Scope]], query: str, status: str | None = ACTIVE) -> Flow[list[Known]]:
    stand = yield from standing()
    asked = [_reads(store, scope, query, stand) for store, scope in stores]
    voting = list(dict.fromkeys(scope for store, scope in stores if store.recalled == "relevant"))
    every = [*(op for ops in asked for op in ops), *map(find_ballots, voting)]
    results = iter((yield from batch(*every, as_of=stand.revision)))
    read_here = [
        known(store, scope, *(next(results) for _ in ops)) for (store, scope), ops in zip(stores, asked, strict=True)
    ]
    ballots = {scope: as_ballots(scope, next(results)) for scope in voting}
    found = []
    for each, ops in zip(read_here, asked, strict=True):
        if status is not None:
            each = yield from _of_status(each, ops[0], stand, status)
        each = replace(each, votes=tallies(each.records, ballots.get(each.scope, {})))
        if stand.ranks:
            each = replace(each, ranked=ops[0].query is not None, beyond=(yield from _beyond(each, ops[0], stand)))
        if status is not None:
            each = _standing(each, status)
        if query and stand.revision is None:  # a vector store knows the present only
            each = yield from nearest(each, query, status)
        found.append(each)
    return found


def _reads(store: LearningStore, scope: Scope, query: str, stand: Stand) -> list[SearchOp]:
    """A store that ranks by itself gives the best and then the newest; of any other all is read and ranked here."""
    if store.recalled == "always":
        return [read(store, scope)]
    if stand.ranks:
        return [read(store, scope, query, store.searched)]
    return [read(store, scope), *([read(store, scope, query, SEARCHED)] if query else [])]


def _of_status(each: Known, op: SearchOp, stand: Stand, status: str) -> Flow[Known]:
    """Read again where records of another status take the place of what is wanted, which costs more, and is rare."""
    fitting = sum(record.status == status for record in each.records)
    all_read, store = len(each.records) < op.limit, each.store
    crowded = fitting < len(each.records) if store.minds_archived else fitting * 4 < len(each.records) * 3
    more = [op._replace(filter={"status": status})] if crowded and not all_read else []
    more += [read(store, each.scope, status=ARCHIVED)] if store.minds_archived and not all_read else []
    if not more:
        return each
    results = yield from batch(*more, as_of=stand.revision)
    again = known(store, each.scope, *results)
    kept = {record.id: record for record in (*each.records, *again.records)}
    ordered = sorted(kept.values(), key=lambda record: (record.created_at, record.id))
    return replace(each, records=tuple(ordered), scores={**each.scores, **again.scores})


def _standing(each: Known, status: str) -> Known:
    """Leave out what has another status, and tell what that sets aside."""
    wanted = tuple(record for record in each.records if record.status in (status, DOCUMENT))
    archived = [record for record in each.records if record.status == ARCHIVED]
    standing = {record.id for record in each.store.standing(wanted, archived)}
    return replace(each, records=wanted, aside=frozenset(record.id for record in wanted if record.id not in standing))


def _beyond(each: Known, op: SearchOp, stand: Stand) -> Flow[int]:
    """How many records there are that were not read; of the past nobody has counted them."""
    if len(each.records) < op.limit or stand.revision is not None:
        return 0
    total = yield from beyond("count", op.namespace_prefix)
    return max(0, int(total) - len(each.records))


def _candidates(each: Known, query: str) -> list[Candidate]:
    labels = {record.id: label for label, record in each.labels.items()}
    actionable = bool(each.store.tools) and each.store.named_by_id
    found = []
    for entry in each.entries(_ranked(each, query), query):
        if any(one.record.id in each.aside for one in entry.ranked):
            continue
        label = labels.get(entry.ranked[0].record.id, "") if entry.ranked else ""
        shown = label if actionable and len(entry.ranked) == 1 else ""
        brief = line(entry.brief, shown) if entry.brief else ""
        found.append(Candidate(each, label, line(entry.text, shown), entry, brief))
    return found


def line(text: str, label: str) -> str:
    """Return `text` as one item of a list in a prompt: data, under its short id where there is one."""
    shown = prompts.escape(text).strip().replace("\n", "\n  ")
    return f"- [{label}] {shown}" if label else f"- {shown}"


def _chosen(candidates: list[Candidate], found: Sequence[Known], budget: int) -> list[Candidate]:
    """Take what is always shown, then the best fits; what is too long makes room for what is not."""
    frame = tokens(_text([(each, [_more(len(each.records) + each.beyond)]) for each in found if each.records]))
    left, chosen = budget - frame, []
    first = [candidate for candidate in candidates if candidate.always]
    rest = [candidate for candidate in candidates if not candidate.always]
    for candidate in [*first, *sorted(rest, key=lambda each: -each.entry.score)]:
        if candidate.cost > left and candidate.brief:
            candidate = replace(candidate, line=candidate.brief)
        if candidate.always and candidate.cost > left > LEAST:  # better its beginning than nothing
            candidate = replace(candidate, line=clipped(candidate.line, left - 1))
        if candidate.cost <= left:
            left -= candidate.cost
            chosen.append(candidate)
    return chosen


def clipped(line: str, budget: int) -> str:
    """Return the beginning of `line` that fits into `budget` tokens."""
    kept = line[: budget * 4]
    while tokens(kept + "...") > budget:
        kept = kept[: -max(1, len(kept) // 20)]
    return f"{kept}..."


def _rendered(found: Sequence[Known], chosen: list[Candidate], budget: int) -> Recall:
    """Write the chosen down in the order they came to be, so that the same choice is the same text."""
    sections, records, shown, left_out = [], [], [], {}
    for each in found:
        mine = sorted((one for one in chosen if one.known is each), key=lambda one: one.place)
        within = list({ranked.record.id: ranked.record for one in mine for ranked in one.entry.ranked}.values())
        hidden = len(each.records) - len(each.aside) - len(within) + each.beyond
        lines = [candidate.line for candidate in mine] + ([_more(hidden)] if hidden else [])
        if hidden:
            left_out[each.store.name] = hidden
        if lines:
            sections.append((each, lines))
        records += within
        shown += [entry for candidate in mine for entry in candidate.shown]
    text = _text(sections)
    if tokens(text) > budget:  # not even the frame fits
        return Recall(receipt=Receipt(left_out={each.store.name: len(each.records) + each.beyond for each in found}))
    receipt = Receipt(shown=tuple(shown), left_out=left_out, tokens=tokens(text))
    return Recall(text=text, records=tuple(records), receipt=receipt)


def _more(hidden: int) -> str:
    return f"{hidden} more; ask to search"


def _text(sections: Sequence[tuple[Known, Sequence[str]]]) -> str:
    if not sections:
        return ""
    blocks = [
        "\n".join([f"<{each.store.name}>", each.store.title, *lines, f"</{each.store.name}>"])
        for each, lines in sections
    ]
    return "\n".join(["<learning_context>", prompts.load("recall"), *blocks, "</learning_context>"])
