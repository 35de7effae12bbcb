"""A scripted chat model, for tests of graphs that learn without a key, a network or chance.

```python
from langgraph_learning.testing import ScriptedChatModel, op

model = ScriptedChatModel(
    replies=["Nice to meet you, Alex."],
    extractions=[[op("add_memory", content="Prefers concise answers", quote="I prefer concise answers")]],
)
```

It gives its replies and extractions in order, each once. A call for which nothing is scripted raises an error, so that
one call too many fails the test. The prompts are kept: `model.prompts["extraction"][-1]`.
"""

import json
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, TypeAlias

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, ToolCall
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable, RunnableLambda
from pydantic import BaseModel, JsonValue, PrivateAttr

from langgraph_learning.words import tokens

Purpose = Literal["reply", "extraction"]
Operations: TypeAlias = Sequence[dict[str, JsonValue]]
Scripted: TypeAlias = str | AIMessage | Operations | BaseException
Script: TypeAlias = Scripted | Callable[[list[BaseMessage]], Scripted]
JsonSchema: TypeAlias = dict[str, Any]
"""A schema that a test reads by its keys."""


def op(operation: str, /, *, quote: str | None = None, **arguments: JsonValue) -> dict[str, JsonValue]:
    """Return one operation of an extraction answer."""
    return {"operation": operation, **arguments, "quote": quote}


SCRIPTED = (
    "No OPENAI_API_KEY or LEARNING_MODEL: the model's words are scripted. Everything else is real:"
    " the graph, the database, the parsing of extractions, recall."
)


def model_or_script(
    replies: Sequence[object], extractions: Sequence[object] = (), *, repeat: bool = False
) -> tuple[BaseChatModel, str]:
    """Return a real model if the environment names one, or else a script; and a line that says which it is.

    `LEARNING_MODEL="provider:name"` names one; a name alone means OpenAI, or the server at `OPENAI_BASE_URL`.
    """
    name = os.environ.get("LEARNING_MODEL", "")
    openai = any(os.environ.get(key) for key in ("OPENAI_API_KEY", "OPENAI_BASE_URL"))
    if not openai and ":" not in name:
        return ScriptedChatModel(replies=replies, extractions=extractions, repeat=repeat), SCRIPTED
    from langchain.chat_models import init_chat_model

    if os.environ.get("OPENAI_BASE_URL"):
        os.environ.setdefault("OPENAI_API_KEY", "none")  # a local server may need none, but the client does
    name = name if ":" in name else f"openai:{name or 'gpt-5.2'}"
    return init_chat_model(name), f"The model is {name}."


def call(tool: str, /, *, call_id: str = "call_1", **arguments: JsonValue) -> AIMessage:
    """Return a reply that calls one tool; `name` and `id` stay free for arguments of the tool."""
    return AIMessage("", tool_calls=[ToolCall(name=tool, args=arguments, id=call_id)])


class UnscriptedCall(AssertionError):
    """An error: the model was called although nothing was scripted for it."""


def _no_prompts() -> dict[str, list[list[BaseMessage]]]:
    return defaultdict(list)


