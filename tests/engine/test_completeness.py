"""A prompt says that these are all entities only where nothing was left unread."""

from engine.hand import ALICE, ByHand, heard, items, record, rules, work

from langgraph_learning._engine.flow import Batch, DescribeStore, ModelCall, StoreCall, StoreInfo
from langgraph_learning._engine.learning.extract import extract
from langgraph_learning._engine.recall.recall import RecallRules, recall
from langgraph_learning._engine.repository import PLAN_LIMIT
from langgraph_learning.records import SUPERSEDED, Record
from langgraph_learning.reports import Recall
from langgraph_learning.stores import EntityMemoryStore

STORE = EntityMemoryStore()
ALL = "All entities that are known"


def entity(name: str) -> Record:
    return record(STORE, f"entity:{name}", {"kind": "entity", "name": name, "type": "person"}, f"{name} (person)")


def facts(count: int, status: str = "active") -> list[Record]:
    content = {"kind": "fact", "entity": "entity:Ann", "content": "Plays chess"}
    made = record(STORE, "fact", dict(content), "Ann: Plays chess").model_copy(update={"status": status})
    return [made.model_copy(update={"id": f"fact:{number}"}) for number in range(count)]


def extraction_prompt(*records: Record) -> str:
    hand = ByHand(extract(work(STORE), heard("What about Ann?"), rules(STORE)))
    hand.gets(Batch, [None, items(), items(*records), items()])  # commit, proposals, the newest, what fits the turn
    return str(hand.expects(ModelCall).messages[-1].text)


def test_an_extraction_that_may_not_have_read_all_does_not_say_that_these_are_all() -> None:
    assert ALL in extraction_prompt(entity("Ann"), *facts(3, SUPERSEDED))
    # What is superseded was read, and is not shown: counting what is shown would take a full read for a whole one.
    full = [entity("Ann"), *facts(PLAN_LIMIT - 1, SUPERSEDED)]
    assert ALL not in extraction_prompt(*full)
    assert ALL in extraction_prompt(*full[:-1])


def recalled(count: int, there: int) -> str:
    """What a recall shows whose read is full, of `there` records."""
    hand: ByHand[Recall] = ByHand(recall(RecallRules([STORE], 2_000), ALICE, "What about Ann?"))
    hand.gets(DescribeStore, StoreInfo(ranks=True))
    read = [entity("Ann"), *facts(count - 1)]
    hand.gets(Batch, [items(*read), []])
    while not hasattr(hand, "result"):
        if isinstance(hand.effects[-1], StoreCall):
            hand.gets(StoreCall, there)
        else:
            hand.gets(Batch, [items() for _ in hand.expects(Batch).ops])
    return hand.result.text


def test_a_recall_that_is_full_and_all_there_is_says_so_and_one_record_more_does_not() -> None:
    assert ALL in recalled(STORE.recall_limit, there=STORE.recall_limit)
    assert ALL not in recalled(STORE.recall_limit, there=STORE.recall_limit + 1)
    assert ALL in recalled(STORE.recall_limit - 1, there=STORE.recall_limit - 1)
