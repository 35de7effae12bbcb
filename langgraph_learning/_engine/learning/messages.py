"""LangChain messages by speaker: the user, the assistant, or tools and other people."""

import json
import re
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from langchain_core.messages import AIMessage, BaseMessage, ChatMessage, ToolCall, ToolMessage

from langgraph_learning.words import fold

LONGEST_MESSAGE = 16_000
"""The number of characters of one message that an extraction reads."""
LONGEST_ARGUMENTS = 1_000
LONGEST_RESULT = 1_000
"""The number of characters of a call's arguments and result in a trajectory: beginning and end."""
LONGEST_TRAJECTORY = 12_000
"""The number of characters of a trajectory: the failed calls first, then the last ones."""
QUOTED = "quoted"
"""The value of `additional_kwargs["learning"]` that marks a message as the words of somebody else."""

_RECALLED = re.compile(r"\A<learning_context>\n.*?\n</learning_context>(\n\n|\Z)", re.DOTALL)
_THOUGHTS = re.compile(
    r"<(think|thinking|thought|reasoning)>.*?(?:</\1>|\Z)|\[THINK\].*?(?:\[/THINK\]|\Z)|◁think▷.*?(?:◁/think▷|\Z)",
    re.DOTALL | re.IGNORECASE,
)
_THOUGHTS_END = re.compile(r"</think(?:ing)?>|\[/THINK\]|◁/think▷", re.IGNORECASE)
_MAY_THINK = re.compile(r"think|<thought>|<reasoning>", re.IGNORECASE)
_STRUCTURED_REPLY = "Returning structured response"  # the answer of `create_agent` to the call of a response tool
_OWN_NAMES = frozenset({"user", "human"})


@dataclass(frozen=True, slots=True)
class TurnMessage:
    """One message of a turn: who said what, when, and at which position in the conversation."""

    role: str
    """`user`, `assistant`, or `tool` for tools, documents and other people."""
    text: str
    id: str | None = None
    position: int = field(default=0, compare=False)
    said_at: datetime | None = field(default=None, compare=False)
    name: str | None = field(default=None, compare=False)
    """The name of the tool or person, if the message has one."""


@dataclass(frozen=True, slots=True)
class TrajectoryStep:
    """One tool call of the agent: its name, its arguments as JSON, and its outcome."""

    name: str
    arguments: str
    result: str = ""
    """The beginning and end of the tool's result or error; empty if it never answered."""
    failed: bool = False
    id: str | None = None
    position: int = field(default=0, compare=False)

    @property
    def chars(self) -> int:
        """The length of the step in characters."""
        return len(self.name) + len(self.arguments) + len(self.result)


@dataclass(frozen=True)
class Speakers:
    """The rules that tell whose words a message holds.

    Args:
        user_id: The user of the turn; messages under another name are other people's. None: names are ignored.
        learning_tools: The names of the learning tools; their results repeat what was learned and are no news.
        user_tools: The names of tools whose result is the user's answer, such as `ask_human`.
        is_task: Whether the human messages are instructions from one agent to another.
    """

    user_id: str | None = None
    learning_tools: Container[str] = ()
    user_tools: Container[str] = ()
    is_task: bool = False

    def role(self, message: BaseMessage) -> str | None:
        """Return the role of the speaker; None for system text, summaries and results of the learning tools."""
        if isinstance(message, ToolMessage):
            if message.name in self.user_tools:
                return "user"
            return None if (message.name or "") in self.learning_tools else "tool"
        if not (is_human(message) or _is_assistant(message)):
            return None
        if message.additional_kwargs.get("learning") == QUOTED:
            return "tool"
        if _is_assistant(message):
            return "assistant"
        return "tool" if self.is_task or not self.is_user(message.name) else "user"

    def is_user(self, name: str | None) -> bool:
        """Return whether messages under this name are the user's own."""
        if not name or self.user_id is None:
            return True
        user = fold(self.user_id)
        return fold(name) in {*_OWN_NAMES, user, user.partition("@")[0]}


EVERYBODY = Speakers()
"""The rules that take every human message as the user's."""


def has_human_role(message: BaseMessage) -> bool:
    """Return whether the message is sent to a model as a human's; a `ChatMessage` says so by its role."""
    return message.type == "human" or (isinstance(message, ChatMessage) and message.role in _OWN_NAMES)


def is_human(message: BaseMessage) -> bool:
    """Return whether a person wrote the message: middleware marks its own messages (summaries) with their source."""
    return has_human_role(message) and not message.additional_kwargs.get("lc_source")


def _is_assistant(message: BaseMessage) -> bool:
    return isinstance(message, AIMessage) or (isinstance(message, ChatMessage) and message.role in ("assistant", "ai"))


def last_turn_start(messages: Sequence[BaseMessage]) -> int:
    """Return the index of the first of the consecutive human messages that opened the last turn."""
    start = len(messages)
    for index in range(len(messages) - 1, -1, -1):
        if is_human(messages[index]):
            start = index
        elif start < len(messages) and _is_assistant(messages[index]):
            break
    return start


def count_user_messages(messages: Iterable[BaseMessage], speakers: Speakers) -> int:
    """Return how many messages with text are the user's."""
    return sum(speakers.role(message) == "user" and bool(message_text(message)) for message in messages)


