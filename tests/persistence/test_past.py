"""History, undo, erasure, export and time travel of what was learned, on the stores that `connect` opens."""

import asyncio
import json
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from langchain_core.embeddings import DeterministicFakeEmbedding, Embeddings
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.graph import MessagesState
from langgraph.graph.state import CompiledStateGraph
from langgraph.store.memory import InMemoryStore
from langgraph.types import Command, interrupt
from psycopg.sql import SQL, Identifier
from pydantic import Field

from langgraph_learning import (
    LearningContext,
    LearningDB,
    LearningMachine,
    SessionContextConfig,
    UserProfileConfig,
    connect,
    create_learning_agent,
)
from langgraph_learning.errors import (
    ConfigurationError,
    ConflictError,
    RecordError,
    ScopeError,
    StoreError,
    UnsupportedByStore,
)
from langgraph_learning.schemas import UserProfile
from langgraph_learning.scoped import Scoped
from langgraph_learning.testing import ScriptedChatModel, op

TEA = op("add_memory", content="Likes green tea", quote="green tea")
COFFEE = op("update_memory", id="m1", content="Likes coffee", quote="coffee")


def alex(db: LearningDB, *extractions: Any, **kinds: Any) -> Scoped:
    model = ScriptedChatModel(extractions=extractions)
    machine = LearningMachine(**{"user_profile": True, "user_memory": True, **kinds}, model=model, store=db.store)
    return machine.scoped(user_id="alex@example.com", thread_id="t1")


def digest(scoped: Scoped) -> str:
    return json.dumps(list(scoped.export()), sort_keys=True)


def test_history_shows_every_state_with_its_source(db: LearningDB) -> None:
    scoped = alex(db, [TEA], [COFFEE], [op("delete_memory", id="m1")])
    for said in ("I like green tea", "I like coffee now", "Forget my drink"):
        assert scoped.learn([("user", said)])
    [first] = scoped.commits()[0].changes
    states = scoped.history(first.id)
    assert [state.record.text if state.record else None for state in states] == [
        "Likes green tea",
        "Likes coffee",
        None,
    ]
    assert [state.commit for state in states] == [commit.id for commit in scoped.commits()]
    assert states[1].record
    assert states[1].record.source.quote == "coffee"
    assert [state.version for state in states] == sorted({state.version for state in states})


def test_undo_restores_the_exact_state_before_a_turn(db: LearningDB) -> None:
    mixed = [COFFEE, op("add_memory", content="Has a dog"), op("update_user_profile", name="Alex", preferred_name="Al")]
    scoped = alex(db, [TEA, op("update_user_profile", name="Alexander")], mixed)
    scoped.learn([("user", "I am Alexander and like green tea")])
    before = digest(scoped)
    second = scoped.learn([("user", "coffee! And my dog. Call me Al")])
    assert second
    assert digest(scoped) != before
    undone = scoped.undo(second.id)
    assert digest(scoped) == before
    assert {change.kind for change in undone.changes} == {"update", "remove"}


def test_what_was_undone_can_be_redone_and_deleted_records_come_back(db: LearningDB) -> None:
    scoped = alex(db, [TEA], [op("delete_memory", id="m1")])
    scoped.learn([("user", "I like green tea")])
    before = digest(scoped)
    removal = scoped.learn([("user", "Forget that")])
    assert removal
    after = digest(scoped)
    undone = scoped.undo(removal.id)
    assert digest(scoped) == before
    scoped.undo(undone.id)
    assert digest(scoped) == after


def test_a_commit_that_was_built_upon_is_not_undone_blindly(db: LearningDB) -> None:
    scoped = alex(db, [TEA], [COFFEE])
    first = scoped.learn([("user", "I like green tea")])
    second = scoped.learn([("user", "I like coffee now")])
    assert first
    assert second
    before = digest(scoped)
    with pytest.raises(ConflictError, match="undo what came later first"):
        scoped.undo(first.id)
    assert digest(scoped) == before
    scoped.undo(second.id)
    with pytest.raises(ConflictError):  # twice: the record is not as the commit left it
        scoped.undo(second.id)
    scoped.undo(first.id)
    assert scoped.records() == []


def test_nobody_undoes_or_sees_the_history_of_another_user(db: LearningDB) -> None:
    scoped = alex(db, [TEA])
    commit = scoped.learn([("user", "I like green tea")])
    assert commit
    other = LearningMachine(user_memory=True, store=db.store).scoped(user_id="sam")
    with pytest.raises(ScopeError):
        other.undo(commit.id)
    for stranger in (commit.changes[0].id, "nope", "", None, 5):
        with pytest.raises(ScopeError, match="there is no record"):
            other.history(stranger)  # type: ignore[arg-type]
    assert [record.text for record in scoped.records()] == ["Likes green tea"]


