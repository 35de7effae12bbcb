"""What learning comes to, and what it costs, by learning store."""

from typing import Any

from langchain_core.messages import HumanMessage
from langgraph.store.memory import InMemoryStore

from langgraph_learning import LearningMachine, LearningMode, UserMemoryConfig, create_learning_agent
from langgraph_learning._engine.flow import Driver
from langgraph_learning._engine.learning.usage_shares import share_usage
from langgraph_learning._engine.maintenance.learning_stats import Figures, load_figures
from langgraph_learning.records import ROOT, Usage
from langgraph_learning.stores import UserMemoryStore, UserProfileStore
from langgraph_learning.testing import ScriptedChatModel, call, op

STORES = (UserProfileStore(), UserMemoryStore())


def figures(store: InMemoryStore) -> Figures:
    return Driver(store).run(load_figures((ROOT,)))


def test_the_tokens_of_a_call_are_shared_and_none_of_them_is_lost() -> None:
    asked: list[Any] = [op("add_memory", content="Likes tea"), "nonsense", op("no_such_operation")]
    costs = share_usage(Usage(calls=1, input_tokens=1_001, output_tokens=99), shares(300, 100), asked, STORES)
    assert costs == {"user_profile": 750, "user_memory": 251 + 99}
    nothing = share_usage(Usage(calls=1, input_tokens=400, output_tokens=8), shares(300, 100), [], STORES)
    assert nothing == {"user_profile": 306, "user_memory": 102}


def shares(profile: int, memory: int) -> dict[str, int]:
    return {"user_profile": profile, "user_memory": memory}


def test_the_costs_of_a_commit_are_its_usage_also_where_nothing_was_learned() -> None:
    store = InMemoryStore()
    model = ScriptedChatModel(extractions=[[op("add_memory", content="Likes tea", quote="I like tea")], []])
    learning = LearningMachine(model=model, user_profile=True, user_memory=True, store=store)
    ada = learning.scoped(user_id="ada")
    first = ada.learn([("user", "I like tea")])
    assert first is not None
    assert first.costs.keys() == {"user_profile", "user_memory"}
    assert sum(first.costs.values()) == first.usage.input_tokens + first.usage.output_tokens > 0
    assert ada.learn([("user", "What time is it?")]) is None
    counted = figures(store)
    assert counted["user_memory"]["tokens"] > first.costs["user_memory"]
    assert (counted["user_profile"]["learned"], counted["user_profile"]["tokens"] > 0) == (0, True)


def test_recalled_records_count_once_a_turn_with_the_tokens_they_took_of_the_prompt() -> None:
    store = InMemoryStore()
    memory = UserMemoryConfig(mode=LearningMode.AGENTIC)
    extractor = ScriptedChatModel(extractions=[[]] * 2)
    learning = LearningMachine(model=extractor, user_memory=memory, session_context=True, store=store)
    tools = [call("add_memory", content="Has a cat"), call("add_memory", content="Has a dog"), "Ok."]
    agent = create_learning_agent(ScriptedChatModel(replies=tools), learning=learning, store=store)
    learning.scoped(user_id="ada").apply("add_memory", content="Likes tea")
    agent.invoke({"messages": [HumanMessage("What do I like?", id="h1")]}, context={"user_id": "ada"})

    counted = figures(store)["user_memory"]

    assert (counted["learned"], counted["recalled"]) == (3, 1)
    receipt = learning.scoped(user_id="ada").recall("What do I like?").receipt
    assert 0 < counted["shown"] <= receipt.tokens


def test_proposals_votes_and_what_was_set_aside_are_counted() -> None:
    store = InMemoryStore()
    learning = LearningMachine(
        model=ScriptedChatModel(extractions=[[op("add_memory", content="Likes tea", quote="I like tea")]]),
        user_memory=UserMemoryConfig(mode=LearningMode.PROPOSE),
        store=store,
    )
    ada = learning.scoped(user_id="ada")
    ada.learn([("user", "I like tea")])
    [proposal] = ada.proposals()
    ada.decide(proposal.id, "approve")
    learning.feedback(ada.recall("tea").receipt, True, user_id="ada")
    [record] = ada.records()
    ada.apply("delete_memory", id=record.id)
    counted = figures(store)["user_memory"]
    names = ("learned", "retired", "proposed", "approved", "helpful", "harmful")
    assert [counted[name] for name in names] == [1, 1, 1, 1, 1, 0]
