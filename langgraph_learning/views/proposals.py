"""Views of proposals: what waits for a person, what it would change and why, and the outcome of an answer."""

from collections.abc import Iterable

from langgraph_learning.records import Proposal
from langgraph_learning.reports import Outcome
from langgraph_learning.views.commits import change_line
from langgraph_learning.views.markup import Html, data, grid, html, join, quiet, tag, when, with_style
from langgraph_learning.views.records import because

HEAD = ("it would", "because of", "proposed", "")
STALE = "changed meanwhile: look again"


def inbox(proposals: Iterable[Proposal], *, title: str | None = None) -> Html:
    """Return proposals as one table, in the given order: what each would do, why, and whether it still waits."""
    rows = [(_would(proposal), _why(proposal), when(proposal.at), _state(proposal)) for proposal in proposals]
    return with_style(grid(HEAD, rows, title) if rows else quiet(f"{title or 'proposals'}: none"))


@html.register
def _proposal(proposal: Proposal) -> Html:
    return inbox([proposal])


@html.register
def _outcome(outcome: Outcome) -> Html:
    sign = {"approved": ("✓", "add"), "rejected": ("−", "remove")}.get(outcome.result, ("×", "refused"))
    mark = tag("span", sign[0], class_=f"mark {sign[1]}")
    ids = quiet(f" proposal {outcome.proposal}{f', commit {outcome.commit}' if outcome.commit else ''}")
    return with_style(mark, tag("b", outcome.result), " ", data(outcome.reason), ids)


def _would(proposal: Proposal) -> Html:
    lines = [change_line(change) for change in proposal.changes]
    return join([*(lines or [data(proposal.name)]), quiet(f"by {proposal.name}")])


def _why(proposal: Proposal) -> Html:
    reason = proposal.args.get("because")
    return join([tag("div", data(str(reason))) if reason else None, because(proposal.source)])


def _state(proposal: Proposal) -> Html:
    if proposal.status == "pending":
        return tag("span", STALE, class_="refused") if proposal.stale else quiet("waits")
    by = f" by {proposal.decided_by}" if proposal.decided_by else ""
    comment = tag("div", data(proposal.message)) if proposal.message else None
    return join([tag("span", f"{proposal.status}{by}", class_="quiet"), comment])
