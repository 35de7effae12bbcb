"""Every option does something, and a wrong one is refused by an error that names the fix."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from langchain_core.tools import tool
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.store.memory import InMemoryStore
from pydantic import BaseModel, Field

from langgraph_learning import (
    EntityMemoryConfig,
    LearningContext,
    LearningMachine,
    LearningMode,
    SessionContextConfig,
    UserMemoryConfig,
    UserProfileConfig,
    connect,
    create_learning_agent,
)
from langgraph_learning.config import StoreConfig
from langgraph_learning.errors import ConfigurationError
from langgraph_learning.records import Change, Record
from langgraph_learning.schemas import SessionContext, UserMemory, UserProfile
from langgraph_learning.stores import LearningStore, Operation, UserMemoryStore
from langgraph_learning.testing import ScriptedChatModel, op

CONFIGS: list[tuple[str, type[StoreConfig]]] = [
    ("user_profile", UserProfileConfig),
    ("user_memory", UserMemoryConfig),
    ("session_context", SessionContextConfig),
    ("entity_memory", EntityMemoryConfig),
]
EVERY = pytest.mark.parametrize(("option", "config"), CONFIGS, ids=[option for option, _ in CONFIGS])
TOLD: dict[str, list[Any]] = {
    "user_profile": [op("update_user_profile", name="Alice")],
    "user_memory": [op("add_memory", content="Likes tea"), op("add_memory", content="Likes cake")],
    "session_context": [op("update_session_context", summary="Tea.")],
    "entity_memory": [op("remember_about", entity="Acme", entity_type="company")],
}


def learned(option: str, config: StoreConfig, model: ScriptedChatModel) -> tuple[LearningMachine, InMemoryStore]:
    """One turn, learned by a machine with this configuration."""
    store = InMemoryStore()
    machine = LearningMachine(model=model, store=store, **{option: config})  # type: ignore[arg-type]
    machine.scoped(user_id="alice", thread_id="c1").learn([("user", "I'm Alice, I like tea and cake.")])
    return machine, store


def offered(machine: LearningMachine) -> list[str]:
    """The names of what its learning store can be asked for."""
    [store] = machine.stores
    return [kind.__name__ for kind in (*store.operations, *store.searches)]


@EVERY
def test_mode_always_extracts_and_offers_no_tools(option: str, config: type[StoreConfig]) -> None:
    model = ScriptedChatModel(extractions=[TOLD[option]])
    machine, _ = learned(option, config(mode=LearningMode.ALWAYS), model)
    assert machine.tools() == []
    assert model.calls == {"extraction": 1}


@pytest.mark.parametrize(
    ("option", "config"),
    [each for each in CONFIGS if LearningMode.AGENTIC in each[1].modes],
    ids=str,
)
def test_mode_agentic_offers_tools_and_extracts_nothing(option: str, config: type[StoreConfig]) -> None:
    machine, _ = learned(option, config(mode=LearningMode.AGENTIC), model := ScriptedChatModel())
    assert [each.name for each in machine.tools()] == offered(machine)
    assert model.calls == {}


@EVERY
def test_enable_agent_tools_offers_the_tools_outside_agentic(option: str, config: type[StoreConfig]) -> None:
    model = ScriptedChatModel(extractions=[TOLD[option]])
    machine, _ = learned(option, config(enable_agent_tools=True), model)
    assert [each.name for each in machine.tools()] == offered(machine)
    assert model.calls == {"extraction": 1}


class Profile(UserProfile):
    """A field of one's own."""

    badge: int | None = Field(default=None, description="THE-DESCRIPTION")


class Memory(UserMemory):
    """A field of one's own."""

    topic: str = Field(description="THE-DESCRIPTION")


class Session(SessionContext):
    """A field of one's own."""

    ticket: str | None = Field(default=None, description="THE-DESCRIPTION")


