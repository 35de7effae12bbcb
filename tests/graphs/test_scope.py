"""Who is asking: where the user comes from, who may not be named, and that two users never see each other."""

import itertools
import logging
from dataclasses import dataclass
from typing import Any

import pytest
from graphs.world import (
    ADA,
    COLOURS,
    FACT,
    Colour,
    by_hand,
    invoked,
    known,
    machine,
    memories,
    private,
    said,
    streamed,
    texts,
    thread,
)
from langchain.agents import create_agent
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import MessagesState
from langgraph.runtime import Runtime
from langgraph.store.memory import InMemoryStore
from langgraph.types import Command, interrupt
from pydantic import BaseModel

from langgraph_learning import LearningMachine, LearningMode, SessionContextConfig, UserMemoryConfig, connect
from langgraph_learning.errors import ScopeError
from langgraph_learning.records import Identity
from langgraph_learning.testing import ScriptedChatModel, call, op

TEA = op("add_memory", content="Drinks tea", quote="I drink tea")
NOTHING_KNOWN: Any = object()


def reply(state: Any) -> dict[str, Any]:
    return {"messages": [AIMessage("Hello")]}


def pausing(state: MessagesState) -> dict[str, Any]:
    interrupt("Sure?")
    return {}


@dataclass
class Member:
    """What LangGraph's server knows of an authenticated user."""

    identity: str
    is_authenticated: bool = True
    display_name: str = "somebody"

    @property
    def permissions(self) -> list[str]:
        return []

    def __getitem__(self, key: str) -> Any:
        return getattr(self, key)

    def __contains__(self, key: str) -> bool:
        return hasattr(self, key)

    def __iter__(self) -> Any:
        return iter(("identity",))


def as_member(identity: str, **configurable: Any) -> RunnableConfig:
    """Return the configuration of a run that LangGraph's server started for an authenticated user."""
    return thread(langgraph_auth_user=Member(identity), assistant_id="a", graph_id="g", **configurable)


@dataclass
class AsDataclass:
    user_id: str | int


class AsModel(BaseModel):
    user_id: str | int


class AsObject:
    def __init__(self, user_id: str | int) -> None:
        self.user_id = user_id


def test_context_of_any_class_with_a_user_id_serves() -> None:
    contexts: list[tuple[type[Any] | None, Any]] = [
        (None, {"user_id": "ada"}),
        (None, AsObject("ada")),
        (AsDataclass, {"user_id": "ada"}),
        (AsDataclass, AsDataclass("ada")),
        (AsModel, {"user_id": "ada", "more": 1}),
        (AsModel, AsModel(user_id="ada")),
    ]
    for schema, context in contexts:
        store = InMemoryStore()
        learning, _ = machine([TEA])
        graph = learning.around(reply, context_schema=schema).compile(store=store)

        graph.invoke(said("I drink tea"), context=context)

        assert memories(store, "ada") == ["Drinks tea"], (schema, context)


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize(
    ("context", "configurable", "user"),
    [
        ({"user_id": "ada"}, {}, "ada"),
        ({}, {"user_id": "ada"}, "ada"),
        (None, {"user_id": "ada"}, "ada"),
        ({"user_id": "ada"}, {"user_id": "bob"}, "ada"),
        ({"user_id": ""}, {"user_id": "bob"}, "bob"),
        ({"user_id": None}, {"user_id": "bob"}, "bob"),
        ({"user_id": 42}, {}, 42),
        ({"user_id": 0}, {}, 0),
        ({"user_id": "alex.m+x@example.com"}, {}, "alex.m+x@example.com"),
        ({"user_id": "アレックス 🐝"}, {}, "アレックス 🐝"),
        ({"user_id": "a/b*c:d~e%"}, {}, "a/b*c:d~e%"),
    ],
)
async def test_the_user_is_that_of_the_context_else_of_the_configuration(
    context: Any, configurable: dict[str, Any], user: str | int, colour: Colour
) -> None:
    learning, extractor = machine([TEA], [])
    store = InMemoryStore()
    shown: list[Any] = []

    def agent(state: MessagesState) -> dict[str, Any]:
        shown.append(texts(state["messages"]))
        return reply(state)

    graph = by_hand(learning, learning.wrap(agent)).compile(store=store)

    await invoked(graph, colour, said("I drink tea"), thread(**configurable), context=context)
    await invoked(graph, colour, said("What do I drink?"), thread("other", **configurable), context=context)

    assert memories(store, user) == ["Drinks tea"]
    assert "Drinks tea" in shown[1][0]
    assert extractor.calls["extraction"] == 2


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("context", [None, {}, {"user_id": ""}, {"user_id": "  "}, {"user_id": None}])
async def test_without_a_user_nothing_is_read_or_written_and_that_is_said_once(
    context: Any, colour: Colour, caplog: pytest.LogCaptureFixture
) -> None:
    learning, extractor = machine([TEA], repeat=True, session_context=True)
    store = known()
    shown: list[Any] = []

    def agent(state: MessagesState) -> dict[str, Any]:
        shown.append(texts(state["messages"]))
        return reply(state)

    graph = by_hand(learning, learning.wrap(agent)).compile(store=store, checkpointer=InMemorySaver())
    before = store.search(())

    with caplog.at_level(logging.WARNING):
        for text in ("I drink tea", "Again"):
            await invoked(graph, colour, said(text), thread(user_id=""), context=context)

    assert shown == [["I drink tea"], ["I drink tea", "Hello", "Again"]]
    assert extractor.calls["extraction"] == 0
    assert store.search(()) == before
    assert caplog.text.count("no user_id in this run") == 1


