"""The support for a statement about the user: their own words, their yes, or the words of somebody else.

A fetched page may tell an agent to remember something, in any wording and any language, and the agent may do so a turn
later. So the test is not whether a statement looks like the page, but whether the user's words support it:

- a quote of the user's own message that shares the subject of the statement, or
- the user's yes to what the assistant had just said.

Without such support, it matters whether anybody else has spoken in the thread. If only the user and the assistant have,
the statement is stored and marked as inferred, unless it consists of words that only the assistant has said: then it is
refused. Once a tool, a document or a summary has spoken, the statement may be theirs. Then it is refused, or at most
proposed, unless the learning store is configured to learn from tools.

Words are compared in one spelling, by their stems and beginnings, and by the groups of `grounding_words.toml`, so that
"keep it short" supports "wants concise answers". Where only a person could see that two texts mean the same, the
statement becomes a proposal.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Literal, TypeAlias

from langchain_core.messages import AIMessage, BaseMessage, SystemMessage, ToolMessage
from pydantic import JsonValue

from langgraph_learning._engine.learning.grounding_words import (
    Vocabulary,
    fold_words,
    list_terms,
    significant_terms,
    statement_terms,
    word_lists,
)
from langgraph_learning._engine.learning.messages import EVERYBODY, Speakers, message_text
from langgraph_learning._engine.learning.turn import Turn
from langgraph_learning.records import Change, Record, Remove, Source
from langgraph_learning.stores import LearningStore
from langgraph_learning.words import fold, words

CHANGED_BY = "changed_by"
"""The key in the artifact of a tool message that marks the message of a learning tool about its own change."""
SHARE = 0.5
"""The part of a statement that the user must have said, if others have spoken."""
SHARE_UNSPACED = 0.3
"""The same for scripts without spaces, whose terms are overlapping pairs of characters."""
ONLY_ASSISTANT = "only the assistant has said so, and the user did not say yes to it: not learned"
STATES_NOTHING = "it repeats a question, a thanks or a greeting, or is a word such as 'none': not learned"

ONLY_A_TOOL = "only a tool has said {} of its words: not learned"
"""The reason of a refusal. It is stored in the commit, so it counts the words of the tool without naming any."""

# A name or number: a word with a capital inside or a digit, or with a capital in front unless it starts a sentence.
_NAME = re.compile(r"\b\w+[A-Z]\w*|\b\w*\d\w*|(?<![.!?:] )(?<!^)\b[A-Z]\w*")
_DATE = re.compile(r"\b\d{4}-\d{2}-\d{2}\b")
_SENTENCE = re.compile(r"[^.!?。！？\n]+[.!?。！？]*")
Spoken: TypeAlias = Literal["user", "assistant", "agent", "other"]


@dataclass(frozen=True)
class ThreadWords:
    """The words of a thread in order, by speaker: the user, the assistant, others (tools, documents, summaries).

    The arguments of the agent's tool calls are listed separately, because they are nobody's statement.
    """

    spoken: tuple[tuple[Spoken, str], ...] = ()

    def including(self, turn: "ThreadWords") -> "ThreadWords":
        """Return the thread with those words of a turn that are no longer in it, placed first.

        No text is added twice. Otherwise the first words of the thread would look like the answer to the last words of
        a turn.
        """
        gone = [part for part in turn.spoken if part not in self.spoken]
        return ThreadWords((*gone, *self.spoken))

    def of(self, *speakers: Spoken) -> list[str]:
        """Return the texts of some speakers."""
        return [text for speaker, text in self.spoken if speaker in speakers]

    @cached_property
    def user(self) -> Vocabulary:
        """The words of the user."""
        return Vocabulary.of(self.of("user"))

    @cached_property
    def assistant(self) -> Vocabulary:
        """The words of the assistant."""
        return Vocabulary.of(self.of("assistant"))

    @cached_property
    def others(self) -> Vocabulary:
        """The words of all others than the user and the assistant."""
        return Vocabulary.of(self.of("other"))

    @cached_property
    def calls(self) -> Vocabulary:
        """The words of the agent's own tool calls."""
        return Vocabulary.of(self.of("agent"))

    @property
    def is_mixed(self) -> bool:
        """Whether anybody else than the user and the assistant has spoken."""
        return any(speaker == "other" for speaker, _ in self.spoken)

    @cached_property
    def confirmed(self) -> list[str]:
        """The assistant's statements that the user said yes to."""
        dialogue = [(speaker, text) for speaker, text in self.spoken if speaker in ("user", "assistant")]
        pairs = pairwise(dialogue)
        return [
            _last_question(claim)
            for (speaker, claim), (next_speaker, reply) in pairs
            if (speaker, next_speaker) == ("assistant", "user") and is_yes(reply)
        ]


