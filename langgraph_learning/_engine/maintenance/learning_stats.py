"""Figures of each learning store: what it has learned, what became of it, and the cost."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias, cast

from langgraph.store.base import Item, ListNamespacesOp, MatchCondition, Op, SearchOp

from langgraph_learning._engine.approval.proposals import PROPOSALS, read_proposal
from langgraph_learning._engine.flow import Flow, batch
from langgraph_learning._engine.maintenance.votes import BALLOTS, Ballot, read_ballot
from langgraph_learning._engine.repository import EVERYTHING, read_commit
from langgraph_learning.namespace_labels import COMMITS
from langgraph_learning.records import ACTIVE, Commit, Namespace, Proposal, Remove, Update

FIGURES: Mapping[str, str] = {
    "learned": "records added",
    "changed": "records given other content",
    "retired": "records set aside, superseded or removed",
    "proposed": "changes left to a person",
    "approved": "of those, how many a person has approved",
    "recalled": "records shown, each once a turn",
    "helpful": "votes for a record",
    "harmful": "votes against a record",
    "tokens": "what learning took: its part of the extractions and reflections",
    "shown": "what recalling took of the agent's prompts, in tokens, once a turn",
}
"""The figures, and the meaning of each."""
Figures: TypeAlias = dict[str, dict[str, int]]
"""The figures by learning store."""


def load_figures(prefix: Namespace) -> Flow[Figures]:
    """Read the commits, proposals and votes below `prefix`, and return the figures of each learning store."""
    conditions = (MatchCondition("prefix", prefix),)
    [listed] = yield from batch(ListNamespacesOp(conditions, limit=EVERYTHING))
    kinds = (COMMITS, PROPOSALS, BALLOTS)
    places = [tuple(place) for place in cast("list[Namespace]", listed) if place[-1] in kinds]
    reads: list[Op] = [SearchOp(place, limit=EVERYTHING, refresh_ttl=False) for place in places]
    results = (yield from batch(*reads)) if reads else []
    items_of: dict[str, list[Item]] = {kind: [] for kind in kinds}
    for place, items in zip(places, results, strict=True):
        items_of[place[-1]] += [item for item in cast("list[Item]", items) if tuple(item.namespace) == place]
    commits = [commit for item in items_of[COMMITS] if (commit := read_commit(item)) is not None]
    ballots = [(item.key.partition(":")[0], read_ballot(item)) for item in items_of[BALLOTS]]
    return count_figures(commits, [read_proposal(item) for item in items_of[PROPOSALS]], ballots)


def count_figures(
    commits: Sequence[Commit], proposals: Iterable[Proposal], ballots: Iterable[tuple[str, Ballot]]
) -> Figures:
    """Return the figures of each learning store.

    Args:
        commits: The commits to count.
        proposals: Their proposals, including decided ones.
        ballots: The votes, each with the learning store of the record.
    """
    figures: dict[str, Counter[str]] = {}

    def add(store: str, figure: str, number: int = 1) -> None:
        figures.setdefault(store, Counter())[figure] += number

    for commit in commits:
        for change in commit.changes:
            gone = isinstance(change, Remove) or (isinstance(change, Update) and change.status != ACTIVE)
            add(change.store, "learned" if change.kind == "add" else "retired" if gone else "changed")
        for store, cost in commit.costs.items():
            add(store, "tokens", cost)
    # Tools make commits of their own in a turn, about the same recall: it counts once for each turn.
    turns = {(commit.identity, commit.provenance.turn_id or commit.id): commit for commit in commits if commit.recalled}
    for commit in turns.values():
        for store, _ in commit.recalled:
            add(store, "recalled")
        for store, cost in commit.provenance.recalled_tokens.items():
            add(store, "shown", cost)
    for proposal in proposals:
        add(proposal.store, "proposed")
        add(proposal.store, "approved", proposal.status == "approved")
    for store, ballot in ballots:
        helpful = sum(vote.helpful for vote in ballot.votes.values())
        add(store, "helpful", helpful)
        add(store, "harmful", len(ballot.votes) - helpful)
    return {store: {what: counts[what] for what in FIGURES} for store, counts in sorted(figures.items())}
