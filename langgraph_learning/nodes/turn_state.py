"""The state that one step of a turn passes to the next: who asks, what was recalled, which messages belong to it."""

from collections import Counter
from typing import Any, TypedDict, cast

from pydantic import ValidationError

from langgraph_learning.records import Identity, Provenance


class TurnState(TypedDict, total=False):
    """The frozen turn, as recall writes it: plain JSON in private state, ids only."""

    turn_id: str
    graph_ns: str
    """The checkpoint namespace of the graph that recalled."""
    identity: dict[str, str | None]
    receipt: dict[str, Any]
    human_ids: list[str]
    """The ids of the turn's human messages. A graph inside this one that has none of them was given a task."""
    forged: bool
    """Whether the value comes from outside and not from one of our steps."""
    last: str
    """The id of the turn's last human message, set at extraction. A node of the host's may have added that message."""


_READ_LATER = ("store", "id", "label")
_OLDER = {"tag": "turn_id", "graph": "graph_ns", "heard": "human_ids"}
"""The keys that an older version used: this version may resume a run which that one interrupted."""


def shown_in(turn: TurnState | None, place: Provenance) -> Provenance:
    """Return `place` with the records that the turn was shown, and the prompt tokens that they took."""
    shown = ((turn or {}).get("receipt") or {}).get("shown", ())
    cost = Counter[str]()
    for record in shown:
        cost[str(record["store"])] += int(record.get("tokens", 0))
    records = tuple((str(record["store"]), str(record["id"])) for record in shown)
    return place.model_copy(update={"recalled": records, "recalled_tokens": dict(cost)})


def shrink_receipt(turn: TurnState) -> TurnState:
    """Return a turn whose receipt holds only what later steps read: which records, under which labels.

    A receipt can have a hundred kilobytes, and a process remembers many turns. Once the turn is over nothing reads it.
    """
    over = "last" in turn
    shown = [] if over else (turn.get("receipt") or {}).get("shown", ())
    return {**turn, "receipt": {"shown": [{key: record.get(key) for key in _READ_LATER} for record in shown]}}


def parse_turn(value: object) -> TurnState | None:
    """Return a state value as a frozen turn; None if it is not one, because a caller can forge private state."""
    if not isinstance(value, dict):
        return None
    try:
        Identity.model_validate(value["identity"])
    except (KeyError, ValidationError):
        return None
    older = {_OLDER[key]: part for key, part in value.items() if key in _OLDER}
    return cast("TurnState", {**value, **older})