@pytest.mark.parametrize(
    ("option", "config", "told"),
    [
        ("user_profile", UserProfileConfig(schema=Profile), op("update_user_profile", badge=7)),
        ("user_memory", UserMemoryConfig(schema=Memory), op("add_memory", content="Likes tea", topic="tea")),
        (
            "session_context",
            SessionContextConfig(schema=Session),
            op("update_session_context", summary="S", ticket="7"),
        ),
    ],
    ids=["user_profile", "user_memory", "session_context"],
)
def test_schema_fields_are_asked_for_described_and_kept(option: str, config: StoreConfig, told: dict[str, Any]) -> None:
    model = ScriptedChatModel(extractions=[[told]])
    machine, store = learned(option, config, model)
    assert "THE-DESCRIPTION" in str(model.schemas[0])
    [record] = machine.scoped(user_id="alice", thread_id="c1", store=store).records()
    assert record.content == {key: value for key, value in told.items() if key not in ("operation", "quote")}


@EVERY
def test_model_extracts_for_its_learning_store_alone(option: str, config: type[StoreConfig]) -> None:
    own, other = ScriptedChatModel(extractions=[TOLD[option]]), ScriptedChatModel()
    learned(option, config(model=own), other)
    assert (own.calls, other.calls) == ({"extraction": 1}, {})


def test_a_model_of_its_own_leaves_the_others_on_the_shared_one() -> None:
    own, shared = (
        ScriptedChatModel(extractions=[TOLD["user_memory"]]),
        ScriptedChatModel(extractions=[TOLD["user_profile"]]),
    )
    machine = LearningMachine(
        model=shared, user_profile=True, user_memory=UserMemoryConfig(model=own), store=InMemoryStore()
    )
    alice = machine.scoped(user_id="alice")
    alice.learn([("user", "I'm Alice, I like tea and cake.")])
    assert [record.text for record in alice.records()] == ["name: Alice", "Likes tea", "Likes cake"]
    assert "add_memory" not in str(shared.schemas)
    assert "update_user_profile" not in str(own.schemas)


def test_max_updates_per_run_caps_its_learning_store() -> None:
    model = ScriptedChatModel(extractions=[TOLD["user_memory"]])
    machine, _ = learned("user_memory", UserMemoryConfig(max_updates_per_run=1), model)
    assert [record.text for record in machine.scoped(user_id="alice").records()] == ["Likes tea"]


@EVERY
def test_instructions_replace_and_additional_instructions_are_appended(option: str, config: type[StoreConfig]) -> None:
    def prompt(**options: str) -> str:
        model = ScriptedChatModel(extractions=[TOLD[option]])
        learned(option, config(**options), model)  # type: ignore[arg-type]
        return model.prompt("extraction")

    own = config(mode=LearningMode.ALWAYS)
    default = LearningMachine(**{option: own}).stores[0].extraction_instructions  # type: ignore[arg-type]
    assert default in prompt()
    replaced = prompt(instructions="ONLY-TEA")
    assert "ONLY-TEA" in replaced
    assert default not in replaced
    # what a store says never takes the turn or what is stored out of the prompt
    assert "I like tea and cake" in replaced
    assert f'<stored in="{option}">' in replaced
    both = prompt(additional_instructions="ALSO-TEA")
    assert f"{default}\nALSO-TEA" in both
    assert "ONLY-TEA\nALSO-TEA" in prompt(instructions="ONLY-TEA", additional_instructions="ALSO-TEA")


def test_a_configuration_is_frozen_and_shared_without_being_changed() -> None:
    config = UserMemoryConfig(max_updates_per_run=3)
    with pytest.raises(AttributeError):
        config.max_updates_per_run = 4  # type: ignore[misc]
    one, two = LearningMachine(user_memory=config), LearningMachine(user_memory=config, max_updates_per_run=7)
    assert one.stores[0].config == two.stores[0].config == UserMemoryConfig(max_updates_per_run=3)
    assert one.stores[0] is not two.stores[0]


class Unrelated(BaseModel):
    """No profile."""


class Custom(UserMemoryStore):
    """A learning store by another name."""

    name = "custom"


@tool
def add_memory(content: str) -> str:
    """Clash with a learning tool."""
    return content


