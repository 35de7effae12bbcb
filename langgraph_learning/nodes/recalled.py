"""What a run was shown, kept in the process and not in the state: no stream, checkpoint or result holds the text.

A run has one `RunControl`, which its subgraphs, tasks and tools share; so they share what was recalled, too, and one
turn is recalled once wherever it is asked for. After an interrupt, in another process, it is recalled again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from langgraph_learning.nodes.identity import FIX, idle_stores
from langgraph_learning.nodes.run_context import Run
from langgraph_learning.records import Identity

RUNS = 512
"""How many runs are remembered; the oldest are dropped."""


@dataclass
class RunRecall:
    """What was recalled in one run of the outermost graph."""

    control: object
    """Held, so that no other run gets the same `id`."""
    texts: dict[tuple[object, ...], str] = field(default_factory=dict)
    current: tuple[object, ...] | None = None
    """Which of the texts the recall step of this run has recalled."""
    asked: bool = False
    """Whether a model call, a node or its author asked for the text."""
    told_idle: bool = False
    """Whether it was said that the run has no user."""

    def key(self, run: Run, identity: Identity, turn: str) -> tuple[object, ...]:
        """Return what one recall is kept under: the turn, and whose records are read."""
        return turn, *(store.scope(identity) for store in run.settings.stores)


def tell_idle(run: Run, identity: Identity) -> None:
    """Tell the custom stream, once in a run, which learning stores learn nothing because it has no user."""
    memory = recalled_in(run)
    if not memory.told_idle and (stores := idle_stores(run.settings, identity)):
        memory.told_idle = True
        run.emit("nobody", stores=stores, fix=FIX)


# Machines that serve a run, by its control, and which graph in it: two of one name share the keys of private state.
_serving: dict[int, tuple[object, dict[tuple[str, str], object]]] = {}


def recalled_in(run: Run) -> RunRecall:
    """Return what was recalled in this run; outside of a graph nothing is kept."""
    control = getattr(run.runtime, "control", None)
    if control is None:
        return RunRecall(control)
    _check_name(run, control)
    kept = run.settings.recalled
    found = kept.get(id(control))
    if not isinstance(found, RunRecall):
        found = kept[id(control)] = RunRecall(control)
        for oldest in _surplus(kept):
            kept.pop(oldest, None)
    return found


def _check_name(run: Run, control: object) -> None:
    _, machines = _serving.setdefault(id(control), (control, {}))
    for oldest in _surplus(_serving):
        _serving.pop(oldest, None)
    # Copies that serve single agents share what was warned of, so that tells a machine from another.
    if machines.setdefault((run.graph, run.settings.name), run.settings.warned) is not run.settings.warned:
        run.settings.warn_once(
            "name",
            f"two learning machines in this graph are called {run.settings.name!r}, so each loses what the other keeps:"
            " give one of them another name, LearningMachine(name=...)",
        )


def _surplus(kept: Mapping[int, object]) -> list[int]:
    return list(kept)[: max(0, len(kept) - RUNS)]