@pytest.mark.parametrize("given", [True, 1.5, ["ada"], {"id": "ada"}, b"ada"])
def test_what_is_no_id_is_refused_rather_than_guessed(given: object) -> None:
    learning, _ = machine([TEA], on_error="log")
    graph = by_hand(learning, reply).compile(store=InMemoryStore())

    with pytest.raises(ScopeError, match="a user_id is a str or an int"):
        graph.invoke(said("I drink tea"), context={"user_id": given})


def test_the_time_zone_of_the_context_dates_the_turn_and_a_wrong_one_is_utc(caplog: pytest.LogCaptureFixture) -> None:
    learning, extractor = machine([], [])
    graph = by_hand(learning, reply).compile(store=InMemoryStore())

    graph.invoke(said("Hi"), context={"user_id": "ada", "timezone": "Asia/Tokyo"})
    graph.invoke(said("Ho"), context={"user_id": "ada", "timezone": "Middle/Earth"})

    assert "time zone Asia/Tokyo" in extractor.prompt("extraction", 0)
    assert "time zone UTC" in extractor.prompt("extraction", 1)
    assert "'Middle/Earth' is no IANA time zone" in caplog.text


# authenticated


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("context", [None, {}, {"user_id": ""}, {"user_id": "ada"}])
async def test_the_authenticated_user_is_the_user(context: Any, colour: Colour) -> None:
    learning, _ = machine([TEA])
    store = InMemoryStore()
    graph = by_hand(learning, reply).compile(store=store)

    await invoked(graph, colour, said("I drink tea"), as_member("ada", user_id="ada"), context=context)

    assert memories(store, "ada") == ["Drinks tea"]


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize(
    ("context", "configurable"),
    [({"user_id": "ada"}, {}), (None, {"user_id": "ada"}), ({"user_id": "mallory"}, {"user_id": "ada"})],
)
async def test_an_authenticated_run_that_names_another_user_is_refused(
    context: Any, configurable: dict[str, object], colour: Colour
) -> None:
    learning, extractor = machine([TEA], repeat=True)
    store = known()
    graph = by_hand(learning, learning.wrap(reply)).compile(store=store)

    with pytest.raises(ScopeError, match="authenticated as 'mallory' and may not act for 'ada'"):
        await invoked(graph, colour, said("Bees?"), as_member("mallory", **configurable), context=context)

    assert memories(store, "ada") == [FACT]
    assert extractor.calls["extraction"] == 0


async def forged(graph: Any, colour: Colour, config: RunnableConfig, victim: str) -> None:
    """Stop a turn of mallory's in its middle, and write another identity into its private state."""
    await invoked(graph, colour, said("I drink tea", id="h1"), config)
    turn = private(graph, "learning_turn", config)
    assert turn["identity"]["user_id"] in ("mallory", "tenant-mallory")
    identity = {**turn["identity"], "user_id": victim}
    graph.update_state(config, {"learning_turn": {**turn, "identity": identity}}, as_node="recall")


