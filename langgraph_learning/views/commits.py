"""Views of commits: what a turn changed, and what was learned when."""

from collections.abc import Iterable

from langgraph_learning.records import ACTIVE, Change, Commit, Record, Refusal, Update, Usage
from langgraph_learning.views.markup import Html, data, html, join, quiet, tag, when, with_style

SIGNS = {"add": "+", "update": "~", "remove": "−"}


def timeline(learned: Iterable[Commit | Record], *, title: str | None = None) -> Html:
    """Return what was learned when, the oldest first: turn by turn from commits, or record by record."""
    moments = sorted(learned, key=lambda item: item.at if isinstance(item, Commit) else item.updated_at)
    points = [tag("li", _turn(item) if isinstance(item, Commit) else _record_line(item)) for item in moments]
    return with_style(
        tag("b", title) if title else None, tag("ol", *points) if points else quiet("nothing was learned")
    )


@html.register
def _commit(commit: Commit) -> Html:
    return with_style(_turn(commit), quiet(f"commit {commit.id}"))


def _turn(commit: Commit) -> Html:
    where = f" in {commit.identity.thread_id}" if commit.identity.thread_id else ""
    lines = [change_line(change) for change in commit.changes] + [refusal(refused) for refused in commit.refused]
    lines += [tag("div", quiet(f"{len(commit.proposed)} proposed: waiting for a person"))] if commit.proposed else []
    return join(
        [when(commit.at), quiet(where), quiet(usage_text(commit.usage)), *(lines or [tag("div", "nothing changed")])]
    )


def _record_line(record: Record) -> Html:
    version_note = f" {record.store}, version {record.version}" if record.version > 1 else f" {record.store}"
    return join([when(record.updated_at), quiet(version_note), tag("div", data(record.text))])


def change_line(change: Change) -> Html:
    """Return the line of a change: added, changed, set aside or removed."""
    new_status = change.status if isinstance(change, Update) and change.status != ACTIVE else ""
    sign = tag("span", SIGNS[change.kind], class_=f"mark {change.kind}", title=change.kind)
    words = data(change.text) if change.text else quiet("a record; its words stand in the record")
    text = tag("s", words) if new_status else words
    return tag("div", sign, text, " ", quiet(f"{change.store}{f', {new_status}' if new_status else ''}"))


def refusal(refused: Refusal) -> Html:
    """Return the line of a refused operation, with the reason."""
    sign = tag("span", "×", class_="mark refused", title="refused")
    return tag("div", sign, data(f"{refused.operation}: {refused.reason}"), " ", quiet("refused"))


def usage_text(usage: Usage) -> str:
    """Return the cost of a step, with a leading space; empty if it called no model."""
    calls = f"{usage.calls} model call{'' if usage.calls == 1 else 's'}"
    return f" {calls}, {usage.input_tokens + usage.output_tokens} tokens" if usage.calls else ""