WRONG: dict[str, tuple[Callable[[], object], str]] = {
    "a mode as a learning store": (
        lambda: LearningMachine(user_profile=LearningMode.AGENTIC),  # type: ignore[arg-type]
        r"UserProfileConfig\(mode=LearningMode.AGENTIC\)",
    ),
    "a mode by its name": (lambda: UserMemoryConfig(mode="agentic"), "LearningMode.AGENTIC"),  # type: ignore[arg-type]
    "another store's configuration": (
        lambda: LearningMachine(user_profile=UserMemoryConfig()),
        "takes a UserProfileConfig",
    ),
    "nonsense as a learning store": (
        lambda: LearningMachine(user_memory="yes"),  # type: ignore[arg-type]
        "give True, False, a UserMemoryConfig",
    ),
    "a mode that session context has not": (
        lambda: SessionContextConfig(mode=LearningMode.AGENTIC),
        "it offers LearningMode.ALWAYS",
    ),
    "a schema that is no profile": (
        lambda: UserProfileConfig(schema=Unrelated),
        r"class Mine\(UserProfile\)",
    ),
    "a schema that is no class": (
        lambda: UserProfileConfig(schema=UserProfile()),  # type: ignore[arg-type]
        "give a subclass of UserProfile",
    ),
    "a misspelt keyword": (
        lambda: LearningMachine(user_profil=True),  # type: ignore[call-arg]
        "did you mean 'user_profile'",
    ),
    "a misspelt option": (
        lambda: UserMemoryConfig(enable_adds=False),  # type: ignore[call-arg]
        "did you mean 'enable_add'",
    ),
    "an unknown keyword": (lambda: UserMemoryConfig(colour="red"), "it takes mode"),  # type: ignore[call-arg]
    "an argument without keyword": (lambda: UserMemoryConfig(LearningMode.ALWAYS), "keywords only"),  # type: ignore[call-arg]
    "no updates at all": (lambda: UserMemoryConfig(max_updates_per_run=0), "whole number from 1"),
    "a limit that is a bool": (lambda: LearningMachine(max_updates_per_run=True), "whole number from 1"),
    "a budget of nothing": (lambda: LearningMachine(context_tokens=0), "whole number from 1"),
    "another way to fail": (
        lambda: LearningMachine(on_error="ignore"),  # type: ignore[arg-type]
        "give 'log' or 'raise'",
    ),
    "a name that is none": (lambda: LearningMachine(name="my machine"), "Python identifier"),
    "two of a kind": (
        lambda: LearningMachine(user_memory=True, custom_stores=[UserMemoryStore()]),
        "another name",
    ),
    "a class as custom store": (
        lambda: LearningMachine(custom_stores=[UserMemoryStore]),  # type: ignore[list-item]
        "give instances",
    ),
    "a namespace of nothing": (lambda: EntityMemoryConfig(namespace=" "), r"EntityMemoryConfig\(namespace=...\)"),
    "a namespace of entities that is no text": (lambda: EntityMemoryConfig(namespace=7), "is a text"),  # type: ignore[arg-type]
    "a model that is none": (lambda: LearningMachine(model=7), "'provider:name'"),  # type: ignore[arg-type]
    "a node without a model": (
        lambda: LearningMachine(user_memory=True).extract_node(),
        r"LearningMachine\(model=...\)",
    ),
    "a graph around a node without a model": (
        lambda: LearningMachine(user_memory=True).around(lambda state: state),
        r"LearningMachine\(model=...\)",
    ),
    "learning without a model": (
        lambda: LearningMachine(user_memory=True, store=InMemoryStore()).scoped(user_id="a").learn([("user", "Hi")]),
        r"LearningMachine\(model=...\)",
    ),
    "a data API without a store": (
        lambda: LearningMachine(user_memory=True).scoped(user_id="a"),
        r"scoped\(store=...\)",
    ),
    "a learning store that is not there": (
        lambda: LearningMachine(user_memory=True, store=InMemoryStore()).scoped(user_id="a").records("profile"),
        "it has user_memory",
    ),
    "a zone that is none": (
        lambda: LearningMachine(store=InMemoryStore()).scoped(timezone="Mars/Olympus"),
        "Europe/Berlin",
    ),
    "a tool of yours by our name": (
        lambda: create_learning_agent(
            ScriptedChatModel(),
            [add_memory],
            learning=LearningMachine(user_memory=UserMemoryConfig(mode=LearningMode.AGENTIC)),
        ),
        "rename yours",
    ),
    "a mode as a switch": (
        lambda: SessionContextConfig(enable_planning=LearningMode.ALWAYS),  # type: ignore[arg-type]
        r"SessionContextConfig\(enable_planning=.*give True or False",
    ),
    "a switch that says no": (lambda: UserMemoryConfig(enable_add="no"), "give True or False"),  # type: ignore[arg-type]
    "a switch for tools that is none": (
        lambda: UserProfileConfig(enable_agent_tools=1),  # type: ignore[arg-type]
        "give True or False",
    ),
    "instructions that are no text": (lambda: UserMemoryConfig(instructions=["Tea"]), "is text or None"),  # type: ignore[arg-type]
    "additional instructions that are no text": (
        lambda: UserMemoryConfig(additional_instructions=7),  # type: ignore[arg-type]
        "is text or None",
    ),
    "a user id as scope": (lambda: LearningMachine(scope="alex"), "give a function"),  # type: ignore[arg-type]
    "a namespace that is no text": (lambda: LearningMachine(namespace=7), "namespace"),  # type: ignore[arg-type]
    "a name that is no text": (lambda: LearningMachine(name=7), "Python identifier"),  # type: ignore[arg-type]
    "a messages key that is no text": (lambda: LearningMachine(messages_key=7), "messages_key"),  # type: ignore[arg-type]
    "one custom store without a list": (
        lambda: LearningMachine(custom_stores=UserMemoryStore()),  # type: ignore[arg-type]
        "give a list",
    ),
    "a database as store": (
        lambda: LearningMachine(store=connect("sqlite:///:memory:")),  # type: ignore[arg-type]
        r"did you mean db=\.\.\., or db\.store\?",
    ),
    "a URL as store": (
        lambda: LearningMachine(store="sqlite:///:memory:"),  # type: ignore[arg-type]
        r"connect\(url\).*did you mean db=\.\.\., or db\.store\?",
    ),
    "a dict as store": (lambda: LearningMachine(store={}), "takes a BaseStore, not dict"),  # type: ignore[arg-type]
    "a database as store of the data API": (
        lambda: LearningMachine().scoped(store=connect("sqlite:///:memory:")),  # type: ignore[arg-type]
        r"did you mean db=\.\.\., or db\.store\?",
    ),
    "a database as store of an agent": (
        lambda: create_learning_agent(ScriptedChatModel(), store=connect("sqlite:///:memory:")),  # type: ignore[arg-type]
        r"did you mean db=\.\.\., or db\.store\?",
    ),
    "a URL as database": (
        lambda: create_learning_agent(ScriptedChatModel(), db="sqlite:///x"),  # type: ignore[arg-type]
        r"connect\(url\)",
    ),
    "a store as database": (
        lambda: create_learning_agent(ScriptedChatModel(), db=InMemoryStore()),  # type: ignore[arg-type]
        r"did you mean store=",
    ),
    "no model for an agent": (lambda: create_learning_agent(None), "give a LangChain chat model"),  # type: ignore[arg-type]
    "a misspelt keyword of an agent": (
        lambda: create_learning_agent(ScriptedChatModel(), learing=True),
        "did you mean 'learning'",
    ),
    "a misspelt keyword of create_agent": (
        lambda: create_learning_agent(ScriptedChatModel(), respons_format=None),
        "did you mean 'response_format'",
    ),
    "a learning store in the wrong slot": (
        lambda: LearningMachine(user_profile=UserMemoryStore()),
        "give it as user_memory=",
    ),
    "a custom learning store in a slot": (
        lambda: LearningMachine(user_profile=Custom()),
        r"give it as custom_stores=\[",
    ),
    "learning that is none": (
        lambda: create_learning_agent(ScriptedChatModel(), learning="yes"),  # type: ignore[arg-type]
        "a LearningMachine",
    ),
}