def test_an_undone_turn_is_not_learned_again_by_a_replay_and_that_is_said(
    db: LearningDB, caplog: pytest.LogCaptureFixture
) -> None:
    scoped = alex(db, [TEA])
    said = [HumanMessage("I like green tea", id="h1")]
    commit = scoped.learn(said)
    assert commit
    undo = scoped.undo(commit.id)
    assert scoped.learn(said) is None  # a second extraction is not scripted: it would fail
    assert scoped.records() == []
    assert f"undo the commit {undo.id}" in caplog.text


def test_a_turn_whose_undo_is_undone_is_learned_again_as_before(
    db: LearningDB, caplog: pytest.LogCaptureFixture
) -> None:
    scoped = alex(db, [TEA])
    said = [HumanMessage("I like green tea", id="h1")]
    commit = scoped.learn(said)
    assert commit
    for _ in range(2):  # undone, and redone
        undo = scoped.undo(commit.id)
        redo = scoped.undo(undo.id)
        again = scoped.learn(said)
        assert again
        assert again.id == commit.id
    assert caplog.text == ""
    scoped.undo(redo.id)
    assert scoped.learn(said) is None


def test_a_part_of_a_history_that_was_undone_does_not_hold_up_the_rest(
    db: LearningDB, caplog: pytest.LogCaptureFixture
) -> None:
    history = [HumanMessage(f"I like tea number {number}", id=f"h{number}") for number in range(60)]
    scoped = alex(db, [TEA], [op("add_memory", content="Likes tea number 50", quote="I like tea number 50")])
    scoped.learn(history[:40])
    [first] = scoped.commits()
    scoped.undo(first.id)
    commit = scoped.learn(history)
    assert commit
    assert [record.text for record in scoped.records()] == ["Likes tea number 50"]
    assert caplog.text.count("was undone") == 1


def test_forget_leaves_no_byte_of_the_user_in_the_database(tmp_path: Path) -> None:
    path = tmp_path / "learning.db"
    with connect(f"sqlite:///{path}") as db:
        scoped = alex(db, [TEA], [COFFEE], session_context=True)
        scoped.learn([("user", "I like green tea")])
        scoped.learn([("user", "I like coffee now")])
        assert sum(scoped.forget().values()) > 0
        assert list(scoped.export()) == []
        assert scoped.commits() == []
    left = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    for word in (b"green tea", b"coffee", b"alex@example"):
        assert word not in left


def test_forget_leaves_no_byte_of_the_user_in_any_table_of_postgres(postgres_url: str) -> None:
    with connect(postgres_url) as db:
        scoped = alex(db, [TEA], [COFFEE])
        scoped.learn([("user", "I like green tea")])
        scoped.learn([("user", "I like coffee now")])
        other = LearningMachine(user_memory=True, model=ScriptedChatModel(extractions=[[TEA]]), store=db.store)
        other.scoped(user_id="sam").learn([("user", "I like green tea")])
        scoped.forget()
        assert [record.text for record in other.scoped(user_id="sam").records()] == ["Likes green tea"]
        other.scoped(user_id="sam").forget()
    with psycopg.connect(postgres_url) as connection:
        tables = connection.execute("select tablename from pg_tables where schemaname = 'public'").fetchall()
        query = SQL("select t::text from {} t")
        dump = str([connection.execute(query.format(Identifier(name))).fetchall() for (name,) in tables])
    for word in ("tea", "coffee", "alex@example"):
        assert word not in dump


def test_export_and_load_carry_a_user_over(db: LearningDB) -> None:
    scoped = alex(db, [TEA, op("update_user_profile", name="Alex")], session_context=True)
    scoped.learn([("user", "I am Alex, I like green tea")])
    rows = json.loads(json.dumps(list(scoped.export())))
    before = digest(scoped)
    scoped.forget()
    assert scoped.load(rows, vouched=True) == len(rows) == 2
    assert digest(scoped) == before
    other = LearningMachine(user_memory=True, user_profile=True, store=db.store).scoped(user_id="sam")
    other.load(rows)
    assert {record.scope.user_id for record in other.records()} == {"sam"}
    assert digest(scoped) == before


def test_a_row_that_is_no_record_loads_nothing(db: LearningDB) -> None:
    scoped = alex(db, [TEA])
    scoped.learn([("user", "I like green tea")])
    [row] = scoped.export()
    scoped.forget()
    with pytest.raises(RecordError):
        scoped.load([row, {"text": "nothing more"}])
    assert scoped.records() == []


