"""What a vector store is told, step by step."""

from collections.abc import Sequence

from engine.hand import ALICE, AT, ByHand, item, items, record
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_core.vectorstores import InMemoryVectorStore
from langgraph.store.base import Item

from langgraph_learning import LearnedKnowledgeConfig
from langgraph_learning._engine.flow import Batch, DescribeStore, StoreInfo, VectorStoreCall, Write
from langgraph_learning._engine.recall.ranking import blend_with_nearest
from langgraph_learning._engine.recall.recall import RecallRules, recall
from langgraph_learning._engine.recall.vector_store import add_nearest, as_document, outbox_entries, sync_index
from langgraph_learning._engine.repository import RankedSnapshot
from langgraph_learning.checkpointers._store.items import StoredItem
from langgraph_learning.errors import ConflictError, StoreError
from langgraph_learning.records import ACTIVE, Record, Scope
from langgraph_learning.stores import LearnedKnowledgeStore

VECTORS = InMemoryVectorStore(DeterministicFakeEmbedding(size=4))
STORE = LearnedKnowledgeStore(LearnedKnowledgeConfig(knowledge=VECTORS))
SCOPE = Scope(namespace="global")


def learning(id: str, text: str, version: int = 1) -> Record:
    return record(STORE, id, {"title": "T", "learning": text}, f"T: {text}", ALICE, version)


def noted(*ids: str, version: int = 1) -> list[Item]:
    """The notes of a commit, as a store reads them."""
    when = {"created_at": AT, "updated_at": AT}
    return [
        StoredItem(namespace=put.namespace, key=put.key, value=dict(put.value or {}), version=version, **when)
        for put in outbox_entries(STORE, SCOPE, ids)
    ]


def read(*records: Record) -> Sequence[Item]:
    return [item(each.namespace, each.id, each.value()) for each in records]


def test_what_changed_while_it_was_told_is_told_again() -> None:
    flow = ByHand(sync_index(STORE, SCOPE, ["r1"]))
    flow.gets(Batch, [noted("r1")])
    flow.gets(Batch, [*read(learning("r1", "old")), *noted("r1")])
    assert flow.expects(VectorStoreCall).arguments["documents"] == [as_document(learning("r1", "old"))]
    flow.gets(VectorStoreCall, None)
    [note] = noted("r1")
    assert flow.expects(Write).expect == {(note.namespace, note.key): 1}
    flow.gets(Write, ConflictError())  # another process committed, told the vector store, and was overtaken
    flow.gets(Batch, [*read(learning("r1", "new", 2)), None])
    assert flow.expects(VectorStoreCall).arguments["documents"] == [as_document(learning("r1", "new", 2))]
    flow.gets(VectorStoreCall, None)
    assert flow.expects(Write).puts == ()
    flow.gets(Write, None)
    assert flow.result is None


def test_what_is_new_is_told_before_what_failed_earlier_and_does_not_wait_for_it() -> None:
    flow = ByHand(sync_index(STORE, SCOPE, ["new"]))
    flow.gets(Batch, [noted("bad", "new")])
    flow.gets(Batch, [*read(learning("new", "new")), *noted("new")])
    assert [each.page_content for each in flow.expects(VectorStoreCall).arguments["documents"]] == ["T: new"]
    flow.gets(VectorStoreCall, None)
    flow.gets(Write, None)
    flow.gets(Batch, [*read(learning("bad", "bad")), *noted("bad")])
    flow.gets(VectorStoreCall, StoreError("too long for the embedder"))
    assert flow.result is None
    assert flow.kinds == ["Batch", "Batch", "VectorStoreCall", "Write", "Batch", "VectorStoreCall"]


def test_a_record_that_is_gone_is_taken_out() -> None:
    flow = ByHand(sync_index(STORE, SCOPE, ["r1"]))
    flow.gets(Batch, [noted("r1")])
    flow.gets(Batch, [None, *noted("r1")])
    told = flow.expects(VectorStoreCall)
    assert (told.method, told.arguments) == ("delete", {"ids": [as_document(learning("r1", "any")).id]})


def test_without_a_vector_store_nothing_is_noted_or_told() -> None:
    plain = LearnedKnowledgeStore()
    assert outbox_entries(plain, SCOPE, ["r1"]) == []
    assert ByHand(sync_index(plain, SCOPE, ["r1"])).effects == []
    assert ByHand(add_nearest(RankedSnapshot(plain, SCOPE), "tea", ACTIVE)).effects == []


def test_what_the_vector_store_alone_finds_is_read_and_what_is_gone_left_out() -> None:
    here, beyond, gone = (learning(name, f"{name} text") for name in ("here", "beyond", "gone"))
    flow = ByHand(add_nearest(RankedSnapshot(STORE, SCOPE, (here,), unread=3), "tea", ACTIVE))
    asked = flow.expects(VectorStoreCall).arguments
    assert (asked["query"], dict(asked["filter"])) == ("tea", {"learning_scope": SCOPE.tag})
    flow.gets(VectorStoreCall, [as_document(beyond), as_document(gone), as_document(here)])
    flow.gets(Batch, [*items(beyond), None])
    assert {each.id for each in flow.result.records} == {"here", "beyond"}
    assert flow.result.unread == 2
    assert flow.result.scores["beyond"] > flow.result.scores["here"] > 0


def test_what_was_known_then_is_not_asked_of_a_vector_store_that_knows_the_present_only() -> None:
    for revision, kinds in ((None, ["DescribeStore", "Batch", "VectorStoreCall"]), (7, ["DescribeStore", "Batch"])):
        flow = ByHand(recall(RecallRules([STORE], 500), ALICE, "tea"))
        flow.gets(DescribeStore, StoreInfo(ranks=True, revision=revision))
        flow.gets(Batch, [items(learning("r1", "green tea")), []])  # the last: nobody has voted
        if revision is None:
            flow.gets(VectorStoreCall, [])
        assert flow.kinds == kinds
        assert "green tea" in flow.result.text


def test_words_and_places_count_the_same() -> None:
    records = [learning("words", "green tea"), learning("near", "a hot drink"), learning("none", "a car")]
    assert blend_with_nearest(records, "tea", ["near"]) == {"words": 0.5, "near": 0.5, "none": 0.0}
    assert blend_with_nearest([], "tea", []) == {}
