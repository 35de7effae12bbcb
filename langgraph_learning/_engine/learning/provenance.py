"""What a statement about the user rests on: their own words, their yes, or somebody else's.

A fetched page may order an agent to remember something, in any wording and any language, and the order may work a turn
later. So it is not asked whether a statement looks like the page, but what of the user's supports it:

- a quote of the user's own message that shares with the statement what the statement is about, or
- the user's yes to what the assistant had just said.

Where nothing does, it matters whether anybody else has spoken in the thread. In a thread of the user and the assistant
alone a statement is kept with the mark that it was inferred, unless it is made of words that only the assistant has
said: then it is refused. Once a tool, a document or a summary has spoken, it may be
theirs: it is refused, or at most proposed, unless the learning store is configured to learn from tools.

Words are compared in one spelling, by their stems and beginnings, and by the groups of `vocabulary.toml`, so that "keep
it short" supports "wants concise answers". What only a person could see to mean the same becomes a proposal.
"""

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib import resources
from itertools import pairwise
from typing import Any, Literal, TypeAlias

from langchain_core.messages import AIMessage, BaseMessage, SystemMessage, ToolMessage
from pydantic import JsonValue

from langgraph_learning._engine.learning.messages import EVERYBODY, Speakers, message_text
from langgraph_learning._engine.learning.turn import Turn
from langgraph_learning.records import Source
from langgraph_learning.text import fold, stem, words

CHANGED_BY = "changed_by"
"""The key in the artifact of a tool message by which our own tools mark what tells only of a change."""
SHARE = 0.5
"""How much of a statement the user must have said, where others have spoken."""
SHARE_UNSPACED = 0.3
"""The same for scripts without spaces, whose terms are overlapping pairs of characters."""
ONLY_ASSISTANT = "only the assistant has said so, and the user did not say yes to it: not learned"


def only_a_tool(foreign: Sequence[str]) -> str:
    """Return why a statement is refused of which a tool alone has said the words `foreign`.

    The reason stands in the commit, so it counts these words and names none: a page would else write to the database.
    """
    return f"only a tool has said {len(foreign)} of its words: not learned"


# A word with a capital inside or a digit is a name or a number; one with a capital in front, unless a sentence starts.
_NAME = re.compile(r"\b\w+[A-Z]\w*|\b\w*\d\w*|(?<![.!?:] )(?<!^)\b[A-Z]\w*")
_DATE = re.compile(r"\b\d{4}-\d{2}-\d{2}\b")
_SENTENCE = re.compile(r"[^.!?。！？\n]+[.!?。！？]*")
Spoken: TypeAlias = Literal["user", "assistant", "agent", "other"]


@dataclass(frozen=True)
class ThreadWords:
    """Who has said what in a thread, in order: the user, the assistant, others (tools, documents, summaries).

    What the agent wrote into its tool calls is its own, and no statement of anybody.
    """

    spoken: tuple[tuple[Spoken, str], ...] = ()

    def including(self, turn: "ThreadWords") -> "ThreadWords":
        """Return the thread with what of a turn is no longer in it, first.

        Nothing stands in it twice: else the last words of a turn would be answered by the first ones of the thread.
        """
        gone = [part for part in turn.spoken if part not in self.spoken]
        return ThreadWords((*gone, *self.spoken))

    def of(self, *speakers: Spoken) -> list[str]:
        """Return what these have said."""
        return [text for speaker, text in self.spoken if speaker in speakers]

    @cached_property
    def user(self) -> "Vocabulary":
        """The words of the user."""
        return Vocabulary.of(self.of("user"))

    @cached_property
    def assistant(self) -> "Vocabulary":
        """The words of the assistant."""
        return Vocabulary.of(self.of("assistant"))

    @cached_property
    def others(self) -> "Vocabulary":
        """The words of those who are neither the user nor the assistant."""
        return Vocabulary.of(self.of("other"))

    @cached_property
    def calls(self) -> "Vocabulary":
        """The words of the agent's own tool calls."""
        return Vocabulary.of(self.of("agent"))

    @property
    def is_mixed(self) -> bool:
        """Whether somebody else than the user and the assistant has spoken."""
        return any(speaker == "other" for speaker, _ in self.spoken)

    @cached_property
    def confirmed(self) -> list[str]:
        """What the assistant said and the user said yes to."""
        dialogue = [(speaker, text) for speaker, text in self.spoken if speaker in ("user", "assistant")]
        pairs = pairwise(dialogue)
        return [
            _last_question(claim)
            for (speaker, claim), (next_speaker, reply) in pairs
            if (speaker, next_speaker) == ("assistant", "user") and is_yes(reply)
        ]


