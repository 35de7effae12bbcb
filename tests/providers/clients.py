"""The real clients of the providers, pointed to a recorder, and how each provider answers."""

import importlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel
from providers.recorder import Json

KEY = "dummy"


@dataclass(frozen=True)
class Provider:
    """One integration: how its client is made, where a request asks for the schema, and the shapes of its answers."""

    name: str
    package: str
    make: Callable[[Any, str], BaseChatModel]
    method: Callable[[Json], object]
    """What of a request asks for an answer by JSON schema."""
    text: Callable[[str, str], Json]
    """An answer of text, and why it ended."""
    call: Callable[[str], Json]
    """An answer by a call of the tool `learned` with these arguments."""
    error: Json = field(default_factory=lambda: {"error": {"message": "response_format is not supported"}})
    ends: tuple[str, str] = ("stop", "length")
    """How it says that an answer is whole, and cut off."""
    strict: Callable[[Json], object] | None = None
    limit: Callable[[Json], object] = lambda request: request["max_tokens"]
    thought: Callable[[str], Json] | None = None
    """An answer with a block of thoughts before the text."""
    refusals: tuple[Json | tuple[int, Json], ...] = ()
    """How it says that the model, or a filter, would not answer."""

    def model(self, url: str) -> BaseChatModel:
        """Return the client, or skip where its package is not installed."""
        return self.make(pytest.importorskip(self.package), url)


def _completion(message: Json, reason: str) -> Json:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": reason}
    usage = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
    return {"id": "c1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage}


def _completion_text(text: str, reason: str) -> Json:
    return _completion({"content": text}, reason)


def _completion_call(arguments: str) -> Json:
    call = {"id": "call_123", "type": "function", "function": {"name": "learned", "arguments": arguments}}
    return _completion({"content": "", "tool_calls": [call]}, "tool_calls")


AZURE = {"message": "The prompt triggered the content management policy", "code": "content_filter", "status": 400}


def _anthropic(blocks: list[Json], reason: str) -> Json:
    usage = {"input_tokens": 11, "output_tokens": 7}
    head = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude"}
    return {**head, "content": blocks, "stop_reason": reason, "stop_sequence": None, "usage": usage}


def _anthropic_call(arguments: str) -> Json:
    block = {"type": "tool_use", "id": "toolu_1", "name": "learned", "input": json.loads(arguments)}
    return _anthropic([block], "tool_use")


def _anthropic_thought(text: str) -> Json:
    thinking = {"type": "thinking", "thinking": "They like tea.", "signature": "sig"}
    return _anthropic([thinking, {"type": "text", "text": text}], "end_turn")


def _gemini(parts: list[Json], reason: str) -> Json:
    candidate = {"content": {"role": "model", "parts": parts}, "finishReason": reason, "index": 0}
    usage = {"promptTokenCount": 11, "candidatesTokenCount": 7, "totalTokenCount": 18}
    return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": "gemini"}


def _ollama(message: Json, reason: str) -> Json:
    head = {"model": "m", "created_at": "2026-01-01T00:00:00Z", "done": True, "done_reason": reason}
    counts = {"prompt_eval_count": 11, "eval_count": 7}
    return {**head, "message": {"role": "assistant", **message}, **counts}


def _bedrock(content: list[Json], reason: str) -> Json:
    usage = {"inputTokens": 11, "outputTokens": 7, "totalTokens": 18}
    message = {"role": "assistant", "content": content}
    return {"output": {"message": message}, "stopReason": reason, "usage": usage, "metrics": {"latencyMs": 1}}


def _response(output: list[Json], status: str) -> Json:
    usage: Json = {"input_tokens": 11, "output_tokens": 7, "total_tokens": 18}
    usage |= {"input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}}
    cut: Json = {"incomplete_details": {"reason": "max_output_tokens"}} if status == "incomplete" else {}
    head = {"id": "resp_1", "object": "response", "created_at": 1, "model": "m", "status": status}
    rest = {"parallel_tool_calls": True, "tool_choice": "auto", "tools": []}
    return {**head, "output": output, "usage": usage, **rest, **cut}


def _response_text(text: str, status: str) -> Json:
    content = [{"type": "output_text", "text": text, "annotations": []}]
    message = {"type": "message", "id": "msg_1", "role": "assistant", "status": status, "content": content}
    return _response([message], status)


def _response_refusal(text: str) -> Json:
    content = [{"type": "refusal", "refusal": text}]
    message = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": content}
    return _response([message], "completed")


def _response_call(arguments: str) -> Json:
    call = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "learned", "arguments": arguments}
    return _response([{**call, "status": "completed"}], "completed")


def _response_thought(text: str) -> Json:
    thought = {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "They like tea."}]}
    return _response([thought, *_response_text(text, "completed")["output"]], "completed")