@pytest.mark.parametrize("colour", COLOURS)
async def test_forged_private_state_does_not_make_an_authenticated_run_another_users(colour: Colour) -> None:
    learning, extractor = machine([TEA], repeat=True)
    store = known()
    graph = by_hand(learning, pausing, learning.wrap(reply)).compile(store=store, checkpointer=InMemorySaver())
    config = as_member("mallory")
    await forged(graph, colour, config, "ada")

    await invoked(graph, colour, None, config)
    with pytest.raises(ScopeError, match="may not act for 'ada'"):
        await invoked(graph, colour, Command(resume="yes"), config)

    assert memories(store, "ada") == [FACT]
    assert extractor.calls["extraction"] == 0


@pytest.mark.parametrize("colour", COLOURS)
async def test_forged_private_state_is_compared_with_what_a_resolver_says_too(colour: Colour) -> None:
    def tenant(runtime: Runtime[Any]) -> str:
        assert runtime.server_info is not None
        assert runtime.server_info.user is not None
        return f"tenant-{runtime.server_info.user.identity}"

    learning, extractor = machine([TEA], repeat=True, scope=tenant)
    store = known(user="tenant-ada")
    graph = by_hand(learning, pausing, learning.wrap(reply)).compile(store=store, checkpointer=InMemorySaver())
    config = as_member("mallory")
    await forged(graph, colour, config, "tenant-ada")

    await invoked(graph, colour, None, config)
    with pytest.raises(ScopeError, match="tenant-ada"):
        await invoked(graph, colour, Command(resume="yes"), config)

    assert memories(store, "tenant-ada") == [FACT]
    assert extractor.calls["extraction"] == 0


@pytest.mark.parametrize("colour", COLOURS)
async def test_a_tool_compares_the_authenticated_user_too(colour: Colour) -> None:
    model = ScriptedChatModel(replies=[call("delete_memory", id="m1"), "Done."])
    learning = LearningMachine(user_memory=UserMemoryConfig(mode=LearningMode.AGENTIC))
    store = known()
    agent: Any = create_agent(
        model,
        tools=learning.tools(),
        middleware=[*learning.middleware()],
        store=store,
        checkpointer=InMemorySaver(),
        interrupt_before=["tools"],
    )
    config = as_member("mallory")
    await invoked(agent, colour, said("Forget it", id="h1"), config)
    identity = Identity(user_id="ada", thread_id="t1").model_dump()
    forged = {"turn_id": "h1", "identity": identity, "receipt": {}}
    agent.update_state(config, {"learning_turn": forged}, as_node="model")

    with pytest.raises(ScopeError, match="may not act for 'ada'"):
        await invoked(agent, colour, None, config)

    assert memories(store, "ada") == [FACT]


@pytest.mark.parametrize(
    "nonsense", [{"identity": "ada"}, {"turn_id": "h1"}, {"turn_id": "h1", "identity": {"user_id": 7}}]
)
def test_private_state_that_is_no_turn_is_ignored(nonsense: Any) -> None:
    learning, _ = machine([TEA])
    store = InMemoryStore()
    graph = by_hand(learning, pausing).compile(store=store, checkpointer=InMemorySaver())
    graph.invoke(said("I drink tea", id="h1"), thread(), context=ADA)
    graph.update_state(thread(), {"learning_turn": nonsense, "learning_kept": [nonsense]}, as_node="recall")

    graph.invoke(None, thread(), context={"user_id": "bob"})
    graph.invoke(Command(resume="yes"), thread(), context={"user_id": "bob"})
    assert memories(store, "bob") == []  # the words that were kept stay those of who said them

    graph.invoke(said("Hello"), thread(), context=ADA)
    graph.invoke(Command(resume="yes"), thread(), context=ADA)
    assert memories(store) == ["Drinks tea"]


def test_what_is_no_private_state_at_all_does_not_take_the_turn_from_its_user() -> None:
    learning, _ = machine([TEA])
    store = InMemoryStore()
    graph = by_hand(learning, pausing).compile(store=store, checkpointer=InMemorySaver())
    graph.invoke(said("I drink tea", id="h1"), thread(), context=ADA)
    graph.update_state(thread(), {"learning_turn": "bob", "learning_kept": "bob"}, as_node="recall")

    graph.invoke(None, thread())
    graph.invoke(Command(resume="yes"), thread())

    assert memories(store) == ["Drinks tea"]


