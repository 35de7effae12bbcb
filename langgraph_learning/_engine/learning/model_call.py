"""One call of a chat model for structured output, within a limit of tokens and of time."""

import asyncio
import contextvars
import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage, HumanMessage
from langchain_core.runnables import Runnable, RunnableBinding, RunnableConfig, RunnableLambda, RunnableSequence

from langgraph_learning import prompts
from langgraph_learning.json_schema import Schema

Options: TypeAlias = Mapping[str, object]
Structured: TypeAlias = Runnable[Sequence[BaseMessage], dict[str, Any]]

PROMPT: Options = {"method": "prompt"}
"""Ask in words, for models and servers without structured output."""
_LIMITS = ("max_tokens", "max_output_tokens", "num_predict")
"""What integrations call the limit of an answer's tokens."""


@dataclass(frozen=True, slots=True)
class CallLimits:
    """How long an answer may be, in tokens, and how long it may take, in seconds; None is no limit of ours."""

    max_tokens: int | None = 8_000
    timeout: float | None = 120.0


class AnswerNotForced(TypeError):
    """The integration would only offer the schema to the model, as it does with Claude's thinking models."""


def structured_model(model: BaseChatModel, schema: Schema, options: Options, limits: CallLimits) -> Structured:
    """Return what answers with `{"raw": AIMessage, "parsed": ...}` in the way that `options` say.

    Raises:
        AnswerNotForced: The request would not hold the model to the schema.
    """
    limited = _with_limits(model, limits)
    if options == PROMPT:
        question = HumanMessage(_in_words(schema))
        ask: Runnable[Sequence[BaseMessage], Any] = RunnableLambda(lambda messages: [*messages, question])
        return cast("Structured", ask | limited | RunnableLambda(lambda raw: {"raw": raw, "parsed": None}))
    made = limited.with_structured_output(schema, include_raw=True, **options)
    if not _is_forced(made):
        raise AnswerNotForced(f"{type(model).__name__} does not hold its model to a schema by {options['method']}")
    return cast("Structured", made)


def _in_words(schema: Schema) -> str:
    return prompts.render("schema", schema=json.dumps(schema, ensure_ascii=False))


def _with_limits(model: BaseChatModel, limits: CallLimits) -> BaseChatModel:
    """Return the model with its answer limited, on a copy; a lower limit of its own stays.

    A model that was told to stream gives this answer whole: its tokens are no part of the reply.
    """
    changed: dict[str, Any] = {"streaming": False} if getattr(model, "streaming", None) is True else {}
    name = next((name for name in _LIMITS if name in type(model).model_fields), None)
    if name is not None and limits.max_tokens is not None:
        # Thoughts count as tokens of the answer; their budget comes on top, because it must be lower than the limit.
        thinking = getattr(model, "thinking", None) or {}
        budget = thinking.get("budget_tokens", 0) if isinstance(thinking, Mapping) else 0
        own, limit = getattr(model, name), limits.max_tokens + int(budget)
        changed[name] = min(own, limit) if isinstance(own, int) and own > 0 else limit
    return model.model_copy(update=changed) if changed else model


def _is_forced(made: Runnable[Any, Any]) -> bool:
    """Return whether the request holds the model to the schema, as far as LangChain shows what it will hold."""
    first = getattr(made, "first", None)
    bound = getattr(first, "steps__", {}).get("raw")
    if isinstance(bound, RunnableSequence):
        bound = bound.first
    request = bound.kwargs if isinstance(bound, RunnableBinding) else {}
    return not request.get("tools") or bool(request.get("tool_choice"))


def invoke_in_time(
    runnable: Structured, messages: Sequence[BaseMessage], config: RunnableConfig, timeout: float | None
) -> dict[str, Any]:
    """Return the answer.

    Raises:
        TimeoutError: It took longer than `timeout` seconds; nobody waits for it any more.
    """
    if timeout is None:
        return runnable.invoke(messages, config)
    outcome: list[Any] = []
    context = contextvars.copy_context()

    def call() -> None:
        try:
            outcome.append(runnable.invoke(messages, config))
        except BaseException as error:  # noqa: BLE001 - handed to the caller, whose thread this is not
            outcome.append(error)

    # A daemon: a call that nobody waits for must not keep the process from ending, as an executor's thread would.
    thread = threading.Thread(target=context.run, args=(call,), name="learning.extract", daemon=True)
    thread.start()
    thread.join(timeout)
    if not outcome:
        raise TimeoutError
    if isinstance(outcome[0], BaseException):
        raise outcome[0]
    return cast("dict[str, Any]", outcome[0])


async def ainvoke_in_time(
    runnable: Structured, messages: Sequence[BaseMessage], config: RunnableConfig, timeout: float | None
) -> dict[str, Any]:
    """Return the answer, or end the call.

    Raises:
        TimeoutError: It took longer than `timeout` seconds.
    """
    return await asyncio.wait_for(runnable.ainvoke(messages, config), timeout)
