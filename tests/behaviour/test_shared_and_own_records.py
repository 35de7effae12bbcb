"""Records that are shared and records that are one user's or one agent's own."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_core.messages import BaseMessage, ToolMessage
from langchain_core.vectorstores import InMemoryVectorStore
from langgraph.store.base import BaseStore
from langgraph.store.memory import InMemoryStore

from langgraph_learning import (
    LearnedKnowledgeConfig,
    LearningDB,
    LearningMachine,
    LearningMode,
    Scope,
    connect,
    create_learning_agent,
)
from langgraph_learning.testing import ScriptedChatModel, call, op

SAID: Any = {"messages": [("user", "Go on.")]}
SECRET = op("save_learning", title="Payroll", learning="Payroll runs on the blue server.")


@pytest.fixture
def db() -> Iterator[LearningDB]:
    with connect("sqlite:///:memory:") as opened:
        yield opened


def turn(
    learning: LearningMachine, store: BaseStore, *replies: Any, user: str | None = "ada", name: str | None = None
) -> list[str]:
    """Run one turn of an agent and return what its tools answered."""
    model = ScriptedChatModel(replies=[*replies, "Done."])
    context: Any = {"user_id": user} if user else {}
    agent = create_learning_agent(model, learning=learning, store=store, name=name)
    said = agent.invoke(SAID, context=context)["messages"]
    return [str(each.text) for each in said if isinstance(each, ToolMessage)]


def save(title: str, learning: str) -> Any:
    return call("save_learning", title=title, learning=learning)


def knowledge(namespace: str | None = None, **options: Any) -> LearningMachine:
    return LearningMachine(learned_knowledge=LearnedKnowledgeConfig(namespace=namespace), **options)


# Learned knowledge and decisions.


def test_a_learning_of_the_same_title_is_updated_and_its_old_text_kept(db: LearningDB) -> None:
    learning = knowledge(store=db.store)
    for text in ("The build takes 20 minutes.", "The build takes 5 minutes."):
        turn(learning, db.store, save("Build time", text))
    ada = learning.scoped(user_id="ada")
    [record] = ada.records("learned_knowledge")
    assert record.content["learning"] == "The build takes 5 minutes."
    texts = [each.record.content["learning"] for each in ada.history(record.id) if each.record]
    assert texts == ["The build takes 20 minutes.", "The build takes 5 minutes."]


def test_a_long_learning_is_one_record_with_its_title_and_namespace(db: LearningDB) -> None:
    long = "".join(f"Step {n}: turn the key number {n}. " for n in range(800)).strip()
    assert len(long) > 20_000
    vectors = InMemoryVectorStore(DeterministicFakeEmbedding(size=16))
    config = LearnedKnowledgeConfig(namespace="team", knowledge=vectors)
    learning = LearningMachine(learned_knowledge=config, store=db.store)
    turn(learning, db.store, save("Keys", long))
    [record] = learning.scoped(user_id="ben").search("keys")
    assert record.content == {"title": "Keys", "learning": long, "tags": []}
    assert record.scope == Scope(namespace="team")
    assert [each["text"] for each in vectors.store.values()] == [f"Keys: {long}"]


def test_a_learning_is_deleted_by_its_id_and_gone(db: LearningDB) -> None:
    learning = knowledge(store=db.store)
    turn(learning, db.store, save("Build time", "The build takes 20 minutes."))
    assert turn(learning, db.store, call("delete_learning", id="k1")) == ["Removed."]
    assert learning.scoped(user_id="ada").records() == []
    assert turn(learning, db.store, call("search_learnings", query="build")) == ["Nothing was found."]
    assert "there is no record 'k1'" in turn(learning, db.store, call("delete_learning", id="k1"))[0]


def decided(number: int, at: datetime) -> dict[str, Any]:
    """A decision, as it is handed out and taken in."""
    content = {"decision": f"Chose option number {number}", "reasoning": "It was there"}
    scope, moment = {"user_id": "ada", "agent": "planner"}, (at + timedelta(minutes=number)).isoformat()
    kept = {"content": content, "text": content["decision"], "created_at": moment, "updated_at": moment}
    return {"id": f"decision-{number}", "store": "decision_log", "scope": scope, **kept}


def records_outcome(messages: list[BaseMessage]) -> Any:
    """Name the decision by the short id that the search has just shown."""
    short = str(messages[-1].text).partition("[")[2].partition("]")[0]
    return call("record_outcome", id=short, outcome="It held", outcome_quality="good", call_id="o1")


@pytest.mark.parametrize("store", ["hybrid", "memory"])
def test_an_old_decision_gets_its_outcome_and_only_from_its_own_agent(db: LearningDB, store: str) -> None:
    kept = db.store if store == "hybrid" else InMemoryStore()
    learning = LearningMachine(decision_log=True, store=kept)
    planner = learning.scoped(user_id="ada", agent="planner")
    planner.load([decided(number, datetime(2026, 1, 1, tzinfo=UTC)) for number in range(250)])
    search = call("search_decisions", query="option number 7", call_id="s1")
    assert turn(learning, kept, search, name="planner")[0].startswith("- [d-")
    told = turn(learning, kept, search, records_outcome, name="planner")
    assert told[1].startswith("Updated: Chose option number 7\n")
    changed = [record for record in planner.records() if record.version > 1 or "outcome" in record.content]
    assert [record.id for record in changed] == ["decision-7"]
    assert changed[0].content["outcome"] == "It held"
    short = told[0].partition("[")[2].partition("]")[0]
    wrong = call("record_outcome", id=short, outcome="Overwritten", outcome_quality="bad")
    for user, name in (("ada", "writer"), ("ada", None), ("ben", "planner")):
        assert "there is no record" in turn(learning, kept, wrong, user=user, name=name)[0]
    assert [record.content.get("outcome") for record in planner.records() if "outcome" in record.content] == ["It held"]


def test_learned_knowledge_takes_the_machines_namespace(db: LearningDB) -> None:
    red, blue = (LearningMachine(learned_knowledge=True, namespace=name, store=db.store) for name in ("red", "blue"))
    turn(red, db.store, save("Build time", "The build takes 20 minutes."))
    assert [record.scope for record in red.scoped(user_id="ben").records()] == [Scope(namespace="red")]
    assert blue.scoped(user_id="ada").records() == []
    assert knowledge(store=db.store).scoped(user_id="ada").records() == []


@pytest.mark.parametrize("indexed", [False, True])
def test_an_extraction_is_not_shown_another_users_learnings(db: LearningDB, indexed: bool) -> None:
    vectors = InMemoryVectorStore(DeterministicFakeEmbedding(size=16)) if indexed else None
    config = LearnedKnowledgeConfig(namespace="user", mode=LearningMode.ALWAYS, knowledge=vectors)
    model = ScriptedChatModel(extractions=[[SECRET], [SECRET], []])
    learning = LearningMachine(model=model, learned_knowledge=config, store=db.store)
    for user in ("ada", "ben", "ada"):
        learning.scoped(user_id=user, thread_id=f"{user} {len(model.prompts['extraction'])}").learn(
            [("user", "Payroll?")]
        )
    shown = ["blue server" in model.prompt("extraction", index) for index in range(3)]
    assert shown == [False, False, True]
    # nor is one user's learning a duplicate of another's
    assert [len(learning.scoped(user_id=user).records()) for user in ("ada", "ben")] == [1, 1]


@pytest.mark.parametrize("indexed", [False, True])
def test_what_a_user_saves_for_themself_is_found_by_them(db: LearningDB, indexed: bool) -> None:
    vectors = InMemoryVectorStore(DeterministicFakeEmbedding(size=16)) if indexed else None
    config = LearnedKnowledgeConfig(namespace="user", knowledge=vectors)
    learning = LearningMachine(learned_knowledge=config, store=db.store)
    search = call("search_learnings", query="build", call_id="s1")
    assert "20 minutes" in turn(learning, db.store, save("Build", "It takes 20 minutes."), search)[1]
    assert turn(learning, db.store, search, user="ben") == ["Nothing was found."]


def test_without_a_user_nothing_of_anybody_is_read_or_written(db: LearningDB) -> None:
    vectors = InMemoryVectorStore(DeterministicFakeEmbedding(size=16))
    config = LearnedKnowledgeConfig(namespace="user", knowledge=vectors)
    learning = LearningMachine(learned_knowledge=config, decision_log=True, store=db.store)
    log = call("log_decision", decision="Chose tabs", reasoning="Taste", call_id="l1")
    turn(learning, db.store, save("Build", "It takes 20 minutes."), log)
    nobody = learning.scoped(user_id=None)
    assert (nobody.records(), nobody.search("build tabs"), nobody.recall("build tabs").text) == ([], [], "")
    search = call("search_learnings", query="build", call_id="s1")
    again = call("save_learning", title="Nobody's", learning="Lost.", call_id="s2")
    for told in turn(learning, db.store, search, again, user=None):
        assert "it is not known who the user is" in told
    assert len(vectors.store) == 1


def test_decisions_cross_neither_users_nor_agents(db: LearningDB) -> None:
    learning = LearningMachine(decision_log=True, store=db.store)
    turn(learning, db.store, call("log_decision", decision="Chose tabs", reasoning="Taste"), name="coder")
    search = call("search_decisions", query="tabs")
    assert turn(learning, db.store, search, name="coder") == ["- [d1] Chose tabs\n  reasoning: Taste"]
    assert turn(learning, db.store, search, name="writer") == ["Nothing was found."]
    assert turn(learning, db.store, search, name="coder", user="ben") == ["Nothing was found."]
    for agent, user in (("writer", "ada"), (None, "ada"), ("coder", "ben")):
        assert "tabs" not in learning.scoped(user_id=user, agent=agent).recall("tabs").text
    assert "Chose tabs" in learning.scoped(user_id="ada", agent="coder").recall("tabs").text