@dataclass(frozen=True)
class Vocabulary:
    """Terms to look a statement's terms up in: by spelling, by beginning, and by what they mean."""

    terms: frozenset[str]
    stems: Mapping[str, tuple[str, ...]] = field(repr=False)
    concepts: frozenset[int] = frozenset()

    @classmethod
    def of(cls, texts: Iterable[str]) -> "Vocabulary":
        """Return the vocabulary of texts."""
        found = frozenset(term for text in texts for term in _terms(text))
        stems: dict[str, list[str]] = {}
        for term in found:
            stems.setdefault(term[:3], []).append(term)
        concepts = frozenset(number for term in found for number in concepts_of(term))
        return cls(found, {beginning: tuple(listed) for beginning, listed in stems.items()}, concepts)

    def holds(self, term: str) -> bool:
        """Return whether a term, or another form of the word, is among these."""
        return term in self.terms or any(_is_form(term, other) for other in self.stems.get(term[:3], ()))

    def means(self, term: str) -> bool:
        """Return whether a term, or one that means much the same, is among these."""
        return self.holds(term) or not self.concepts.isdisjoint(concepts_of(term))


@dataclass(frozen=True)
class Verdict:
    """What becomes of a statement, what it is marked with, and why it is not simply kept."""

    result: Literal["keep", "propose", "refuse"]
    source: Source
    reason: str = ""


