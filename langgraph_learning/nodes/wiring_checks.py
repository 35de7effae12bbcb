"""Checks of wiring that cannot work and would fail silently. Each names the fix, and is a warning at most once."""

import functools
from collections.abc import Callable
from typing import Any, TypeVar, cast

from langgraph_learning.config import LearningMode
from langgraph_learning.errors import ConfigurationError
from langgraph_learning.nodes.recalled_texts import RunRecall
from langgraph_learning.nodes.run_context import Run

RECALL, EXTRACT, REVIEW, TOOLS = "recall", "extract", "review", "tools"
WIRED = "wired"
"""The mark of `into` and middleware, which put extraction at every end: a turn without it has failed, or waits."""

F = TypeVar("F", bound=Callable[..., Any])


def explain_missing_call(factory: F) -> F:
    """Return a factory of nodes that explains the mistake of `add_node(learning.recall_node)` without the call `()`."""

    @functools.wraps(factory)
    def checking_factory(*arguments: Any, **options: Any) -> Any:
        if len(arguments) > 1:  # LangGraph calls it as a node, with the state
            name = factory.__name__
            raise ConfigurationError(f"learning.{name} makes the node: call it, builder.add_node(learning.{name}())")
        return factory(*arguments, **options)

    return cast("F", checking_factory)


def check_recall(run: Run, turn: str) -> None:
    """Warn once if no extraction followed an earlier turn of this thread."""
    settings, thread = run.settings, run.thread
    earlier = any(thread_id == thread and other != turn for thread_id, other in settings.turns)
    if settings.extracting and thread and earlier and not settings.steps & {EXTRACT, WIRED}:
        names = ", ".join(store.name for store in settings.extracting)
        settings.warn_once(
            EXTRACT,
            f"{names}: nothing was learned from the turn before, no extraction ran after it. Add"
            " learning.extract_node() where every path of the graph ends, or take learning.into(builder)",
        )


def check_extraction(run: Run, memory: RunRecall) -> None:
    """Warn once about each wiring mistake that shows when a run reaches extraction."""
    settings = run.settings
    if settings.stores and not settings.steps & {RECALL, WIRED, TOOLS}:
        settings.warn_once(
            RECALL,
            "what is learned here is never shown to a model: nothing recalls it. Add learning.recall_node() and"
            " learning.wrap(node), or give the chat model to learning.model(...)",
        )
    if memory.current is not None and memory.texts.get(memory.current) and not memory.asked:
        settings.warn_once(
            "unread",
            "what was recalled in this run reached no model. Wrap the node that calls it, learning.wrap(node), name it"
            " in learning.into(builder, models=[...]), or give its chat model to learning.model(...)",
        )
    agentic = [store.name for store in settings.stores if store.config.mode is LearningMode.AGENTIC and store.tools]
    if agentic and run.model is None and TOOLS not in settings.steps:
        settings.warn_once(
            TOOLS,
            f"{', '.join(agentic)}: AGENTIC learns by the agent's tools alone, and nobody has taken them. Bind them,"
            " model.bind_tools([*tools, *learning.tools()]), and give them to the node that runs tools",
        )
    if settings.proposes and EXTRACT in settings.steps and REVIEW not in settings.steps:
        names = ", ".join(store.name for store in settings.stores if store.proposes)
        settings.warn_once(
            REVIEW,
            f"{names}: PROPOSE asks a person, and no review ran after the turn before. Add learning.review_node()"
            " after extraction; or decide by learning.inbox(), or scoped(...).proposals() and decide()",
        )
    settings.steps.add(EXTRACT)
