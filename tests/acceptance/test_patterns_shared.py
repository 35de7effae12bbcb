"""Assistants that also know entities and share what they have learned: one user's own world, one organisation's."""

from typing import Any

from acceptance.driver import Agent, Home

from langgraph_learning import (
    EntityMemoryConfig,
    LearningMachine,
    LearningMode,
    SessionContextConfig,
)
from langgraph_learning.testing import call, op

SARAH = [
    op("update_user_profile", name="Alex Chen", quote="I'm Alex Chen"),
    op("remember_about", entity="Sarah", entity_type="person", facts=["Visits next week"], quote="Sarah is visiting"),
    op("link_entities", entity="Alex Chen", relation="sister", related_entity="Sarah", quote="My sister Sarah"),
]


def personal(home: Home, user: str, **script: Any) -> Agent:
    """The assistant of one user, with a world of their own."""
    learning = LearningMachine(
        user_profile=True,
        session_context=SessionContextConfig(enable_planning=True),
        entity_memory=EntityMemoryConfig(namespace=f"user:{user}:personal"),
    )
    return home.agent(learning, **script)


def about(agent: Agent, user: str) -> str:
    """All that is known of entities, as text."""
    return "\n".join(agent.texts("entity_memory", user))


def test_07_a_personal_assistant_knows_its_users_people_and_nobody_elses(home: Home) -> None:
    first = personal(home, "alex", replies=["How nice."], extractions=[SARAH])
    first.say("I'm Alex Chen. My sister Sarah is visiting next week.", user="alex")
    assert "Visits next week" in about(first, "alex")
    assert "sister" in about(first, "alex")
    home.restart()
    again = personal(
        home,
        "alex",
        replies=["Alex; Sarah, your sister.", "A hike, then."],
        extractions=[
            [],
            [
                op("update_session_context", summary="A visit is planned.", goal="Plan Sarah's visit"),
                op("remember_about", entity="Sarah", entity_type="person", facts=["Likes hiking"]),
            ],
        ],
    )
    again.say("Who am I, and who is Sarah?", thread="c2", user="alex")
    assert "Alex Chen" in again.shown()
    assert "Visits next week" in again.shown()
    assert "sister" in again.shown()
    again.say("Plan Sarah's visit, she likes hiking.", thread="visit", user="alex")
    [session] = again.records("session_context", "alex", "visit")
    assert session.content["goal"] == "Plan Sarah's visit"
    assert "Likes hiking" in about(again, "alex")
    other = personal(home, "ben", replies=["I do not know."], extractions=[[]])
    other.say("Who is Sarah?", thread="c3", user="ben")
    assert "Visits next week" not in other.model.prompt("reply")
    assert other.records("entity_memory", "ben") == []


def support(home: Home, organisation: str, **script: Any) -> Agent:
    """The agent of one organisation: solutions are everybody's, entities are its own."""
    learning = LearningMachine(
        user_profile=True,
        learned_knowledge=True,
        entity_memory=EntityMemoryConfig(namespace=f"org:{organisation}:support", mode=LearningMode.ALWAYS),
    )
    return home.agent(learning, **script)


def test_07_a_support_agent_has_the_solution_of_one_ticket_ready_for_the_next_customers(home: Home) -> None:
    solved = call(
        "save_learning", title="Blank page", learning="A blank page goes away when the cache is cleared", context=None
    )
    first = support(
        home,
        "acme",
        replies=["Clear the cache.", solved, "Glad it works."],
        extractions=[
            [op("update_user_profile", name="Carla"), op("remember_about", entity="Portal", entity_type="product")],
            [],
        ],
    )
    first.say("I'm Carla, the portal shows a blank page.", thread="ticket-1", user="carla")
    assert first.records("learned_knowledge", "carla") == []
    first.say("That solved it.", thread="ticket-1", user="carla")
    assert first.texts("learned_knowledge", "carla") == ["Blank page: A blank page goes away when the cache is cleared"]
    second = support(
        home,
        "acme",
        replies=[call("search_learnings", query="blank page"), "Clear the cache."],
        extractions=[[]],
    )
    state = second.turn("My page is blank.", thread="ticket-2", user="dan")
    told = [message.text for message in state["messages"] if message.type == "tool"]
    assert "cache is cleared" in told[0]
    assert "Carla" not in second.model.prompt("reply")
    assert "Portal" in about(second, "dan")
    assert support(home, "bolt").records("entity_memory", "eve") == []
