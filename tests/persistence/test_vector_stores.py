"""Learned knowledge that is searched by a vector store: the records rule, the vector store finds."""

import asyncio
import hashlib
import math
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

import pytest
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.vectorstores import InMemoryVectorStore, VectorStore
from langgraph.store.memory import InMemoryStore
from pydantic import JsonValue

from langgraph_learning import LearnedKnowledgeConfig, LearningDB, LearningMachine, LearningMode, Scope, connect
from langgraph_learning.errors import ConfigurationError, StoreError
from langgraph_learning.scoped import Scoped
from langgraph_learning.testing import ScriptedChatModel, op
from langgraph_learning.words import terms

T = TypeVar("T")
Colour = Literal["sync", "async"]
Learning = tuple[str, str]

SYNONYMS = {"automobile": "car", "feline": "cat"}
CARS = ("Cars", "Wash the car in the morning.")
CATS = ("Cats", "Feed the cat at noon.")
TEA = ("Tea", "Brew the leaves for three minutes.")


class Hashing(Embeddings):
    """Vectors by words, the same in every process; a synonym has the vector of what it means."""

    def embed_query(self, text: str) -> list[float]:
        vector = [0.01] * 64
        for term in terms(text):
            meant = SYNONYMS.get(term, SYNONYMS.get(f"{term}e", term))
            vector[hashlib.sha256(meant.encode()).digest()[0] % 64] += 1.0
        length = math.hypot(*vector)
        return [part / length for part in vector]

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [self.embed_query(text) for text in texts]


class Careless(InMemoryVectorStore):
    """A vector store that ignores filters, and fails as long as it is told to."""

    failing: bool = False
    asked: list[object]

    def __init__(self) -> None:
        super().__init__(Hashing())
        self.asked = []

    def similarity_search(self, query: str, k: int = 4, **kwargs: Any) -> list[Document]:
        self._check()
        self.asked.append(kwargs.pop("filter"))
        return super().similarity_search(query, k, **kwargs)

    async def asimilarity_search(self, query: str, k: int = 4, **kwargs: Any) -> list[Document]:
        return self.similarity_search(query, k, **kwargs)

    def add_documents(self, documents: list[Document], ids: list[str] | None = None, **kwargs: Any) -> list[str]:
        self._check()
        return super().add_documents(documents, ids, **kwargs)

    async def aadd_documents(self, documents: list[Document], ids: list[str] | None = None, **kwargs: Any) -> list[str]:
        return self.add_documents(documents, ids, **kwargs)

    def delete(self, ids: Sequence[str] | None = None, **kwargs: Any) -> None:
        self._check()
        super().delete(ids, **kwargs)

    def _check(self) -> None:
        if self.failing:
            raise OSError("the index is gone")


