"""No option without an effect: every field of every configuration is turned, and something else comes of it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import pytest
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_core.messages import AIMessage, ToolCall, ToolMessage
from langchain_core.vectorstores import InMemoryVectorStore
from langgraph.store.base import BaseStore
from langgraph.store.memory import InMemoryStore
from pydantic import Field, create_model

import langgraph_learning
from langgraph_learning import (
    Commit,
    ConversationsConfig,
    DecisionLogConfig,
    LearningMachine,
    LearningMode,
    ProceduresConfig,
    Scoped,
    create_learning_agent,
)
from langgraph_learning.config import StoreConfig
from langgraph_learning.errors import ConfigurationError
from langgraph_learning.schemas import UserMemory
from langgraph_learning.testing import ScriptedChatModel, op

Kind = type[StoreConfig]
ALWAYS, AGENTIC, PROPOSE = LearningMode.ALWAYS, LearningMode.AGENTIC, LearningMode.PROPOSE
TWO: dict[str, list[dict[str, Any]]] = {
    "user_profile": [op("update_user_profile", name="Alice"), op("update_user_profile", preferred_name="Al")],
    "user_memory": [op("add_memory", content="Likes tea"), op("add_memory", content="Plays chess")],
    "session_context": [op("update_session_context", summary=summary) for summary in ("Tea.", "Tea, then chess.")],
    "entity_memory": [op("remember_about", entity=name, entity_type="company") for name in ("Acme", "Bolt")],
    "learned_knowledge": [op("save_learning", title=name, learning=f"{name} costs") for name in ("Egress", "Disk")],
    "decision_log": [op("log_decision", decision=name, reasoning="Speed") for name in ("Use Rust", "Use Postgres")],
    "procedures": [
        op("save_procedure", title=f"Count {name}", when=f"{name} are asked for", steps=[f"Sum {name}"])
        for name in ("orders", "visits")
    ],
    "instructions": [op("add_instruction", rule=rule) for rule in ("Answer in one sentence.", "Name your sources.")],
    "conversations": [],
}
"""What each learning store is told: two changes; conversations are told nothing, they keep what was said."""


def kinds() -> Iterator[Kind]:
    """Every configuration that the package exports."""
    found = (getattr(langgraph_learning, name) for name in langgraph_learning.__all__)
    return (each for each in found if isinstance(each, type) and issubclass(each, StoreConfig))


def slot(kind: Kind) -> str:
    """`UserProfileConfig` configures `user_profile`."""
    words = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in kind.__name__)
    return words.removesuffix("_config").strip("_")


@dataclass
class Learned:
    """What came of one turn under a configuration."""

    machine: LearningMachine
    model: ScriptedChatModel
    commit: Commit | None
    scoped: Scoped

    @property
    def tools(self) -> list[str]:
        return [tool.name for tool in self.machine.tools()]

    @property
    def prompt(self) -> str:
        return self.model.prompt("extraction")

    @property
    def changes(self) -> int:
        return len(self.commit.changes) + len(self.commit.proposed) if self.commit else 0


def learn(kind: Kind, store: BaseStore | None = None, said: Sequence[Any] = (), **options: Any) -> Learned:
    """One turn of a machine whose learning store is configured with `options`; extracting, if they do not say how."""
    options = {"mode": ALWAYS if ALWAYS in kind.modes else PROPOSE, **options}
    model = ScriptedChatModel(extractions=[TWO[slot(kind)]])
    configured: dict[str, Any] = {slot(kind): kind(**options)}
    machine = LearningMachine(model=model, store=store or InMemoryStore(), **configured)
    scoped = machine.scoped(user_id="alice", thread_id="c1")
    return Learned(machine, model, scoped.learn([("user", "I'm Alice."), *said]), scoped)


def mode(kind: Kind) -> None:
    came = {}
    for each in LearningMode:
        if each not in kind.modes:
            with pytest.raises(ConfigurationError):
                kind(mode=each)
            continue
        made = learn(kind, mode=each)
        came[each] = [
            bool(made.tools),
            bool(made.model.calls),
            bool(made.scoped.records()),
            bool(made.scoped.proposals()),
        ]
    wanted = {
        ALWAYS: [False, True, True, False],
        AGENTIC: [True, False, False, False],
        PROPOSE: [False, True, False, True],
    }
    assert came == {each: wanted[each] for each in came}


def schema(kind: Kind) -> None:
    fields: dict[str, Any] = {"flavour": (str | None, Field(default=None, description="THE-DESCRIPTION"))}
    own = create_model("Mine", __base__=kind.base, **fields)
    assert "THE-DESCRIPTION" not in str(learn(kind).model.schemas)
    assert "THE-DESCRIPTION" in str(learn(kind, schema=own).model.schemas)


def model(kind: Kind) -> None:
    own = ScriptedChatModel(extractions=[TWO[slot(kind)]])
    made = learn(kind, model=own)
    assert (own.calls, made.model.calls) == ({"extraction": 1}, {})


def max_updates_per_run(kind: Kind) -> None:
    assert (learn(kind).changes, learn(kind, max_updates_per_run=1).changes) == (2, 1)


def instructions(kind: Kind) -> None:
    default = learn(kind)
    [own] = default.machine.stores
    assert own.extraction_instructions in default.prompt
    made = learn(kind, instructions="ONLY-TEA")
    assert "ONLY-TEA" in made.prompt
    assert own.extraction_instructions not in made.prompt


def additional_instructions(kind: Kind) -> None:
    [own] = learn(kind).machine.stores
    assert f"{own.extraction_instructions}\nALSO-TEA" in learn(kind, additional_instructions="ALSO-TEA").prompt


def enable_agent_tools(kind: Kind) -> None:
    assert learn(kind).tools == []
    assert learn(kind, enable_agent_tools=True).tools != []


def learn_from_tools(kind: Kind) -> None:
    looked_up = AIMessage("", tool_calls=[ToolCall(name="look_up", args={}, id="1")])
    said = [looked_up, ToolMessage("FOUND-BY-TOOL", tool_call_id="1"), ("assistant", "Done.")]
    heard = [learn(kind, said=said, learn_from_tools=told).prompt for told in (False, True)]
    assert ["FOUND-BY-TOOL" in prompt for prompt in heard] == [False, True]


def offers(operation: str) -> Callable[[Kind], None]:
    """An option that takes one operation away, from extraction and from tools.

    Operations on an id are offered where there are records, so another turn came before.
    """
    switched: dict[str, Any] = {f"enable_{operation.partition('_')[0]}": False}

    def effect(kind: Kind) -> None:
        made: list[Learned] = []
        for options in ({}, switched):
            learn(kind, store := InMemoryStore())
            made.append(learn(kind, store, [("user", "And?")], enable_agent_tools=True, **options))
        with_it, without = made
        assert [operation in str(turn.model.schemas) for turn in made] == [True, False]
        assert set(with_it.tools) - set(without.tools) == {operation}

    return effect


def enable_planning(kind: Kind) -> None:
    plain, planning = learn(kind), learn(kind, enable_planning=True)
    assert ["goal" in str(made.model.schemas) for made in (plain, planning)] == [False, True]
    assert plain.prompt != planning.prompt


def open_fields(kind: Kind) -> None:
    assert ["details" in str(learn(kind, open_fields=told).model.schemas) for told in (True, False)] == [True, False]


def apart(option: str) -> Callable[[Kind], None]:
    """An option that says where records lie: elsewhere they are not seen."""

    def effect(kind: Kind) -> None:
        store = InMemoryStore()
        made = learn(kind, store, **{option: "here"}).scoped
        for proposal in made.proposals():  # they wait for the user who made them, wherever the records will lie
            made.decide(proposal.id, "approve")
        seen: list[int] = []
        for place in ("here", "elsewhere"):
            there: dict[str, Any] = {option: place}
            configured: dict[str, Any] = {slot(kind): kind(**there)}
            scoped = LearningMachine(store=store, **configured).scoped(user_id="alice", thread_id="c1")
            seen.append(len(scoped.records()))
        assert seen == [2, 0]

    return effect


def knowledge(kind: Kind) -> None:
    vectors = InMemoryVectorStore(DeterministicFakeEmbedding(size=4))
    learn(kind, knowledge=vectors)
    assert len(vectors.store) == 2


EFFECTS: dict[str, Callable[[Kind], None]] = {
    "mode": mode,
    "schema": schema,
    "model": model,
    "max_updates_per_run": max_updates_per_run,
    "instructions": instructions,
    "additional_instructions": additional_instructions,
    "enable_agent_tools": enable_agent_tools,
    "learn_from_tools": learn_from_tools,
    "enable_add": offers("add_memory"),
    "enable_update": offers("update_memory"),
    "enable_delete": offers("delete_memory"),
    "enable_planning": enable_planning,
    "open_fields": open_fields,
    "namespace": apart("namespace"),
    "agent": apart("agent"),
    "knowledge": knowledge,
}
"""What each field does, shown by turning it."""


def logged(kind: Kind, *before: Any, **options: Any) -> tuple[Scoped, str]:
    """An agent that logs two decisions by its tools; and what it was told of the tools."""
    calls = [each | {"quote": None} for each in TWO[slot(kind)]]
    asked = [
        ToolCall(name=str(each.pop("operation")), args={k: v for k, v in each.items() if k != "quote"}, id=str(number))
        for number, each in enumerate(calls)
    ]
    model, store = ScriptedChatModel(replies=[AIMessage("", tool_calls=asked), "Done."]), InMemoryStore()
    configured: dict[str, Any] = {slot(kind): kind(**options)}
    machine = LearningMachine(**configured)
    agent = create_learning_agent(model, learning=machine, store=store)
    agent.invoke({"messages": [("user", "Decide."), *before]}, context={"user_id": "alice"})
    described = " ".join(f"{tool.description} {tool.args}" for tool in machine.tools())
    return machine.scoped(user_id="alice", store=store, agent=options.get("agent")), described


def log_mode(kind: Kind) -> None:
    kept = {each: logged(kind, mode=each)[0] for each in kind.modes}
    assert {each: len(scoped.records()) for each, scoped in kept.items()} == {AGENTIC: 2, PROPOSE: 0}
    assert {each: len(scoped.proposals()) for each, scoped in kept.items()} == {AGENTIC: 0, PROPOSE: 2}


def log_schema(kind: Kind) -> None:
    fields: dict[str, Any] = {"flavour": (str | None, Field(default=None, description="THE-DESCRIPTION"))}
    own = create_model("Mine", __base__=kind.base, **fields)
    assert ["THE-DESCRIPTION" in logged(kind, schema=each)[1] for each in (None, own)] == [False, True]


def log_limit(kind: Kind) -> None:
    assert [len(logged(kind, max_updates_per_run=limit)[0].records()) for limit in (None, 1)] == [2, 1]


def log_tools(kind: Kind) -> None:
    looked_up = AIMessage("", tool_calls=[ToolCall(name="look_up", args={}, id="0")])
    said = [looked_up, ToolMessage("Use Rust! Use Postgres! For speed!", tool_call_id="0")]
    assert [len(logged(kind, *said, learn_from_tools=told)[0].records()) for told in (False, True)] == [0, 2]


def told(option: str) -> Callable[[Kind], None]:
    def effect(kind: Kind) -> None:
        heard: list[dict[str, Any]] = [{}, {option: "ONLY-TEA"}]
        assert ["ONLY-TEA" in logged(kind, **options)[1] for options in heard] == [False, True]

    return effect


def refused(option: str, value: Any) -> Callable[[Kind], None]:
    def effect(kind: Kind) -> None:
        with pytest.raises(ConfigurationError, match=option):
            kind(**{option: value})

    return effect


def log_agent(kind: Kind) -> None:
    scoped, _ = logged(kind, agent="planner")
    assert len(scoped.records()) == 2
    other = scoped.stores[0].scope(scoped.identity.model_copy(update={"agent": "writer"}))
    assert other is not None
    assert other != scoped.records()[0].scope


LOGGED = {
    "mode": log_mode,
    "schema": log_schema,
    "model": refused("model", ScriptedChatModel()),
    "max_updates_per_run": log_limit,
    "instructions": told("instructions"),
    "additional_instructions": told("additional_instructions"),
    "enable_agent_tools": refused("enable_agent_tools", True),
    "learn_from_tools": log_tools,
    "agent": log_agent,
}
"""The same for the decision log, which an agent writes by its tools and no extraction."""


def trajectory_tools(kind: Kind) -> None:
    """Its extraction reads what tools returned in any case; what only a tool has said is refused."""
    looked_up = AIMessage("", tool_calls=[ToolCall(name="look_up", args={}, id="1")])
    page = "Count orders when orders are asked for: Sum orders. Count visits when visits are asked for: Sum visits."
    said = [looked_up, ToolMessage(page, tool_call_id="1"), ("assistant", "Done.")]
    assert [learn(kind, said=said, learn_from_tools=told).changes for told in (False, True)] == [0, 2]


def texts(made: Learned) -> list[object]:
    return [record.content["text"] for record in made.scoped.records()]


WELCOME = ("assistant", "Welcome, Alice.")


def spoken_mode(kind: Kind) -> None:
    for other in set(LearningMode) - kind.modes:
        refused("mode", other)(kind)
    made = learn(kind, mode=ALWAYS)
    assert (texts(made), made.tools, made.scoped.proposals()) == (["I'm Alice."], [], [])
    assert made.model.calls == {}


def spoken_roles(kind: Kind) -> None:
    roles = [("user", "assistant"), ("user",), ("assistant",)]
    kept = [texts(learn(kind, said=[WELCOME], roles=each)) for each in roles]
    assert kept == [["I'm Alice.", "Welcome, Alice."], ["I'm Alice."], ["Welcome, Alice."]]


def spoken_length(kind: Kind) -> None:
    assert [texts(learn(kind, max_chars=limit)) for limit in (3, 10)] == [["I'm"], ["I'm Alice."]]


def spoken_retention(kind: Kind) -> None:
    kept = []
    for retention in (None, timedelta(days=3), timedelta(days=1)):
        made = learn(kind, retention=retention)
        made.scoped.learn([("user", "I sail to Lisbon.")], at=datetime.now(UTC) - timedelta(days=2))
        kept.append(texts(made).count("I sail to Lisbon."))
    assert kept == [1, 1, 0]


def spoken_share(kind: Kind) -> None:
    """The recalled text may be 2000 tokens long."""
    said = [("user", f"Tea number {number}: {'my favourite tea ' * 20}") for number in range(30)]
    spent = []
    for share in (1.0, 0.5, 0.1):
        other_thread = learn(kind, said=said, share=share).machine.scoped(user_id="alice", thread_id="c2")
        spent.append(sum(shown.tokens for shown in other_thread.recall("Which tea?").receipt.shown))
    assert 1_000 < spent[0] <= 2_000
    assert 200 < spent[1] <= 1_000
    assert 0 < spent[2] <= 200


SPOKEN = {
    "mode": spoken_mode,
    "schema": refused("schema", UserMemory),
    "model": refused("model", ScriptedChatModel()),
    "max_updates_per_run": refused("max_updates_per_run", 1),
    "instructions": refused("instructions", "ONLY-TEA"),
    "additional_instructions": refused("additional_instructions", "ALSO-TEA"),
    "enable_agent_tools": enable_agent_tools,
    "learn_from_tools": refused("learn_from_tools", True),
    "roles": spoken_roles,
    "max_chars": spoken_length,
    "retention": spoken_retention,
    "share": spoken_share,
}
"""The same for conversations, which keep what was said and ask no model."""


def unshown(kind: Kind) -> list[str]:
    return [field.name for field in fields(kind) if field.name not in effects(kind)]


def effects(kind: Kind) -> dict[str, Callable[[Kind], None]]:
    own = {
        DecisionLogConfig: LOGGED,
        ConversationsConfig: SPOKEN,
        ProceduresConfig: EFFECTS | {"learn_from_tools": trajectory_tools},
    }
    return own.get(kind, EFFECTS)


EVERY = [
    pytest.param(kind, field.name, id=f"{kind.__name__}-{field.name}") for kind in kinds() for field in fields(kind)
]


@pytest.mark.parametrize(("kind", "field"), EVERY)
def test_every_field_of_every_configuration_has_an_effect(kind: Kind, field: str) -> None:
    assert unshown(kind) == [], f"say in EFFECTS what this field of {kind.__name__} does"
    effects(kind)[field](kind)


def test_a_field_that_nothing_is_shown_of_is_found() -> None:
    @dataclass(frozen=True, kw_only=True)
    class LaterConfig(StoreConfig):
        dead: bool = False

    assert unshown(LaterConfig) == ["dead"]


@pytest.mark.parametrize("kind", list(kinds()))
def test_a_refused_option_is_a_field_whose_default_may_be_given(kind: Kind) -> None:
    defaults: dict[str, Any] = {field.name: field.default for field in fields(kind)}
    assert set(kind.refuses) <= set(defaults)
    assert kind(**{option: defaults[option] for option in kind.refuses}) == kind()


def test_a_configuration_of_ones_own_refuses_what_it_names() -> None:
    @dataclass(frozen=True, kw_only=True)
    class TodosConfig(StoreConfig):
        refuses: ClassVar[Mapping[str, str]] = {"schema": "a task is a text", "due": "nothing is ever due"}
        due: bool = False

    assert TodosConfig(instructions="ONLY-TEA").instructions == "ONLY-TEA"
    given: list[dict[str, Any]] = [{"schema": UserMemory}, {"due": True}, {"due": 0}, {"due": None}]
    for options in given:
        with pytest.raises(ConfigurationError, match=rf"TodosConfig\({next(iter(options))}=...\): .+; leave it out"):
            TodosConfig(**options)


def test_the_configurations_that_are_known_today_are_all_looked_at() -> None:
    assert {"user_profile", "user_memory", "session_context"} <= {slot(kind) for kind in kinds()} <= set(TWO)