@pytest.mark.parametrize(("make", "fix"), WRONG.values(), ids=list(WRONG))
def test_a_wrong_configuration_is_refused_by_an_error_that_names_the_fix(make: Callable[[], object], fix: str) -> None:
    with pytest.raises(ConfigurationError, match=fix):
        make()


def test_a_password_in_a_url_is_not_repeated() -> None:
    url = "postgresql://me:secret@host/db"
    for make in (
        lambda: LearningMachine(store=url),  # type: ignore[arg-type]
        lambda: create_learning_agent(ScriptedChatModel(), db=url),  # type: ignore[arg-type]
    ):
        with pytest.raises(ConfigurationError) as raised:
            make()
        assert "secret" not in str(raised.value)


def test_what_create_agent_takes_is_handed_on() -> None:
    assert create_learning_agent(ScriptedChatModel(), debug=False, name="a").name == "a"


class Better(UserMemoryStore):
    """A learning store for the slot of its base."""


class Foreign(LearningStore):
    """Anything that has the slot's name."""

    name = "user_profile"

    def __init__(self) -> None:
        super().__init__()
        self.operations = ()

    def plan(self, operation: Operation, records: Sequence[Record]) -> list[Change]:
        return []


def test_a_slot_takes_a_learning_store_of_its_name() -> None:
    machine = LearningMachine(user_memory=Better(), user_profile=Foreign(), store=InMemoryStore())
    assert [type(store) for store in machine.stores] == [Foreign, Better]
    with pytest.raises(ConfigurationError, match=r"records\('user_profile'\)"):
        machine.scoped(user_id="a").profile()