def _openai(module: Any, url: str, **options: Any) -> BaseChatModel:
    return module.ChatOpenAI(model="gpt-5.2", base_url=f"{url}/v1", api_key=KEY, max_retries=0, **options)  # type: ignore[no-any-return]


def _make_anthropic(module: Any, url: str, **options: Any) -> BaseChatModel:
    return module.ChatAnthropic(model="claude-sonnet-5", base_url=url, api_key=KEY, max_retries=0, **options)  # type: ignore[no-any-return]


def _make_gemini(module: Any, url: str) -> BaseChatModel:
    return module.ChatGoogleGenerativeAI(model="gemini-2.5-flash", base_url=url, api_key=KEY, max_retries=1)  # type: ignore[no-any-return]


def _make_ollama(module: Any, url: str) -> BaseChatModel:
    return module.ChatOllama(model="llama3.2", base_url=url)  # type: ignore[no-any-return]


def _make_mistral(module: Any, url: str) -> BaseChatModel:
    return module.ChatMistralAI(model="mistral-small-latest", endpoint=f"{url}/v1", api_key=KEY, max_retries=1)  # type: ignore[no-any-return]


def _make_groq(module: Any, url: str) -> BaseChatModel:
    return module.ChatGroq(model="openai/gpt-oss-20b", base_url=url, api_key=KEY, max_retries=0)  # type: ignore[no-any-return]


def _make_bedrock(module: Any, url: str) -> BaseChatModel:
    config = importlib.import_module("botocore.config").Config(retries={"max_attempts": 1})
    keys = {"aws_access_key_id": KEY, "aws_secret_access_key": KEY, "region_name": "us-east-1"}
    name = "anthropic.claude-sonnet-4-5-20250929-v1:0"
    return module.ChatBedrockConverse(model=name, endpoint_url=url, config=config, **keys)  # type: ignore[no-any-return]


def _as_anthropic(text: str, reason: str) -> Json:
    return _anthropic([{"type": "text", "text": text}], reason)