def test_a_store_without_history_says_so_and_forgets_all_the_same() -> None:
    store = InMemoryStore()
    machine = LearningMachine(user_memory=True, model=ScriptedChatModel(extractions=[[TEA]]), store=store)
    scoped = machine.scoped(user_id="alex")
    commit = scoped.learn([("user", "I like green tea")])
    assert commit
    for refused in (lambda: scoped.undo(commit.id), lambda: scoped.history(commit.changes[0].id)):
        with pytest.raises(UnsupportedByStore, match="connect"):
            refused()
    assert scoped.forget() == {"items": 2}
    assert store.search(("learning",)) == []


def test_the_async_twins_do_the_same(db: LearningDB) -> None:
    async def live() -> None:
        scoped = alex(db, [TEA], [COFFEE])
        await scoped.alearn([("user", "I like green tea")])
        second = await scoped.alearn([("user", "I like coffee now")])
        assert second
        [record] = await scoped.arecords()
        assert len(await scoped.ahistory(record.id)) == 2
        await scoped.aundo(second.id)
        rows = [row async for row in scoped.aexport()]
        assert [row["text"] for row in rows] == ["Likes green tea"]
        await scoped.aforget()
        assert await scoped.aload(rows) == 1

    asyncio.run(live())


@pytest.mark.parametrize("same_record", [True, False])
def test_sixteen_turns_at_once_lose_nothing(db: LearningDB, same_record: bool) -> None:
    def learn(number: int) -> None:
        if same_record:
            said = op("update_user_profile", languages=[f"language {number}"])
        else:
            said = op("add_memory", content=f"Likes the number {number}")
        scoped = alex(db, [said], user_profile=languages(), user_memory=not same_record)
        assert scoped.learn([("user", f"turn {number}")])

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(learn, range(16)))
    scoped = alex(db, user_profile=languages())
    if same_record:
        [record] = scoped.records("user_profile")
        assert len(record.content["languages"]) == 16  # type: ignore[arg-type]
    else:
        assert len(scoped.records("user_memory")) == 16
    assert len(scoped.commits()) == 16


def languages() -> Any:
    class Speaker(UserProfile):
        languages: list[str] = Field(default=[])

    return UserProfileConfig(schema=Speaker)


def test_replay_of_the_first_checkpoint_recalls_nothing_that_was_learned_later(db: LearningDB) -> None:
    run, agent, model = three_turns(db)
    config: Any = {"configurable": {"thread_id": "t1"}}
    first = [state for state in agent.get_state_history(config) if "learning.before_agent" in state.next][-1]
    run(None, first.config)
    assert "learning_context" not in model.prompt("reply")
    # Another thread knows everything.
    run("What do I like?", {"configurable": {"thread_id": "t2"}})
    assert "chess" in model.prompt("reply")


def test_a_replay_of_a_replay_recalls_nothing_that_was_learned_later(db: LearningDB) -> None:
    run, agent, model = three_turns(db)
    config: Any = {"configurable": {"thread_id": "t1"}}
    first = [state for state in agent.get_state_history(config) if "learning.before_agent" in state.next][-1]
    run(None, first.config)
    again = next(state for state in agent.get_state_history(config) if "model" in state.next)
    run(None, again.config)
    assert "learning_context" not in model.prompt("reply")


@pytest.mark.parametrize("durability", ["async", "exit"])
def test_a_replay_that_asks_a_person_still_recalls_the_past_when_it_is_answered(
    db: LearningDB, durability: Any
) -> None:
    shown: list[str] = []

    def answer(state: MessagesState) -> dict[str, Any]:
        interrupt("Shall I answer?")
        shown.append(machine.context())
        return {"messages": [AIMessage("ok")]}

    model = ScriptedChatModel(extractions=[[TEA], [op("add_memory", content="Plays chess")], [], []], repeat=True)
    machine = LearningMachine(user_memory=True, model=model)
    builder = machine.around(answer, state_schema=MessagesState, context_schema=LearningContext)
    graph = builder.compile(store=db.store, checkpointer=db.checkpointer)
    config: Any = {"configurable": {"thread_id": "t1"}}

    def run(given: Any, config: Any = config) -> str:
        graph.invoke(given, config, context={"user_id": "alex"}, durability=durability)
        return shown[-1] if shown else ""

    for text in ("I like green tea", "I play chess"):
        run({"messages": [("user", text)]})
        run(Command(resume="yes"))
    assert "green tea" in shown[-1]
    states = [state for state in graph.get_state_history(config) if state.next and not state.values["messages"][1:]]
    run(None, states[-1].config)
    assert "green tea" not in run(Command(resume="yes"))
    run({"messages": [("user", "What do I play?")]})
    assert "chess" in run(Command(resume="yes"))