def test_a_missing_key_is_a_configuration_error_that_names_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_ADMIN_KEY", "AZURE_OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConfigurationError, match="OPENAI_API_KEY") as raised:
        LearningMachine(model="openai:gpt-5.2", user_memory=True)
    assert raised.value.__cause__ is not None


def test_without_any_operation_nothing_is_extracted_and_no_model_is_needed() -> None:
    nothing = UserMemoryConfig(enable_add=False, enable_update=False, enable_delete=False)
    model = ScriptedChatModel()
    machine, _ = learned("user_memory", nothing, model)
    assert model.calls == {}
    assert machine.tools() == []
    assert LearningMachine(user_memory=nothing).extract_node() is not None


def test_messages_and_context_take_a_list_of_messages() -> None:
    model = ScriptedChatModel(extractions=[TOLD["user_memory"]])
    machine, store = learned("user_memory", UserMemoryConfig(), model)
    shown: list[object] = []

    def node(state: MessagesState) -> dict[str, object]:
        shown.append([message.text for message in machine.messages(state["messages"])])
        shown.append(machine.context([("user", "What do I like?")]))
        return {}

    graph = StateGraph(MessagesState, context_schema=LearningContext)
    graph.add_node("node", node)
    graph.add_edge(START, "node")
    graph.compile(store=store).invoke({"messages": [HumanMessage("Tea?")]}, context={"user_id": "alice"})
    [messages, context] = shown
    assert isinstance(messages, list)
    assert messages[-1] == "Tea?"
    assert "Likes tea" in messages[0]
    assert "Likes tea" in str(context)


@pytest.mark.parametrize("state", [{"msgs": [HumanMessage("Hi")]}, {}, object(), None, "Hi"])
async def test_a_state_without_messages_is_refused(state: object) -> None:
    machine = LearningMachine(user_memory=True, store=InMemoryStore())
    with pytest.raises(ConfigurationError, match="messages_key"):
        machine.messages(state)
    with pytest.raises(ConfigurationError, match="messages_key"):
        await machine.amessages(state)


def test_a_state_whose_messages_are_not_written_yet_has_none() -> None:
    machine = LearningMachine(user_memory=True, store=InMemoryStore())
    assert machine.messages({"messages": None}) == machine.messages({"messages": []}) == machine.messages([]) == []


@pytest.mark.parametrize(
    ("own", "lies_in"),
    [
        (EntityMemoryConfig(), ("learning", "namespace", "team")),
        (EntityMemoryConfig(namespace="other"), ("learning", "namespace", "other")),
        (EntityMemoryConfig(namespace="user"), ("learning", "user", "alice")),
        (True, ("learning", "namespace", "team")),
    ],
    ids=["inherited", "its own", "the user's", "shorthand"],
)
def test_namespace_says_whose_entities_they_are(own: EntityMemoryConfig | bool, lies_in: tuple[str, ...]) -> None:
    store, model = InMemoryStore(), ScriptedChatModel(extractions=[TOLD["entity_memory"]])
    machine = LearningMachine(model=model, entity_memory=own, namespace="team", store=store)
    machine.scoped(user_id="alice").learn([("user", "Acme is a company")])
    assert (*lies_in, "entity_memory") in store.list_namespaces()
    assert own is True or own == EntityMemoryConfig(namespace=own.namespace)  # type: ignore[union-attr]
