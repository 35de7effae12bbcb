"""Asking a model once for operations, on whatever way its server knows, with one repair of a spoilt answer."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_core.messages.ai import UsageMetadata
from pydantic import BaseModel, JsonValue

from langgraph_learning import prompts
from langgraph_learning._engine.flow import Flow, ModelCall, call_model
from langgraph_learning._engine.learning.operation_schema import Schema, UnusableAnswer, read_answer
from langgraph_learning.errors import ExtractionError
from langgraph_learning.records import Usage

Options = Mapping[str, object]

# By the integration's own default method first. Not every integration knows `strict`, and not every server the method.
_STRICT: Options = {"strict": True}
_PLAIN: Options = {}
_TOOL: Options = {"method": "function_calling"}
_CUT_OFF = "the answer was cut off at its length limit: answer again, shorter"


@dataclass
class OutputMethods:
    """How each model gives structured answers, once that was found out; the models are held, so an id stays theirs."""

    by_model: dict[int, tuple[BaseChatModel, Options]] = field(default_factory=dict)

    def options_for(self, model: BaseChatModel) -> Options:
        """Return what to ask `model` with."""
        return self.by_model.get(id(model), (model, _STRICT))[1]

    def remember(self, model: BaseChatModel, options: Options) -> None:
        """Ask `model` this way from now on."""
        self.by_model[id(model)] = (model, options)


@dataclass(frozen=True)
class Answer:
    """The operations a model asked for, and what that cost."""

    operations: list[JsonValue]
    usage: Usage


def ask_for_operations(
    model: BaseChatModel, schema: Schema, messages: list[BaseMessage], methods: OutputMethods
) -> Flow[Answer]:
    """Ask `model`; an answer that is cut off or does not parse gets one repair call.

    Raises:
        ExtractionError: The repaired answer cannot be used either.
    """
    first = yield from _call_with_fallback(model, schema, messages, methods)
    usage = _usage(first)
    try:
        return Answer(_operations(first), usage)
    except UnusableAnswer as error:
        said = _texts(first)
        repair = [
            *messages,
            *[AIMessage(text[:4_000]) for text in said[:1] if text.strip()],
            HumanMessage(prompts.render("repair", error=str(error))),
        ]
    second = yield from _call_with_fallback(model, schema, repair, methods)
    try:
        return Answer(_operations(second), usage + _usage(second))
    except UnusableAnswer as error:
        raise ExtractionError(f"the model's answer cannot be used, also after a repair: {error}") from error


def _call_with_fallback(
    model: BaseChatModel, schema: Schema, messages: list[BaseMessage], methods: OutputMethods
) -> Flow[dict[str, Any]]:
    """Call the model; what its integration or server refuses is tried the next way, and the way that works kept."""
    options = methods.options_for(model)
    while True:
        try:
            answer = yield from call_model(ModelCall(model, schema, tuple(messages), options))
        except (TypeError, ValueError, NotImplementedError):
            if options != _STRICT:
                raise
            options = _PLAIN
        except Exception as error:
            if (completion := getattr(error, "completion", None)) is not None:
                return {"raw": _without_text(completion)}
            if options == _TOOL or getattr(error, "status_code", None) not in (400, 404, 415, 422, 501):
                raise
            options = _TOOL
        else:
            methods.remember(model, options)
            return answer


def _operations(answer: dict[str, Any]) -> list[JsonValue]:
    raw = answer.get("raw")
    if isinstance(raw, AIMessage):
        if _is_cut_off(raw):
            raise UnusableAnswer(_CUT_OFF)
        if refusal := raw.additional_kwargs.get("refusal"):
            raise UnusableAnswer(f"the model refused: {refusal}")
    if texts := [text for text in _texts(answer) if text.strip()]:
        return [operation for text in texts for operation in read_answer(text)]
    raise UnusableAnswer("the answer is empty")


def _texts(answer: dict[str, Any]) -> list[str]:
    """The answer as it came: LangChain's own parser completes half a sentence without a word."""
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


def _without_text(completion: object) -> AIMessage:
    """Return an answer cut off at its length limit, for which openai's client raises, as a message with its cost."""
    counted = getattr(completion, "usage", None)
    asked, said = (getattr(counted, name, None) or 0 for name in ("prompt_tokens", "completion_tokens"))
    usage = UsageMetadata(input_tokens=asked, output_tokens=said, total_tokens=asked + said)
    return AIMessage("", usage_metadata=usage, response_metadata={"finish_reason": "length"})


def _is_cut_off(message: AIMessage) -> bool:
    told = message.response_metadata
    reasons = {str(told.get(key, "")).lower() for key in ("finish_reason", "stop_reason", "done_reason")}
    return bool(reasons & {"length", "max_tokens", "max_output_tokens", "model_length"}) or (
        told.get("status") == "incomplete"
    )


def _usage(answer: dict[str, Any]) -> Usage:
    counted = getattr(answer.get("raw"), "usage_metadata", None) or {}
    return Usage(calls=1, input_tokens=counted.get("input_tokens", 0), output_tokens=counted.get("output_tokens", 0))
