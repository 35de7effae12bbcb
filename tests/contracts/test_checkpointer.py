import asyncio
import copy
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import uuid4

import pytest
from contracts.savers import CountingStore, State, fresh_saver, interrupting, learner, thread, turn
from langgraph.checkpoint.base import BaseCheckpointSaver, empty_checkpoint
from langgraph.checkpoint.conformance import checkpointer_test, validate
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.graph import START, StateGraph
from langgraph.store.base import BaseStore
from langgraph.store.memory import InMemoryStore
from langgraph.store.postgres import PostgresStore
from langgraph.store.sqlite import SqliteStore
from langgraph.types import Command
from pydantic import BaseModel

from langgraph_learning.checkpointers import LearningSaver
from langgraph_learning.checkpointers._store.sql_statements import load_blocks

EXTENDED = {"copy_thread", "delete_for_runs", "prune"}


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def url(backend: str, request: pytest.FixtureRequest) -> str | None:
    return str(request.getfixturevalue("postgres_url")) if backend == "postgres" else None


@pytest.fixture
async def saver(backend: str, url: str | None) -> AsyncIterator[LearningSaver]:
    async with fresh_saver(backend, url) as made:
        yield made


database = pytest.mark.parametrize("backend", ["sqlite", "postgres"], indirect=True)


async def test_every_capability_conforms(backend: str, url: str | None) -> None:
    async def factory() -> AsyncIterator[LearningSaver]:
        async with fresh_saver(backend, url) as made:
            yield made

    report = await validate(checkpointer_test(name=f"LearningSaver on {backend}")(factory))
    found = {name: result for name, result in report.results.items() if result.detected}
    assert {name: result.failures for name, result in found.items() if not result.passed} == {}
    assert report.passed_all_base()
    assert EXTENDED & found.keys() == (set() if backend == "memory" else EXTENDED)


async def test_one_saver_serves_both_colours_and_two_loops(saver: LearningSaver) -> None:
    graph = learner(saver)
    graph.invoke(turn("in a running loop"), thread())
    await graph.ainvoke(turn("awaited"), thread())
    await asyncio.to_thread(asyncio.run, graph.ainvoke(turn("in another loop"), thread()))
    await asyncio.to_thread(graph.invoke, turn("in a thread"), thread())
    state = (await graph.aget_state(thread())).values
    assert state["said"] == ["in a running loop", "awaited", "in another loop", "in a thread"]
    assert state == graph.get_state(thread()).values


async def test_parallel_runs_lose_nothing(saver: LearningSaver) -> None:
    graph = learner(saver)
    await asyncio.gather(*(graph.ainvoke(turn(f"turn {n}"), thread(f"t{n}")) for n in range(20)))
    for n in range(20):
        assert graph.get_state(thread(f"t{n}")).values["said"] == [f"turn {n}"]


async def test_checkpoints_can_be_read_while_they_are_listed(saver: LearningSaver) -> None:
    learner(saver).invoke(turn("one"), thread())
    listed = [saver.get_tuple(found.config) for found in saver.list(thread())]
    awaited = [await saver.aget_tuple(found.config) async for found in saver.alist(thread())]
    assert len(listed) == 4
    assert [found and found.config for found in listed] == [found and found.config for found in awaited]


class OnlyPrunes(InMemorySaver):
    def prune(self, thread_ids: Any, *, strategy: str = "keep_latest") -> None:
        self.pruned = (thread_ids, strategy)


def test_the_wrapper_can_what_the_inner_saver_can() -> None:
    inner = OnlyPrunes()
    saver = LearningSaver(inner, InMemoryStore())
    assert isinstance(saver, LearningSaver)
    able = {
        name
        for name in vars(BaseCheckpointSaver)
        if getattr(type(saver), name) is not getattr(BaseCheckpointSaver, name)
    }
    assert {name for name in able if name.removeprefix("a") in EXTENDED} == {"prune"}
    saver.prune(["t"], strategy="delete")
    assert inner.pruned == (["t"], "delete")
    with pytest.raises(NotImplementedError):
        saver.copy_thread("a", "b")
    assert type(copy.copy(saver)) is type(saver)


