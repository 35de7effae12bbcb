"""The texts that a run recalled, kept in the process only: no stream, checkpoint or result holds them.

A run's subgraphs, tasks and tools share its one `RunControl`. So they share the recalled texts too, and each turn is
recalled once. After an interrupt, another process recalls it again.
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
    """The texts that were recalled in one run of the outermost graph."""

    control: object
    """The run's `RunControl`, kept alive so that no other run's control gets the same `id`."""
    texts: dict[tuple[object, ...], str] = field(default_factory=dict)
    current: tuple[object, ...] | None = None
    """The key of the text that this run's recall step recalled."""
    asked: bool = False
    """Whether a model call, a node or the developer's code asked for the text."""
    told_idle: bool = False
    """Whether the stream already has the event that the run has no user."""

    def key(self, run: Run, identity: Identity, turn: str) -> tuple[object, ...]:
        """Return the key of one recalled text: the turn, and the scopes whose records are read."""
        return turn, *(store.scope(identity) for store in run.settings.stores)


def tell_idle(run: Run, identity: Identity) -> None:
    """Write to the custom stream, once per run, which learning stores learn nothing because the run has no user."""
    memory = recalled_in(run)
    if not memory.told_idle and (stores := idle_stores(run.settings, identity)):
        memory.told_idle = True
        run.emit("nobody", stores=stores, fix=FIX)


# For each run, by its control: the machine that serves each graph and name. Two machines with one name in one graph
# would overwrite each other's private state.
_serving: dict[int, tuple[object, dict[tuple[str, str], object]]] = {}


def recalled_in(run: Run) -> RunRecall:
    """Return the texts recalled in this run; outside a graph a new, empty record, which is not kept."""
    control = getattr(run.runtime, "control", None)
    if control is None:
        return RunRecall(control)
    _check_name(run, control)
    runs = run.settings.recalled
    memory = runs.get(id(control))
    if not isinstance(memory, RunRecall):
        memory = runs[id(control)] = RunRecall(control)
        for oldest in _surplus(runs):
            runs.pop(oldest, None)
    return memory


def _check_name(run: Run, control: object) -> None:
    _, machines = _serving.setdefault(id(control), (control, {}))
    for oldest in _surplus(_serving):
        _serving.pop(oldest, None)
    # The copies of a machine, one per agent, share their `warned` object, so this object identifies the machine.
    if machines.setdefault((run.graph, run.settings.name), run.settings.warned) is not run.settings.warned:
        run.settings.warn_once(
            "name",
            f"two learning machines in this graph are called {run.settings.name!r}, so each loses what the other keeps:"
            " give one of them another name, LearningMachine(name=...)",
        )


def _surplus(runs: Mapping[int, object]) -> list[int]:
    return list(runs)[: max(0, len(runs) - RUNS)]
