"""`into`: a copy of a user's graph with recall, extraction and review added; the original stays unchanged."""

import copy
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, TypedDict, cast, get_type_hints

from langgraph.channels import EphemeralValue
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.pregel import Pregel
from langgraph.types import Command

from langgraph_learning._engine.flow import Flow
from langgraph_learning._engine.settings import MachineSettings
from langgraph_learning.config import LearningContext
from langgraph_learning.errors import ConfigurationError
from langgraph_learning.langgraph_private import read_channel, take_cache_default
from langgraph_learning.nodes.around import AnyGraph
from langgraph_learning.nodes.flow_node import FlowNode, State
from langgraph_learning.nodes.review import review_step
from langgraph_learning.nodes.run_context import Run
from langgraph_learning.nodes.state_keys import Keys
from langgraph_learning.nodes.steps import extract_step, recall_step
from langgraph_learning.nodes.wiring_checks import WIRED
from langgraph_learning.nodes.wrap import Wrapped
from langgraph_learning.option_checks import check_list

STEPS = ("recall", "extract", "review")


def into(builder: object, settings: MachineSettings, models: Sequence[str]) -> AnyGraph:
    """Return a copy of `builder` that recalls first and learns last; the nodes named in `models` get the text.

    Extraction is a deferred node that recall starts: LangGraph runs a deferred node when no other work is left. So it
    runs after every end of the graph: an edge, a branch, a `Command`, or a node without a successor. The edges to `END`
    also go through extraction, for the drawing and for runs that begin in the middle.
    """
    models = check_list("into(models=...)", models)
    extended = _copy(_check_builder(builder, settings, models))
    host = list(extended.nodes)
    names = _step_names(host, settings)
    for name in models:
        _show(extended, name, settings)
    _lead_through(extended, names)
    recall, extract, review = (names[step] for step in STEPS)
    entry = FlowNode(recall, settings, lambda run, state: _recall(run, state, extended, extract))
    waits = any(extended.nodes[name].defer for name in host)
    extended.add_node(recall, cast("Any", entry))
    extended.add_edge(START, recall)
    learn = FlowNode(extract, settings, lambda run, state: _extract(run, state, extract if waits else ""))
    extended.add_node(extract, cast("Any", learn), defer=True)
    if settings.proposes:
        extended.add_node(review, cast("Any", FlowNode(review, settings, review_step)))
        extended.add_edge(extract, review)
    extended.add_edge(review if settings.proposes else extract, END)
    return extended


def _check_builder(builder: object, settings: MachineSettings, models: Sequence[str]) -> AnyGraph:
    if isinstance(builder, CompiledStateGraph):
        raise ConfigurationError("into() takes the builder, before compile(); of a compiled graph it is graph.builder")
    if not isinstance(builder, StateGraph):
        raise ConfigurationError(f"into() takes a StateGraph, not {type(builder).__name__}")
    settings.extractions()  # raises if a learning store has no model to extract with
    settings.steps.add(WIRED)
    for name in models:
        if name not in builder.nodes:
            raise ConfigurationError(
                f"into(models=...): there is no node {name!r}; there are {', '.join(builder.nodes)}"
            )
    if Keys(settings.name).turn in builder.channels:
        raise ConfigurationError(
            f"the machine {settings.name!r} is in this graph already; another one needs a name of its own,"
            " LearningMachine(name=...)"
        )
    return builder


def _copy(builder: AnyGraph) -> AnyGraph:
    """Return a copy that shares no list or mapping with the user's builder."""
    extended = copy.copy(builder)
    extended.nodes = {name: copy.copy(spec) for name, spec in builder.nodes.items()}
    extended.edges, extended.waiting_edges = set(builder.edges), set(builder.waiting_edges)
    extended.branches = defaultdict(dict, {start: dict(named) for start, named in builder.branches.items()})
    extended.schemas, extended.channels = dict(builder.schemas), dict(builder.channels)
    extended.managed = dict(builder.managed)
    extended.context_schema = builder.context_schema or cast("Any", LearningContext)
    extended.compiled = False
    take_cache_default(extended)  # the host's default CachePolicy must not apply to our nodes
    return extended


