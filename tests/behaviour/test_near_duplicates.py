"""The curator finds near duplicates, shows what it would do, and merges them."""

import pytest
from langgraph.store.memory import InMemoryStore

from langgraph_learning import LearningMachine
from langgraph_learning.testing import ScriptedChatModel, op

NEAR_DUPLICATES = ["Prefers concise answers", "prefers concise answers!", "The user prefers concise answers."]


@pytest.mark.parametrize("judged", [False, True])
async def test_the_curator_finds_near_duplicates_and_merges_them_dry_run_first(judged: bool) -> None:
    """There: 0 of 3 were found, whatever was stored."""
    store = InMemoryStore()
    rows = [
        {
            "id": f"r{number}",
            "store": "user_memory",
            "scope": {"user_id": "alex"},
            "content": {"content": text},
            "text": text,
            "created_at": f"2026-01-0{number + 1}T12:00:00Z",
            "updated_at": f"2026-01-0{number + 1}T12:00:00Z",
        }
        for number, text in enumerate([*NEAR_DUPLICATES, "Wants answers to be short", "Has a dog"])
    ]
    alex = LearningMachine(user_memory=True, store=store).scoped(user_id="alex")
    assert alex.load(rows) == 5
    answer = [op("merge_records", ids=["m1", "m2"], text="Prefers concise, short answers")]
    model = ScriptedChatModel(extractions=[answer], repeat=True) if judged else None
    report = alex.curate(model=model)
    assert [merged.ids for merged in report.merged] == [("r0", "r1", "r2"), *([("r0", "r3")] if judged else [])]
    assert [record.status for record in alex.records()] == ["active"] * 5
    assert (await alex.acurate(dry_run=False, model=model)).changes == report.changes
    left = ["Prefers concise, short answers"] if judged else ["Prefers concise answers", "Wants answers to be short"]
    assert [record.text for record in alex.records() if record.status == "active"] == [*left, "Has a dog"]
    assert (await alex.acurate()).changes == 0