def read_thread(messages: Sequence[BaseMessage], machine: str = "", speakers: Speakers = EVERYBODY) -> ThreadWords:
    """Return who has said what in `messages`.

    Args:
        messages: The conversation, from as far back as it is known.
        machine: The name of the machine: what its own tools tell of a change is nobody's words.
        speakers: Tells the user's words from those of others.
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
    if isinstance(message, ToolMessage):  # also one of our searches: what it finds is others' words
        return "user" if message.name in speakers.user_tools else "other"
    role = speakers.role(message)
    return "user" if role == "user" else "assistant" if role == "assistant" else "other"


def read_turn(turn: Turn) -> ThreadWords:
    """Return who has said what in a turn, where the thread is not known."""
    speakers: Mapping[str, Spoken] = {"user": "user", "assistant": "assistant"}
    spoken: list[tuple[Spoken, str]] = [(speakers.get(part.role, "other"), part.text) for part in turn.with_tools]
    calls: list[tuple[Spoken, str]] = [("agent", f"{step.name} {step.arguments}") for step in turn.trajectory]
    return ThreadWords((*spoken, *calls))


def _tells_of_change(message: BaseMessage, machine: str) -> bool:
    """Return whether one of our tools tells what it stored; a name would not do, a foreign tool may have the same."""
    artifact = message.artifact if isinstance(message, ToolMessage) else None
    return bool(machine) and isinstance(artifact, dict) and artifact.get(CHANGED_BY) == machine


def judge_statement(
    statement: Mapping[str, JsonValue], old: str, source: Source, thread: ThreadWords, *, takes_tools: bool
) -> Verdict:
    """Return what becomes of a statement about the user.

    Args:
        statement: What it says.
        old: What the record says now, if there is one.
        source: Where it comes from, with the quote that was given for it, which does stand there.
        thread: Who has said what.
        takes_tools: Whether the learning store is configured to learn from tools.
    """
    claimed = " ; ".join(texts_of(statement))
    stated, before = _significant(claimed), set(_significant(old))
    wanted = [term for term in stated if term not in before] or stated
    if (supported := _find_support(wanted, claimed, source, thread)) is not None:
        return Verdict("keep", supported)
    return _judge_unsupported(wanted, source, thread, takes_tools=takes_tools)


def judge_removal(text: str, source: Source, thread: ThreadWords, *, takes_tools: bool) -> Verdict:
    """Return what becomes of the wish to remove what is known of the user: it takes a word of theirs about it."""
    wanted, lately = _significant(text), Vocabulary.of(thread.of("user")[-2:])
    if any(lately.means(term) for term in wanted) or any(lately.holds(term) for term in _list_terms("forget")):
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
        return Verdict("refuse", marked, only_a_tool(foreign))
    if source.actor == "agent" or quotes_user:
        return Verdict("propose", marked)
    return Verdict("refuse", marked, "nothing that the user said supports it, and others spoke: not learned")


def _is_assistant_claim(wanted: Sequence[str], source: Source, thread: ThreadWords) -> bool:
    """Return whether an extracted statement is made of words that only the assistant has said, without a yes to them.

    Behind a quote of the user's it is believed, unless the quote is a word or two ("thanks") and nothing of the
    statement is theirs. What the agent itself stores by a tool is its own inference.
    """
    unsaid = [term for term in wanted if thread.assistant.holds(term) and not thread.user.means(term)]
    if not unsaid or source.actor == "agent" or any(map(is_yes, thread.of("user")[-2:])):
        return False
    if source.actor == "user" and source.quote is not None:
        return len(unsaid) == len(wanted) and len(words(source.quote)) < 3
    return len(unsaid) * 2 >= len(wanted)


def foreign_terms(wanted: Iterable[str], thread: ThreadWords) -> list[str]:
    """Return the terms that others have used and the user has not."""
    return [term for term in dict.fromkeys(wanted) if thread.others.holds(term) and not thread.user.means(term)]


def tool_only_terms(arguments: Mapping[str, JsonValue], thread: ThreadWords) -> list[str]:
    """Return the words that give a statement about the world away as a tool's; nothing if it can be the user's.

    Names and numbers that only a tool has used do, and words most of which only a tool has used.
    """
    if not thread.is_mixed:
        return []
    texts = [_DATE.sub(" ", text) for text in texts_of(arguments)]  # "today" is written out by whoever learns
    names = [name for text in texts for name in _NAME.findall(text)]
    theirs = [name for name in names if (parts := _terms(name)) and _all_foreign(parts, thread)]
    stated = [term for text in texts for term in _terms(text) if term not in _list_terms("generic")]
    unsaid = [term for term in foreign_terms(stated, thread) if not thread.calls.holds(term)]
    return list(dict.fromkeys(theirs)) or (unsaid if len(unsaid) * 2 > len(set(stated)) else [])


def _all_foreign(parts: Sequence[str], thread: ThreadWords) -> bool:
    return foreign_terms(parts, thread) == list(dict.fromkeys(parts)) and not any(map(thread.calls.holds, parts))


def is_supported(arguments: Mapping[str, JsonValue], thread: ThreadWords) -> bool:
    """Return whether the user's own words cover a statement."""
    claimed = " ; ".join(texts_of(arguments))
    return _covers(_significant(claimed), claimed, thread.user, thread)


def _find_support(wanted: Sequence[str], claimed: str, source: Source, thread: ThreadWords) -> Source | None:
    """Return the source of a statement that rests on the user's own words, or on their yes; None if none does."""
    strict = thread.is_mixed
    if source.actor == "user" and source.quote is not None:
        quote = Vocabulary.of([source.quote])
        shares = any(quote.means(term) for term in wanted) or not wanted
        if shares and (not strict or _covers(wanted, claimed, thread.user, thread)):
            return source
    for confirmed in thread.confirmed:
        if wanted and _covers(wanted, claimed, Vocabulary.of([confirmed, *thread.of("user")]), thread):
            said_by_assistant = source.actor == "assistant" and source.quote is not None
            return source.model_copy(update={"actor": "user"}) if said_by_assistant else source
    if source.actor != "user" and strict and wanted and _covers(wanted, claimed, thread.user, thread):
        return source
    return None