def _step_names(host: Sequence[str], settings: MachineSettings) -> dict[str, str]:
    """Return the names of our nodes; they start with the machine's name if the host already has such a node."""
    taken = any(step in host for step in STEPS)
    return {step: f"{settings.name}_{step}" if taken else step for step in STEPS}


def _show(extended: AnyGraph, name: str, settings: MachineSettings) -> None:
    spec = extended.nodes[name]
    if spec.cache_policy is not None:
        raise ConfigurationError(
            f"the node {name!r} has a CachePolicy, and LangGraph takes its key from the node's input alone: one user"
            " would get the answer that was made for another. Take the policy away from this node"
        )
    if isinstance(spec.runnable, Pregel):
        raise ConfigurationError(
            f"the node {name!r} is a graph itself, which would keep in its own state what it is shown: give the chat"
            " model in it to learning.model(...), and leave the node out of models=[...]"
        )
    spec.runnable = cast("Any", Wrapped(spec.runnable, settings, settings.placement, name=name))


def _lead_through(extended: AnyGraph, names: dict[str, str]) -> None:
    """Redirect the edges from `START` so that recall comes first, and those to `END` through extraction."""
    recall, extract = names["recall"], names["extract"]
    extended.edges = {(recall if a == START else a, extract if b == END else b) for a, b in extended.edges}
    extended.waiting_edges = {(starts, extract if end == END else end) for starts, end in extended.waiting_edges}
    entry = _entry_schema(extended)
    for start, branches in list(extended.branches.items()):
        for name, branch in branches.items():
            # A branch without a map may go anywhere. Its new map lists only the host's nodes: no edge to ours is drawn.
            ends = branch.ends or {end: end for end in (*extended.nodes, END)}
            branch = branch._replace(ends={key: extract if end == END else end for key, end in ends.items()})
            if start == START:
                branch = branch._replace(input_schema=branch.input_schema or entry)
            branches[name] = branch
        if start == START:
            extended._add_schema(entry)
            extended.branches[recall] = extended.branches.pop(START)
    for spec in extended.nodes.values():
        if isinstance(spec.ends, dict):
            spec.ends = {extract if end == END else end: label for end, label in spec.ends.items()}
        elif spec.ends:
            spec.ends = tuple(extract if end == END else end for end in spec.ends)


def _entry_schema(extended: AnyGraph) -> type[Any]:
    """Return the schema that a branch at `START` reads: the state, and the keys that only the input has."""
    keys = {key for schema in (extended.state_schema, extended.input_schema) for key in extended.schemas[schema]}
    if keys == set(extended.schemas[extended.state_schema]):
        return extended.state_schema
    fields = {
        key: hint
        for schema in (extended.input_schema, extended.state_schema)
        for key, hint in get_type_hints(schema, include_extras=True).items()
    }
    entry = TypedDict("Entry", fields, total=False)  # type: ignore[misc]
    return cast("type[Any]", entry)


def _recall(run: Run, state: State, extended: AnyGraph, extract: str) -> Flow[Any]:
    """Recall, start extraction, and write the graph's ephemeral values again.

    An ephemeral value lives for one step. Recall takes up that step, so the host's first node would not see the value.
    """
    update = yield from recall_step(run, state)
    passing = [key for key, channel in extended.channels.items() if isinstance(channel, EphemeralValue)]
    passed = {key: value for key in passing if (value := read_channel(run.config, key)) is not None}
    return Command(update={**passed, **update}, goto=extract)


def _extract(run: Run, state: State, waits: str) -> Flow[Any]:
    """Learn; if the host has deferred nodes, first wait for a step in which nothing else ran.

    LangGraph starts all deferred nodes at once. Nodes that follow the host's deferred nodes run only after that.
    """
    key, step = Keys(run.settings.name).settled, int((run.config.get("metadata") or {}).get("langgraph_step") or 0)
    if waits and (state.get(key) or {}).get("step") != step - 1:
        return Command(update={key: {"step": step}}, goto=waits)
    return (yield from extract_step(run, state))