OPENAI = Provider(
    "openai chat",
    "langchain_openai",
    _openai,
    lambda request: request["response_format"]["type"],
    _completion_text,
    _completion_call,
    strict=lambda request: request["response_format"]["json_schema"]["strict"],
    limit=lambda request: request["max_completion_tokens"],
    refusals=(
        _completion({"content": None, "refusal": "I can't help with that."}, "stop"),
        _completion_text("", "content_filter"),
        _completion_text('{"operations": [{"oper', "content_filter"),
        (400, {"error": AZURE}),
    ),
)
RESPONSES = Provider(
    "openai responses",
    "langchain_openai",
    lambda module, url: _openai(module, url, use_responses_api=True),
    lambda request: request["text"]["format"]["type"],
    _response_text,
    _response_call,
    ends=("completed", "incomplete"),
    strict=lambda request: request["text"]["format"]["strict"],
    limit=lambda request: request["max_output_tokens"],
    thought=_response_thought,
    refusals=(
        _response_refusal("I can't help with that."),
        {**_response([], "incomplete"), "incomplete_details": {"reason": "content_filter"}},
    ),
)
ANTHROPIC = Provider(
    "anthropic",
    "langchain_anthropic",
    _make_anthropic,
    lambda request: request["output_config"]["format"]["type"],
    _as_anthropic,
    _anthropic_call,
    error={"type": "error", "error": {"type": "invalid_request_error", "message": "not supported"}},
    ends=("end_turn", "max_tokens"),
    thought=_anthropic_thought,
    refusals=(_anthropic([], "refusal"),),
)
THINKING = Provider(
    "anthropic thinking",
    "langchain_anthropic",
    lambda module, url: _make_anthropic(
        module, url, thinking={"type": "enabled", "budget_tokens": 2_000}, max_tokens=9_000
    ),
    lambda request: request["output_config"]["format"]["type"],
    _as_anthropic,
    _anthropic_call,
    error={"type": "error", "error": {"type": "invalid_request_error", "message": "not supported"}},
    ends=("end_turn", "max_tokens"),
    thought=_anthropic_thought,
    refusals=(_anthropic([], "refusal"),),
)
GEMINI = Provider(
    "gemini",
    "langchain_google_genai",
    _make_gemini,
    lambda request: "json_schema" if request["generationConfig"]["responseJsonSchema"] else None,
    lambda text, reason: _gemini([{"text": text}], reason),
    lambda arguments: _gemini([{"functionCall": {"name": "learned", "args": json.loads(arguments)}}], "STOP"),
    error={"error": {"code": 400, "message": "not supported", "status": "INVALID_ARGUMENT"}},
    ends=("STOP", "MAX_TOKENS"),
    limit=lambda request: request["generationConfig"]["maxOutputTokens"],
    thought=lambda text: _gemini([{"text": "They like tea.", "thought": True}, {"text": text}], "STOP"),
    refusals=(
        *({**_gemini([], ""), "candidates": [{"finishReason": reason, "index": 0}]} for reason in ("SAFETY", "SPII")),
        {**_gemini([], ""), "candidates": [], "promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}},
    ),
)
OLLAMA = Provider(
    "ollama",
    "langchain_ollama",
    _make_ollama,
    lambda request: "json_schema" if isinstance(request["format"], dict) else request["format"],
    lambda text, reason: _ollama({"content": text}, reason),
    lambda arguments: _ollama(
        {"content": "", "tool_calls": [{"function": {"name": "learned", "arguments": json.loads(arguments)}}]}, "stop"
    ),
    error={"error": "format is not supported"},
    limit=lambda request: request["options"]["num_predict"],
    thought=lambda text: _ollama({"content": text, "thinking": "They like tea."}, "stop"),
)
MISTRAL = Provider(
    "mistral",
    "langchain_mistralai",
    _make_mistral,
    lambda request: request["response_format"]["type"],
    _completion_text,
    _completion_call,
    error={"object": "error", "message": "response_format is not supported", "type": "invalid_request"},
    strict=lambda request: request["response_format"]["json_schema"]["strict"],
    refusals=(_completion_text("", "content_filter"),),
)
GROQ = Provider(
    "groq",
    "langchain_groq",
    _make_groq,
    lambda request: request["response_format"]["type"],
    _completion_text,
    _completion_call,
    strict=lambda request: request["response_format"]["json_schema"]["strict"],
    refusals=(_completion_text("", "content_filter"),),
)
BEDROCK = Provider(
    "bedrock",
    "langchain_aws",
    _make_bedrock,
    lambda request: request["outputConfig"]["textFormat"]["type"],
    lambda text, reason: _bedrock([{"text": text}], reason),
    lambda arguments: _bedrock(
        [{"toolUse": {"toolUseId": "t1", "name": "learned", "input": json.loads(arguments)}}], "tool_use"
    ),
    error={"message": "outputConfig is not supported", "__type": "ValidationException"},
    ends=("end_turn", "max_tokens"),
    limit=lambda request: request["inferenceConfig"]["maxTokens"],
    thought=lambda text: _bedrock(
        [{"reasoningContent": {"reasoningText": {"text": "They like tea.", "signature": "s"}}}, {"text": text}],
        "end_turn",
    ),
    refusals=(
        _bedrock([], "guardrail_intervened"),
        _bedrock([{"text": "The answer was filtered."}], "content_filtered"),
    ),
)
PROVIDERS = (OPENAI, RESPONSES, ANTHROPIC, THINKING, GEMINI, OLLAMA, MISTRAL, GROQ, BEDROCK)