# a resolver of the developer's own


def test_a_resolver_is_given_what_its_parameters_name() -> None:
    def by_runtime(runtime: Runtime[Any]) -> str:
        return str(runtime.context["tenant"])

    def by_config(config: RunnableConfig) -> str:
        return str(config["configurable"]["tenant"])

    def by_context(context: dict[str, str]) -> str:
        return context["tenant"]

    def by_all(config: RunnableConfig, context: dict[str, str], runtime: Runtime[Any]) -> Identity:
        assert config["configurable"]["tenant"] == runtime.context["tenant"]
        return Identity(user_id=context["tenant"])

    def by_position(anything: Runtime[Any]) -> dict[str, Any]:
        return {"user_id": anything.context["tenant"], "timezone": "Asia/Tokyo"}

    def constant() -> str:
        return "acme"

    for resolver in (by_runtime, by_config, by_context, by_all, by_position, constant):
        learning, _ = machine([TEA], scope=resolver)
        store = InMemoryStore()
        graph = by_hand(learning, reply).compile(store=store)

        graph.invoke(said("I drink tea"), thread(tenant="acme"), context={"tenant": "acme", "user_id": "ada"})

        assert memories(store, "acme") == ["Drinks tea"], resolver
        assert memories(store, "ada") == [], resolver


@pytest.mark.parametrize("answer", [None, "", " ", {"user_id": ""}, Identity(), Identity(user_id="")])
def test_a_resolver_that_names_nobody_fails_closed(answer: object, caplog: pytest.LogCaptureFixture) -> None:
    learning, extractor = machine([TEA], scope=lambda: answer)
    store = known()
    graph = by_hand(learning, learning.wrap(reply)).compile(store=store)

    result = graph.invoke(said("I drink tea"), thread(user_id="ada"), context=ADA)

    assert texts(result["messages"]) == ["I drink tea", "Hello"]
    assert extractor.calls["extraction"] == 0
    assert memories(store) == [FACT]
    assert caplog.text.count("no user_id in this run") == 1


def test_a_resolver_that_raises_or_names_no_id_stops_the_run() -> None:
    def failing() -> str:
        raise PermissionError("not you")

    def wrong() -> list[str]:
        return ["ada"]

    for resolver, error in ((failing, PermissionError), (wrong, ScopeError)):
        learning, extractor = machine([TEA], scope=resolver)
        with pytest.raises(error):
            by_hand(learning, reply).compile(store=known()).invoke(said("Hi"), context=ADA)
        assert extractor.calls["extraction"] == 0


@pytest.mark.parametrize(
    ("answer", "named"),
    [
        ({}, "has no 'user_id'"),
        ({"user": "ada"}, "has no 'user_id'"),
        ({"user_id": "ada", "zone": "UTC"}, "has 'zone'"),
        ({"user_id": "ada", "agent": 7}, "agent"),
    ],
)
def test_a_mapping_that_is_no_identity_is_refused_and_the_fields_are_named(answer: object, named: str) -> None:
    learning, extractor = machine([TEA], scope=lambda: answer)
    with pytest.raises(ScopeError, match=named) as raised:
        by_hand(learning, reply).compile(store=known()).invoke(said("Hi"), context=ADA)
    assert "thread_id" in str(raised.value) or "agent" in named
    assert extractor.calls["extraction"] == 0


def test_a_resolver_may_name_a_thread_by_its_number() -> None:
    learning, _ = machine([TEA], scope=lambda: {"user_id": 7, "thread_id": 12})
    store = InMemoryStore()
    by_hand(learning, reply).compile(store=store).invoke(said("I drink tea"), thread())
    assert memories(store, 7) == ["Drinks tea"]


def test_a_session_context_without_a_thread_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    learning, _ = machine([TEA], [], session_context=True)
    graph = by_hand(learning, learning.wrap(reply)).compile(store=InMemoryStore())

    graph.invoke(said("I drink tea"), context=ADA)
    graph.invoke(said("Hello again"), context=ADA)

    assert caplog.text.count("no thread_id in this run: session_context neither reads nor writes;") == 1
    assert "'thread_id'" in caplog.text
    assert "user_memory" not in caplog.text


