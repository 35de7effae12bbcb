"""Figures of each learning store: what it has learned, what became of it, and the cost."""

from collections import Counter
from collections.abc import Iterable

from langgraph_learning._engine.maintenance.votes import Ballot
from langgraph_learning.records import ACTIVE, Commit, Proposal, Remove, Update

FIGURES = ("learned", "changed", "retired", "proposed", "approved", "recalled", "helpful", "harmful", "tokens")


def learning_figures(
    commits: Iterable[Commit], proposals: Iterable[Proposal], ballots: Iterable[tuple[str, Ballot]]
) -> dict[str, Counter[str]]:
    """Return for each learning store how much was learned, proposed, approved, recalled, voted on, and retired.

    `tokens` are those of the extractions that changed or proposed something there; if they did so in several learning
    stores, each gets an equal share.

    Args:
        commits: The commits to count.
        proposals: Their proposals, including decided ones.
        ballots: The votes, each with the learning store of the record.
    """
    figures: dict[str, Counter[str]] = {}
    named = {proposal.id: proposal.store for proposal in proposals}
    for commit in commits:
        touched = {change.store for change in commit.changes} | {named[key] for key in commit.proposed if key in named}
        for change in commit.changes:
            gone = isinstance(change, Remove) or (isinstance(change, Update) and change.status != ACTIVE)
            what = "learned" if change.kind == "add" else "retired" if gone else "changed"
            figures.setdefault(change.store, Counter())[what] += 1
        for store, _ in commit.recalled:
            figures.setdefault(store, Counter())["recalled"] += 1
        cost = commit.usage.input_tokens + commit.usage.output_tokens
        for store in touched:
            figures.setdefault(store, Counter())["tokens"] += cost // len(touched)
    for proposal in proposals:
        counted = figures.setdefault(proposal.store, Counter())
        counted["proposed"] += 1
        counted["approved"] += proposal.status == "approved"
    for store, ballot in ballots:
        helpful = sum(vote.helpful for vote in ballot.votes.values())
        figures.setdefault(store, Counter())["helpful"] += helpful
        figures[store]["harmful"] += len(ballot.votes) - helpful
    return figures