class Note(BaseModel):
    text: str


def test_an_allowlist_reaches_the_inner_saver() -> None:
    strict = JsonPlusSerializer(allowed_msgpack_modules=())
    saver = LearningSaver(OnlyPrunes(serde=strict), InMemoryStore())
    allowing = saver.with_allowlist([(Note.__module__, "Note")])
    config = thread(checkpoint_ns="")
    checkpoint = empty_checkpoint()
    checkpoint["channel_values"], checkpoint["channel_versions"] = {"note": Note(text="x")}, {"note": 1}
    saver.put(config, checkpoint, {}, {"note": 1})
    blind, seeing = saver.get(thread()), allowing.get(thread())
    assert blind is not None
    assert seeing is not None
    assert blind["channel_values"] == {"note": {"text": "x"}}
    assert seeing["channel_values"] == {"note": Note(text="x")}
    assert isinstance(allowing, LearningSaver)
    assert allowing.with_allowlist([(Note.__module__, "Note")]).serde is not strict


def revisions(saver: BaseCheckpointSaver[Any], name: str = "t") -> list[object]:
    """What is stamped on the checkpoints of a thread, oldest first."""
    found = sorted(saver.list(thread(name)), key=lambda found: found.checkpoint["id"])
    return [found.metadata.get("learning_revision") for found in found]


@pytest.mark.parametrize("colour", ["sync", "async"])
async def test_a_checkpoint_knows_what_was_known_when_it_was_made(saver: LearningSaver, colour: str) -> None:
    learned = threading.Event()
    write, awrite = saver.saver.put, saver.saver.aput

    def late(*args: Any) -> Any:  # background saves that are slower than the run
        assert learned.wait(10)
        return write(*args)

    async def alate(*args: Any) -> Any:
        assert await asyncio.to_thread(learned.wait, 10)
        return await awrite(*args)

    saver.saver.put, saver.saver.aput = late, alate  # type: ignore[method-assign, assignment]
    graph = learner(saver, learned=learned.set)
    if colour == "sync":
        graph.invoke(turn("one"), thread(), durability="async")
    else:
        await graph.ainvoke(turn("one"), thread(), durability="async")
    assert revisions(saver) == [0, 0, 0, 1]


def test_a_store_that_only_counts_is_asked_at_each_save() -> None:
    class Asked(InMemoryStore):
        def revision(self) -> int:
            return 7

    saver = LearningSaver(InMemorySaver(), Asked())
    learner(saver).invoke(turn("one"), thread())
    assert revisions(saver) == [7] * 4


def test_what_other_processes_have_learned_is_seen_when_a_run_starts() -> None:
    class Shared(CountingStore):
        def revision(self) -> int:
            self.last_revision = max(self.last_revision, 5)
            return self.last_revision

    saver = LearningSaver(InMemorySaver(), Shared())
    learner(saver).invoke(turn("one"), thread())
    assert revisions(saver) == [5, 5, 5, 6]


def test_a_checkpoint_that_is_copied_by_hand_keeps_its_stamp() -> None:
    saver = LearningSaver(InMemorySaver(), CountingStore())
    saver.store.put(("a",), "k", {})
    saver.put(thread(checkpoint_ns=""), empty_checkpoint(), {"learning_revision": 0}, {})  # type: ignore[typeddict-unknown-key]
    assert revisions(saver) == [0]


def test_a_store_without_revisions_leaves_no_stamp() -> None:
    saver = LearningSaver(InMemorySaver(), InMemoryStore())
    graph = learner(saver)
    graph.invoke(turn("one"), thread())
    replay = graph.invoke(None, next(found.config for found in graph.get_state_history(thread()) if found.next))
    assert set(revisions(saver)) == {None}
    assert set(replay["recalled"]) == {None}