class ScriptedChatModel(BaseChatModel):
    """A chat model that gives scripted answers, and raises an error when the script ends.

    Attributes:
        replies: Its answers as the agent, in order: a text, an `AIMessage` (such as `call(...)`), an exception to
            raise, or a function of the messages that returns one of these.
        extractions: Its answers to extractions, in order: a list of `op(...)`, a text that is sent unchanged (cut off
            or nonsense, for example), or any of the above.
        repeat: Whether the last entry of each list is repeated for ever.
    """

    replies: Sequence[object] = ()
    extractions: Sequence[object] = ()
    repeat: bool = False

    _calls: Counter[str] = PrivateAttr(default_factory=Counter)
    _prompts: dict[str, list[list[BaseMessage]]] = PrivateAttr(default_factory=_no_prompts)
    _bound: list[list[str]] = PrivateAttr(default_factory=list)
    _schemas: list[JsonSchema] = PrivateAttr(default_factory=list)

    @property
    def calls(self) -> Counter[str]:
        """The number of calls by purpose: `{"reply": 2, "extraction": 1}`."""
        return self._calls

    @property
    def prompts(self) -> dict[str, list[list[BaseMessage]]]:
        """The prompts by purpose, in order."""
        return self._prompts

    @property
    def bound(self) -> list[list[str]]:
        """The names of the tools it was given, one list for each binding."""
        return self._bound

    @property
    def schemas(self) -> list[JsonSchema]:
        """The schemas of structured answers that were requested."""
        return self._schemas

    def prompt(self, purpose: Purpose = "reply", index: int = -1) -> str:
        """Return one prompt as text, all its messages joined."""
        return "\n".join(str(message.text) for message in self._prompts[purpose][index])

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools: Sequence[object], **kwargs: object) -> Runnable[LanguageModelInput, AIMessage]:
        """Record the tools; whether they are called is up to the script."""
        self._bound.append([_name_of(tool) for tool in tools])
        return self.bind()

    def with_structured_output(  # type: ignore[override]
        self, schema: JsonSchema, *, include_raw: bool = False, **kwargs: object
    ) -> Runnable[LanguageModelInput, object]:
        """Answer from `extractions` for the schema of an extraction, and from `replies` for any other schema."""
        self._schemas.append(schema)

        def parse(raw: AIMessage) -> object:
            try:
                value, error = _read(schema, str(raw.text)), None
            except ValueError as failure:
                value, error = None, failure
            return {"raw": raw, "parsed": value, "parsing_error": error} if include_raw else value

        is_extraction = isinstance(schema, dict) and schema.get("title") == "learned"
        return self.bind(purpose="extraction" if is_extraction else "reply") | RunnableLambda(parse)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        *,
        purpose: Purpose = "reply",
        **kwargs: object,
    ) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=self._next(purpose, messages))])

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        *,
        purpose: Purpose = "reply",
        **kwargs: object,
    ) -> Iterator[ChatGenerationChunk]:
        message = self._next(purpose, messages)
        words = str(message.text).split(" ")
        for index, word in enumerate(words):
            text = word if index == len(words) - 1 else f"{word} "
            yield ChatGenerationChunk(message=AIMessageChunk(content=text, id=message.id))
        yield ChatGenerationChunk(
            message=AIMessageChunk(
                content="",
                id=message.id,
                tool_calls=message.tool_calls,
                usage_metadata=message.usage_metadata,
                chunk_position="last",
            )
        )

    def _next(self, purpose: Purpose, messages: list[BaseMessage]) -> AIMessage:
        script = self.replies if purpose == "reply" else self.extractions
        index = self._calls[purpose]
        self._calls[purpose] += 1
        self._prompts[purpose].append(list(messages))
        if index >= len(script) and not (self.repeat and script):
            raise UnscriptedCall(
                f"{purpose} call number {index + 1}, but {len(script)} scripted; it was asked:\n{messages[-1].text}"
            )
        entry = script[min(index, len(script) - 1)]
        return _message(entry(messages) if callable(entry) else entry, messages)


def _message(entry: object, messages: list[BaseMessage]) -> AIMessage:
    if isinstance(entry, BaseException):
        raise entry
    if isinstance(entry, AIMessage):
        answer = entry.model_copy()
    else:
        text = entry if isinstance(entry, str) else json.dumps({"operations": entry}, ensure_ascii=False)
        answer = AIMessage(text)
    if answer.usage_metadata is None:
        input_tokens, output_tokens = sum(tokens(str(message.text)) for message in messages), tokens(str(answer.text))
        answer.usage_metadata = UsageMetadata(
            input_tokens=input_tokens, output_tokens=output_tokens, total_tokens=input_tokens + output_tokens
        )
    return answer


def _read(schema: object, text: str) -> object:
    if isinstance(schema, type) and issubclass(schema, BaseModel):
        return schema.model_validate_json(text)
    return json.loads(text)


def _name_of(tool: object) -> str:
    if isinstance(tool, dict):
        return str(tool.get("name") or tool.get("function", {}).get("name"))
    return str(getattr(tool, "name", None) or getattr(tool, "__name__", tool))
