"""Outputs as they are kept with a notebook: the same whenever and wherever it was executed.

Ids are made at random and moments are those of the run, so that outputs would change with each run
and say nothing. Here each id becomes a number in the order of its appearance, and each moment one
fixed noon; days stay as far from it as they were from the day of the run. Of an output's forms the
richest is kept, without its style: whoever shows a notebook that is not trusted takes that out.
"""

import re
from calendar import month_name
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import groupby

from nbformat import NotebookNode

DAY = date(2026, 1, 7)
"""The day on which all kept outputs were made, as they say."""
REST = "0000-4000-8000-000000000000"
NEAR = 3
"""How many days around the day of the run are told from it; any other is a notebook's own."""
FORMS = ("text/html", "text/markdown", "text/plain")
STYLE = re.compile(r"<style>.*?</style>", re.DOTALL)
SPENT = re.compile(r"(\d+ model calls?), \d+ tokens")  # they change with every word of a prompt
ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
DATETIME = re.compile(r"datetime\.datetime\((\d+), (\d+), (\d+)(?:, \d+){2,4}(?=, tzinfo)")
MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)([T ])\d\d:\d\d(:\d\d(?:\.\d+)?)?")
WRITTEN_DAY = re.compile(r"\d{4}-\d\d-\d\d(?!\d)")
SPOKEN_DAY = re.compile(rf"\d{{1,2}} (?:{'|'.join(month_name[1:])}) \d{{4}}")


def settle_outputs(notebook: NotebookNode) -> NotebookNode:
    """Make the outputs of a notebook that was executed today those that are kept, and return it."""
    settling = _Settling(datetime.now(UTC).date())
    for number, cell in enumerate((cell for cell in notebook.cells if cell.cell_type == "code"), 1):
        cell.metadata = NotebookNode()
        cell.execution_count = number
        cell.outputs = list(
            _join_streams(settling.output(output, number) for output in cell.outputs)
        )
    return notebook


def _join_streams(outputs: Iterable[NotebookNode]) -> Iterator[NotebookNode]:
    """Join what a stream gave in pieces: where it was cut is chance."""
    for kind, group in groupby(outputs, key=lambda output: output.get("name")):
        first, *others = group
        if kind is not None:
            first.text = "".join([first.text, *(other.text for other in others)])
            others = []
        yield from (first, *others)


class _Settling:
    """What the outputs of one notebook share: an id that appears again is the same one."""

    def __init__(self, today: date) -> None:
        self._ids: dict[str, str] = {}
        self._today = today

    def output(self, output: NotebookNode, number: int) -> NotebookNode:
        if output.output_type == "stream":
            output.text = self._text(output.text)
            return output
        richest = next(form for form in FORMS if form in output.data)
        output.data = NotebookNode({richest: self._text(output.data[richest])})
        output.metadata = NotebookNode()
        if output.output_type == "execute_result":
            output.execution_count = number
        return output

    def _text(self, text: str) -> str:
        text = SPENT.sub(r"\1", STYLE.sub("", text))
        text = ID.sub(
            lambda found: self._ids.setdefault(found[0], f"{len(self._ids) + 1:08x}-{REST}"), text
        )
        text = DATETIME.sub(f"datetime.datetime({DAY.year}, {DAY.month}, {DAY.day}, 12, 0", text)
        text = MOMENT.sub(lambda found: f"{DAY}{found[2]}12:00{':00' if found[3] else ''}", text)
        text = WRITTEN_DAY.sub(lambda found: f"{self._shift(date.fromisoformat(found[0]))}", text)
        return SPOKEN_DAY.sub(self._spoken, text)

    def _spoken(self, found: re.Match[str]) -> str:
        day = self._shift(datetime.strptime(found[0], "%d %B %Y").replace(tzinfo=UTC).date())
        return f"{day.day} {month_name[day.month]} {day.year}"

    def _shift(self, day: date) -> date:
        """Return a day near the run as far from the kept one; what is `DAY` already stays."""
        away = day - self._today
        return DAY + away if abs(away) <= timedelta(NEAR) and day != DAY else day
