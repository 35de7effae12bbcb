"""The recall flow: choose, rank, budget, render; one round trip to the store and no model call."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from langgraph.store.base import SearchOp
from pydantic import Field

from langgraph_learning import prompts
from langgraph_learning.engine.flow import Flow, Stand, batch, beyond, standing
from langgraph_learning.engine.rank import Ranked, ranked
from langgraph_learning.engine.records import SEARCHED, Known, known, read, scoped_to
from langgraph_learning.records import Frozen, Identity, Record, Scope
from langgraph_learning.stores import LearningStore
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
    """What a recall considered, chose and why; ids only."""

    shown: tuple[Shown, ...] = ()
    left_out: dict[str, int] = Field(default_factory=dict)
    tokens: int = 0


class Recall(Frozen):
    """What a model is shown, the records it was made of, and the receipt."""

    text: str = ""
    records: tuple[Record, ...] = ()
    receipt: Receipt = Receipt()


@dataclass(frozen=True)
class Candidate:
    """A record that may be shown, with the line that would show it."""

    known: Known
    label: str
    line: str
    ranked: Ranked

    @property
    def cost(self) -> int:
        """The tokens of the line."""
        return tokens(self.line) + 1

    @property
    def shown(self) -> Shown:
        """The entry of the receipt."""
        store, record = self.known.store, self.ranked.record
        matched = f"matches {', '.join(self.ranked.matched)}" if self.ranked.matched else "recent"
        reason = "always" if store.recalled == "always" else "similar" if self._similar else matched
        return Shown(
            id=record.id,
            store=store.name,
            label=self.label,
            score=self.ranked.score,
            reason=reason,
            tokens=self.cost,
            parts={name: round(part, 4) for name, part in self.ranked.parts.items() if part},
        )

    @property
    def _similar(self) -> bool:
        return not self.ranked.matched and self.ranked.score > 0


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
    best = [choice for each in found for choice in ranked(each.records, query, each.scores, final=each.ranked)]
    fitting = [choice for choice in best if choice.matched or choice.score > 0]
    return [choice.record for choice in sorted(fitting, key=lambda choice: -choice.score)[: max(limit, 0)]]


def _found(stores: Sequence[tuple[LearningStore, Scope]], query: str) -> Flow[list[Known]]:
    stand = yield from standing()
    asked = [_reads(store, scope, query, stand) for store, scope in stores]
    results = iter((yield from batch(*(op for ops in asked for op in ops), as_of=stand.revision)))
    found = []
    for (store, scope), ops in zip(stores, asked, strict=True):
        each = known(store, scope, *(next(results) for _ in ops))
        if stand.ranks:
            each = replace(each, ranked=ops[0].query is not None, beyond=(yield from _beyond(each, ops[0], stand)))
        found.append(each)
    return found


def _reads(store: LearningStore, scope: Scope, query: str, stand: Stand) -> list[SearchOp]:
    """A store that ranks by itself gives the best and then the newest; of any other all is read and ranked here."""
    if store.recalled == "always":
        return [read(store, scope)]
    if stand.ranks:
        return [read(store, scope, query, SEARCHED)]
    return [read(store, scope), *([read(store, scope, query, SEARCHED)] if query else [])]


def _beyond(each: Known, op: SearchOp, stand: Stand) -> Flow[int]:
    """How many records there are that were not read; of the past nobody has counted them."""
    if len(each.records) < op.limit or stand.revision is not None:
        return 0
    total = yield from beyond("count", op.namespace_prefix)
    return max(0, int(total) - len(each.records))


def _candidates(each: Known, query: str) -> list[Candidate]:
    labels = {record.id: label for label, record in each.labels.items()}
    actionable = bool(each.store.tools)
    found = []
    for choice in ranked(each.records, query, each.scores, final=each.ranked):
        label = labels[choice.record.id]
        text = prompts.escape(each.store.render(choice.record)).strip().replace("\n", "\n  ")
        found.append(Candidate(each, label, f"- [{label}] {text}" if actionable else f"- {text}", choice))
    return found


def _chosen(candidates: list[Candidate], found: Sequence[Known], budget: int) -> list[Candidate]:
    """Take what is always shown, then the best fits; what is too long makes room for what is not."""
    frame = tokens(_text([(each, [_more(len(each.records) + each.beyond)]) for each in found if each.records]))
    left, chosen = budget - frame, []
    first = [candidate for candidate in candidates if candidate.known.store.recalled == "always"]
    rest = [candidate for candidate in candidates if candidate.known.store.recalled != "always"]
    for candidate in [*first, *sorted(rest, key=lambda each: -each.ranked.score)]:
        if candidate in first and candidate.cost > left > LEAST:  # better its beginning than nothing
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
    lines_of = {(candidate.known.store.name, candidate.ranked.record.id): candidate for candidate in chosen}
    sections, records, shown, left_out = [], [], [], {}
    for each in found:
        keys = [(each.store.name, record.id) for record in each.records]
        mine = [lines_of[key] for key in keys if key in lines_of]
        hidden = len(each.records) - len(mine) + each.beyond
        lines = [candidate.line for candidate in mine] + ([_more(hidden)] if hidden else [])
        if hidden:
            left_out[each.store.name] = hidden
        if lines:
            sections.append((each, lines))
        records += [candidate.ranked.record for candidate in mine]
        shown += [candidate.shown for candidate in mine]
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