def _covers(wanted: Sequence[str], claimed: str, said: Vocabulary, thread: ThreadWords) -> bool:
    """Return whether words cover a statement: enough of it, all of its names, and nothing only others have said."""
    covered = [term for term in wanted if said.means(term)]
    share = SHARE_UNSPACED if all(len(term) <= 2 for term in wanted) else SHARE
    if not wanted or len(covered) < share * len(wanted):
        return False
    names = [part for name in _NAME.findall(claimed) for part in _terms(name) if part in wanted]
    missing = [term for term in wanted if not said.means(term)]
    return all(said.means(name) for name in names) and not any(thread.others.holds(term) for term in missing)


def is_yes(text: str) -> bool:
    """Return whether a reply says yes, and no but."""
    spoken = [fold(word) for word in re.findall(r"\w+", text)]
    folded = fold(text).strip()
    opens = bool(spoken) and (spoken[0] in _fold_words("yes") or folded.startswith(tuple(_lists()["yes_unspaced"])))
    return opens and not _fold_words("no").intersection(spoken[1:])


def _last_question(text: str) -> str:
    """Return what a yes to `text` is a yes to: its last question, with what that is about, else its last sentences."""
    sentences: list[str] = [sentence.strip() for sentence in _SENTENCE.findall(text) if sentence.strip()]
    asked = [place for place, sentence in enumerate(sentences) if sentence.endswith(("?", "？"))]
    if not asked:
        return " ".join(sentences[-2:])
    last = asked[-1]
    if [term for term in _significant(sentences[last]) if term not in _list_terms("tags")]:
        return sentences[last]
    return " ".join(sentences[max(0, last - 1) : last + 1])  # "... Is that right?"


def texts_of(value: JsonValue | Mapping[str, JsonValue]) -> list[str]:
    """Return the texts and numbers in a value; of free pairs what they hold, not how it is called."""
    if isinstance(value, bool) or value is None:
        return []
    if isinstance(value, str | int | float):
        return [str(value)]
    if isinstance(value, Mapping):
        parts = [value["value"]] if set(value) == {"key", "value"} else [value[key] for key in value if key != "id"]
        return [text for part in parts for text in texts_of(part)]
    return [text for part in value for text in texts_of(part)]


def _significant(text: str) -> list[str]:
    """Return the terms that tell one statement about a user from another."""
    found = [term for term in dict.fromkeys(_terms(text)) if len(term) > 1 or not term.isascii() or term.isdigit()]
    return [term for term in found if term not in _list_terms("generic")] or found


def _terms(text: str) -> list[str]:
    """Return the words of a text in one spelling; in English without endings, in scripts without spaces as pairs.

    Not as the search has them: that guesses the language of a line, and a statement and the words it rests on may be
    in two.
    """
    return [stem(word) for word in words(text)]


def _is_form(one: str, other: str) -> bool:
    """Return whether two terms are likely forms of one word: they share most of their letters, from the first on."""
    shared = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        shared += 1
    return shared >= (4 if one.isascii() else 3) and shared >= 0.6 * max(len(one), len(other))


@cache
def _lists() -> Mapping[str, Any]:
    """Return the word lists of `vocabulary.toml`."""
    return tomllib.loads(resources.files(__package__).joinpath("vocabulary.toml").read_text("utf-8"))


@cache
def _list_terms(name: str) -> frozenset[str]:
    """Return the terms of a word list."""
    return frozenset(_terms(_lists()[name]))


@cache
def _fold_words(name: str) -> frozenset[str]:
    """Return the words of a word list as they are, in one spelling."""
    return frozenset(fold(_lists()[name]).split())


def concepts_of(term: str) -> tuple[int, ...]:
    """Return the groups of meaning that a term is in, with an ending or without: "kurze" is in that of "kurz"."""
    forms = [term, *(term[:-cut] for cut in (1, 2) if len(term) - cut >= 4)]
    return next((found for form in forms if (found := _concepts().get(form))), ())


@cache
def _concepts() -> Mapping[str, tuple[int, ...]]:
    """Return the groups that each term is in."""
    found: dict[str, list[int]] = {}
    for number, line in enumerate(_lists()["concepts"].strip().splitlines()):
        for term in dict.fromkeys(_terms(line)):
            found.setdefault(term, []).append(number)
    return {term: tuple(numbers) for term, numbers in found.items()}