@dataclass
class World:
    """A database, a vector store, and people who teach and ask."""

    db: LearningDB
    vectors: VectorStore
    colour: Colour
    contents: Callable[[], set[str]]
    model: ScriptedChatModel = field(default_factory=ScriptedChatModel)

    def of(self, user: str = "ada", namespace: str | None = None, mode: LearningMode = LearningMode.ALWAYS) -> Scoped:
        config = LearnedKnowledgeConfig(namespace=namespace, knowledge=self.vectors, mode=mode)
        machine = LearningMachine(model=self.model, learned_knowledge=config, store=self.db.store, shared="write")
        return machine.scoped(user_id=user)

    def learn(self, scoped: Scoped, *operations: dict[str, JsonValue]) -> None:
        """Have `operations` learned in a turn of their own."""
        self.model.extractions = [*self.model.extractions, list(operations)]
        said: Any = [("user", f"turn {len(self.model.extractions)}")]
        self.do(lambda: scoped.learn(said), lambda: scoped.alearn(said))

    def save(self, scoped: Scoped, *learnings: Learning) -> None:
        self.learn(scoped, *(op("save_learning", title=title, learning=text) for title, text in learnings))

    def found(self, scoped: Scoped, query: str, limit: int = 1) -> list[str]:
        records = self.do(lambda: scoped.search(query, limit=limit), lambda: scoped.asearch(query, limit=limit))
        return [record.text for record in records]

    def do(self, sync: Callable[[], T], other: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Do it in the colour of the test."""
        return sync() if self.colour == "sync" else asyncio.run(other())


def texts(*learnings: Learning) -> set[str]:
    return {f"{title}: {text}" for title, text in learnings}


@pytest.fixture(params=["sync", "async"])
def colour(request: pytest.FixtureRequest) -> Colour:
    return "sync" if request.param == "sync" else "async"


@pytest.fixture(params=["memory", "postgres"])
def world(request: pytest.FixtureRequest, colour: Colour) -> Iterator[World]:
    """A world on LangChain's own vector store, or on pgvector beside the records in one database."""
    if request.param == "memory":
        with connect("sqlite:///:memory:") as db:
            vectors = InMemoryVectorStore(Hashing())
            yield World(db, vectors, colour, lambda: {each["text"] for each in vectors.store.values()})
    else:
        yield from on_postgres(request.getfixturevalue("postgres_url"), colour)


def on_postgres(url: str, colour: Colour) -> Iterator[World]:
    import psycopg
    from langchain_postgres import PGEngine, PGVectorStore

    engine = PGEngine.from_connection_string(url.replace("postgresql://", "postgresql+psycopg://"))
    try:
        with connect(url) as db, psycopg.connect(url, autocommit=True) as reader:
            engine.init_vectorstore_table("knowledge", 64)
            vectors = PGVectorStore.create_sync(engine, Hashing(), "knowledge")

            def contents() -> set[str]:
                return {str(row[0]) for row in reader.execute("select content from knowledge")}

            yield World(db, vectors, colour, contents)
    finally:
        asyncio.run(engine.close())


@pytest.fixture
def careless(colour: Colour) -> Iterator[World]:
    """A world on a vector store that ignores filters, and can fail."""
    with connect("sqlite:///:memory:") as db:
        vectors = Careless()
        yield World(db, vectors, colour, lambda: {each["text"] for each in vectors.store.values()})


def test_what_is_learned_is_in_the_vector_store_and_found_by_its_meaning(world: World) -> None:
    ada = world.of()
    world.save(ada, CARS, CATS, TEA)
    assert world.contents() == texts(CARS, CATS, TEA)
    assert world.found(ada, "automobile") == ["Cars: Wash the car in the morning."]
    assert world.found(ada, "feline") == ["Cats: Feed the cat at noon."]
    plain = LearningMachine(learned_knowledge=True, store=world.db.store).scoped(user_id="ada")
    assert world.found(plain, "automobile") == []
    recalled = world.do(lambda: ada.recall("automobile"), lambda: ada.arecall("automobile"))
    assert [(shown.label, shown.reason) for shown in recalled.receipt.shown if shown.score > 0.4] == [("k1", "similar")]


def test_an_update_a_removal_and_an_undo_reach_the_vector_store(world: World) -> None:
    ada = world.of()
    world.save(ada, CARS, CATS)
    world.save(ada, ("cars", "Drive the bus."))
    assert world.contents() == texts(("Cars", "Drive the bus."), CATS)
    world.learn(ada, op("delete_learning", id="k2"))
    assert world.contents() == texts(("Cars", "Drive the bus."))
    for commit in reversed(ada.commits()[1:]):
        world.do(lambda: ada.undo(commit.id), lambda: ada.aundo(commit.id))  # noqa: B023 - called at once
    assert world.contents() == texts(CARS, CATS)
    assert world.found(ada, "feline") == ["Cats: Feed the cat at noon."]


def test_what_waits_for_a_person_is_not_in_the_vector_store_until_it_is_approved(world: World) -> None:
    ada = world.of(mode=LearningMode.PROPOSE)
    world.save(ada, CARS)
    assert world.contents() == set()
    [proposal] = ada.proposals()
    world.do(lambda: ada.decide(proposal.id, "approve"), lambda: ada.adecide(proposal.id, "approve"))
    assert world.contents() == texts(CARS)


def test_forget_takes_a_users_own_learnings_out_and_leaves_those_of_others(world: World) -> None:
    ada, ben = world.of("ada", "user"), world.of("ben", "user")
    world.save(ada, CARS, CATS)
    world.learn(ada, op("delete_learning", id="k2"))
    world.save(ben, CARS)
    world.save(world.of("ada"), TEA, CATS, ("Bus", "Drive the bus."))
    world.save(world.of("ben"), ("Cats", "Feed the cat twice."), ("Rain", "Take a coat."))
    world.save(world.of("ada"), ("Rain", "Stay at home."))
    assert len(world.contents()) == 5
    world.do(lambda: ada.forget(), lambda: ada.aforget())
    # where ben wrote last, and what he had written before she did
    shared = [("Cats", "Feed the cat twice."), ("Rain", "Take a coat.")]
    assert world.contents() == texts(CARS, *shared)
    assert {record.text for record in world.of("ben").records()} == texts(*shared)
    assert world.found(ada, "automobile") == []
    assert world.found(ben, "automobile") == ["Cars: Wash the car in the morning."]


def test_two_namespaces_share_a_vector_store_and_nothing_else(world: World) -> None:
    red, blue = world.of("ada", "team:red"), world.of("ada", "team:blue")
    world.save(red, CARS)
    world.save(blue, CARS, TEA)
    assert len(world.contents()) == 2  # one text, twice
    assert world.found(red, "automobile", limit=9) == ["Cars: Wash the car in the morning."]
    assert world.found(red, "brew leaves", limit=9) == ["Cars: Wash the car in the morning."]  # the nearest there is
    world.save(blue, ("Cars", "Drive the bus."))
    assert world.found(red, "automobile", limit=9) == ["Cars: Wash the car in the morning."]


def test_what_one_exports_another_takes_in_without_sharing_a_document(world: World) -> None:
    ada, ben = world.of("ada", "user"), world.of("ben", "user")
    world.save(ada, CARS)
    rows = list(ada.export())
    world.do(lambda: ben.load(rows), lambda: ben.aload(rows))
    world.do(lambda: ben.forget(), lambda: ben.aforget())
    assert world.found(ben, "automobile") == []
    assert world.found(ada, "automobile") == ["Cars: Wash the car in the morning."]
    assert world.contents() == texts(CARS)


def test_a_learning_of_20_000_characters_is_one_document(world: World) -> None:
    long = ("Manual", "".join(f"Step {n}: check the valve. " for n in range(1_000)).strip())
    world.save(world.of(), long)
    assert world.contents() == texts(long)


def test_documents_that_were_there_are_found_in_their_scope_and_read_only(world: World) -> None:
    ada, ben, blue = world.of("ada", "user"), world.of("ben", "user"), world.of("ada", "team:blue")
    own = {"learning_scope": Scope(user_id="ada").tag, "title": "Garage"}
    held = [
        Document("Park the car inside.", metadata=own),
        Document("Wax the car.", metadata={"learning_scope": Scope(namespace="team:blue").tag}),
        Document("Sell the car.", metadata={}),
        Document("Crash the car.", metadata={"namespace": "user", "user_id": "ada"}),
    ]
    world.vectors.add_documents(held)
    world.save(ada, CARS)
    assert sorted(world.found(ada, "automobile", limit=9)) == sorted(
        ["Garage: Park the car inside.", "Cars: Wash the car in the morning."]
    )
    assert world.found(ben, "automobile", limit=9) == []
    assert world.found(blue, "automobile", limit=9) == ["Wax the car."]
    recalled = ada.recall("automobile")
    assert "- Garage: Park the car inside." in recalled.text
    assert {shown.label for shown in recalled.receipt.shown} == {"", "k1"}
    assert [record.status for record in recalled.records] == ["document", "active"]
    assert [record.text for record in ada.records()] == ["Cars: Wash the car in the morning."]
    world.learn(ada, op("delete_learning", id="k2"))
    assert len(world.contents()) == 5


def test_a_vector_store_that_ignores_filters_shows_nobody_what_is_not_theirs(careless: World) -> None:
    vectors = careless.vectors
    assert isinstance(vectors, Careless)
    ada, ben, everybody = careless.of("ada", "user"), careless.of("ben", "user"), careless.of("ben")
    careless.save(ada, CARS)
    vectors.add_documents([Document("Sell the car.")])
    for other in (ben, everybody):
        assert careless.found(other, "automobile", limit=9) == []
        assert "car" not in other.recall("automobile").text
    assert careless.found(ada, "automobile", limit=9) == ["Cars: Wash the car in the morning."]
    scopes = [Scope(user_id="ben"), Scope(namespace="global"), Scope(user_id="ada")]
    assert [{"learning_scope": scope.tag} for scope in scopes] == list(
        {str(each): each for each in vectors.asked}.values()
    )


def test_a_document_that_claims_to_be_a_record_of_another_scope_is_not_believed(careless: World) -> None:
    ada, ben = careless.of("ada", "user"), careless.of("ben", "user")
    careless.save(ada, CARS)
    [record] = ada.records()
    forged = {"learning_scope": Scope(user_id="ben").tag, "learning_store": record.store, "learning_id": record.id}
    careless.vectors.add_documents([Document("automobile", metadata=forged)])
    assert careless.found(ben, "automobile", limit=9) == []


def test_a_document_that_is_behind_its_record_shows_the_record(careless: World) -> None:
    ada = careless.of()
    careless.save(ada, CARS)
    plain = LearningMachine(learned_knowledge=LearnedKnowledgeConfig(mode=LearningMode.ALWAYS), model=careless.model)
    careless.save(plain.scoped(user_id="ada", store=careless.db.store), ("Cars", "Drive the bus."))
    assert careless.contents() == texts(CARS)
    assert careless.found(ada, "automobile") == ["Cars: Drive the bus."]


def test_a_vector_store_that_fails_costs_no_learning_and_is_told_by_the_next_write(careless: World) -> None:
    vectors, ada = careless.vectors, careless.of()
    assert isinstance(vectors, Careless)
    careless.save(ada, CARS, TEA)
    vectors.failing = True
    careless.save(ada, CATS, ("Cars", "Drive the bus."))
    careless.learn(ada, op("delete_learning", id="k2"))
    assert [record.text for record in ada.records()] == ["Cars: Drive the bus.", "Cats: Feed the cat at noon."]
    assert careless.contents() == texts(CARS, TEA)
    assert careless.found(ada, "feed the cat") == ["Cats: Feed the cat at noon."]  # by its words
    vectors.failing = False
    # gone is gone, whatever the vector store still holds
    assert careless.found(ada, "brew leaves", limit=9) == ["Cars: Drive the bus."]
    careless.save(ada, ("Bees", "Leave them alone."))
    assert careless.contents() == texts(("Cars", "Drive the bus."), CATS, ("Bees", "Leave them alone."))
    assert list(ada._driver.require_store().search(("learning", "namespace", "global", "unindexed"))) == []


def test_an_erasure_that_a_vector_store_prevents_erases_nothing_and_says_so(careless: World) -> None:
    vectors, ada = careless.vectors, careless.of("ada", "user")
    assert isinstance(vectors, Careless)
    careless.save(ada, CARS)
    vectors.failing = True
    with pytest.raises(StoreError, match="the vector store failed: OSError: the index is gone"):
        careless.do(lambda: ada.forget(), lambda: ada.aforget())
    assert [record.text for record in ada.records()] == ["Cars: Wash the car in the morning."]
    vectors.failing = False
    careless.do(lambda: ada.forget(), lambda: ada.aforget())
    assert (careless.contents(), ada.records()) == (set(), [])


def test_a_vector_store_finds_what_lies_beyond_the_records_that_a_recall_reads(careless: World) -> None:
    ada = careless.of()
    many = [(f"Number {n}", f"Thing number {n} is known.") for n in range(210)]
    machine = LearningMachine(
        model=careless.model,
        learned_knowledge=LearnedKnowledgeConfig(knowledge=careless.vectors, mode=LearningMode.ALWAYS),
        max_updates_per_run=500,
        store=careless.db.store,
    )
    careless.save(machine.scoped(user_id="ada"), CARS, *many)
    assert careless.found(ada, "automobile") == ["Cars: Wash the car in the morning."]


def test_what_is_no_vector_store_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="takes a LangChain VectorStore"):
        LearnedKnowledgeConfig(knowledge=Hashing())  # type: ignore[arg-type]


