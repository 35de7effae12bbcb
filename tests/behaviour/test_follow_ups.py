"""A question that goes on from what was said before finds what it is about."""

import json
from pathlib import Path
from typing import Any

from acceptance.driver import Home
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage

from langgraph_learning import LearningMachine, LearningMode, SessionContextConfig, UserMemoryConfig
from langgraph_learning._engine.flow import Driver
from langgraph_learning._engine.learning.messages import EVERYBODY
from langgraph_learning._engine.recall.follow_up import search_text

FOLLOW_UPS: list[dict[str, str]] = json.loads((Path(__file__).parent / "follow_ups.json").read_text())
OTHER = ["The weather is nice.", "I had tea with friends."]


def searched_for(messages: list[BaseMessage]) -> str:
    return Driver().run(search_text(None, [], messages, EVERYBODY))


def memory_row(number: int, text: str) -> dict[str, Any]:
    scope, at = {"user_id": "alice"}, "2026-01-01T00:00:00Z"
    row = {"id": f"r{number}", "store": "user_memory", "scope": scope, "content": {"content": text}, "text": text}
    return {**row, "created_at": at, "updated_at": at}


def test_follow_up_questions_find_their_memory_and_lose_nothing_where_they_stand_for_themselves(home: Home) -> None:
    machine = LearningMachine(user_memory=UserMemoryConfig(mode=LearningMode.AGENTIC), store=home.store)
    scoped = machine.scoped(user_id="alice")
    scoped.load(memory_row(number, row["memory"]) for number, row in enumerate(FOLLOW_UPS))

    def finds(row: dict[str, str], before: list[str], question: str, limit: int = 1) -> bool:
        said = [message for text in before for message in (HumanMessage(text), AIMessage("I see."))]
        query = searched_for([*said, HumanMessage(question)])
        return row["memory"] in [record.text for record in scoped.search(query, limit=limit)]

    alone = sum(finds(row, [], row["question"]) for row in FOLLOW_UPS)
    with_before = sum(finds(row, [OTHER[0], row["before"]], row["question"]) for row in FOLLOW_UPS)
    further_back = sum(finds(row, [row["before"], OTHER[1]], row["question"], limit=3) for row in FOLLOW_UPS)
    assert len(FOLLOW_UPS) >= 30
    assert alone <= 10
    assert with_before >= 29
    assert further_back >= 27
    others = [*FOLLOW_UPS[1:], FOLLOW_UPS[0]]
    switched = [
        (row, [other["before"]], f"What about this: {row['memory']}?")
        for row, other in zip(FOLLOW_UPS, others, strict=True)
    ]
    assert all(finds(row, before, question) for row, before, question in switched)


def test_the_goal_of_the_session_counts_in_what_a_short_question_looks_for(home: Home) -> None:
    memories = UserMemoryConfig(mode=LearningMode.AGENTIC)
    machine = LearningMachine(user_memory=memories, store=home.store, context_tokens=500)
    planning = LearningMachine(
        user_memory=memories,
        session_context=SessionContextConfig(enable_planning=True),
        store=home.store,
        context_tokens=500,
    )
    machine.scoped(user_id="alice").load(memory_row(number, row["memory"]) for number, row in enumerate(FOLLOW_UPS))

    def first(learning: LearningMachine, thread: str, question: str) -> str:
        recalled = learning.scoped(user_id="alice", thread_id=thread).recall(question)
        shown = [each for each in recalled.receipt.shown if each.store == "user_memory"]
        best = max(shown, key=lambda each: each.score).id
        return next(record.text for record in recalled.records if record.id == best)

    for number, row in enumerate(FOLLOW_UPS):
        scoped = planning.scoped(user_id="alice", thread_id=f"t{number}")
        scoped.apply("update_session_context", summary="They have begun.", goal=row["goal"])
    rows = list(enumerate(FOLLOW_UPS))
    alone = sum(first(machine, f"t{n}", row["question"]) == row["memory"] for n, row in rows)
    with_goal = sum(first(planning, f"t{n}", row["question"]) == row["memory"] for n, row in rows)
    other_goal = sum(first(planning, f"t{(n + 1) % len(rows)}", row["memory"]) == row["memory"] for n, row in rows)
    assert alone <= 10
    assert with_goal >= 29
    assert other_goal == len(rows)


def test_a_question_of_many_words_stands_for_itself() -> None:
    said = [HumanMessage("Lisbon."), AIMessage("Yes?")]
    long = "Which apartment with balcony, kitchen, cellar, garage, sauna, garden, attic did grandmother sell?"
    assert searched_for([*said, HumanMessage(long)]) == long
    assert searched_for([*said, HumanMessage("And which place?")]).count("Lisbon") == 2
    assert searched_for([HumanMessage("And which place?")]) == "And which place?"
