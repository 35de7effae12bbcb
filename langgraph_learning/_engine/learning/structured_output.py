"""Asking a model for operations, in the best way that its integration and server support, with one repair call."""

import inspect
import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import cast

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_core.messages.ai import UsageMetadata
from pydantic import BaseModel, JsonValue

from langgraph_learning import prompts
from langgraph_learning._engine.flow import Flow, ModelCall
from langgraph_learning._engine.learning.answer_parsing import UnusableAnswer, read_answer
from langgraph_learning._engine.learning.model_call import PROMPT, CallLimits, Options, RawAnswer
from langgraph_learning.errors import ExtractionError
from langgraph_learning.json_schema import Schema
from langgraph_learning.records import Usage

log = logging.getLogger(__name__)

# JSON schema first: a forced tool is dropped silently for Claude's thinking models, and several servers follow the
# schema of a tool only loosely. Every integration of LangChain takes `method`; few know `strict`.
_STRICT: Options = {"method": "json_schema", "strict": True}
_SCHEMA: Options = {"method": "json_schema"}
_TOOL: Options = {"method": "function_calling"}
_WARNS_OF_STRICT = frozenset({"amazon_bedrock_converse_chat"})
_CUT_OFF = "the answer was cut off at its length limit, before its first operation was complete: answer again, shorter"
_FILTERED = {
    *("content_filter", "content_filtered", "refusal", "guardrail_intervened"),
    *("safety", "prohibited_content", "blocklist", "spii", "recitation"),  # Gemini's
}
_REFUSED_BY_SERVER = (400, 404, 405, 415, 422, 501)


class RefusedAnswer(ExtractionError):
    """An error: the model, or a filter in front of it, refused twice, and would refuse these words again."""


@dataclass
class OutputMethods:
    """The way in which each model gives structured answers, once it is known, and the limits of a call.

    The models are kept in here, so that the id of one is not used again for another.
    """

    limits: CallLimits = field(default_factory=CallLimits)
    by_model: dict[int, tuple[BaseChatModel, Options]] = field(default_factory=dict)

    def candidates(self, model: BaseChatModel) -> list[Options]:
        """Return the ways to ask `model`, the best first; once one has worked, only that one and asking in words."""
        if id(model) in self.by_model:
            working = self.by_model[id(model)][1]
            return [working] if working == PROMPT else [working, PROMPT]
        strict = "strict" in inspect.signature(model.with_structured_output).parameters
        strict = strict and model._llm_type not in _WARNS_OF_STRICT
        tool = [] if _thinks(model) else [_TOOL]
        return [*([_STRICT] if strict else []), _SCHEMA, *tool, PROMPT]

    def remember(self, model: BaseChatModel, options: Options) -> None:
        """Ask `model` this way from now on."""
        self.by_model[id(model)] = (model, options)


def _thinks(model: BaseChatModel) -> bool:
    """Return whether thinking is on (Claude). Such a model cannot be forced to use a tool; its integration warns."""
    thinking = getattr(model, "thinking", None)
    return isinstance(thinking, dict) and thinking.get("type") in ("enabled", "adaptive")


@dataclass(frozen=True)
class Answer:
    """The operations that a model asked for, the usage, and whether the answer ended too early."""

    operations: list[JsonValue]
    usage: Usage
    cut_off: bool = False


def ask_for_operations(
    model: BaseChatModel, schema: Schema, messages: list[BaseMessage], methods: OutputMethods
) -> Flow[Answer]:
    """Ask `model`; an answer without a complete operation gets one repair call.

    Raises:
        ExtractionError: The repaired answer cannot be used either, or no answer came in time.
    """
    first = yield from _call_with_fallback(model, schema, messages, methods)
    try:
        return _read(first, _usage(first))
    except UnusableAnswer as error:
        spoilt = next((text for text in _texts(first) if text.strip()), "")
        repair = [
            *messages,
            *([AIMessage(spoilt[:4_000])] if spoilt else []),
            HumanMessage(prompts.render("repair", error=str(error))),
        ]
    second = yield from _call_with_fallback(model, schema, repair, methods)
    try:
        answer = _read(second, _usage(first) + _usage(second))
    except UnusableAnswer as error:
        kind = RefusedAnswer if _refusal(second) is not None else ExtractionError
        raise kind(f"the model's answer cannot be used, also after a repair: {error}") from error
    if not answer.operations and "{" in spoilt:
        raise ExtractionError(
            "the model's answer held something and could not be read, and its repair is empty: nothing is taken for"
            " learned"
        )
    return answer


def _call_with_fallback(
    model: BaseChatModel, schema: Schema, messages: list[BaseMessage], methods: OutputMethods
) -> Flow[RawAnswer]:
    """Call the model; if its integration or server refuses one way, try the next, and remember the way that works."""
    candidates = methods.candidates(model)
    while True:
        options = candidates.pop(0)
        try:
            answer = cast("RawAnswer", (yield ModelCall(model, schema, tuple(messages), options, methods.limits)))
        except TimeoutError as error:
            raise ExtractionError(
                f"the model has not answered within {methods.limits.timeout:g} s; give"
                " LearningMachine(extraction_timeout=...) more, or None"
            ) from error
        except (TypeError, ValueError, NotImplementedError):
            if not candidates:
                raise
        except Exception as error:
            if (completion := getattr(error, "completion", None)) is not None:
                return {"raw": _unfinished_message(completion)}
            if any(getattr(cause, "code", None) == "content_filter" for cause in _chain(error)):  # Azure, of the prompt
                return {"raw": AIMessage("", response_metadata={"finish_reason": "content_filter"})}
            if not candidates or _status(error) not in _REFUSED_BY_SERVER:
                raise
            log.info("%s: a server refused %s: %s", type(model).__name__, options.get("method"), error)
            candidates = [candidate for candidate in candidates if candidate["method"] != options["method"]] or [PROMPT]
        else:
            methods.remember(model, options)
            return answer


