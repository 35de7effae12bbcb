"""The plan of a conversation: withdraw parts of it, compare steps, and recognise a new goal."""

from collections.abc import Iterable, Mapping, Sequence

from pydantic import JsonValue

from langgraph_learning.stores.json_values import as_list
from langgraph_learning.words import same_statement, terms


def without_withdrawn(content: dict[str, JsonValue], withdrawn: Sequence[str]) -> dict[str, JsonValue]:
    """Return the content of a session without the withdrawn fields, and without progress steps that were withdrawn."""
    fields = {item.strip().casefold() for item in withdrawn} & {"goal", "plan", "progress"}
    remaining = {name: value for name, value in content.items() if name not in fields}
    if isinstance(done := remaining.get("progress"), list):
        remaining["progress"] = [step for step in done if not stands_in(step, withdrawn)]
    return remaining


def stands_in(step: JsonValue, steps: Iterable[JsonValue]) -> bool:
    """Return whether `steps` contain `step`, in the same or nearly the same words."""
    return any(same_statement(str(step), str(candidate)) for candidate in steps)


def is_new_goal(old: Mapping[str, JsonValue], new: Mapping[str, JsonValue]) -> bool:
    """Return whether the goal is a new one, and not the old goal in other words.

    A model may phrase the same goal differently in every turn, and this must not lose the progress. So a goal counts as
    the old one if it shares half of its words with the old goal, or comes with a step of the old plan.
    """
    before, now = old.get("goal"), new.get("goal")
    if not before or not now:
        return False
    words, others = set(terms(str(before))), set(terms(str(now)))
    shared = len(words & others) * 2 >= min(len(words), len(others))
    carried = any(stands_in(step, as_list(new.get("plan"))) for step in as_list(old.get("plan")))
    return not shared and not carried