@dataclass(frozen=True)
class Verdict:
    """The decision about a statement: the result, the source to store, and the reason unless it is simply stored."""

    result: Literal["keep", "propose", "refuse"]
    source: Source
    reason: str = ""


def read_thread(messages: Sequence[BaseMessage], machine: str = "", speakers: Speakers = EVERYBODY) -> ThreadWords:
    """Return the words of `messages` by speaker.

    Args:
        messages: The conversation, from as far back as it is known.
        machine: The name of the machine: messages of its own tools about a change are nobody's words.
        speakers: The rules that tell the user's words from those of others.
    """
    spoken: list[tuple[Spoken, str]] = []
    for message in messages:
        calls = message.tool_calls if isinstance(message, AIMessage) else []
        text = message_text(message)
        if text and not isinstance(message, SystemMessage) and not _tells_of_change(message, machine):
            spoken.append((_speaker(message, speakers), text))
        asked = [texts_of(call["args"]) for call in calls if call["name"] in speakers.user_tools]
        spoken += [("assistant", question) for questions in asked for question in questions]
        own = [call for call in calls if call["name"] not in speakers.learning_tools]
        spoken += [("agent", " ".join([call["name"], *texts_of(call["args"])])) for call in own]
    return ThreadWords(tuple(spoken))


def _speaker(message: BaseMessage, speakers: Speakers) -> Spoken:
    if isinstance(message, ToolMessage):  # learning tools' searches too: the text they find may be another person's
        return "user" if message.name in speakers.user_tools else "other"
    role = speakers.role(message)
    return "user" if role == "user" else "assistant" if role == "assistant" else "other"


def read_turn(turn: Turn) -> ThreadWords:
    """Return the words of a turn by speaker, for when the thread is unknown."""
    speakers: Mapping[str, Spoken] = {"user": "user", "assistant": "assistant"}
    spoken: list[tuple[Spoken, str]] = [(speakers.get(part.role, "other"), part.text) for part in turn.with_tools]
    calls: list[tuple[Spoken, str]] = [("agent", f"{step.name} {step.arguments}") for step in turn.trajectory]
    return ThreadWords((*spoken, *calls))


def _tells_of_change(message: BaseMessage, machine: str) -> bool:
    """Return whether a learning tool reports what it stored; the name of the tool is no proof, others may share it."""
    artifact = message.artifact if isinstance(message, ToolMessage) else None
    return bool(machine) and isinstance(artifact, dict) and artifact.get(CHANGED_BY) == machine


def judge_change(
    change: Change, old: Record | None, source: Source, thread: ThreadWords | None, store: LearningStore
) -> Verdict:
    """Return the verdict on a change from a conversation; only statements about the user are judged.

    Args:
        change: The change.
        old: The present record, if there is one.
        source: The source of the change, with a quote that was found in the turn.
        thread: Who has said what; None if a person asks for the change.
        store: The learning store.
    """
    if thread is None or not store.about_user or not store.rejects_tool_claims:
        return Verdict("keep", source)
    if isinstance(change, Remove):
        return _judge_removal(old.text if old else change.text, source, thread, takes_tools=store.accepts_tool_claims)
    texts = texts_of(change.content)
    claimed = " ; ".join(filter(None, (_drop_questions(text, thread) for text in texts)))
    stated, before = significant_terms(claimed), set(significant_terms(old.text if old else ""))
    if texts and _says_nothing(claimed, stated, thread):
        return Verdict("refuse", source, STATES_NOTHING)
    wanted = [term for term in stated if term not in before] or stated
    if (supported := _find_support(wanted, claimed, source, thread)) is not None:
        return Verdict("keep", supported)
    return _judge_unsupported(wanted, source, thread, takes_tools=store.accepts_tool_claims)


