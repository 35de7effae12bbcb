"""The options of a learning machine's parts: frozen values; a wrong one raises an error that says what to write."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import timedelta
from enum import StrEnum
from typing import ClassVar, TypeAlias

from langchain_core.language_models import BaseChatModel
from langchain_core.vectorstores import VectorStore
from pydantic import BaseModel
from typing_extensions import TypedDict  # pydantic refuses typing's own before Python 3.12

from langgraph_learning.errors import ConfigurationError
from langgraph_learning.json_schema import inline_schema
from langgraph_learning.option_checks import Keywords, check_limit, check_text
from langgraph_learning.schemas import (
    Decision,
    Entity,
    Instruction,
    LearnedKnowledge,
    Procedure,
    SessionContext,
    UserMemory,
    UserProfile,
)

Model: TypeAlias = BaseChatModel | str


class LearningMode(StrEnum):
    """When and how a learning store learns."""

    ALWAYS = "always"
    """After every reply, by one call of a model."""
    AGENTIC = "agentic"
    """When the agent calls a tool for it."""
    PROPOSE = "propose"
    """As `ALWAYS`, but nothing is stored until a person approves it."""


class LearningContext(TypedDict, total=False):
    """The context of a run: who is asking, and in which time zone. Any class with a `user_id` works in its place."""

    user_id: str | int
    timezone: str


@dataclass(frozen=True, kw_only=True)
class StoreConfig(Keywords):
    """The options that every learning store has.

    Args:
        mode: When it learns: `ALWAYS` after every reply, `AGENTIC` when the agent calls a tool, `PROPOSE` after a
            person has approved.
        schema: A pydantic class with the fields to learn. It is a subclass of the one that the learning store uses by
            default.
        model: The model that extracts for this learning store; None uses the machine's. Learning stores that use the
            same model share one call.
        max_updates_per_run: How many changes one turn may make here; None uses the machine's limit.
        instructions: What to capture. It replaces the text that the learning store has of its own.
        additional_instructions: More about what to capture. It is added at the end.
        enable_agent_tools: Whether the agent gets the tools in every mode, and not only in `AGENTIC`.
        learn_from_tools: Whether something may be learned that only the result of a tool says. Leave it off where
            tools read what strangers write: a web page could order the agent to remember something.
    """

    modes: ClassVar[frozenset[LearningMode]] = frozenset(LearningMode)
    """The modes that this learning store has."""
    base: ClassVar[type[BaseModel]] = BaseModel
    """The class that `schema` has to be a subclass of."""
    refuses: ClassVar[Mapping[str, str]] = {}
    """Options that would have no effect here, each with the reason. Giving one raises `ConfigurationError`."""

    mode: LearningMode = LearningMode.ALWAYS
    schema: type[BaseModel] | None = None
    model: Model | None = None
    max_updates_per_run: int | None = None
    instructions: str | None = None
    additional_instructions: str | None = None
    enable_agent_tools: bool = False
    learn_from_tools: bool = False

    def __post_init__(self) -> None:
        name = type(self).__name__
        self._check_refused()
        offered = ", ".join(f"LearningMode.{mode.name}" for mode in LearningMode if mode in self.modes)
        if not isinstance(self.mode, LearningMode):
            raise ConfigurationError(f"{name}(mode={self.mode!r}): give one of {offered}")
        if self.mode not in self.modes:
            raise ConfigurationError(f"{name} has no mode {self.mode.name}; it offers {offered}")
        if self.schema is not None and not (isinstance(self.schema, type) and issubclass(self.schema, self.base)):
            raise ConfigurationError(
                f"{name}(schema={self.schema!r}): give a subclass of {self.base.__name__},"
                f" e.g. `class Mine({self.base.__name__}): ...`"
            )
        if self.schema is not None:
            inline_schema(self.schema)  # raises if a field has a type that no JSON schema can say
        most = check_limit(f"{name}(max_updates_per_run=...)", self.max_updates_per_run)
        object.__setattr__(self, "max_updates_per_run", most)
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(field.default, bool) and not isinstance(value, bool):
                raise ConfigurationError(f"{name}({field.name}={value!r}): give True or False")
        for option in ("instructions", "additional_instructions"):
            value = getattr(self, option)
            if value is not None and not isinstance(value, str):
                raise ConfigurationError(f"{name}({option}=...) is text or None, not {type(value).__name__}")

    def _check_refused(self) -> None:
        """Raise for an option that would have no effect, unless it was given its default value."""
        for field in fields(self):
            value, reason = getattr(self, field.name), self.refuses.get(field.name)
            # Types are compared as well: 0 == False in Python, but 0 is not the default.
            if reason is not None and (type(value) is not type(field.default) or value != field.default):
                raise ConfigurationError(f"{type(self).__name__}({field.name}=...): {reason}; leave it out")


@dataclass(frozen=True, kw_only=True)
class UserProfileConfig(StoreConfig):
    """The profile of the user; `schema` may be a subclass of `UserProfile` with fields of your own.

    Args:
        open_fields: Whether facts that the schema has no field for are kept as well, each under a name in `details`.
    """

    base: ClassVar[type[BaseModel]] = UserProfile

    open_fields: bool = True


@dataclass(frozen=True, kw_only=True)
class UserMemoryConfig(StoreConfig):
    """Memories of the user, one statement each.

    Args:
        enable_add: Whether the model may add a memory.
        enable_update: Whether the model may change a memory.
        enable_delete: Whether the model may delete a memory.
    """

    base: ClassVar[type[BaseModel]] = UserMemory

    enable_add: bool = True
    enable_update: bool = True
    enable_delete: bool = True


@dataclass(frozen=True, kw_only=True)
class SessionContextConfig(StoreConfig):
    """A summary of each conversation, rewritten after every turn.

    Args:
        enable_planning: Whether the goal of the conversation, its plan and its progress are kept as well.
    """

    modes: ClassVar[frozenset[LearningMode]] = frozenset({LearningMode.ALWAYS})
    base: ClassVar[type[BaseModel]] = SessionContext

    enable_planning: bool = False


@dataclass(frozen=True, kw_only=True)
class ConversationsConfig(StoreConfig):
    """The messages of all conversations, kept word for word. This calls no model.

    Args:
        roles: Whose messages are kept: `"user"`, `"assistant"`, or both.
        max_chars: How many characters of a long message are kept.
        retention: How long a message is kept; None keeps it until the user is forgotten.
        share: The largest part of the recalled text that messages may fill; 0.5 is half of it.
    """

    modes: ClassVar[frozenset[LearningMode]] = frozenset({LearningMode.ALWAYS})
    refuses: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(
            ("schema", "model", "max_updates_per_run", "instructions", "additional_instructions"),
            "nothing is extracted here",
        ),
        "learn_from_tools": "what tools return is never kept",
    }

    roles: tuple[str, ...] = ("user", "assistant")
    max_chars: int = 8_000
    retention: timedelta | None = None
    share: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.roles, tuple) or not self.roles or not set(self.roles) <= {"user", "assistant"}:
            raise ConfigurationError(f"ConversationsConfig(roles={self.roles!r}): give ('user', 'assistant') or one of")
        max_chars = check_limit("ConversationsConfig(max_chars=...)", self.max_chars)
        object.__setattr__(self, "max_chars", max_chars)
        if self.retention is not None and not (
            isinstance(self.retention, timedelta) and self.retention > timedelta(minutes=1)
        ):
            raise ConfigurationError(
                f"ConversationsConfig(retention={self.retention!r}): give a timedelta of more than a minute, or None"
            )
        if isinstance(self.share, bool) or not isinstance(self.share, int | float) or not 0 < self.share <= 1:
            raise ConfigurationError(f"ConversationsConfig(share={self.share!r}): give a number above 0, at most 1")


@dataclass(frozen=True, kw_only=True)
class NamespaceConfig(StoreConfig):
    """The options of a learning store whose records users may share.

    Args:
        namespace: Who shares the records: `"global"` is everybody, `"user"` keeps them apart for each user, and any
            other word names a group. None uses the machine's namespace.
    """

    namespace: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.namespace is not None:
            check_text(f"{type(self).__name__}(namespace=...)", self.namespace)


@dataclass(frozen=True, kw_only=True)
class EntityMemoryConfig(NamespaceConfig):
    """People, organisations, projects and things; `schema` may be a subclass of `Entity` with fields of your own."""

    base: ClassVar[type[BaseModel]] = Entity


@dataclass(frozen=True, kw_only=True)
class LearnedKnowledgeConfig(NamespaceConfig):
    """Knowledge that helps with the next task, whoever asks. `instructions` are shown in the agent's tool as well.

    Args:
        knowledge: A LangChain vector store that searches the knowledge, in place of the search of the store. The
            records stay in the store; the vector store gets a copy of each, and a copy that differs from its record is
            not shown. The vector store has to take `filter` as a mapping or as a function of a document.

            Documents of your own in it are found as well, if their metadata has a `"learning_scope"`, such as
            `Scope(namespace="global").tag` for everybody. They are never changed, and `forget()` does not erase them.
    """

    base: ClassVar[type[BaseModel]] = LearnedKnowledge

    mode: LearningMode = LearningMode.AGENTIC
    knowledge: VectorStore | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.knowledge is not None and not isinstance(self.knowledge, VectorStore):
            raise ConfigurationError(
                f"LearnedKnowledgeConfig(knowledge=...) takes a LangChain VectorStore, e.g. PGVectorStore, not"
                f" {type(self.knowledge).__name__}"
            )


@dataclass(frozen=True, kw_only=True)
class ProceduresConfig(NamespaceConfig):
    """Procedures: the steps of a task, learned from the agent's tool calls. By default a person approves each."""

    base: ClassVar[type[BaseModel]] = Procedure

    mode: LearningMode = LearningMode.PROPOSE


