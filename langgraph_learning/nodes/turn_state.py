"""What a turn's steps hand on in the state: who speaks, what was recalled, and which words are the turn's."""

from collections import Counter
from typing import Any, TypedDict, cast

from pydantic import ValidationError

from langgraph_learning.records import Identity, Provenance


class TurnState(TypedDict, total=False):
    """What recall freezes for the turn: plain JSON in private state, ids only."""

    turn_id: str
    graph_ns: str
    """The checkpoint namespace of the graph that recalled."""
    identity: dict[str, str | None]
    receipt: dict[str, Any]
    human_ids: list[str]
    """The ids of the human messages there were: a graph inside that is given others was given a task."""
    forged: bool
    """Whether none of our steps has written it."""
    last: str
    """Once the turn was extracted: the id of its last human message, which a node of the host's may have added."""


_READ_LATER = ("store", "id", "label")
_OLDER = {"tag": "turn_id", "graph": "graph_ns", "heard": "human_ids"}
"""How an older version called them: a run that it interrupted may be resumed by this one."""


def shown_in(turn: TurnState | None, place: Provenance) -> Provenance:
    """Return `place` with the records that a turn was shown, and what they took of the prompt."""
    shown = ((turn or {}).get("receipt") or {}).get("shown", ())
    cost = Counter[str]()
    for each in shown:
        cost[str(each["store"])] += int(each.get("tokens", 0))
    records = tuple((str(each["store"]), str(each["id"])) for each in shown)
    return place.model_copy(update={"recalled": records, "recalled_tokens": dict(cost)})


def shrink_receipt(turn: TurnState) -> TurnState:
    """Return a turn with so much of its receipt as later steps read: which records, under which labels.

    A receipt has a hundred kilobytes, and a process remembers many turns. What reads it runs before the turn is over.
    """
    over = "last" in turn
    shown = [] if over else (turn.get("receipt") or {}).get("shown", ())
    return {**turn, "receipt": {"shown": [{key: each.get(key) for key in _READ_LATER} for each in shown]}}


def parse_turn(value: object) -> TurnState | None:
    """Return the frozen turn of a state value, if it is one: private state can be forged."""
    if not isinstance(value, dict):
        return None
    try:
        Identity.model_validate(value["identity"])
    except (KeyError, ValidationError):
        return None
    older = {_OLDER[key]: part for key, part in value.items() if key in _OLDER}
    return cast("TurnState", {**value, **older})
