"""Learned knowledge: insights that help any user, each under a title, shared in a namespace."""

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from langchain_core.vectorstores import VectorStore
from pydantic import JsonValue

from langgraph_learning.config import LearnedKnowledgeConfig
from langgraph_learning.stores.base import Entry, Ranked
from langgraph_learning.stores.json_values import rest_of
from langgraph_learning.stores.titled_store import TitledStore
from langgraph_learning.words import same_statement

LONG = 1_000
"""A learning with more characters than this has a brief form: its beginning of this length."""


class LearnedKnowledgeStore(TitledStore):
    """The learning store for learned knowledge."""

    name: ClassVar[str] = "learned_knowledge"
    config_class = LearnedKnowledgeConfig
    config: LearnedKnowledgeConfig
    label: ClassVar[str] = "k"
    title: ClassVar[str] = "What was learned in earlier conversations:"

    prompt = "learned_knowledge"
    kind = "learning"
    body = "learning"
    grows = "tags"
    save = "Save an insight for later conversations, also with other users. A learning with the same title is replaced."
    when = (
        "Save one when the user asks you to, when they state a goal, a constraint or a policy, and when you worked out"
        " something that will help again. Save nothing that is only about this user."
    )
    delete = "Delete a learning that turned out to be wrong, or that should be forgotten."
    search = (
        "Search the insights from earlier conversations, also with other users. Search before you answer what"
        " they may help with, and before you save one: it may be there already."
    )
    query = "What to look for, in your own words"

    @property
    def index(self) -> VectorStore | None:
        """The vector store of the configuration, or None."""
        return self.config.knowledge

    def join(self, old: dict[str, JsonValue], new: dict[str, JsonValue]) -> dict[str, JsonValue]:
        """Return the content when the same learning arrives under another title: title and learning stay as they were.

        Only the context grows: the text of the new one is appended.
        """
        contexts = [str(content["context"]) for content in (old, new) if content.get("context")]
        differ = len(contexts) == 2 and not same_statement(*contexts)
        context: dict[str, JsonValue] = {"context": "; ".join(contexts if differ else contexts[:1])} if contexts else {}
        return {**new, **{name: old[name] for name in ("title", "learning")}, **context}

    def entries(self, ranked: Sequence[Ranked], query: str = "", *, complete: bool = True) -> list[Entry]:
        """Return one entry per learning; the brief form of a long one is its beginning."""
        entries = super().entries(ranked, query, complete=complete)
        return [replace(entry, brief=_beginning(entry.text)) for entry in entries]

    def text(self, content: dict[str, JsonValue]) -> str:
        """Return the title and the learning, then the other fields."""
        return "\n".join([f"{content['title']}: {content['learning']}", *rest_of(content, "title", "learning")])


def _beginning(text: str) -> str:
    return f"{text[:LONG].rstrip()}... (the beginning of {len(text)} characters)" if len(text) > LONG else ""