@dataclass(frozen=True, kw_only=True)
class InstructionsConfig(NamespaceConfig):
    """Rules that an agent follows; it is shown them in every turn. By default a person approves each.

    Args:
        agent: The name of the agent. Leave it out if the agent has one, as with `create_agent(name=...)`.
    """

    modes: ClassVar[frozenset[LearningMode]] = frozenset({LearningMode.AGENTIC, LearningMode.PROPOSE})
    base: ClassVar[type[BaseModel]] = Instruction

    mode: LearningMode = LearningMode.PROPOSE
    agent: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.agent is not None:
            check_text("InstructionsConfig(agent=...)", self.agent)


@dataclass(frozen=True, kw_only=True)
class DecisionLogConfig(StoreConfig):
    """Decisions of the agent, with their reasons and outcomes. In `PROPOSE` a person approves each.

    The agent logs a decision itself, by a tool that it always has; nothing is extracted. `instructions` tell it what
    to log.

    Args:
        agent: The name of the agent. Leave it out if the agent has one, as with `create_agent(name=...)`.
    """

    modes: ClassVar[frozenset[LearningMode]] = frozenset({LearningMode.AGENTIC, LearningMode.PROPOSE})
    base: ClassVar[type[BaseModel]] = Decision
    refuses: ClassVar[Mapping[str, str]] = {
        "model": "the agent logs its decisions itself",
        "enable_agent_tools": "it always has tools",
    }

    mode: LearningMode = LearningMode.AGENTIC
    agent: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.agent is not None:
            check_text("DecisionLogConfig(agent=...)", self.agent)