def test_a_run_with_user_and_thread_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    learning, _ = machine([TEA], session_context=True)
    by_hand(learning, reply).compile(store=InMemoryStore()).invoke(said("I drink tea"), thread(), context=ADA)
    assert "in this run" not in caplog.text


# one user and another


PAIRS = [
    ("Ada", "ada"),
    ("ada", "ada.lovelace"),
    ("ada", "ada/thread/t1"),
    ("ada", "ada~"),
    ("a/b", "a.b"),
    ("a.b", "a~2e~b"),
    ("a", "a "),
    ("%", "_"),
    ("*", "ada"),
    ("é", "e\u0301"),
    ("ß", "ss"),
    ("1", "١"),
    ("0", "00"),
]


@pytest.mark.parametrize(("one", "other"), [*PAIRS, *((other, one) for one, other in PAIRS)])
@pytest.mark.parametrize("kind", ["memory", "sqlite"])
def test_two_users_never_see_each_other(one: str, other: str, kind: str) -> None:
    learning, _ = machine(
        [TEA, op("update_session_context", summary="About tea")], session_context=SessionContextConfig()
    )
    shown: list[Any] = []

    def agent(state: MessagesState) -> dict[str, Any]:
        shown.append(texts(state["messages"]))
        return reply(state)

    with connect("sqlite:///:memory:") as db:
        store = InMemoryStore() if kind == "memory" else db.store
        graph = by_hand(learning, learning.wrap(agent)).compile(store=store)
        graph.invoke(said("I drink tea"), thread(), context={"user_id": one})
        graph = by_hand(machine([], [], session_context=True)[0], learning.wrap(agent)).compile(store=store)
        graph.invoke(said("What do I drink?"), thread(), context={"user_id": other})
        graph.invoke(said("What do I drink?"), thread("t2"), context={"user_id": other})

        assert shown == [["I drink tea"], ["What do I drink?"], ["What do I drink?"]]
        theirs = learning.scoped(user_id=other, thread_id="t1", store=store)
        assert theirs.records() == []
        assert theirs.search("tea") == []
        assert theirs.commits() == []
        mine = learning.scoped(user_id=one, thread_id="t1", store=store)
        assert sorted(record.text for record in mine.records()) == ["About tea", "Drinks tea"]


def test_a_session_of_one_thread_is_not_that_of_another() -> None:
    learning, _ = machine([op("update_session_context", summary="About tea")], user_memory=False, session_context=True)
    store = InMemoryStore()
    by_hand(learning, reply).compile(store=store).invoke(said("Tea"), thread("a"), context=ADA)

    threads = ["a", "A", "a.b", ""]
    found = [learning.scoped(user_id="ada", thread_id=name or None, store=store).records() for name in threads]
    assert [len(records) for records in found] == [1, 0, 0, 0]


def test_every_id_has_a_namespace_of_its_own_without_a_dot() -> None:
    from langgraph_learning.namespace_labels import label, unlabel
    from langgraph_learning.records import Scope

    ids = [*dict.fromkeys(itertools.chain(*PAIRS)), "", "~", "~~", "~2e~", "A~41~", "x" * 300, "\x00", "\n", "🐝"]
    paths = [Scope(user_id=each).path for each in ids]

    assert len(set(paths)) == len(ids)
    assert len({tuple(part.casefold() for part in path) for path in paths}) >= len(ids) - 1  # "ß" folds to "ss"
    assert [unlabel(label(each)) for each in ids] == ids
    assert not any("." in part or not part for path in paths for part in path)


@pytest.mark.parametrize("colour", COLOURS)
async def test_the_receipt_of_one_user_is_not_told_to_the_next_in_the_same_thread(colour: Colour) -> None:
    learning, _ = machine([], [])
    graph = by_hand(learning, learning.wrap(reply)).compile(store=known(), checkpointer=InMemorySaver())

    first = await streamed(graph, colour, said("Bees?"), thread(), context=ADA, stream_mode="custom")
    second = await streamed(graph, colour, said("Bees?"), thread(), context={"user_id": "bob"}, stream_mode="custom")

    assert len(first[0]["receipt"]["shown"]) == 1
    assert second[0]["receipt"]["shown"] == []
    assert private(graph, "learning_turn")["identity"]["user_id"] == "bob"
