"""Tasks for an agent, written in code or as JSON lines."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from langgraph_learning.errors import ConfigurationError
from langgraph_learning.evals.checks import Check, contains, exact, f1

MATCHES: Mapping[str, Callable[..., Check]] = {"contains": contains, "exact": exact, "f1": f1}


@dataclass(frozen=True)
class Task:
    """One question to an agent, and the check of its answer.

    Args:
        input: The user's message.
        user_id: The user who asks.
        check: A function that gets the text of the answer and returns true, false, or a share from 0 to 1.
        thread_id: The thread, for tasks about its session; by default a new one.
    """

    input: str
    user_id: str | None
    check: Check
    thread_id: str | None = None


def read_tasks(path: Path) -> list[Task]:
    """Return tasks from JSON lines: `{"input": "...", "user_id": "ada", "expect": "12", "match": "contains"}`.

    `expect` is one text or several. `match` is `contains` (all of them; the default), `exact` or `f1` (one of them).

    Raises:
        ConfigurationError: The file cannot be read, or a line is no task.
    """
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"cannot read {str(path)!r}: {error}") from error
    tasks = [_read_task(number, line) for number, line in enumerate(lines, 1) if line.strip()]
    if not tasks:
        raise ConfigurationError(f"{path.name} holds no tasks")
    return tasks


def _read_task(number: int, line: str) -> Task:
    try:
        row = json.loads(line)
        expected = [row["expect"]] if isinstance(row["expect"], str) else [*map(str, row["expect"])]
        thread, user = row.get("thread_id"), row.get("user_id")
        check = MATCHES[row.get("match", "contains")](*expected)
        return Task(
            str(row["input"]), None if user is None else str(user), check, None if thread is None else str(thread)
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigurationError(
            f'line {number} is no task ({error}): write {{"input": "...", "user_id": "...", "expect": "...", "match":'
            f' "{"|".join(MATCHES)}"}}'
        ) from error
