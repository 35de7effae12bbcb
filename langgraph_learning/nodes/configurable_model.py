"""Chat models that a run configures: `init_chat_model()` without a model, `configurable_fields`, `..._alternatives`.

Such a model is not a chat model yet. At the call, it makes or chooses the chat model that the configuration names.
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
"""How many configurations of one model keep their chat model; the oldest are dropped."""
_DECLARATIVE = ("bind_tools", "with_structured_output")
"""The methods that LangChain only records, and applies when it has made the model."""
_made: WeakKeyDictionary[Any, dict[str, Any]] = WeakKeyDictionary()


def show_configurable(model: Any, plain: type, mark: str, show: Show) -> object:
    """Return a copy of what `init_chat_model()` returned; the chat models that it makes get the recalled text.

    Args:
        model: The model.
        plain: Its original class.
        mark: The attribute of the new class that holds the original class.
        show: Adds the text to what the model makes: a chat model, or a binding or sequence that contains one.
    """

    class Shown(plain):  # type: ignore[misc]
        def _model(self, config: RunnableConfig | None = None) -> Any:
            return show(super()._model(config))

        def with_config(self, config: RunnableConfig | None = None, **kwargs: Any) -> Any:
            return show_configurable(super().with_config(config, **kwargs), plain, mark, show)

        def __getattr__(self, name: str) -> Any:
            method = super().__getattr__(name)
            if name not in _DECLARATIVE:
                return method
            return lambda *given, **options: show_configurable(method(*given, **options), plain, mark, show)

    setattr(Shown, mark, plain)
    return with_class(model, Shown)


def with_class(model: object, kind: type) -> object:
    """Return a copy of a configurable model with another class.

    `copy.copy` is not used: it looks up special methods, and the model's `__getattr__` answers with invented ones.
    """
    copied: object = object.__new__(kind)
    vars(copied).update(vars(model))
    return copied


def show_alternatives(model: DynamicRunnable[Any, Any], show: Show) -> object:
    """Return a copy of a `configurable_fields` or `configurable_alternatives` model whose chat models get the text."""
    update: dict[str, object] = {"default": show(model.default)}
    if isinstance(model, RunnableConfigurableAlternatives):
        update["alternatives"] = {key: _show_alternative(other, show) for key, other in model.alternatives.items()}
    return model.model_copy(update=update)


def _show_alternative(alternative: object, show: Show) -> object:
    if isinstance(alternative, Runnable) or not callable(alternative):
        return show(alternative)
    return lambda: show(alternative())  # LangChain also takes a function that makes the alternative


def chat_model_of(model: object, config: RunnableConfig) -> BaseChatModel | None:
    """Return the chat model that the run's configuration chooses; return any other model unchanged."""
    if isinstance(model, DynamicRunnable):
        return cast("BaseChatModel", model.prepare(config)[0])
    if not is_configurable_model(model):
        return cast("BaseChatModel | None", model)
    configurable: Any = model
    # Which structured output method works is found out once per model object, so each configuration keeps its object.
    models, key = _made.setdefault(configurable, {}), repr(sorted(configurable._model_params(config).items()))
    if key not in models:
        models[key] = configurable._model(config)
        while len(models) > CONFIGURATIONS:
            models.pop(next(iter(models)), None)
    return cast("BaseChatModel", models[key])
