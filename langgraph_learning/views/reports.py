"""Views of reports: the findings of a curation and of a reflection, and the effect of feedback."""

from langgraph_learning.reports import Curated, CurationReport, Feedback, Reflection
from langgraph_learning.views.commits import change_line, refusal, usage_text
from langgraph_learning.views.markup import Html, data, grid, html, join, quiet, tag, with_style

HEAD = ("learning store", "", "record", "why")


def curation_table(report: CurationReport) -> Html:
    """Return what a curation merged, set aside, proposed and refused."""
    findings = [*report.merged, *report.retired]
    rows = [_row(finding, finding.kind) for finding in findings] + [
        _row(finding, "proposed") for finding in report.proposed
    ]
    table = grid(HEAD, rows) if rows else tag("div", quiet("nothing is said twice, and all of it holds"))
    refused = [refusal(refused_one) for refused_one in report.refused]
    return with_style(tag("b", _report_summary(report)), quiet(usage_text(report.usage)), table, *refused)


@html.register
def _report(report: CurationReport) -> Html:
    return curation_table(report)


@html.register
def _feedback(feedback: Feedback) -> Html:
    count, sign = len(feedback.records), "helpful" if feedback.helpful else "harmful"
    summary = f"{sign}: counted for {count} record{'' if count == 1 else 's'}"
    consequence = f"; {len(feedback.proposed)} set aside until a person decides" if feedback.proposed else ""
    return with_style(
        tag("span", summary + consequence), quiet(f" commit {feedback.commit}") if feedback.commit else None
    )


@html.register
def _reflection(report: Reflection) -> Html:
    happened = f"{report.events} event{'' if report.events == 1 else 's'}"
    done = "a dry run" if report.dry_run else f"{len(report.commits)} commits"
    head = [tag("b", f"{happened}, {done}"), quiet(usage_text(report.usage))]
    changes = [change_line(change) for change in report.changes]
    proposed = [tag("div", quiet("proposed: "), data(proposal.description)) for proposal in report.proposed]
    stopped = [tag("div", "stopped half way: ", data(report.failed))] if report.failed else []
    return with_style(*head, *changes, *proposed, *map(refusal, report.refused), *stopped)


def _report_summary(report: CurationReport) -> str:
    many = f"{report.changes} change{'' if report.changes == 1 else 's'}"
    if report.dry_run:
        return f"A dry run: {many} to be made"
    return f"{many} made, commit {report.commit}" if report.commit else "Nothing was changed"


def _row(curated: Curated, kind: str) -> tuple[Html, Html, Html, Html]:
    """Return the row of a finding: of merged records the first stays with the merged text; retired ones go."""
    merged_text = [data(change.text) for change in curated.changes[:1]] if curated.kind == "merged" else []
    old_texts = [tag("div", tag("s", data(text))) for text in curated.texts[len(merged_text) :]]
    return quiet(curated.store), quiet(kind), join([*merged_text, *old_texts]), data(curated.reason)