def _says_nothing(claimed: str, stated: Sequence[str], thread: ThreadWords) -> bool:
    """Return whether a statement, without the user's questions, is empty, thanks, or a word such as "none"."""
    if not claimed or (stated and list_terms("courtesy").issuperset(stated)):
        return True
    blank = fold(claimed).strip(" .<>[]()'\"")
    return blank in fold_words("blank") and not any(blank in fold(text) for text in thread.of("user"))


def _drop_questions(text: str, thread: ThreadWords) -> str:
    """Return `text` without the user's own questions in it: small models store what they are asked."""
    asked = fold(" ".join(thread.of("user")))
    parts: list[str] = [part.strip() for part in _SENTENCE.findall(text)]
    return " ".join(part for part in parts if not (part.endswith(("?", "？")) and fold(part) in asked))


def _judge_removal(text: str, source: Source, thread: ThreadWords, *, takes_tools: bool) -> Verdict:
    """Return the verdict on removing a fact about the user: the user must have said something about it."""
    wanted, lately = significant_terms(text), Vocabulary.of(thread.of("user")[-2:])
    if any(lately.means(term) for term in wanted) or any(lately.holds(term) for term in list_terms("forget")):
        return Verdict("keep", source)
    return _judge_unsupported([], source, thread, takes_tools=takes_tools)


def _judge_unsupported(wanted: Sequence[str], source: Source, thread: ThreadWords, *, takes_tools: bool) -> Verdict:
    quotes_user = source.actor == "user" and source.quote is not None
    if not thread.is_mixed:
        if _is_assistant_claim(wanted, source, thread):
            return Verdict("refuse", source, ONLY_ASSISTANT)
        inferred = source.model_copy(update={"actor": "assistant", "quote": None})
        return Verdict("keep", inferred if quotes_user else source)
    marked = source.model_copy(update={"actor": "tool"})
    if takes_tools:
        return Verdict("keep", marked)
    if foreign := foreign_terms(wanted, thread):
        return Verdict("refuse", marked, ONLY_A_TOOL.format(len(foreign)))
    if source.actor == "agent" or quotes_user:
        return Verdict("propose", marked)
    return Verdict("refuse", marked, "nothing that the user said supports it, and others spoke: not learned")


def _is_assistant_claim(wanted: Sequence[str], source: Source, thread: ThreadWords) -> bool:
    """Return whether an extracted statement consists of words that only the assistant has said, without a yes to them.

    With a quote of the user it counts as supported, unless the quote is a word or two ("thanks") and none of the
    statement's words are the user's. A question supports nothing here: the assistant's answer to it is no claim of the
    user. What the agent stores by a tool is its own inference, not a claim of this kind.
    """
    unsaid = [term for term in wanted if thread.assistant.holds(term) and not thread.user.means(term)]
    if not unsaid or source.actor == "agent" or any(map(is_yes, thread.of("user")[-2:])):
        return False
    if source.actor == "user" and source.quote is not None and _drop_questions(source.quote, thread):
        return len(unsaid) == len(wanted) and len(words(source.quote)) < 3
    return len(unsaid) * 2 >= len(wanted)


def foreign_terms(wanted: Iterable[str], thread: ThreadWords) -> list[str]:
    """Return the terms that others have used and the user has not."""
    return [term for term in dict.fromkeys(wanted) if thread.others.holds(term) and not thread.user.means(term)]


def tool_only_terms(arguments: Mapping[str, JsonValue], thread: ThreadWords) -> list[str]:
    """Return the words that mark a statement about the world as a tool's; none if it can be the user's.

    These are names and numbers that only a tool has used; or all words that only a tool has used, if they are the
    majority.
    """
    if not thread.is_mixed:
        return []
    texts = [_DATE.sub(" ", text) for text in texts_of(arguments)]  # the model writes out "today" as a date
    names = [name for text in texts for name in _NAME.findall(text)]
    foreign_names = [name for name in names if (parts := statement_terms(name)) and _all_foreign(parts, thread)]
    stated = [term for text in texts for term in statement_terms(text) if term not in list_terms("generic")]
    unsaid = [term for term in foreign_terms(stated, thread) if not thread.calls.holds(term)]
    return list(dict.fromkeys(foreign_names)) or (unsaid if len(unsaid) * 2 > len(set(stated)) else [])


