"""`create_learning_agent`: LangChain's `create_agent` with a learning machine in it."""

import inspect
import logging
from collections.abc import Callable, Sequence
from typing import Any, cast

from langchain.agents import create_agent
from langchain.agents.middleware import AgentMiddleware
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import SystemMessage
from langchain_core.tools import BaseTool
from langgraph.graph.state import CompiledStateGraph
from langgraph.store.base import BaseStore
from langgraph.types import Checkpointer

from langgraph_learning._engine.settings import A_MODEL, check_store, resolve_model
from langgraph_learning.checkpointers import LearningDB
from langgraph_learning.config import LearningContext
from langgraph_learning.errors import ConfigurationError
from langgraph_learning.langgraph_private import is_configurable_model
from langgraph_learning.machine import LearningMachine, bind_agent
from langgraph_learning.option_checks import check_known, check_list

log = logging.getLogger("langgraph_learning")


def create_learning_agent(
    model: BaseChatModel | str,
    tools: Sequence[BaseTool | Callable[..., Any] | dict[str, Any]] = (),
    *,
    learning: LearningMachine | bool = True,
    db: LearningDB | None = None,
    store: BaseStore | None = None,
    checkpointer: Checkpointer = None,
    system_prompt: str | SystemMessage | None = None,
    context_schema: type[Any] = LearningContext,
    middleware: Sequence[AgentMiddleware[Any, Any]] = (),
    name: str | None = None,
    **create_agent_options: Any,
) -> CompiledStateGraph[Any, Any, Any, Any]:
    """Return an agent that recalls before it answers and learns after it.

    ```python
    with connect("sqlite:///learning.db") as db:
        agent = create_learning_agent("openai:gpt-5.2", tools=[search], db=db)
        agent.invoke(
            {"messages": [("user", "I'm Alex, I prefer concise answers.")]},
            config={"configurable": {"thread_id": "monday"}},
            context={"user_id": "alex@example.com"},
        )
    ```

    Args:
        model: The model that answers, and that extracts if the machine has none of its own; it may be one that each run
            configures.
        tools: Your tools; the learning tools are added.
        learning: A machine, or True for user profile and user memory, both ALWAYS.
        db: A store and checkpointer on one pool, from `connect()`.
        store: A store instead of `db`; without either, the store given at run time (LangGraph's server brings one).
        checkpointer: A checkpointer instead of that of `db`.
        system_prompt: Your prompt; the recalled text is not part of it.
        context_schema: Any class with a `user_id`.
        middleware: Your middleware; it runs inside that of the machine.
        name: The agent's name.
        create_agent_options: Further options of `create_agent`.

    Raises:
        ConfigurationError: The set-up cannot work, or a tool of yours has the name of a learning tool.
    """
    options = {**inspect.signature(create_learning_agent).parameters, **inspect.signature(create_agent).parameters}
    del options["create_agent_options"]
    check_known("create_learning_agent", create_agent_options, options)
    _check_db(db)
    tools = check_list("create_learning_agent(tools=...)", tools)
    middleware = check_list("create_learning_agent(middleware=...)", middleware)
    if not isinstance(system_prompt, str | SystemMessage | None):
        raise ConfigurationError(f"create_learning_agent(system_prompt={system_prompt!r:.80}): give a text")
    check_store("create_learning_agent", store)
    if db is not None and store is not None:
        log.warning(
            "create_learning_agent(db=..., store=...): records go to `store`, and `db` only keeps the checkpoints; its"
            " time travel does not cover another store. Leave one of them out"
        )
    # A configurable model is no model yet: each run names one.
    chosen = cast("BaseChatModel", model) if is_configurable_model(model) else resolve_model(model)
    machine = bind_agent(_machine(learning), name or "")
    if chosen is None:
        raise ConfigurationError(f"model=None: {A_MODEL}")
    learning_tools, learns = machine.tools(), machine.middleware(chosen)
    other_tools = [*tools, *(tool for part in middleware for tool in getattr(part, "tools", ()))]
    if clash := {tool.name for tool in learning_tools} & {_name(tool) for tool in other_tools}:
        raise ConfigurationError(
            f"{sorted(clash)[0]!r} is the name of a learning tool: rename yours (learning tools are added already)"
        )
    if {str(part.name) for part in learns} & {str(getattr(part, "name", None)) for part in middleware}:
        raise ConfigurationError("learning's own middleware is in this agent: leave *learning.middleware() out")
    return create_agent(
        chosen,
        [*tools, *learning_tools],
        middleware=[*learns, *middleware],
        system_prompt=system_prompt,
        context_schema=context_schema,
        store=store or (db.store if db else None),
        checkpointer=checkpointer if checkpointer is not None else (db.checkpointer if db else None),
        name=name,
        **create_agent_options,
    )


def _check_db(db: object) -> None:
    """Raise unless `db` is an opened database or None; the message does not repeat a URL, which may hold a password."""
    if db is None or isinstance(db, LearningDB):
        return
    fix = "did you mean store=...?" if isinstance(db, BaseStore) else "open it: `with connect(url) as db:`"
    raise ConfigurationError(f"db=... takes what connect(url) opens, not {type(db).__name__}; {fix}")


def _machine(learning: LearningMachine | bool) -> LearningMachine:
    if isinstance(learning, LearningMachine):
        return learning
    if isinstance(learning, bool):
        return LearningMachine(user_profile=learning, user_memory=learning)
    raise ConfigurationError(f"learning={learning!r}: give True, False or a LearningMachine")


def _name(tool: object) -> str:
    name = tool.get("name", "") if isinstance(tool, dict) else getattr(tool, "name", getattr(tool, "__name__", ""))
    return str(name)
