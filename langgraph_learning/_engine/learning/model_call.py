"""One call of a chat model for structured output, with a limit of tokens and of time."""

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
RawAnswer: TypeAlias = Mapping[str, object]
"""What a structured call returns: the message as `raw`, and LangChain's own reading of it as `parsed`."""
Structured: TypeAlias = Runnable[Sequence[BaseMessage], RawAnswer]

PROMPT: Options = {"method": "prompt"}
"""The option to ask in words, for models and servers without structured output."""
_LIMITS = ("max_tokens", "max_output_tokens", "num_predict")
"""The names that integrations use for the token limit of an answer."""


@dataclass(frozen=True, slots=True)
class CallLimits:
    """The limits of an answer, in tokens, and of a call, in seconds; None means no limit."""

    max_tokens: int | None = 8_000
    timeout: float | None = 120.0


class AnswerNotForced(TypeError):
    """An error: the integration would not force the model to follow the schema, as with Claude's thinking models."""


def structured_model(model: BaseChatModel, schema: Schema, options: Options, limits: CallLimits) -> Structured:
    """Return a runnable that answers `{"raw": AIMessage, "parsed": ...}` in the way that `options` name.

    Raises:
        AnswerNotForced: The request would not force the model to follow the schema.
    """
    limited = _with_limits(model, limits)
    if options == PROMPT:
        question = HumanMessage(prompts.render("schema", schema=json.dumps(schema, ensure_ascii=False)))
        ask: Runnable[Sequence[BaseMessage], Any] = RunnableLambda(lambda messages: [*messages, question])
        return cast("Structured", ask | limited | RunnableLambda(lambda raw: {"raw": raw, "parsed": None}))
    runnable = limited.with_structured_output(schema, include_raw=True, **options)
    if not _is_forced(runnable):
        raise AnswerNotForced(
            f"{type(model).__name__} does not force its model to follow a schema by {options['method']}"
        )
    return cast("Structured", runnable)


def _with_limits(model: BaseChatModel, limits: CallLimits) -> BaseChatModel:
    """Return a copy of the model with its answer limited; a lower limit of the model's own stays.

    Streaming is switched off for this call, because its tokens are not part of the reply.
    """
    changed: dict[str, object] = {"streaming": False} if getattr(model, "streaming", None) is True else {}
    name = next((name for name in _LIMITS if name in type(model).model_fields), None)
    if name is not None and limits.max_tokens is not None:
        # Thoughts count as tokens of the answer. Their budget is added, because it must be lower than the limit.
        thinking = getattr(model, "thinking", None) or {}
        budget = thinking.get("budget_tokens", 0) if isinstance(thinking, Mapping) else 0
        own, limit = getattr(model, name), limits.max_tokens + int(budget)
        changed[name] = min(own, limit) if isinstance(own, int) and own > 0 else limit
    return model.model_copy(update=changed) if changed else model


def _is_forced(runnable: Runnable[Any, Any]) -> bool:
    """Return whether the request forces the model to follow the schema, as far as LangChain shows the request."""
    first = getattr(runnable, "first", None)
    bound = getattr(first, "steps__", {}).get("raw")
    if isinstance(bound, RunnableSequence):
        bound = bound.first
    request = bound.kwargs if isinstance(bound, RunnableBinding) else {}
    return not request.get("tools") or bool(request.get("tool_choice"))


def invoke_in_time(
    runnable: Structured, messages: Sequence[BaseMessage], config: RunnableConfig, timeout: float | None
) -> RawAnswer:
    """Return the answer.

    Raises:
        TimeoutError: It took longer than `timeout` seconds; the call goes on, but its answer is ignored.
    """
    if timeout is None:
        return runnable.invoke(messages, config)
    outcome: list[RawAnswer | BaseException] = []
    context = contextvars.copy_context()

    def call() -> None:
        try:
            outcome.append(runnable.invoke(messages, config))
        except BaseException as error:  # noqa: BLE001 - passed to the thread of the caller
            outcome.append(error)

    # A daemon thread: unlike a thread of an executor, it does not keep the process alive for an ignored call.
    thread = threading.Thread(target=context.run, args=(call,), name="learning.extract", daemon=True)
    thread.start()
    thread.join(timeout)
    if not outcome:
        raise TimeoutError
    if isinstance(outcome[0], BaseException):
        raise outcome[0]
    return outcome[0]


async def ainvoke_in_time(
    runnable: Structured, messages: Sequence[BaseMessage], config: RunnableConfig, timeout: float | None
) -> RawAnswer:
    """Return the answer, or cancel the call.

    Raises:
        TimeoutError: It took longer than `timeout` seconds.
    """
    return await asyncio.wait_for(runnable.ainvoke(messages, config), timeout)