class Run:
    """Runs a graph in one colour; each answer is the revision that the last recall had to go back to."""

    def __init__(self, saver: LearningSaver, colour: str) -> None:
        self.graph, self.colour = learner(saver, colour=colour), colour

    async def __call__(self, text: str | None, config: Any) -> int | None:
        given = text if text is None else turn(text)
        awaited = self.colour == "async"
        answer = await self.graph.ainvoke(given, config) if awaited else self.graph.invoke(given, config)
        recalled: list[int | None] = answer["recalled"]
        return recalled[-1]

    def first(self, step: str = "recall") -> Any:
        """The config of the oldest checkpoint before `step`."""
        return [found.config for found in self.graph.get_state_history(thread()) if found.next == (step,)][-1]


@pytest.fixture(params=["sync", "async"])
async def three_turns(saver: LearningSaver, request: pytest.FixtureRequest) -> Run:
    run = Run(saver, request.param)
    for text in ("one", "two", "three"):
        assert await run(text, thread()) is None
    return run


async def test_a_run_from_an_older_checkpoint_recalls_what_was_known_then(three_turns: Run) -> None:
    first = three_turns.first()
    assert await three_turns(None, first) == 0
    assert await three_turns("something else", first) == 0
    assert await three_turns("and on", thread()) is None


async def test_a_run_from_the_end_of_a_turn_recalls_what_that_turn_taught(three_turns: Run) -> None:
    ends = [found.config for found in three_turns.graph.get_state_history(thread()) if not found.next]
    assert await three_turns("not two", ends[-1]) == 1


async def test_a_run_from_the_head_recalls_what_is_known_now(three_turns: Run) -> None:
    head = three_turns.graph.get_state(thread()).config
    assert await three_turns("four", head) is None


async def test_a_fork_of_an_older_checkpoint_recalls_what_was_known_then(three_turns: Run) -> None:
    fork = three_turns.graph.update_state(three_turns.first(), turn("changed"))
    assert await three_turns(None, fork) == 0
    later = three_turns.graph.update_state(three_turns.graph.get_state(thread()).config, turn("at the head"))
    assert await three_turns("four", later) is None


async def test_a_replay_of_a_replay_recalls_what_was_known_then(three_turns: Run) -> None:
    assert await three_turns(None, three_turns.first()) == 0
    fork = next(found for found in three_turns.graph.get_state_history(thread()) if found.metadata["source"] == "fork")
    assert await three_turns(None, fork.config) == 0


async def test_a_saver_that_did_not_see_the_start_still_finds_the_revision(
    saver: LearningSaver, three_turns: Run
) -> None:
    first = three_turns.first()
    asked = {**thread(), "metadata": {"checkpoint_id": first["configurable"]["checkpoint_id"]}}
    other = LearningSaver(saver.saver, saver.store)
    assert other.revision_of(asked) == 0  # type: ignore[arg-type]
    assert await LearningSaver(saver.saver, saver.store).arevision_of(asked) == 0  # type: ignore[arg-type]
    assert other.revision_at("t", "", first["configurable"]["checkpoint_id"]) == 0
    assert await other.arevision_at("t", "", first["configurable"]["checkpoint_id"]) == 0


async def test_a_replay_inside_a_subgraph_recalls_what_was_known_then(saver: LearningSaver) -> None:
    outer = StateGraph(State)
    inner = learner(saver)
    inner.checkpointer = None  # it inherits the outer graph's
    outer.add_node("inner", inner)
    outer.add_edge(START, "inner")
    graph = outer.compile(checkpointer=saver, store=saver.store)
    for text in ("one", "two"):
        graph.invoke(turn(text), thread())
    first = [found.config for found in graph.get_state_history(thread()) if found.next][-1]
    assert graph.invoke(None, first)["recalled"][-1] == 0


class Asking:
    """Three turns of a graph that asks a person in each; then a replay of the first is left at its question."""

    def __init__(self, saver: LearningSaver, colour: str, **options: Any) -> None:
        self.saver, self.colour, self.options = saver, colour, options
        self.graph = interrupting(saver, colour=colour, **options)

    async def __call__(self, given: Any, config: Any, **options: Any) -> list[int | None]:
        run = self.graph
        awaited = self.colour == "async"
        answer = await run.ainvoke(given, config, **options) if awaited else run.invoke(given, config, **options)
        return list(answer["recalled"])

    async def replay(self, **options: Any) -> None:
        for text in ("one", "two", "three"):
            assert (await self(turn(text), thread()))[-1] is None
            assert (await self(Command(resume="yes"), thread()))[-2:] == [None, None]
        states = [found for found in self.graph.get_state_history(thread()) if found.next == ("recall",)]
        assert await self(None, states[-1].config, **options) == [0]


