"""Commits: what a turn changed, and what was learned when."""

from collections.abc import Iterable

from langgraph_learning.records import Change, Commit, Record, Refusal
from langgraph_learning.views.markup import Html, data, html, joined, quiet, shown, tag, when

SIGNS = {"add": "+", "update": "~", "remove": "−"}


def timeline(learned: Iterable[Commit | Record], *, title: str | None = None) -> Html:
    """Return what was learned when, the oldest first: turn by turn from commits, or record by record."""
    moments = sorted(learned, key=lambda each: each.at if isinstance(each, Commit) else each.updated_at)
    points = [tag("li", _turn(each) if isinstance(each, Commit) else _known(each)) for each in moments]
    return shown(tag("b", title) if title else None, tag("ol", *points) if points else quiet("nothing was learned"))


@html.register
def _commit(commit: Commit) -> Html:
    return shown(_turn(commit), quiet(f"commit {commit.id}"))


def _turn(commit: Commit) -> Html:
    usage = commit.usage
    cost = f"{usage.calls} model call, {usage.input_tokens + usage.output_tokens} tokens" if usage.calls else ""
    where = f" in {commit.identity.thread_id}" if commit.identity.thread_id else ""
    lines = [_change(change) for change in commit.changes] + [_refused(refusal) for refusal in commit.refused]
    return joined([when(commit.at), quiet(where), quiet(f" {cost}"), *(lines or [tag("div", "nothing changed")])])


def _known(record: Record) -> Html:
    told = f" {record.store}, version {record.version}" if record.version > 1 else f" {record.store}"
    return joined([when(record.updated_at), quiet(told), tag("div", data(record.text))])


def _change(change: Change) -> Html:
    sign = tag("span", SIGNS[change.kind], class_=f"mark {change.kind}", title=change.kind)
    return tag("div", sign, data(change.text), " ", quiet(change.store))


def _refused(refusal: Refusal) -> Html:
    sign = tag("span", "×", class_="mark refused", title="refused")
    return tag("div", sign, data(f"{refusal.operation}: {refusal.reason}"), " ", quiet("refused"))
