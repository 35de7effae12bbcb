"""The learning curve: how well, and at what cost, the same tasks are done on more and more memory."""

from langgraph_learning.records import Frozen

HEAD = ("after", "pass rate", "tokens", "model calls", "failed")


class TaskResult(Frozen):
    """How one task went."""

    input: str
    answer: str = ""
    score: float = 0.0
    error: str | None = None
    """Why there is no answer, or no judgement: the agent or the check raised."""


class LearningPoint(Frozen):
    """How all tasks went on memory as it stood after so many commits."""

    at: int
    pass_rate: float
    tokens: int
    """What all tasks cost, in tokens of the agent's models; estimated where a model does not count them."""
    model_calls: int
    results: tuple[TaskResult, ...] = ()

    @property
    def errors(self) -> tuple[TaskResult, ...]:
        """The tasks that raised."""
        return tuple(result for result in self.results if result.error is not None)


class LearningCurve(Frozen):
    """How well the same tasks are done on more and more memory; a table as text, a picture in a notebook."""

    points: tuple[LearningPoint, ...]
    commits: int
    """How many commits there are in all."""
    beyond: tuple[int, ...] = ()
    """What was asked for and is more than there is; the last point stands for all of them."""

    def __str__(self) -> str:
        """Return the table."""
        rows = [HEAD, *(_row(point) for point in self.points)]
        widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
        lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
        told = f"there are {self.commits} commits: nothing to show at {', '.join(map(str, self.beyond))}"
        return "\n".join([*lines, *([told] if self.beyond else [])])


def _row(point: LearningPoint) -> tuple[str, ...]:
    failed = str(len(point.errors)) if point.errors else ""
    return (f"{point.at:,}", f"{point.pass_rate:.0%}", f"{point.tokens:,}", f"{point.model_calls:,}", failed)