@pytest.fixture(params=["sync", "async"])
def asking(saver: LearningSaver, request: pytest.FixtureRequest) -> Asking:
    return Asking(saver, request.param)


@pytest.mark.parametrize("durability", ["async", "exit"])
async def test_a_replay_that_was_interrupted_goes_on_in_the_past(asking: Asking, durability: str) -> None:
    await asking.replay(durability=durability)
    assert await asking(Command(resume="yes"), thread(), durability=durability) == [0, 0]
    assert revisions(asking.saver)[-1] == 0
    assert await asking(turn("four"), thread(), durability=durability) == [0, 0, None]
    assert await asking(Command(resume="yes"), thread(), durability=durability) == [0, 0, None, None]


async def test_another_process_goes_on_with_an_interrupted_replay_in_the_past(asking: Asking) -> None:
    await asking.replay()
    asking.graph = interrupting(LearningSaver(asking.saver.saver, asking.saver.store), colour=asking.colour)
    assert await asking(Command(resume="yes"), thread()) == [0, 0]
    assert await asking(turn("four"), thread()) == [0, 0, None]


async def test_who_asks_from_outside_is_told_where_the_thread_stands(asking: Asking) -> None:
    await asking.replay()
    asking.graph.get_state(thread())
    assert asking.saver.revision_of(thread()) == await asking.saver.arevision_of(thread()) == 0


async def test_a_replay_that_was_interrupted_twice_goes_on_in_the_past(saver: LearningSaver) -> None:
    asking = Asking(saver, "sync")
    await asking.replay()
    asking.graph = interrupting(saver, answers=2)
    assert await asking(Command(resume="yes"), thread()) == [0]
    assert await asking(Command(resume="yes"), thread()) == [0, 0]


async def test_new_input_over_an_interrupted_replay_is_of_the_present(asking: Asking) -> None:
    await asking.replay()
    assert await asking(turn("four"), thread()) == [0, None]  # with durability="exit" there is nothing to tell it by
    assert await asking(Command(resume="yes"), thread()) == [0, None, None]


async def test_new_input_is_of_the_present_however_late_it_is_saved(saver: LearningSaver) -> None:
    asking = Asking(saver, "sync")
    await asking.replay()
    asked = threading.Event()

    class Late(LearningSaver):
        def put(self, *args: Any) -> Any:
            assert asked.wait(10)
            return super().put(*args)

        def revision_of(self, config: Any) -> int | None:
            asked.set()
            return super().revision_of(config)

    asking.graph = interrupting(Late(saver.saver, saver.store))
    assert await asking(turn("four"), thread()) == [0, None]


async def test_an_update_of_an_interrupted_replay_stays_in_the_past(asking: Asking) -> None:
    await asking.replay()
    asking.graph.update_state(thread(), turn("changed"), as_node="ask")
    assert await asking(None, thread()) == [0, 0]


async def test_a_replay_left_before_a_step_goes_on_in_the_past(saver: LearningSaver) -> None:
    asking = Asking(saver, "sync", answers=0)
    for text in ("one", "two"):
        await asking(turn(text), thread())
    first = [found.config for found in asking.graph.get_state_history(thread()) if found.next][-1]
    await asking(None, first, interrupt_before=["again"])
    assert (await asking(None, asking.graph.get_state(thread()).config))[-1] == 0
    await asking(None, first, interrupt_before=["again"])
    assert (await asking(None, thread()))[-1] == 0
    await asking(None, first)
    asking.graph.update_state(thread(), turn("after its end"), as_node="ask")
    assert (await asking(None, thread()))[-1] is None