def message_text(message: BaseMessage) -> str:
    """Return the text of a message without thoughts: neither reasoning blocks nor `<think>` sections.

    A graph within `around` has the recalled text in the user's message; it is removed, because nobody said it.
    """
    text = _RECALLED.sub("", str(message.text)) if has_human_role(message) else str(message.text)
    if isinstance(message, AIMessage) and _MAY_THINK.search(text):
        # Some chat templates open the thought in the prompt, so the answer holds only its closing tag.
        text = _THOUGHTS_END.split(_THOUGHTS.sub("", text))[-1]
    return text.strip()


def read_messages(
    messages: Sequence[BaseMessage], speakers: Speakers, said_at: datetime | None = None
) -> tuple[list[TurnMessage], list[TurnMessage], list[TrajectoryStep]]:
    """Return the words of user and assistant, those of tools and others, and the agent's tool calls."""
    answers = {message.tool_call_id: message for message in messages if isinstance(message, ToolMessage)}
    words: list[TurnMessage] = []
    returned: list[TurnMessage] = []
    trajectory: list[TrajectoryStep] = []
    for position, message in enumerate(messages):
        calls = message.tool_calls if isinstance(message, AIMessage) else []
        replies = [call for call in calls if _is_reply(answers.get(call["id"] or ""))]
        text = message_text(message) or "\n".join(_arguments(call) for call in replies)
        # The question in a call of a user tool is what the user answers to, so it counts as the agent's words.
        asked = [question for call in calls if call["name"] in speakers.user_tools for question in _texts(call)]
        text = "\n".join(part for part in (text, *asked) if part)
        role = None if isinstance(message, ToolMessage) and _is_reply(message) else speakers.role(message)
        if role and text:
            read = TurnMessage(role, text, message.id, position, said_at, message.name)
            (returned if role == "tool" else words).append(read)
        trajectory += [
            _step(call, answers.get(call["id"] or ""), position)
            for call in calls
            if call not in replies and call["name"] not in speakers.learning_tools
        ]
        if isinstance(message, AIMessage):
            trajectory += [*_unreadable_calls(message, position), *_provider_calls(message, position)]
    return words, returned, trajectory


def _is_reply(answer: ToolMessage | None) -> bool:
    """Return whether a tool call was the agent's structured reply, as `response_format=ToolStrategy(...)` makes it."""
    return answer is not None and str(answer.text).startswith(_STRUCTURED_REPLY)


def _arguments(call: ToolCall) -> str:
    return json.dumps(call["args"], ensure_ascii=False, default=str)


def _texts(call: ToolCall) -> list[str]:
    """Return the texts among the arguments of a call."""
    values = call["args"].values() if isinstance(call["args"], Mapping) else ()
    return [value.strip() for value in values if isinstance(value, str) and value.strip()]


def _step(call: ToolCall, answer: ToolMessage | None, position: int) -> TrajectoryStep:
    return TrajectoryStep(
        call["name"],
        clip_middle(_arguments(call), LONGEST_ARGUMENTS),
        clip_middle(str(answer.text).strip(), LONGEST_RESULT) if answer is not None else "",
        answer is not None and answer.status == "error",
        call["id"],
        position,
    )


def _unreadable_calls(message: AIMessage, position: int) -> list[TrajectoryStep]:
    """Return the tool calls with unreadable arguments; none of them was run."""
    return [
        TrajectoryStep(
            call["name"] or "",
            clip_middle(call["args"] or "", LONGEST_ARGUMENTS),
            clip_middle(call["error"] or "the arguments are no JSON", LONGEST_RESULT),
            True,
            call["id"],
            position,
        )
        for call in message.invalid_tool_calls
    ]


def _provider_calls(message: AIMessage, position: int) -> list[TrajectoryStep]:
    """Return the tool calls that the provider ran itself, such as a web search; their results come with them."""
    if isinstance(message.content, str):
        return []
    blocks = message.content_blocks
    results = {block["tool_call_id"]: block for block in blocks if block["type"] == "server_tool_result"}
    steps: list[TrajectoryStep] = []
    for block in blocks:
        if block["type"] == "server_tool_call":
            arguments = json.dumps(block["args"], ensure_ascii=False, default=str)
            result = results.get(block["id"])
            output = json.dumps(result.get("output"), ensure_ascii=False, default=str) if result else ""
            failed = result is not None and result["status"] == "error"
            arguments, output = clip_middle(arguments, LONGEST_ARGUMENTS), clip_middle(output, LONGEST_RESULT)
            steps.append(TrajectoryStep(block["name"], arguments, output, failed, block["id"], position))
    return steps


def shorten_trajectory(
    trajectory: Sequence[TrajectoryStep], budget: int = LONGEST_TRAJECTORY
) -> tuple[TrajectoryStep, ...]:
    """Return the calls that fit into `budget` characters, in order; prefer the last, then failed, then newer ones."""
    last = len(trajectory) - 1  # shows how the turn ended: without it, a hundred failures teach nothing
    newest = sorted(range(last + 1), key=lambda index: (index != last and not trajectory[index].failed, -index))
    chosen: list[int] = []
    for index in newest:
        budget -= trajectory[index].chars
        if budget < 0:
            break
        chosen.append(index)
    return tuple(trajectory[index] for index in sorted(chosen))


def clip_middle(text: str, longest: int = LONGEST_MESSAGE) -> str:
    """Return `text` without its middle if it is very long; a clipped text is not clipped again."""
    if len(text) <= longest:
        return text
    room = longest - 60  # for the note in the middle
    head, tail = room * 3 // 4, room // 4
    return f"{text[:head]}\n[... {len(text) - head - tail} characters left out ...]\n{text[-tail:]}"