class SyncOnly(InMemoryVectorStore):
    """A vector store whose async half was never written."""

    async def asimilarity_search(self, query: str, k: int = 4, **kwargs: Any) -> list[Document]:
        raise NotImplementedError

    async def aadd_documents(self, documents: list[Document], ids: list[str] | None = None, **kwargs: Any) -> list[str]:
        raise NotImplementedError

    async def adelete(self, ids: Sequence[str] | None = None, **kwargs: Any) -> None:
        raise NotImplementedError


def test_a_vector_store_without_async_works_in_a_thread_and_beside_any_store(colour: Colour) -> None:
    vectors, store = SyncOnly(Hashing()), InMemoryStore()
    config = LearnedKnowledgeConfig(namespace="user", knowledge=vectors, mode=LearningMode.ALWAYS)
    with connect("sqlite:///:memory:") as db:
        world = World(db, vectors, colour, lambda: {each["text"] for each in vectors.store.values()})
        machine = LearningMachine(model=world.model, learned_knowledge=config, store=store)
        ada = machine.scoped(user_id="ada")
        world.save(ada, CARS, CATS)
        world.learn(ada, op("delete_learning", id="k2"))
        assert world.contents() == texts(CARS)
        assert world.found(ada, "automobile") == ["Cars: Wash the car in the morning."]
        world.do(lambda: ada.forget(), lambda: ada.aforget())
        assert (world.contents(), store.search(())) == (set(), [])


def test_what_many_learn_at_once_is_all_in_the_vector_store_and_nothing_waits(tmp_path: Path) -> None:
    vectors = InMemoryVectorStore(Hashing())
    config = LearnedKnowledgeConfig(knowledge=vectors, mode=LearningMode.ALWAYS)

    def learn(number: int) -> None:
        model = ScriptedChatModel(extractions=[[op("save_learning", title=f"T{number}", learning=f"Rule {number}.")]])
        machine = LearningMachine(model=model, learned_knowledge=config, store=db.store)
        machine.scoped(user_id=f"user {number}").learn([("user", "Learn.")])

    with connect(f"sqlite:///{tmp_path / 'learning.db'}") as db:
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(learn, range(16)))
        assert {each["text"] for each in vectors.store.values()} == {f"T{n}: Rule {n}." for n in range(16)}
        assert db.store.search(("learning", "namespace", "global", "unindexed")) == []