@dataclass(frozen=True, kw_only=True)
class Background(Keywords):
    """Options for learning in the background, after the reply was sent.

    Args:
        delay: How many seconds a conversation has to be silent before it is learned from. Turns that come sooner are
            learned from in the same call.
        max_attempts: After how many failures a turn is given up. It is kept, with its error.
        in_process: Whether threads of this process do the learning. If not, start `langgraph-learning worker`.
        reflect_every: How often a worker reflects on what was learned; None is never.
    """

    delay: float = 20.0
    max_attempts: int = 5
    in_process: bool = True
    reflect_every: timedelta | None = None

    def __post_init__(self) -> None:
        if isinstance(self.delay, bool) or not isinstance(self.delay, int | float) or not 0 <= self.delay < 1e9:
            raise ConfigurationError(f"Background(delay={self.delay!r}): give a number of seconds from 0")
        max_attempts = check_limit("Background(max_attempts=...)", self.max_attempts)
        if max_attempts is None:
            raise ConfigurationError("Background(max_attempts=None): give a whole number from 1")
        object.__setattr__(self, "max_attempts", max_attempts)
        if not isinstance(self.in_process, bool):
            raise ConfigurationError(f"Background(in_process={self.in_process!r}): give True or False")
        every = self.reflect_every
        if every is not None and not (isinstance(every, timedelta) and every > timedelta()):
            raise ConfigurationError(f"Background(reflect_every={every!r}): give a timedelta above 0, or None")


def resolve_background(value: object) -> Background | None:
    """Return the options that `LearningMachine(background=value)` means; None if nothing runs in the background.

    Raises:
        ConfigurationError: `value` is neither a bool nor a `Background`.
    """
    if isinstance(value, Background):
        return value
    if isinstance(value, bool):
        return Background() if value else None
    raise ConfigurationError(f"LearningMachine(background={value!r}): give True, False or Background(...)")