def session(user: str, label: str, store: str = "session_context") -> tuple[str, ...]:
    return ("learning", "user", user, "thread", label, store)


@pytest.mark.parametrize("colour", ["sync", "async"])
async def test_deleting_a_thread_erases_its_session_and_nothing_that_was_taught(colour: str) -> None:
    store = InMemoryStore()
    saver = LearningSaver(InMemorySaver(), store, thread_label=lambda thread: f"<{thread}>")
    gone = [session("al", "<t>"), session("bo", "<t>")]
    kept = [session("al", "<t2>"), session("al", "<t>", "other"), ("learning", "user", "al", "user_memory")]
    for namespace in [*gone, *kept]:
        store.put(namespace, "s", {"text": "x"})
    learner(saver).invoke(turn("one"), thread())
    if colour == "sync":
        saver.delete_thread("t")
    else:
        await saver.adelete_thread("t")
    assert saver.get_tuple(thread()) is None
    assert [store.search(namespace) for namespace in gone] == [[], []]
    assert all(store.search(namespace) for namespace in kept)


async def test_what_was_taught_in_a_thread_goes_when_asked() -> None:
    forgotten: list[str] = []
    saver = LearningSaver(InMemorySaver(), InMemoryStore(), forget_thread=forgotten.append)
    saver.delete_thread("a")
    saver.delete_thread("b", learned=True)
    await saver.adelete_thread("c", learned=True)
    assert forgotten == ["b", "c"]


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def plain_store(request: pytest.FixtureRequest) -> Iterator[BaseStore]:
    """A store of LangGraph's own: their filters differ."""
    if request.param == "memory":
        yield InMemoryStore()
    elif request.param == "sqlite":
        with SqliteStore.from_conn_string(":memory:") as sqlite:
            sqlite.setup()
            yield sqlite
    else:
        with PostgresStore.from_conn_string(request.getfixturevalue("postgres_url")) as postgres:
            postgres.setup()
            yield postgres


async def test_a_saver_of_two_arguments_forgets_threads_of_any_spelling(plain_store: BaseStore) -> None:
    users = ("learning", "user", "al")
    plain_store.put(session("al", "~54~1"), "s", {"text": "x"})
    for thread_id in ("T1", "T2"):
        plain_store.put((*users, "user_memory"), f"memory {thread_id}", {"source": {"thread_id": thread_id}})
        message = {"source": {"thread_id": thread_id}, "session": "s", "place": 0}
        plain_store.put((*users, "conversations"), f"message {thread_id}", message)
        plain_store.put((*users, "commits"), f"commit {thread_id}", {"identity": {"thread_id": thread_id}})
    saver = LearningSaver(InMemorySaver(), plain_store)
    saver.delete_thread("T1")
    left = {item.key for item in plain_store.search(("learning",))}
    assert left == {"memory T1", "commit T1", "memory T2", "message T2", "commit T2"}
    await saver.adelete_thread("T1", learned=True)
    assert {item.key for item in plain_store.search(("learning",))} == {"memory T2", "message T2", "commit T2"}


def test_a_store_that_purges_is_asked_to() -> None:
    class Purging(InMemoryStore):
        purged: tuple[str, ...] = ()

        def purge(self, prefix: tuple[str, ...]) -> None:
            self.purged = prefix

    store = Purging()
    store.put(session("al", "t"), "s", {})
    LearningSaver(InMemorySaver(), store).delete_thread("t")
    assert store.purged == session("al", "t")


@database
async def test_a_copied_thread_goes_on_by_itself(saver: LearningSaver) -> None:
    graph = learner(saver)
    graph.invoke(turn("one"), thread())
    saver.copy_thread("t", "copy")
    graph.invoke(turn("two"), thread("copy"))
    assert graph.get_state(thread()).values["said"] == ["one"]
    assert graph.get_state(thread("copy")).values["said"] == ["one", "two"]
    assert revisions(saver, "copy")[:4] == revisions(saver)
    await saver.acopy_thread("t", "t")
    assert len(revisions(saver)) == 4


