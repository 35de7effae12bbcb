"""A learning store of one's own does what ours do, and one that is not complete says what it lacks."""

import inspect
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any

import pytest
from langgraph.store.memory import InMemoryStore
from pydantic import Field, create_model
from stores.plans import AT, after

from examples.custom_store import Todos
from langgraph_learning import (
    LearningDB,
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
from langgraph_learning.stores import (
    LearningStore,
    Operation,
    SessionContextStore,
    UserMemoryStore,
    UserProfileStore,
    operation,
)
from langgraph_learning.stores.base import Ranked
from langgraph_learning.testing import ScriptedChatModel, call, op

ADA = {"user_id": "ada"}
NOTED = {"task": "Water the bees", "due": "2026-05-01"}


@pytest.fixture
def db() -> Iterator[LearningDB]:
    with connect("sqlite:///:memory:") as opened:
        yield opened


def asked(agent: Any, text: str, thread: str) -> str:
    answer = agent.invoke({"messages": [("user", text)]}, {"configurable": {"thread_id": thread}}, context=ADA)
    return str(answer["messages"][-1].text)


def agent_of(mode: LearningMode, model: ScriptedChatModel, db: LearningDB) -> tuple[Any, LearningMachine]:
    machine = LearningMachine(model=model, custom_stores=[Todos(StoreConfig(mode=mode))])
    return create_learning_agent(model, learning=machine, db=db), machine


def test_always_learns_recalls_and_undoes_what_the_example_knows(db: LearningDB) -> None:
    model = ScriptedChatModel(
        replies=["Noted.", "Well done.", "Water the bees."],
        extractions=[[op("add_todo", quote="water the bees by May 1st", **NOTED)], [op("finish_todo", id="t1")], []],
    )
    agent, machine = agent_of(LearningMode.ALWAYS, model, db)
    assert machine.tools() == []
    ada = machine.scoped(user_id="ada", store=db.store)

    asked(agent, "I must water the bees by May 1st", "one")
    [record] = ada.records("todos")
    assert (record.text, record.content) == ("Water the bees", {**NOTED, "done": False})
    assert "Tasks that the user wants to get done" in model.prompt("extraction")

    asked(agent, "That is done", "two")
    assert "Water the bees (due 2026-05-01)" in model.prompt("reply")
    assert ada.records()[0].content["done"] is True

    ada.undo(ada.commits()[-1].id)
    assert ada.records()[0].content["done"] is False
    assert [revision.version for revision in ada.history(record.id)] == [1, 2, 3]
    asked(agent, "What is left?", "three")
    assert "done" not in model.prompt("reply").split("Water the bees")[1].splitlines()[0]
    assert [found.text for found in ada.search("bees")] == ["Water the bees"]


def test_agentic_gives_the_example_tools_that_do_the_same(db: LearningDB) -> None:
    model = ScriptedChatModel(
        replies=[call("add_todo", **NOTED), "Noted.", call("finish_todo", id="t1", call_id="call_2"), "Well done."]
    )
    agent, machine = agent_of(LearningMode.AGENTIC, model, db)
    assert [tool.name for tool in machine.tools()] == ["add_todo", "finish_todo"]
    ada = machine.scoped(user_id="ada", store=db.store)

    assert asked(agent, "I must water the bees", "one") == "Noted."
    assert asked(agent, "That is done", "two") == "Well done."
    assert "Water the bees (due 2026-05-01)" in model.prompt("reply")
    assert ada.records("todos")[0].content == {**NOTED, "done": True}
    assert model.calls["extraction"] == 0

    ada.undo(ada.commits()[-1].id)
    assert ada.records("todos")[0].content == {**NOTED, "done": False}


def test_the_example_is_short() -> None:
    module = inspect.getmodule(Todos)
    assert module is not None
    assert len(inspect.getsource(module).splitlines()) < 60


@pytest.mark.parametrize(("days", "count"), [(None, 1), (20, 1), (7, 0)])
def test_a_search_of_ones_own_with_days_leaves_out_what_is_older(days: int | None, count: int) -> None:
    class Tasks(Todos):
        name = "tasks"
        searches = (operation("search_tasks", "Search the tasks.", days=(int | None, Field(default=None))),)

    store = Tasks()
    [record] = after(store, ("add_todo", {"task": "Water the bees", "due": "2026-05-01"}))
    [search] = [kind.model_validate({"days": days}) for kind in store.searches]
    entries = store.search_entries(search, [Ranked(record, 1.0)], AT + timedelta(days=10))
    assert len(entries) == count


def test_the_code_in_the_docstring_of_the_class_runs() -> None:
    found = re.search(r"```python\n(.*?)```", inspect.cleandoc(LearningStore.__doc__ or ""), flags=re.S)
    assert found is not None
    model = ScriptedChatModel(extractions=[[op("add_todo", task="Water the bees")]])
    namespace: dict[str, Any] = {"model": model}
    exec(found[1], namespace)
    ada = namespace["machine"].scoped(user_id="ada", store=InMemoryStore())
    ada.learn([("user", "I must water the bees")])
    assert [record.text for record in ada.records("todos")] == ["Water the bees"]


class Planless(LearningStore):
    """What all of these share."""

    def plan(self, operation: Operation, records: Sequence[Record]) -> list[Change]:
        return []


class Nameless(Planless):
    """No name."""


class Dotted(Planless):
    """A name that no store takes."""

    name = "my.todos"


class Idle(Planless):
    """No operations."""

    name = "idle"


class Bare(Planless):
    """No configuration."""

    name = "bare"

    def __init__(self) -> None:
        self.operations = ()


class Odd(Planless):
    """Operations that are none."""

    name = "odd"

    def __init__(self) -> None:
        super().__init__()
        self.operations = ("add",)  # type: ignore[assignment]


class Quoting(Operation):
    """An operation with a field that the answer has already."""

    quote: str


class Written(Planless):
    """An operation that is written as a class."""

    name = "written"

    def __init__(self) -> None:
        super().__init__()
        self.operations = (Quoting,)


@pytest.mark.parametrize(
    ("kind", "fix"),
    [
        (Nameless, 'Nameless has no usable name: set `name = "todos"`'),
        (Dotted, "an identifier"),
        (Idle, r"Idle has no operations: set `self.operations"),
        (Bare, r"call `super\(\).__init__\(config\)`"),
        (Odd, "Odd has no operations"),
        (Written, "'quote' of Written.Quoting"),
    ],
)
def test_a_learning_store_that_is_not_complete_says_what_to_set(kind: Callable[[], LearningStore], fix: str) -> None:
    with pytest.raises(ConfigurationError, match=fix):
        LearningMachine(custom_stores=[kind()])


def test_a_nameless_learning_store_refuses_a_wrong_configuration_too() -> None:
    with pytest.raises(ConfigurationError, match="Nameless takes a StoreConfig"):
        Nameless("always")  # type: ignore[arg-type]


@pytest.mark.parametrize("field", ["operation", "quote", "runtime", "config", "self", "run_manager"])
def test_an_operation_has_no_field_of_a_reserved_name(field: str) -> None:
    with pytest.raises(ConfigurationError, match=f"'{field}' of add_todo has a reserved name"):
        operation("add_todo", "Note a task.", **{field: (str, Field())})


@pytest.mark.parametrize("field", ["operation", "quote", "runtime", "config", "run_manager", "id"])
def test_a_schema_has_no_field_of_a_reserved_name(field: str) -> None:
    makers: list[tuple[type[Any], Callable[[Any], object]]] = [
        (UserProfile, lambda schema: UserProfileStore(UserProfileConfig(schema=schema))),
        (UserMemory, lambda schema: UserMemoryStore(UserMemoryConfig(schema=schema))),
        (SessionContext, lambda schema: SessionContextStore(SessionContextConfig(schema=schema))),
    ]
    for base, make in makers:
        fields: dict[str, Any] = {field: (str | None, None)}
        schema = create_model("Mine", __base__=base, **fields)
        with pytest.raises(ConfigurationError, match=f"'{field}' of Mine has a reserved name: rename it"):
            make(schema)
