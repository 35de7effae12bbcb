"""The resolved configuration of a learning machine, for its nodes, tools, middleware and data API."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from langchain_core.language_models import BaseChatModel
from langgraph.store.base import BaseStore

from langgraph_learning._engine.learning.commit_draft import CommitRules, Reviewers, Shared
from langgraph_learning._engine.learning.extract import Extraction
from langgraph_learning._engine.learning.messages import TrajectoryStep, TurnMessage
from langgraph_learning._engine.learning.structured_output import OutputMethods
from langgraph_learning._engine.recall.recall import RecallRules
from langgraph_learning.config import Background, Model
from langgraph_learning.errors import ConfigurationError
from langgraph_learning.masking import Mask, mask_secrets
from langgraph_learning.option_checks import (
    check_choice,
    check_function,
    check_limit,
    check_list,
    check_seconds,
    check_text,
)
from langgraph_learning.stores import LearningStore

log = logging.getLogger("langgraph_learning")
Placement = Literal["turn", "system"]
_CHOICES = {"on_error": ("log", "raise"), "placement": ("turn", "system"), "shared": ("propose", "write")}
_FUNCTIONS = {
    "scope": "that returns the user id",
    "turn": "of the state that returns messages",
    "mask": "of a text",
    "reviewers": "of reviewer and proposal",
    "author_name": "of a user id",
}
A_MODEL = "give a LangChain chat model, e.g. ChatOpenAI(...), or 'provider:name', e.g. 'openai:gpt-5.2'"


def check_store(owner: str, store: object) -> None:
    """Raise unless `store` is a store or None; the message does not repeat the value, which may hold a password.

    Raises:
        ConfigurationError: It is a database, a URL or something else.
    """
    if store is None or isinstance(store, BaseStore):
        return
    if isinstance(store, str):
        fix = "open the URL by `with connect(url) as db:`; did you mean db=..., or db.store?"
    elif hasattr(type(store), "checkpointer"):
        fix = "did you mean db=..., or db.store?"
    else:
        fix = "give one of LangGraph's stores, or db.store of connect()"
    raise ConfigurationError(f"{owner}(store=...) takes a BaseStore, not {type(store).__name__}; {fix}")


def resolve_model(model: Model | None) -> BaseChatModel | None:
    """Return the chat model that `"provider:name"` names; a chat model is returned unchanged.

    Raises:
        ConfigurationError: The provider's package or key is missing, or the value is no chat model.
    """
    if model is None or isinstance(model, BaseChatModel):
        return model
    if not isinstance(model, str) or not model.strip():
        raise ConfigurationError(f"model={model!r}: {A_MODEL}")
    from langchain.chat_models import init_chat_model

    try:
        return init_chat_model(model)
    except ImportError as error:
        raise ConfigurationError(f"model={model!r}: {error} (for OpenAI: the extra 'openai')") from error
    except ValueError as error:
        raise ConfigurationError(f"model={model!r}: {error}") from error
    except Exception as error:  # each provider's client raises errors of its own, mostly for a missing key
        key = f"{model.partition(':')[0].upper().replace('-', '_')}_API_KEY" if ":" in model else "e.g. OPENAI_API_KEY"
        raise ConfigurationError(f"model={model!r}: {error} (its key is read from the environment: {key})") from error


@dataclass(frozen=True, kw_only=True)
class MachineSettings:
    """The configuration of a learning machine, as its parts use it.

    Raises:
        ConfigurationError: An option cannot work; the message names the option and the fix.
    """

    stores: tuple[LearningStore, ...]
    models: Mapping[str, BaseChatModel | None]
    namespace: str = "global"
    store: BaseStore | None = None
    max_updates_per_run: int = 10
    context_tokens: int = 2_000
    scope: Callable[..., object] | None = None
    on_error: Literal["log", "raise"] = "log"
    name: str = "learning"
    messages_key: str = "messages"
    turn: Callable[[Mapping[str, Any]], object] | None = None
    """A function that reads a graph's state: it returns the messages to learn from and the text to recall by."""
    user_tools: Sequence[str] = ()
    """The names of tools whose result is the user's answer."""
    mask: Mask = mask_secrets
    shared: Shared = "propose"
    reviewers: Reviewers | None = None
    author_name: Callable[[str], str | None] | None = None
    """A function that returns the name of a user for others who read what they taught."""
    agent: str | None = None
    """The name of the agent; empty for an agent without a name, None if the run decides."""
    methods: OutputMethods = field(default_factory=OutputMethods)
    turns: dict[tuple[str, str], object] = field(default_factory=dict)
    """The frozen scope of running turns, by thread and message: a subgraph cannot read its parent's state."""
    calls: dict[tuple[str, str], tuple[TrajectoryStep, ...]] = field(default_factory=dict)
    """The tool calls of running turns, by thread and turn: a graph may summarise them before its turn ends."""
    replies: dict[tuple[str, str], tuple[TurnMessage, ...]] = field(default_factory=dict)
    """The replies of running turns, by thread and turn: a node after the model may trim them away."""
    recalled: dict[int, object] = field(default_factory=dict)
    """The recalled text of running runs, by the run's control object."""
    background: Background | None = None
    """The options for learning behind the reply; None: the turn itself learns."""
    learners: dict[tuple[int, object], object] = field(default_factory=dict)
    """The learners of this process that work behind the reply, by store."""
    placement: Placement = "turn"
    """The position of the recalled text in a model call."""
    steps: set[str] = field(default_factory=set)
    """The steps that have run in this process, to notice a missing one."""
    warned: set[str] = field(default_factory=set)
    """The kinds of warnings that were logged and are not repeated."""

    def __post_init__(self) -> None:
        owner = "LearningMachine"
        for option in ("max_updates_per_run", "context_tokens"):
            object.__setattr__(self, option, check_limit(f"{owner}({option}=...)", getattr(self, option)))
        check_seconds(f"{owner}(extraction_timeout=...)", self.methods.limits.timeout)
        for option, choices in _CHOICES.items():
            check_choice(owner, option, getattr(self, option), choices)
        for option, what in _FUNCTIONS.items():
            check_function(owner, option, getattr(self, option), what)
        check_store(owner, self.store)
        check_text(f"{owner}(messages_key=...)", self.messages_key)
        if not isinstance(self.name, str) or not self.name.isidentifier():
            raise ConfigurationError(f"{owner}(name={self.name!r}): give a Python identifier, it names state keys")
        user_tools = check_list(f"{owner}(user_tools=...), names of tools", self.user_tools)
        if not all(isinstance(tool, str) for tool in user_tools):
            raise ConfigurationError(f"{owner}(user_tools={user_tools!r}): give names of tools, ('ask_human',)")
        object.__setattr__(self, "user_tools", user_tools)  # the caller may change a list later

    @property
    def limits(self) -> dict[str, int]:
        """The number of changes that each learning store may make in one turn, by its name."""
        return {store.name: store.config.max_updates_per_run or self.max_updates_per_run for store in self.stores}

    @property
    def rules(self) -> CommitRules:
        """The rules for every commit."""
        return CommitRules(self.limits, self.mask, self.shared, self.reviewers)

    @property
    def recall_rules(self) -> RecallRules:
        """The rules for every recall."""
        return RecallRules(self.stores, self.context_tokens, self.author_name)

    def warn_once(self, kind: str, message: str) -> None:
        """Log a warning of a kind, unless one of that kind was logged before."""
        if kind not in self.warned:
            self.warned.add(kind)
            log.warning(message)

    @property
    def context_id(self) -> str:
        """The id of the system message with the recalled text; each machine has its own."""
        return f"{self.name}-context"

    @property
    def tool_names(self) -> frozenset[str]:
        """The names of all learning tools, whether the agent has them or not."""
        return frozenset(kind.__name__ for store in self.stores for kind in (*store.operations, *store.searches))

    @property
    def proposes(self) -> bool:
        """Whether a person decides about the changes of any learning store."""
        return any(store.proposes for store in self.stores)

    @property
    def extracting(self) -> tuple[LearningStore, ...]:
        """The learning stores that learn by extraction."""
        return tuple(store for store in self.stores if store.extracts)

    @property
    def reads_trajectory(self) -> bool:
        """Whether a learning store learns from the agent's tool calls."""
        return any(store.reads_trajectory for store in self.extracting)

    @property
    def capturing(self) -> tuple[LearningStore, ...]:
        """The learning stores that keep messages."""
        return tuple(store for store in self.stores if store.captures)

    @property
    def learning(self) -> tuple[LearningStore, ...]:
        """The learning stores that learn from every turn."""
        return (*self.extracting, *self.capturing)

    def extractions(self, agent_model: BaseChatModel | None = None) -> list[Extraction]:
        """Return one extraction for each model, with the learning stores that share it.

        Args:
            agent_model: The model for learning stores without a configured one.

        Raises:
            ConfigurationError: There is no model to extract with.
        """
        shared: dict[tuple[int, bool, bool], tuple[BaseChatModel, list[LearningStore]]] = {}
        for store in self.extracting:
            model = self.models.get(store.name) or agent_model
            if model is None:
                raise ConfigurationError(
                    f"{store.name} learns by extraction and has no model: give LearningMachine(model=...),"
                    " or use middleware() or create_learning_agent(), which extract with the agent's own model"
                )
            # Only learning stores that learn from tools may see their results, so they are asked in a separate call.
            shows = (id(model), store.config.learn_from_tools, store.reads_trajectory)
            shared.setdefault(shows, (model, []))[1].append(store)
        return [
            Extraction(model, tuple(stores), self.methods, tools, trajectory)
            for (_, tools, trajectory), (model, stores) in shared.items()
        ]