@database
async def test_a_rollback_leaves_the_state_before_the_run(saver: LearningSaver) -> None:
    graph = learner(saver)
    runs = [str(uuid4()) for _ in range(3)]
    for n, run in enumerate(runs):
        await graph.ainvoke(turn(f"turn {n}"), {**thread(), "metadata": {"run_id": run}})
    await saver.adelete_for_runs([runs[2]])
    assert graph.get_state(thread()).values["said"] == ["turn 0", "turn 1"]
    saver.delete_for_runs([runs[0]])
    oldest = [*graph.get_state_history(thread())][-1]
    assert oldest.parent_config is None
    assert graph.get_state(thread()).values["said"] == ["turn 0", "turn 1"]
    assert (await graph.ainvoke(turn("on"), thread()))["said"] == ["turn 0", "turn 1", "on"]


@database
async def test_a_pruned_thread_goes_on(saver: LearningSaver) -> None:
    graph = learner(saver)
    for name in ("t", "other"):
        graph.invoke(turn("one"), thread(name))
    saver.prune(["t"])
    assert len(revisions(saver)) == 1
    assert len(revisions(saver, "other")) == 4
    assert graph.invoke(turn("two"), thread())["said"] == ["one", "two"]
    await saver.aprune(["t"], strategy="delete")
    assert revisions(saver) == []
    with pytest.raises(ValueError, match="nonsense"):
        saver.prune(["t"], strategy="nonsense")
    with pytest.raises(TypeError):
        saver.prune("t")


@database
async def test_pruning_takes_the_namespaces_of_finished_subgraph_calls(saver: LearningSaver) -> None:
    inner = learner(saver)
    inner.checkpointer = None
    outer = StateGraph(State)
    outer.add_node("inner", inner)
    outer.add_edge(START, "inner")
    graph = outer.compile(checkpointer=saver, store=saver.store)
    graph.invoke(turn("one"), thread())
    assert len({found.config["configurable"]["checkpoint_ns"] for found in saver.list(thread())}) == 2
    saver.prune(["t"])
    assert [found.config["configurable"]["checkpoint_ns"] for found in saver.list(thread())] == [""]


@database
async def test_threads_whose_head_needs_its_ancestors_are_not_pruned(saver: LearningSaver) -> None:
    config = thread(checkpoint_ns="")
    saver.put(config, empty_checkpoint(), {"counters_since_delta_snapshot": {"messages": (1, 1)}}, {})
    with pytest.raises(NotImplementedError, match="DeltaChannel"):
        saver.prune(["t"])
    assert len(revisions(saver)) == 1


async def test_a_rollback_that_fails_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async with fresh_saver("sqlite", None) as saver:
        await learner(saver).ainvoke(turn("one"), {**thread(), "metadata": {"run_id": "r"}})
        monkeypatch.setitem(
            load_blocks("sqlite", "savers"), "delete_selection", ("delete from checkpoints", "no such statement")
        )
        with pytest.raises(Exception, match="syntax error"):
            await saver.adelete_for_runs(["r"])
        monkeypatch.undo()
        assert len(revisions(saver)) == 4
        await saver.adelete_for_runs(["r"])
        assert revisions(saver) == []


def test_both_dialects_name_the_same_blocks() -> None:
    own = {"begin_setup", "applied_checkpoint_migrations"}  # set-up under one lock with LangGraph's own tables
    assert load_blocks("sqlite", "savers").keys() == load_blocks("postgres", "savers").keys() - own


def test_runs_are_forgotten_oldest_first() -> None:
    saver = LearningSaver(InMemorySaver(), CountingStore())
    graph = learner(saver)
    graph.invoke(turn("one"), thread())
    first = [*graph.get_state_history(thread())][-1].config["configurable"]["checkpoint_id"]
    asked = {**thread(), "metadata": {"checkpoint_id": first}}
    assert saver.revision_of(asked) == 0  # type: ignore[arg-type]
    for n in range(2000):
        saver._starts.put((str(n), "x"), 1)
    assert len(saver._starts._values) == 1024
    assert saver.revision_of(asked) == 0  # type: ignore[arg-type]
