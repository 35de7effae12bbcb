"""The tour of the reference system's README, block by block, with the real OpenAI client and a server of our own."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from langchain_openai import ChatOpenAI
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.store.memory import InMemoryStore
from openai_stub import Answer, Stub, openai_stub
from pydantic import JsonValue, SecretStr

from langgraph_learning import (
    DecisionLogConfig,
    EntityMemoryConfig,
    LearnedKnowledgeConfig,
    LearningMachine,
    LearningMode,
    SessionContextConfig,
    UserMemoryConfig,
    UserProfileConfig,
    create_learning_agent,
)
from langgraph_learning.schemas import UserProfile
from langgraph_learning.testing import op

ALICE = "alice"


@dataclass
class World:
    """An agent as a reader of the page has it: a model at a server, a store, and somebody who talks."""

    server: Stub
    model: ChatOpenAI

    def agent(self, learning: LearningMachine | bool) -> "Talk":
        store = InMemoryStore()
        made = create_learning_agent(self.model, learning=learning, store=store, checkpointer=InMemorySaver())
        machine = learning if isinstance(learning, LearningMachine) else None
        return Talk(self.server, made, store, machine)


@dataclass
class Talk:
    """One agent of a block."""

    server: Stub
    agent: Any
    store: InMemoryStore
    machine: LearningMachine | None

    def say(
        self,
        text: str,
        session: str,
        *,
        reply: str | Sequence[Answer | str] = "I see.",
        learns: Sequence[Any] | None = (),
        user: str = ALICE,
    ) -> str:
        """Say something; return what the model was shown for its (last) reply."""
        self.server.requests.clear()
        self.server.replies = [reply] if isinstance(reply, str) else list(reply)
        self.server.extractions = [] if learns is None else [list(learns)]
        config = {"configurable": {"thread_id": session}}
        self.agent.invoke({"messages": [("user", text)]}, config=config, context={"user_id": user})
        assert (self.server.replies, self.server.extractions) == ([], []), "every model call that was scripted was made"
        asked = [request for request in self.server.requests if request not in self.server.asked]
        return json.dumps(asked[-1], ensure_ascii=False)


@dataclass
class CustomerProfile(UserProfile):
    """Extended user profile for customer support."""

    company: str | None = field(default=None, metadata={"description": "Company or organization"})
    plan_tier: str | None = field(default=None, metadata={"description": "Subscription tier: free | pro | enterprise"})


@pytest.mark.parametrize("responses", [False, True], ids=["chat", "responses"])
def test_the_tour_of_the_reference_block_by_block(responses: bool) -> None:
    with openai_stub() as server:
        key = SecretStr("dummy")
        model = ChatOpenAI(
            model="gpt-5.2", base_url=server.url, api_key=key, use_responses_api=responses, max_retries=0
        )
        world = World(server, model)
        quick_start(world)
        three_levels(world)
        user_profile(world)
        user_memory(world)
        session_context(world)
        learned_knowledge(world)
        entity_memory(world)
        decision_log(world)
        feedback(world)
        custom_schema(world)


def quick_start(world: World) -> None:
    talk = world.agent(True)
    told = [
        op("update_user_profile", name="Alex", quote="I'm Alex"),
        op("add_memory", content="Prefers concise answers", quote="I prefer concise answers"),
    ]
    talk.say("I'm Alex, I prefer concise answers.", "session_1", learns=told)
    shown = talk.say("What is a monad?", "session_2")
    assert "name: Alex" in shown
    assert "Prefers concise answers" in shown


def three_levels(world: World) -> None:
    world.agent(True).say("Hi", "s1")
    picked = LearningMachine(user_profile=True, session_context=True, entity_memory=False, learned_knowledge=False)
    world.agent(picked).say("Hi", "s1")
    full = LearningMachine(
        user_profile=UserProfileConfig(mode=LearningMode.AGENTIC),
        session_context=SessionContextConfig(enable_planning=True),
    )
    shown = world.agent(full).say("Hi", "s1")
    assert "update_user_profile" in shown, "the agent has the tool"


def user_profile(world: World) -> None:
    talk = world.agent(LearningMachine(user_profile=UserProfileConfig(mode=LearningMode.ALWAYS)))
    employer: JsonValue = [{"key": "employer", "value": "Netflix"}]
    told = op("update_user_profile", name="Alice", preferred_name="", details=employer, quote="I'm Alice, I work at")
    talk.say("I'm Alice, I work at Netflix", "session_1", learns=[told])
    shown = talk.say("What do you know about me?", "session_2", reply="You're Alice, you work at Netflix")
    assert "name: Alice" in shown
    assert "employer: Netflix" in shown
    assert "employer: Netflix" not in talk.say("What do you know about me?", "session_3", user="ben")


def user_memory(world: World) -> None:
    talk = world.agent(LearningMachine(user_memory=UserMemoryConfig(mode=LearningMode.ALWAYS)))
    told = op("add_memory", content="Prefers code examples over explanations", quote="I prefer code examples")
    talk.say("I prefer code examples over explanations", "session_1", learns=[told])
    assert "Prefers code examples over explanations" in talk.say("Explain async/await", "session_2")


def session_context(world: World) -> None:
    talk = world.agent(LearningMachine(session_context=SessionContextConfig(enable_planning=True)))
    plan: list[JsonValue] = ["Write a Dockerfile", "Push the image", "Deploy"]
    told = op("update_session_context", summary="Deploying.", goal="Deploy to AWS", plan=plan, progress=plan[:1])
    talk.say("Help me deploy to AWS; the Dockerfile is written.", "session_1", learns=[told])
    later = op("update_session_context", summary="Pushed.", goal="", plan=[], progress=["Push the image"], withdrawn=[])
    shown = talk.say("The image is pushed.", "session_1", learns=[later])
    assert "Goal: Deploy to AWS" in shown
    shown = talk.say("What is next?", "session_1")
    assert "Step 2 (done): Push the image" in shown
    assert "Step 3: Deploy" in shown
    assert "Deploy to AWS" not in talk.say("What is next?", "session_2")


def learned_knowledge(world: World) -> None:
    talk = world.agent(LearningMachine(learned_knowledge=LearnedKnowledgeConfig(mode=LearningMode.AGENTIC)))
    learning = {"title": "Cloud costs", "learning": "Check egress costs before choosing a provider", "tags": ["cloud"]}
    saved = Answer(calls=[("save_learning", learning)])
    talk.say("Remember to check egress costs.", "session_1", reply=[saved, "Saved."], learns=None)
    shown = talk.say("Which cloud provider is cheap?", "session_2", learns=None, user="ben")
    assert "Check egress costs" in shown


def entity_memory(world: World) -> None:
    talk = world.agent(LearningMachine(entity_memory=EntityMemoryConfig(namespace="global")))
    acme = op("remember_about", entity="Acme Corp", entity_type="company", facts=["Uses PostgreSQL"], quote="Acme Corp")
    bob = op("link_entities", entity="Bob", relation="CTO of", related_entity="Acme Corp", quote="hired Bob as CTO")
    talk.say("Acme Corp just migrated to PostgreSQL and hired Bob as CTO", "session_1", learns=[acme, bob])
    shown = talk.say("What database does Acme Corp use?", "session_2", reply="Acme Corp uses PostgreSQL")
    assert "Uses PostgreSQL" in shown
    assert "CTO of" in shown


def decision_log(world: World) -> None:
    talk = world.agent(LearningMachine(decision_log=DecisionLogConfig(mode=LearningMode.AGENTIC)))
    decision = {"decision": "Use Python", "reasoning": "Its libraries", "alternatives": ["JavaScript"]}
    talk.say("Python or JavaScript?", "s1", reply=[Answer(calls=[("log_decision", decision)]), "Python."], learns=None)
    shown = talk.say("What did you decide?", "s2", learns=None)
    assert "Use Python" in shown
    for tool in ("log_decision", "search_decisions", "record_outcome"):
        assert tool in shown


def feedback(world: World) -> None:
    learning = LearningMachine(user_memory=True)
    talk = world.agent(learning)
    told = op("add_memory", content="Wants long explanations of Tokyo", quote="Tell me all about Tokyo")
    talk.say("Tell me all about Tokyo", "s1", learns=[told])
    talk.say("What is the population of Tokyo?", "s2")
    scoped = learning.scoped(user_id=ALICE, thread_id="s2", store=talk.store)
    receipt = scoped.recall("What is the population of Tokyo?").receipt
    counted = scoped.feedback(receipt.model_copy(update={"turn": "t1", "identity": scoped.identity}), helpful=False)
    assert counted.records


def custom_schema(world: World) -> None:
    talk = world.agent(LearningMachine(user_profile=UserProfileConfig(schema=CustomerProfile)))
    told = op("update_user_profile", name="Carol", company="Acme", plan_tier="pro", quote="I'm Carol of Acme")
    talk.say("I'm Carol of Acme, we are on the pro plan.", "s1", learns=[told])
    [request] = talk.server.asked
    assert "Company or organization" in json.dumps(request)
    machine = cast("LearningMachine", talk.machine)
    known = machine.scoped(user_id=ALICE, store=talk.store).profile(CustomerProfile)
    assert (known.name, known.company, known.plan_tier) == ("Carol", "Acme", "pro")
    assert "plan_tier: pro" in talk.say("What am I on?", "s2")
