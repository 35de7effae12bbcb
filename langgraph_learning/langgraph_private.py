"""The only module that uses private names of LangGraph, each with a fallback; a test reports when one disappears."""

import copy
import sys
from collections.abc import Mapping
from typing import Any, cast

from langchain_core.callbacks import BaseCallbackManager
from langchain_core.runnables import Runnable, RunnableConfig, RunnableLambda
from langchain_core.runnables.config import ensure_config
from langgraph.channels.base import BaseChannel
from langgraph.checkpoint.base import CheckpointTuple
from langgraph.checkpoint.serde.types import RESUME, TASKS

READ = "__pregel_read"
CHECKPOINTER = "__pregel_checkpointer"
CHECKPOINT_MAP = "checkpoint_map"
DURABILITY = "__pregel_durability"
STEP_DUE = "branch:to:"
NO_TASK = "00000000-0000-0000-0000-000000000000"
CALL = "__pregel_call"
RUNTIME = "__pregel_runtime"


def read_channel(config: RunnableConfig | None, key: str, *, fresh: bool = False) -> Any:
    """Return the value of a state key of the running graph, even one the node does not declare; None if there is none.

    Args:
        config: The configuration of the run.
        key: The state key.
        fresh: Whether to include what the node has just written, as a conditional edge does.
    """
    read = configurable(config).get(READ)
    if read is None:
        return None
    try:
        return read(key, fresh)
    except KeyError:
        return None


def reads_channels() -> bool:
    """Return whether nodes can read undeclared keys: LangGraph still has the private name for it."""
    try:
        from langgraph._internal._constants import CONFIG_KEY_READ
    except ImportError:
        return False
    return CONFIG_KEY_READ == READ


def read_state(config: RunnableConfig | None) -> dict[str, Any]:
    """Return the state of the running graph with undeclared keys; empty outside of a graph."""
    read = configurable(config).get(READ)
    # The reader is a partial of a LangGraph function, and the channels are one of its arguments.
    parts = [part for part in getattr(read, "args", ()) if isinstance(part, Mapping)]
    channels = next((part for part in parts if any(isinstance(value, BaseChannel) for value in part.values())), {})
    keys = [key for key in channels if not key.startswith(("__", "branch:", "join:"))]
    return {key: value for key in keys if (value := read_channel(config, key)) is not None}


def runtime_of(config: RunnableConfig | None) -> object:
    """Return the runtime in a node's configuration, if it was passed by hand; None otherwise."""
    return configurable(config).get(RUNTIME)


def is_cached(config: RunnableConfig | None) -> bool:
    """Return whether LangGraph caches the result of the running node for the same input (`CachePolicy`)."""
    reference = (getattr(configurable(config).get(CALL), "args", None) or (None,))[0]
    task = reference() if callable(reference) else None
    return getattr(task, "cache_key", None) is not None


def checkpointer(config: RunnableConfig | None) -> object:
    """Return the checkpointer of the run; None if it has none, and so cannot be interrupted."""
    return configurable(config).get(CHECKPOINTER)


def checkpoint_of(config: RunnableConfig) -> str | None:
    """Return the id of the outermost graph's checkpoint that a running node works on."""
    return (configurable(config).get(CHECKPOINT_MAP) or {}).get("")


def checkpoints_of(config: RunnableConfig) -> dict[str, str]:
    """Return the checkpoints that the graphs around a running node work on, by namespace; the outermost's is empty."""
    return dict(configurable(config).get(CHECKPOINT_MAP) or {})


def resume_write(config: RunnableConfig) -> tuple[RunnableConfig, list[tuple[str, Any]], str] | None:
    """Return the arguments of `put_writes` that take back the answer a run was resumed with; None if none was stored.

    LangGraph stores a bare `Command(resume=...)` with the outermost checkpoint before any node runs, and gives it to
    the next run that brings no answer.
    """
    options = configurable(config)
    if (checkpoint := checkpoint_of(config) or options.get("checkpoint_id")) is None:
        return None
    where: RunnableConfig = {
        "configurable": {"thread_id": options.get("thread_id"), "checkpoint_ns": "", "checkpoint_id": checkpoint}
    }
    return where, [(RESUME, None)], NO_TASK


def saves_at_exit(config: RunnableConfig) -> bool:
    """Return whether the run saves nothing before it ends."""
    return configurable(config).get(DURABILITY) == "exit"


def is_unfinished(saved: CheckpointTuple) -> bool:
    """Return whether a run stopped at this checkpoint before its end: interrupted, failed, or before a step."""
    values = saved.checkpoint["channel_values"]
    return bool(saved.pending_writes or values.get(TASKS)) or any(name.startswith(STEP_DUE) for name in values)


def without_streaming(config: RunnableConfig) -> RunnableConfig:
    """Return `config` with the caller's callbacks, except those that make a model stream its answer.

    LangChain joins a streamed answer by a lenient parser, which silently completes half a sentence.
    """
    callbacks = ensure_config().get("callbacks")
    if isinstance(callbacks, BaseCallbackManager):
        callbacks = callbacks.copy()
        for handler in [callback for callback in callbacks.handlers if hasattr(callback, "tap_output_iter")]:
            callbacks.remove_handler(handler)
    elif callbacks:
        callbacks = [callback for callback in callbacks if not hasattr(callback, "tap_output_iter")]
    return {**config, "callbacks": callbacks}


def as_runnable(node: object) -> Runnable[Any, Any]:
    """Return what LangGraph would run for `node`, with `config`, `runtime`, `store` and `writer` passed by name."""
    try:
        from langgraph._internal._runnable import coerce_to_runnable
    except ImportError:  # without parameters passed by name, but every node still runs
        return node if isinstance(node, Runnable) else RunnableLambda(cast("Any", node))
    return coerce_to_runnable(cast("Any", node), name=None, trace=False)


def is_configurable_model(model: object) -> bool:
    """Return whether `init_chat_model()` made this without a model, so that each run's configuration names one."""
    # Such an object exists only if its module is imported, so this slow import is not done here.
    kind = getattr(sys.modules.get("langchain.chat_models.base"), "_ConfigurableModel", None)
    return isinstance(kind, type) and isinstance(model, kind)


def configurable(config: RunnableConfig | None) -> Mapping[str, Any]:
    """Return the configurable part of a run's configuration."""
    return (config or {}).get("configurable") or {}


def take_cache_default(builder: Any) -> None:
    """Apply the default `CachePolicy` of a graph to its present nodes, and to none that are added later."""
    defaults: Any = copy.copy(getattr(builder, "_node_defaults", None))
    policy = getattr(defaults, "cache_policy", None)
    if policy is None:
        return
    for spec in builder.nodes.values():
        if spec.cache_policy is None and not spec.is_error_handler:
            spec.cache_policy = policy
    builder._node_defaults = defaults
    defaults.cache_policy = None