def _all_foreign(parts: Sequence[str], thread: ThreadWords) -> bool:
    return foreign_terms(parts, thread) == list(dict.fromkeys(parts)) and not any(map(thread.calls.holds, parts))


def is_supported(arguments: Mapping[str, JsonValue], thread: ThreadWords) -> bool:
    """Return whether the user's own words cover a statement."""
    claimed = " ; ".join(texts_of(arguments))
    return _covers(significant_terms(claimed), claimed, thread.user, thread)


def _find_support(wanted: Sequence[str], claimed: str, source: Source, thread: ThreadWords) -> Source | None:
    """Return the source of a statement that rests on the user's own words or their yes; None if it does not."""
    strict = thread.is_mixed
    if source.actor == "user" and source.quote is not None:
        quote = Vocabulary.of([source.quote])
        shares = any(quote.means(term) for term in wanted) or not wanted
        # One word in common with a question ("you") is not enough: the statement may be the answer.
        careful = strict or not _drop_questions(source.quote, thread)
        if shares and (not careful or _covers(wanted, claimed, thread.user, thread)):
            return source
    for confirmed in thread.confirmed:
        if wanted and _covers(wanted, claimed, Vocabulary.of([confirmed, *thread.of("user")]), thread):
            said_by_assistant = source.actor == "assistant" and source.quote is not None
            return source.model_copy(update={"actor": "user"}) if said_by_assistant else source
    if source.actor != "user" and strict and wanted and _covers(wanted, claimed, thread.user, thread):
        return source
    return None


def _covers(wanted: Sequence[str], claimed: str, vocabulary: Vocabulary, thread: ThreadWords) -> bool:
    """Return whether words cover a statement: enough of it, all its names, and nothing that only others have said."""
    covered = [term for term in wanted if vocabulary.means(term)]
    share = SHARE_UNSPACED if all(len(term) <= 2 for term in wanted) else SHARE
    if not wanted or len(covered) < share * len(wanted):
        return False
    names = [part for name in _NAME.findall(claimed) for part in statement_terms(name) if part in wanted]
    missing = [term for term in wanted if not vocabulary.means(term)]
    return all(vocabulary.means(name) for name in names) and not any(thread.others.holds(term) for term in missing)


def is_yes(text: str) -> bool:
    """Return whether a reply says yes, without a "no" or "but"."""
    spoken = [fold(word) for word in re.findall(r"\w+", text)]
    folded = fold(text).strip()
    opens = bool(spoken) and (spoken[0] in fold_words("yes") or folded.startswith(tuple(word_lists()["yes_unspaced"])))
    return opens and not fold_words("no").intersection(spoken[1:])


def _last_question(text: str) -> str:
    """Return what a yes to `text` agrees to: its last question, with its subject, or its last sentences."""
    sentences: list[str] = [sentence.strip() for sentence in _SENTENCE.findall(text) if sentence.strip()]
    asked = [place for place, sentence in enumerate(sentences) if sentence.endswith(("?", "？"))]
    if not asked:
        return " ".join(sentences[-2:])
    last = asked[-1]
    if [term for term in significant_terms(sentences[last]) if term not in list_terms("tags")]:
        return sentences[last]
    return " ".join(sentences[max(0, last - 1) : last + 1])  # "... Is that right?"


def texts_of(value: JsonValue | Mapping[str, JsonValue]) -> list[str]:
    """Return the texts and numbers in a value; of free key-value pairs only the values."""
    if isinstance(value, bool) or value is None:
        return []
    if isinstance(value, str | int | float):
        return [str(value)]
    if isinstance(value, Mapping):
        parts = [value["value"]] if set(value) == {"key", "value"} else [value[key] for key in value if key != "id"]
        return [text for part in parts for text in texts_of(part)]
    return [text for part in value for text in texts_of(part)]