def _status(error: BaseException) -> int | None:
    """Return the HTTP status of a client's error; each client stores it in another place."""
    for cause in _chain(error):
        response = getattr(cause, "response", None)
        metadata = response.get("ResponseMetadata", {}) if isinstance(response, dict) else {}
        statuses = (
            getattr(cause, "status_code", None),
            getattr(response, "status_code", None),
            metadata.get("HTTPStatusCode"),
            getattr(cause, "code", None),
        )
        if status := next((number for number in statuses if isinstance(number, int) and 100 <= number < 600), None):
            return status
    return None


def _chain(error: BaseException | None, depth: int = 5) -> Iterator[BaseException]:
    while error is not None and depth:
        yield error
        error, depth = error.__cause__ or error.__context__, depth - 1


def _read(answer: RawAnswer, usage: Usage) -> Answer:
    """Return the operations of an answer.

    Raises:
        UnusableAnswer: The model refused, or the answer has no complete operation.
    """
    raw = answer.get("raw")
    cut_off = isinstance(raw, AIMessage) and _is_cut_off(raw)
    if (refusal := _refusal(answer)) is not None:
        raise UnusableAnswer(f"the model refused: {refusal}")
    texts = [text for text in _texts(answer) if text.strip()]
    if not texts:
        raise UnusableAnswer(_CUT_OFF if cut_off else "the answer is empty")
    try:
        read = [read_answer(text) for text in texts]
    except UnusableAnswer as error:
        if cut_off:
            raise UnusableAnswer(_CUT_OFF) from error
        raise
    operations = [operation for part in read for operation in part.operations]
    if cut_off and not operations:
        raise UnusableAnswer(_CUT_OFF)
    return Answer(operations, usage, any(part.cut_off for part in read))


def _texts(answer: RawAnswer) -> list[str]:
    """Return the texts of the answer as they came: LangChain's own parser silently completes half a sentence."""
    raw = answer.get("raw")
    if isinstance(raw, AIMessage):
        if calls := raw.additional_kwargs.get("tool_calls"):
            return [str(call.get("function", {}).get("arguments", "")) for call in calls]
        if raw.invalid_tool_calls:
            return [call["args"] or "" for call in raw.invalid_tool_calls]
        if raw.tool_calls:
            return [json.dumps(call["args"]) for call in raw.tool_calls]
        if "{" in (text := str(raw.text)):
            return [text]
    # No JSON in the text: the integration got its object in a way of its own.
    parsed = answer.get("parsed", answer if "operations" in answer else None)
    parsed = parsed.model_dump(mode="json") if isinstance(parsed, BaseModel) else parsed
    if isinstance(parsed, dict):
        return [json.dumps(parsed)]
    return [str(raw.text)] if isinstance(raw, AIMessage) else []


def _refusal(answer: RawAnswer) -> str | None:
    """Return why the model, or a filter in front of it, refused to answer."""
    message = answer.get("raw")
    if not isinstance(message, AIMessage):
        return None
    if refusal := message.additional_kwargs.get("refusal"):
        return str(refusal)
    blocks = message.content if isinstance(message.content, list) else []
    for block in blocks:
        if isinstance(block, dict) and block.get("type") == "refusal":
            return str(block.get("refusal") or "refusal")
    return next(iter(sorted(_finish_reasons(message) & _FILTERED)), None)


def _unfinished_message(completion: object) -> AIMessage:
    """Return the message of an answer that was cut off or filtered; openai's client raises an error for it."""
    counted = getattr(completion, "usage", None)
    asked, answered = (getattr(counted, name, None) or 0 for name in ("prompt_tokens", "completion_tokens"))
    usage = UsageMetadata(input_tokens=asked, output_tokens=answered, total_tokens=asked + answered)
    choice = next(iter(getattr(completion, "choices", None) or ()), None)
    content = getattr(getattr(choice, "message", None), "content", None)
    text = content if isinstance(content, str) else ""
    reason = getattr(choice, "finish_reason", None) or "length"
    return AIMessage(text, usage_metadata=usage, response_metadata={"finish_reason": reason})


def _finish_reasons(message: AIMessage) -> set[str]:
    metadata = message.response_metadata
    reasons = [metadata.get(key) for key in ("finish_reason", "stop_reason", "done_reason", "stopReason")]
    # OpenAI's responses say here why they are incomplete, Gemini why it was not even asked.
    for key, name in (("incomplete_details", "reason"), ("prompt_feedback", "block_reason")):
        details = metadata.get(key)
        reasons.append(details.get(name) if isinstance(details, Mapping) else None)
    return {str(getattr(reason, "name", reason)).lower() for reason in reasons if reason}


def _is_cut_off(message: AIMessage) -> bool:
    limits = {"length", "max_tokens", "max_output_tokens", "model_length", "model_context_window_exceeded"}
    return bool(_finish_reasons(message) & limits) or message.response_metadata.get("status") == "incomplete"


def _usage(answer: RawAnswer) -> Usage:
    counted = getattr(answer.get("raw"), "usage_metadata", None) or {}
    return Usage(calls=1, input_tokens=counted.get("input_tokens", 0), output_tokens=counted.get("output_tokens", 0))
