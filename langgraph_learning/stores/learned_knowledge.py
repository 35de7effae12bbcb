"""What helps again, whoever asks next: insights under a title, shared in a namespace."""

from collections.abc import Sequence
from typing import ClassVar

from langchain_core.vectorstores import VectorStore
from pydantic import Field, JsonValue

from langgraph_learning import prompts
from langgraph_learning.config import LearnedKnowledgeConfig
from langgraph_learning.records import Add, Change, Identity, Record, Remove, Scope, Update
from langgraph_learning.schemas import LearnedKnowledge
from langgraph_learning.stores.base import ID, Entry, LearningStore, Ranked
from langgraph_learning.stores.operations import Operation, Refused, operation, schema_fields
from langgraph_learning.stores.values import as_list, spell, union
from langgraph_learning.text import fold, same_statement

SAVE = "Keep what was learned for later conversations, whoever asks then. What has the same title is replaced."
WHEN = (
    "Do so whenever the user asks you to, and when they state a goal, a constraint or a policy; else when something was"
    " worked out that will help again. Nothing that is only about this user."
)
DELETE = "Take out what turned out to be wrong, or is to be forgotten."
SEARCH = (
    "Search what was learned in earlier conversations, other people's too. Do so before you answer what it may help"
    " with, and before you save: what is there already needs no second title."
)
LONG = 1_000
"""From how many characters on a learning is shown by its beginning where there is no room for the whole."""


class LearnedKnowledgeStore(LearningStore):
    """The learned knowledge."""

    name: ClassVar[str] = "learned_knowledge"
    about_user: ClassVar[bool] = False
    reflects: ClassVar[bool] = True
    config_class = LearnedKnowledgeConfig
    config: LearnedKnowledgeConfig
    label: ClassVar[str] = "k"
    title: ClassVar[str] = "What was learned in earlier conversations:"

    def __init__(self, config: LearnedKnowledgeConfig | None = None) -> None:
        """Make the operations from the fields of the schema."""
        super().__init__(config)
        schema = self.config.schema or LearnedKnowledge
        described = f"{SAVE}\n{self.configured_instructions(WHEN)}"
        self._save = operation("save_learning", described, schema, **schema_fields(schema, optional=False))
        self._delete = operation("delete_learning", DELETE, id=(str, ID))
        self.operations = (self._save, self._delete)
        query = (str, Field(min_length=1, description="What to look for, in your own words"))
        limit = (int, Field(default=5, ge=1, le=50, description="How many at most, from 1 to 50"))
        self.searches = (operation("search_learnings", SEARCH, query=query, limit=limit),)

    @property
    def instructions(self) -> str:
        """What to capture."""
        return prompts.load("learned_knowledge")

    @property
    def index(self) -> VectorStore | None:
        """The vector store that the configuration gives."""
        return self.config.knowledge

    def scope(self, identity: Identity) -> Scope | None:
        """A namespace: everybody's, a group's, or each user's own."""
        return Scope.in_namespace(self.config.namespace or "global", identity)

    def plan(self, operation: Operation, records: Sequence[Record]) -> list[Change]:
        """Save or delete one learning; the same title is the same learning, and so are the same words."""
        given = operation.model_dump(mode="json", exclude_none=True)
        if isinstance(operation, self._delete):
            record = next((record for record in records if record.id == given["id"]), None)
            if record is None:
                raise Refused("there is no such learning")
            return [Remove(store=self.name, id=record.id, text=record.text)]
        title, learning = str(given["title"]), str(given["learning"])
        for record in records:
            if _name(record.content.get("title")) == _name(title):
                return self._plan_update(record, {**given, "title": record.content["title"]})
        for record in records:
            if same_statement(str(record.content.get("learning")), learning):
                return self._plan_update(record, _merge_content(record.content, given))
        return [Add(store=self.name, content=given, text=_text(given))]

    def _plan_update(self, record: Record, given: dict[str, JsonValue]) -> list[Change]:
        tags = union(as_list(record.content.get("tags")), as_list(given.get("tags")))
        content = {**record.content, **given, "tags": tags}
        if content == {"tags": [], **record.content}:
            return []
        return [Update(store=self.name, id=record.id, content=content, text=_text(content))]

    def entries(self, ranked: Sequence[Ranked], query: str = "", *, complete: bool = True) -> list[Entry]:
        """Every learning by itself; a long one also by its beginning."""
        return [Entry(text := self.render(each.record), (each,), brief=_beginning(text)) for each in ranked]


def _name(title: JsonValue) -> str:
    """The title as it is compared: case, accents, spaces and the last stop do not count."""
    folded = " ".join(fold(str(title)).split())
    return folded.strip("\"'“”.:!? ") or folded


def _merge_content(old: dict[str, JsonValue], new: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """What another title for the same words adds: it stays under its first one, and where it applies grows."""
    contexts = [str(content["context"]) for content in (old, new) if content.get("context")]
    differ = len(contexts) == 2 and not same_statement(*contexts)
    context: dict[str, JsonValue] = {"context": "; ".join(contexts if differ else contexts[:1])} if contexts else {}
    return {**new, **{name: old[name] for name in ("title", "learning")}, **context}


def _text(content: dict[str, JsonValue]) -> str:
    """How a learning reads: what it is about, what it says, then the rest."""
    rest = {
        name: value for name, value in content.items() if name not in ("title", "learning") and value not in ([], "")
    }
    lines = [f"{content['title']}: {content['learning']}", *(f"{name}: {spell(value)}" for name, value in rest.items())]
    return "\n".join(lines)


def _beginning(text: str) -> str:
    return f"{text[:LONG].rstrip()}... (the beginning of {len(text)} characters)" if len(text) > LONG else ""
