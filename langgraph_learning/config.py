"""How a learning machine is configured: frozen values that name the fix when they are wrong."""

import difflib
import inspect
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import timedelta
from enum import StrEnum
from typing import ClassVar, Self, TypeAlias

from langchain_core.language_models import BaseChatModel
from langchain_core.vectorstores import VectorStore
from pydantic import BaseModel
from typing_extensions import TypedDict  # pydantic draws the form of a context from no other before Python 3.12

from langgraph_learning.errors import ConfigurationError
from langgraph_learning.json_schema import inline_schema
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
    AGENTIC = "agentic"
    PROPOSE = "propose"


class LearningContext(TypedDict, total=False):
    """The run's context: who is asking. Any context class with a `user_id` serves as well."""

    user_id: str | int
    timezone: str


class Keywords:
    """Refuses a keyword that does not exist with an error that names the nearest one that does."""

    def __new__(cls, *positional: object, **options: object) -> Self:
        """Check the keywords before `__init__` binds them.

        Raises:
            ConfigurationError: An unknown keyword, or an argument without one.
        """
        known = [name for name in inspect.signature(cls.__init__).parameters if name != "self"]
        if positional:
            raise ConfigurationError(f"{cls.__name__} takes keywords only: {', '.join(known)}")
        check_known(cls.__name__, options, known)
        return super().__new__(cls)


def check_known(owner: str, options: Iterable[str], known: Iterable[str]) -> None:
    """Refuse an option that does not exist, and name the nearest one that does."""
    known = list(known)
    for name in options:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"it takes {', '.join(known)}"
            if name == "mode" and name not in known:  # close to `model`, and something else
                hint = "each learning store has a mode of its own, e.g. user_memory=UserMemoryConfig(mode=...)"
            raise ConfigurationError(f"{owner} has no option {name!r}; {hint}")


@dataclass(frozen=True, kw_only=True)
class StoreConfig(Keywords):
    """What every learning store can be told.

    Args:
        mode: ALWAYS (after every reply), AGENTIC (the agent's tools), PROPOSE (a person approves).
        schema: The pydantic class that says what is learned; a subclass of the learning store's own.
        model: Extracts for this learning store alone; learning stores with one model share one call.
        max_updates_per_run: At most so many changes a turn; None takes the machine's.
        instructions: Replaces what to capture.
        additional_instructions: Is appended to what to capture.
        enable_agent_tools: Gives the agent the tools outside AGENTIC, too.
        learn_from_tools: Also learns what only a tool has said: extraction reads what tools returned, and an agent may
            store it. Otherwise a fetched page that gives orders teaches nothing.
    """

    modes: ClassVar[frozenset[LearningMode]] = frozenset(LearningMode)
    base: ClassVar[type[BaseModel]] = BaseModel
    refuses: ClassVar[Mapping[str, str]] = {}
    """The options that would have no effect here, each with the reason: giving one is an error."""

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
            inline_schema(self.schema)  # raises for what no model can be asked for
        check_limit(f"{name}(max_updates_per_run=...)", self.max_updates_per_run)
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(field.default, bool) and not isinstance(value, bool):
                raise ConfigurationError(f"{name}({field.name}={value!r}): give True or False")
        for option in ("instructions", "additional_instructions"):
            value = getattr(self, option)
            if value is not None and not isinstance(value, str):
                raise ConfigurationError(f"{name}({option}=...) is text or None, not {type(value).__name__}")

    def _check_refused(self) -> None:
        """Refuse an option that would have no effect; its default may be given."""
        for field in fields(self):
            value, reason = getattr(self, field.name), self.refuses.get(field.name)
            # The types, too: 0 is equal to False, and is not the default.
            if reason is not None and (type(value) is not type(field.default) or value != field.default):
                raise ConfigurationError(f"{type(self).__name__}({field.name}=...): {reason}; leave it out")


def check_choice(owner: str, option: str, given: object, choices: Sequence[str]) -> None:
    """Refuse an option that is none of `choices`."""
    if given not in choices:
        raise ConfigurationError(f"{owner}({option}={given!r}): give {' or '.join(map(repr, choices))}")


def check_function(owner: str, option: str, given: object, what: str) -> None:
    """Refuse an option that is neither None nor a function, and say what function it takes."""
    if given is not None and not callable(given):
        raise ConfigurationError(f"{owner}({option}={given!r}): give a function {what}, or None")


def check_limit(name: str, limit: object) -> None:
    """Refuse a limit that is not a whole number from 1."""
    if limit is not None and (not isinstance(limit, int) or isinstance(limit, bool) or limit < 1):
        raise ConfigurationError(f"{name} is a whole number from 1, not {limit!r}")


def check_seconds(name: str, seconds: object) -> None:
    """Refuse a time that is not a number of seconds above 0."""
    if seconds is not None and (isinstance(seconds, bool) or not isinstance(seconds, int | float) or not seconds > 0):
        raise ConfigurationError(f"{name} is a number of seconds above 0, or None, not {seconds!r}")


def check_text(name: str, text: object) -> None:
    """Refuse what is no text, and text that says nothing."""
    if not isinstance(text, str) or not text.strip():
        raise ConfigurationError(f"{name} is a text that is not empty, not {text!r}")


