"""The learning curve: the quality and cost of the same tasks on more and more memory."""

from langgraph_learning.records import Frozen

HEAD = ("after", "pass rate", "tokens", "model calls", "failed")


class TaskResult(Frozen):
    """The result of one task."""

    input: str
    answer: str = ""
    score: float = 0.0
    error: str | None = None
    """Why there is no answer or no score: the error of the agent or of the check."""


class LearningPoint(Frozen):
    """The results of all tasks on the memory after a number of commits."""

    at: int
    pass_rate: float
    tokens: int
    """The tokens of the agent's models for all tasks; estimated if a model does not count them."""
    model_calls: int
    results: tuple[TaskResult, ...] = ()

    @property
    def errors(self) -> tuple[TaskResult, ...]:
        """The tasks that ended with an error."""
        return tuple(result for result in self.results if result.error is not None)


class LearningCurve(Frozen):
    """The results of the same tasks on more and more memory; a table as text, a picture in a notebook."""

    points: tuple[LearningPoint, ...]
    commits: int
    """The total number of commits."""
    beyond: tuple[int, ...] = ()
    """The requested numbers above the total; the last point stands for all of them."""

    def __str__(self) -> str:
        """Return the results as a table."""
        rows = [HEAD, *(_row(point) for point in self.points)]
        widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
        lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
        note = f"there are {self.commits} commits: nothing to show at {', '.join(map(str, self.beyond))}"
        return "\n".join([*lines, *([note] if self.beyond else [])])


def _row(point: LearningPoint) -> tuple[str, ...]:
    failed = str(len(point.errors)) if point.errors else ""
    return (f"{point.at:,}", f"{point.pass_rate:.0%}", f"{point.tokens:,}", f"{point.model_calls:,}", failed)