def three_turns(db: LearningDB) -> tuple[Callable[[str | None, Any], Any], CompiledStateGraph[Any, Any, Any, Any], Any]:
    learned = [[TEA], [op("add_memory", content="Plays chess")], []]
    model = ScriptedChatModel(replies=["ok"], extractions=[*learned, []], repeat=True)
    machine = LearningMachine(user_memory=True, session_context=SessionContextConfig())
    agent = create_learning_agent(model, learning=machine, db=db)

    def run(said: str | None, config: Any) -> Any:
        given: Any = {"messages": [("user", said)]} if said is not None else None
        return agent.invoke(given, config, context={"user_id": "alex"})

    for said in ("I like green tea", "I play chess", "Thanks"):
        run(said, {"configurable": {"thread_id": "t1"}})
    assert "chess" in model.prompt("reply")
    return run, agent, model


def test_the_one_old_memory_that_fits_is_recalled_among_thousands(db: LearningDB) -> None:
    def row(number: int, text: str) -> dict[str, Any]:
        at = (datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=number)).isoformat()
        return {
            "id": f"r{number}",
            "store": "user_memory",
            "scope": {"user_id": "alex@example.com"},
            "content": {"content": text},
            "text": text,
            "created_at": at,
            "updated_at": at,
        }

    scoped = alex(db)
    rows = [row(0, "Plays the theremin"), *(row(number, f"Owns item {number}") for number in range(1, 1_500))]
    assert scoped.load(rows) == 1_500
    recalled = scoped.recall("Shall I take my theremin along?")
    assert "Plays the theremin" in recalled.text
    assert recalled.receipt.left_out == {"user_memory": 1_500 - len(recalled.records)}
    assert [record.text for record in scoped.search("theremin")] == ["Plays the theremin"]


def test_deleting_a_thread_erases_its_session_and_leaves_what_was_taught(db: LearningDB) -> None:
    said = [TEA, op("update_session_context", summary="Tea was discussed")]
    scoped = alex(db, said, session_context=True)
    scoped.learn([("user", "I like green tea")])
    assert len(scoped.records("session_context")) == 1
    db.checkpointer.delete_thread("t1")
    assert scoped.records("session_context") == []
    assert len(scoped.records("user_memory")) == 1
    db.checkpointer.delete_thread("t1", learned=True)
    assert scoped.records("user_memory") == []


def test_turns_are_undone_one_after_the_other_from_the_newest_back(db: LearningDB) -> None:
    scoped = alex(db, [TEA], [COFFEE], [op("delete_memory", id="m1")])
    states = []
    for said in ("I like green tea", "I like coffee now", "Forget my drink"):
        states.append(digest(scoped))
        assert scoped.learn([("user", said)])
    for commit, before in reversed(list(zip(scoped.commits(), states, strict=True))):
        scoped.undo(commit.id)
        assert digest(scoped) == before


def test_an_erasure_that_a_reader_of_the_file_prevents_is_not_called_done(tmp_path: Path) -> None:
    path = tmp_path / "learning.db"
    with connect(f"sqlite:///{path}") as db:
        scoped = alex(db, [TEA])
        scoped.learn([("user", "I like green tea")])
        reader = sqlite3.connect(path, isolation_level=None)
        reader.execute("begin")
        reader.execute("select count(*) from hybrid_items").fetchone()
        with pytest.raises(StoreError, match="purge again"):
            scoped.forget()
        reader.close()
        scoped.forget()
        assert b"green tea" not in b"".join(file.read_bytes() for file in tmp_path.iterdir())


def test_a_word_of_megabytes_is_stored_and_found_beside(db: LearningDB) -> None:
    db.store.put(("notes",), "long", {"text": "tea " + "x" * 1_000_000})
    assert [item.key for item in db.store.search(("notes",), query="tea")] == ["long"]


def test_an_embedder_that_is_down_costs_the_search_its_vectors_and_not_its_words(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Down(Embeddings):
        down = False

        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            return [[1.0, float(len(text))] for text in texts]

        def embed_query(self, text: str) -> list[float]:
            if self.down:
                raise TimeoutError("no answer")
            return [1.0, float(len(text))]

    embed = Down()
    with connect(f"sqlite:///{tmp_path / 'learning.db'}", embed=embed) as db:
        scoped = alex(db, [TEA])
        scoped.learn([("user", "I like green tea")])
        embed.down = True
        assert "Likes green tea" in scoped.recall("Which tea?").text
        assert [record.text for record in scoped.search("tea")] == ["Likes green tea"]
        assert "by words alone" in caplog.text


def test_an_embedder_of_other_dimensions_is_refused_when_the_database_is_opened(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'learning.db'}"
    with connect(url, embed=DeterministicFakeEmbedding(size=4)):
        pass
    with (
        pytest.raises(ConfigurationError, match="4 dimensions"),
        connect(url, embed=DeterministicFakeEmbedding(size=8)),
    ):
        pass