@dataclass(frozen=True, kw_only=True)
class UserProfileConfig(StoreConfig):
    """Who the user is; `schema` is a `UserProfile` subclass with your typed fields.

    Args:
        open_fields: Also keep facts that the schema has no field for, under names of their own (`details`).
    """

    base: ClassVar[type[BaseModel]] = UserProfile

    open_fields: bool = True


@dataclass(frozen=True, kw_only=True)
class UserMemoryConfig(StoreConfig):
    """What to remember about the user.

    Args:
        enable_add: Offer `add_memory`.
        enable_update: Offer `update_memory`.
        enable_delete: Offer `delete_memory`.
    """

    base: ClassVar[type[BaseModel]] = UserMemory

    enable_add: bool = True
    enable_update: bool = True
    enable_delete: bool = True


@dataclass(frozen=True, kw_only=True)
class SessionContextConfig(StoreConfig):
    """Where a conversation stands.

    Args:
        enable_planning: Also keep its goal, plan and progress.
    """

    modes: ClassVar[frozenset[LearningMode]] = frozenset({LearningMode.ALWAYS})
    base: ClassVar[type[BaseModel]] = SessionContext

    enable_planning: bool = False


@dataclass(frozen=True, kw_only=True)
class ConversationsConfig(StoreConfig):
    """What was said, message by message. No model is ever asked for it.

    Args:
        roles: Whose messages are kept: `"user"`, `"assistant"`, or both.
        max_chars: How much of a long message is kept, in characters.
        retention: How long a message is kept; None for as long as the user is not forgotten.
        share: At most this share of the recalled text is conversation.
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
        check_limit("ConversationsConfig(max_chars=...)", self.max_chars)
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
    """What a learning store of shared knowledge can be told.

    Args:
        namespace: Whose it is: `"global"` is everybody's, `"user"` each user's own, any other word a group's. None
            takes the machine's.
    """

    namespace: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.namespace is not None:
            check_text(f"{type(self).__name__}(namespace=...)", self.namespace)


@dataclass(frozen=True, kw_only=True)
class EntityMemoryConfig(NamespaceConfig):
    """Things, people, organisations and projects; `schema` is an `Entity` subclass with your typed fields."""

    base: ClassVar[type[BaseModel]] = Entity


@dataclass(frozen=True, kw_only=True)
class LearnedKnowledgeConfig(NamespaceConfig):
    """What helps again, whoever asks next. `instructions` reach the extraction and the agent's tool.

    Args:
        knowledge: A vector store to search it by, in the place of the search of its own. The learnings stay where all
            records are; the vector store is told of every change, and what it finds counts only where the record says
            the same. Its `filter` is a mapping or a predicate of a document. What it holds already is found, too, and
            read only: documents whose metadata has `"learning_scope": Scope(namespace="global").tag`, or another
            scope's, for those who are in that scope. They are yours: `forget()` leaves them.
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
    """How things are done, from what the agent's tool calls came to. By default a person approves each."""

    base: ClassVar[type[BaseModel]] = Procedure

    mode: LearningMode = LearningMode.PROPOSE


@dataclass(frozen=True, kw_only=True)
class InstructionsConfig(NamespaceConfig):
    """Rules that one agent works by, shown in every turn. By default a person approves each.

    Args:
        agent: Whose rules, where the agent has no name of its own (`create_agent(name=...)`).
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
    """What the agent decided, why, and what came of it. The agent writes it, in PROPOSE with a person's approval.

    Its tools are always offered, and no model is ever asked: `instructions` tell the agent what to log.

    Args:
        agent: Whose decisions, where the agent has no name of its own (`create_agent(name=...)`).
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
    """How to learn behind the reply.

    Args:
        delay: After how many seconds of silence a thread is learned from; what is said meanwhile joins in.
        max_attempts: After how many failures a turn is given up, and kept with its error.
        in_process: Whether threads of this process learn. False: `langgraph-learning worker` does, elsewhere.
        reflect_every: How often workers reflect on what was learned; None: never.
    """

    delay: float = 20.0
    max_attempts: int = 5
    in_process: bool = True
    reflect_every: timedelta | None = None

    def __post_init__(self) -> None:
        if isinstance(self.delay, bool) or not isinstance(self.delay, int | float) or not 0 <= self.delay < 1e9:
            raise ConfigurationError(f"Background(delay={self.delay!r}): give a number of seconds from 0")
        check_limit("Background(max_attempts=...)", self.max_attempts)
        if self.max_attempts is None:
            raise ConfigurationError("Background(max_attempts=None): give a whole number from 1")
        if not isinstance(self.in_process, bool):
            raise ConfigurationError(f"Background(in_process={self.in_process!r}): give True or False")
        every = self.reflect_every
        if every is not None and not (isinstance(every, timedelta) and every > timedelta()):
            raise ConfigurationError(f"Background(reflect_every={every!r}): give a timedelta above 0, or None")


def resolve_background(value: object) -> Background | None:
    """Return the configuration that `background=` means; None where the turn itself learns.

    Raises:
        ConfigurationError: It is neither a bool nor a `Background`.
    """
    if isinstance(value, Background):
        return value
    if isinstance(value, bool):
        return Background() if value else None
    raise ConfigurationError(f"LearningMachine(background={value!r}): give True, False or Background(...)")
