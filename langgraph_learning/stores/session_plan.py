"""How the plan of a conversation goes on: what is withdrawn, what is done, and when the goal is a new one."""

from collections.abc import Iterable, Mapping, Sequence

from pydantic import JsonValue

from langgraph_learning.stores.values import as_list
from langgraph_learning.text import same_statement, terms


def without_withdrawn(content: dict[str, JsonValue], withdrawn: Sequence[str]) -> dict[str, JsonValue]:
    """Return what is left of a session, without the fields that are named and the steps that are not done after all."""
    fields = {item.strip().casefold() for item in withdrawn} & {"goal", "plan", "progress"}
    left = {name: value for name, value in content.items() if name not in fields}
    if isinstance(done := left.get("progress"), list):
        left["progress"] = [step for step in done if not stands_in(step, withdrawn)]
    return left


def stands_in(step: JsonValue, steps: Iterable[JsonValue]) -> bool:
    """Return whether a step is one of `steps`, in nearly the same words."""
    return any(same_statement(str(step), str(other)) for other in steps)


def is_new_goal(old: Mapping[str, JsonValue], given: Mapping[str, JsonValue]) -> bool:
    """Return whether the goal is another one, and not the old one in other words.

    A model that says the same goal differently every turn must not lose what was done: a goal that shares half of its
    words with the old one, or comes with a step of the old plan, goes on.
    """
    before, now = old.get("goal"), given.get("goal")
    if not before or not now:
        return False
    words, others = set(terms(str(before))), set(terms(str(now)))
    shared = len(words & others) * 2 >= min(len(words), len(others))
    carried = any(stands_in(step, as_list(given.get("plan"))) for step in as_list(old.get("plan")))
    return not shared and not carried
