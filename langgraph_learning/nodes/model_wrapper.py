"""`learning.model`: a copy of a chat model that adds the recalled text to what it sends.

The copy's class is a subclass of the model's own class. So `isinstance`, tools, structured output, profiles and tracing
work as before; only the messages differ. The text is added at the start of a call, before LangChain looks into its
cache of answers. So no user gets a cached answer that was made for another.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, TypeVar, cast

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage, HumanMessage
from langchain_core.prompt_values import PromptValue
from langchain_core.runnables import Runnable, RunnableConfig, RunnableParallel, RunnableSequence
from langchain_core.runnables.base import RunnableBindingBase
from langchain_core.runnables.configurable import DynamicRunnable
from langchain_core.runnables.fallbacks import RunnableWithFallbacks
from langgraph.runtime import get_runtime

from langgraph_learning._engine.settings import A_MODEL, MachineSettings, resolve_model
from langgraph_learning.errors import ConfigurationError
from langgraph_learning.langgraph_private import is_configurable_model, runtime_of
from langgraph_learning.nodes.configurable_model import show_alternatives, show_configurable, with_class
from langgraph_learning.nodes.flow_node import refuse_cache
from langgraph_learning.nodes.placement import place_in_system, place_in_turn, read_messages
from langgraph_learning.nodes.run_context import AnyRuntime, Run
from langgraph_learning.nodes.steps import model_text_step

T = TypeVar("T")
PLAIN = "__learning_plain_class__"
"""The attribute of the subclass that holds the model's original class."""


def show_to_model(model: object, settings: MachineSettings) -> Any:
    """Return a copy of `model` that sends the recalled text; in a binding, a sequence or fallbacks, each model does.

    A model that the run configures counts as a chat model, whatever the configuration chooses later.

    Raises:
        ConfigurationError: There is no chat model in it.
    """
    shown, count = _show(resolve_model(model) if isinstance(model, str) else model, settings)
    if not count:
        raise ConfigurationError(f"model({model!r}): there is no chat model in it; {A_MODEL}")
    return shown


def without_context(model: T) -> T:
    """Return a chat model as it was before `learning.model`: extraction must not get the recalled text."""
    plain = getattr(type(model), PLAIN, None)
    if plain is None:
        return model
    if is_configurable_model(model):
        return cast("T", with_class(model, plain))
    bare = cast("BaseChatModel", model).model_copy()
    object.__setattr__(bare, "__class__", plain)
    return cast("T", bare)


def _show(model: object, settings: MachineSettings) -> tuple[object, int]:
    """Return a copy of the runnable whose chat models send the text, and the number of these chat models."""
    if isinstance(model, BaseChatModel):
        return _shown_model(model, settings), 1
    if is_configurable_model(model):
        plain = type(without_context(model))
        return show_configurable(without_context(model), plain, PLAIN, lambda chosen: _show(chosen, settings)[0]), 1
    if isinstance(model, DynamicRunnable):
        return show_alternatives(model, lambda chosen: _show(chosen, settings)[0]), _show(model.default, settings)[1]
    if isinstance(model, RunnableBindingBase):
        bound, count = _show(model.bound, settings)
        return model.model_copy(update={"bound": bound}), count
    if isinstance(model, RunnableWithFallbacks):
        first, count = _show(model.runnable, settings)
        others = [_show(other, settings) for other in model.fallbacks]
        update = {"runnable": first, "fallbacks": [other for other, _ in others]}
        return model.model_copy(update=update), count + sum(number for _, number in others)
    if isinstance(model, RunnableParallel):  # `with_structured_output(..., include_raw=True)` starts with one
        named = {name: _show(step, settings) for name, step in model.steps__.items()}
        count = sum(number for _, number in named.values())
        return model.model_copy(update={"steps__": {name: step for name, (step, _) in named.items()}}), count
    if isinstance(model, RunnableSequence):
        steps = [_show(step, settings) for step in model.steps]
        count = sum(number for _, number in steps)
        shown = [cast("Runnable[object, object]", step) for step, _ in steps]
        return (RunnableSequence(*shown, name=model.name) if count else model), count
    return model, 0


def _shown_model(model: BaseChatModel, settings: MachineSettings) -> BaseChatModel:
    plain = type(without_context(model))

    class Shown(plain):  # type: ignore[misc, valid-type]
        def invoke(self, input: object, config: RunnableConfig | None = None, **kwargs: object) -> object:
            return super().invoke(_add_text(settings, input, config), config, **kwargs)

        async def ainvoke(self, input: object, config: RunnableConfig | None = None, **kwargs: object) -> object:
            return await super().ainvoke(await _aadd_text(settings, input, config), config, **kwargs)

        def stream(self, input: object, config: RunnableConfig | None = None, **kwargs: object) -> Iterator[object]:
            yield from super().stream(_add_text(settings, input, config), config, **kwargs)

        async def astream(
            self, input: object, config: RunnableConfig | None = None, **kwargs: object
        ) -> AsyncIterator[object]:
            async for chunk in super().astream(await _aadd_text(settings, input, config), config, **kwargs):
                yield chunk

    for name in ("__name__", "__qualname__", "__module__", "__doc__"):
        setattr(Shown, name, getattr(plain, name))  # tracing and serialisation identify a model by these
    setattr(Shown, PLAIN, plain)
    shown = without_context(model).model_copy()
    object.__setattr__(shown, "__class__", Shown)
    return shown


def _add_text(settings: MachineSettings, given: object, config: RunnableConfig | None) -> object:
    run, messages = _begin(settings, given, config)
    if run is None:
        return given
    return _place(settings, messages, run.driver.run(model_text_step(run, messages)))


async def _aadd_text(settings: MachineSettings, given: object, config: RunnableConfig | None) -> object:
    run, messages = _begin(settings, given, config)
    if run is None:
        return given
    return _place(settings, messages, await run.driver.arun(model_text_step(run, messages)))


def _begin(
    settings: MachineSettings, given: object, config: RunnableConfig | None
) -> tuple[Run | None, list[BaseMessage]]:
    """Return the run and the messages of a call; the run is None if the model is called outside a graph."""
    handed = runtime_of(config)
    if handed is None and not _in_graph():
        return None, []
    # In a later step of a sequence that LangGraph has split, only the config holds the runtime.
    run = Run.current(settings) if handed is None else Run(settings, cast("AnyRuntime", handed), config or {})
    refuse_cache(run, "that calls learning.model(...)")
    if isinstance(given, PromptValue):
        return run, given.to_messages()
    return run, [HumanMessage(given)] if isinstance(given, str) else read_messages(given)


def _in_graph() -> bool:
    try:
        return get_runtime() is not None
    except (KeyError, RuntimeError):
        return False


def _place(settings: MachineSettings, messages: list[BaseMessage], text: str) -> list[BaseMessage]:
    place: Callable[[list[BaseMessage], str], list[BaseMessage]]
    place = place_in_turn if settings.placement == "turn" else place_in_system
    return place(messages, text)
