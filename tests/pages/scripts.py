"""What the model says in each page: its replies, and the operations it answers extraction with."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from openai_stub import Answer

from langgraph_learning.testing import op


def call(tool: str, **arguments: Any) -> Answer:
    """Return a reply that calls a tool."""
    return Answer(calls=[(tool, arguments)], finish_reason="tool_calls")


@dataclass(frozen=True)
class Script:
    """The model's words of one page; all of them are said."""

    replies: Sequence[Answer | str] = ()
    extractions: Sequence[Any] = field(default_factory=tuple)


BEES = op("add_memory", content="Keeps bees", quote="I keep bees")
ALEX = op("update_user_profile", name="Alex", quote="I'm Alex")
ROME = op("add_memory", content="Lives in Rome", quote="I live in Rome")

SCRIPTS = {
    "README.md": Script(
        ["Nice to meet you, Alex.", "You are Alex, and you prefer concise answers.", "Bees!"],
        [
            [ALEX, op("add_memory", content="Prefers concise answers", quote="I prefer concise answers")],
            [],
            [op("update_user_profile", languages=["Rust"], experience_years=12, quote="Rust for 12 years")],
            [BEES],
        ],
    ),
    "docs/tutorials/first-agent.md": Script(
        ["Nice to meet you, Alex.", "You are Alex, you keep bees, and you like it short.", "Nothing yet."],
        [[ALEX, BEES, op("add_memory", content="Prefers short answers", quote="I prefer short answers")], [], []],
    ),
    "docs/tutorials/own-learning-store.md": Script(
        extractions=[
            [op("add_todo", task="Renew the passport"), op("add_todo", task="Call the bank")],
            [op("finish_todo", id="t1", quote="The passport is renewed")],
        ]
    ),
    "docs/how-to/compose.md": Script(
        ["Hello, Al.", "Al."], [[op("update_user_profile", preferred_name="Al", quote="Call me Al")], []]
    ),
    "docs/how-to/approve.md": Script(
        ["I see.", "Rome!", "Bees!"],
        [
            [
                op("add_memory", content="Docker needs host.docker.internal on a Mac", quote="host.docker.internal"),
                op("add_memory", content="Rebooted on a Tuesday", quote="I rebooted it on Tuesday"),
            ],
            [ROME],
            [BEES],
        ],
    ),
    "docs/how-to/shared-knowledge.md": Script(
        [
            "Noted.",
            call("save_learning", title="Egress costs", learning="Compare egress costs before choosing a cloud."),
            "I will remember.",
            "Compare the egress costs.",
            call(
                "log_decision", decision="Use Postgres", reasoning="The data is relational", alternatives=["DynamoDB"]
            ),
            "Postgres.",
            call("record_outcome", id="d1", outcome="It scaled well", outcome_quality="good"),
            "Good to know.",
        ],
        [
            [
                op(
                    "remember_about",
                    entity="Acme",
                    entity_type="company",
                    facts=["Uses Postgres"],
                    events=[{"content": "Raised a Series B", "date": "2026-02-03"}],
                    quote="Acme uses Postgres",
                ),
                op("link_entities", entity="person/Jane", relation="CTO of", related_entity="Acme", quote="Jane"),
            ],
        ],
    ),
    "docs/how-to/vector-store.md": Script(
        extractions=[[op("save_learning", title="Cars", learning="Wash the car in the morning.", quote="mornings")]]
    ),
    "docs/how-to/postgres.md": Script(["Hello, Alex."], [[ALEX]]),
    "docs/how-to/time-travel.md": Script(
        ["Rome!", "Oslo!", "A dog!", "You live in Rome."],
        [
            [ROME],
            [op("update_memory", id="m1", content="Lives in Oslo", quote="moved to Oslo")],
            [op("add_memory", content="Has a dog", quote="I have a dog")],
            [],
        ],
    ),
    "docs/how-to/forget.md": Script(extractions=[[ALEX, BEES]]),
    "docs/how-to/curate.md": Script(
        ["Yes, please."],
        [
            [
                op("add_memory", content="Likes green tea with milk", quote="green tea with milk"),
                op("add_memory", content="Likes green tea with cake", quote="green tea with cake"),
            ],
            [],
        ],
    ),
    "docs/how-to/background.md": Script(["Noted.", "Sugar."], [[BEES]]),
    "docs/how-to/command-line.md": Script(extractions=[[ALEX, BEES]]),
    "docs/how-to/notebooks.md": Script(extractions=[[ALEX, BEES]]),
}
