"""Chat models that a run configures: `init_chat_model()` without a model, `configurable_fields`, `..._alternatives`.

Such a model is none until it is called: then it makes, or chooses, the chat model that the configuration names.
"""

from collections.abc import Callable
from typing import Any, cast
from weakref import WeakKeyDictionary

from langchain_core.language_models import BaseChatModel
from langchain_core.runnables import Runnable, RunnableConfig
from langchain_core.runnables.configurable import DynamicRunnable, RunnableConfigurableAlternatives

from langgraph_learning.langgraph_private import is_configurable_model

Show = Callable[[object], object]
CONFIGURATIONS = 32
"""For how many configurations of one model the chat models are kept."""
_DECLARATIVE = ("bind_tools", "with_structured_output")
"""What LangChain puts off until it has made the model."""
_made: WeakKeyDictionary[Any, dict[str, Any]] = WeakKeyDictionary()


def show_configurable(model: Any, plain: type, mark: str, show: Show) -> object:
    """Return what `init_chat_model()` returned, as a model of its class whose chat models are shown the text.

    Args:
        model: The model.
        plain: Its class.
        mark: The attribute under which its new class keeps the old one.
        show: Shows the text to what it makes: a chat model, or a binding or sequence with one in it.
    """

    class Shown(plain):  # type: ignore[misc]
        def _model(self, config: RunnableConfig | None = None) -> Any:
            return show(super()._model(config))

        def with_config(self, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
            return show_configurable(super().with_config(config, **kwargs), plain, mark, show)

        def __getattr__(self, name: str) -> Any:
            found = super().__getattr__(name)
            if name not in _DECLARATIVE:
                return found
            return lambda *given, **options: show_configurable(found(*given, **options), plain, mark, show)

    setattr(Shown, mark, plain)
    return with_class(model, Shown)


def with_class(model: object, kind: type) -> object:
    """Return a copy of a configurable model as one of another class; copying it asks it for methods that it makes."""
    made: object = object.__new__(kind)
    vars(made).update(vars(model))
    return made


def show_alternatives(model: DynamicRunnable[Any, Any], show: Show) -> object:
    """Return `configurable_fields` or `configurable_alternatives` with their chat models shown the text."""
    update: dict[str, object] = {"default": show(model.default)}
    if isinstance(model, RunnableConfigurableAlternatives):
        update["alternatives"] = {key: _show_alternative(each, show) for key, each in model.alternatives.items()}
    return model.model_copy(update=update)


def _show_alternative(alternative: object, show: Show) -> object:
    if isinstance(alternative, Runnable) or not callable(alternative):
        return show(alternative)
    return lambda: show(alternative())


def chat_model_of(model: object, config: RunnableConfig) -> BaseChatModel | None:
    """Return the chat model that a run has configured; one that is not configurable is that already."""
    if isinstance(model, DynamicRunnable):
        return cast("BaseChatModel", model.prepare(config)[0])
    if not is_configurable_model(model):
        return cast("BaseChatModel | None", model)
    known: Any = model
    # How a model answers best is found out once and kept by model, so one configuration is one model.
    kept, key = _made.setdefault(known, {}), repr(sorted(known._model_params(config).items()))
    if key not in kept:
        kept[key] = known._model(config)
        while len(kept) > CONFIGURATIONS:
            kept.pop(next(iter(kept)), None)
    return cast("BaseChatModel", kept[key])
