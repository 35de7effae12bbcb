"""What the model says in notebooks: written by hand, played where no model is named."""

from pydantic import JsonValue

from langgraph_learning.testing import call, op
from notebooks.cookbook import Script


def user_profile_always() -> Script:
    """Return what the model says in `01_basics/1a_user_profile_always.ipynb`."""
    return Script(
        replies=[
            "Nice to meet you, Ali.",
            "You are Alice Chen, and I call you Ali.",
            "I do not know yet. Who are you?",
        ],
        extractions=[
            [
                op("update_user_profile", name="Alice Chen", quote="I'm Alice Chen"),
                op("update_user_profile", preferred_name="Ali", quote="call me Ali"),
            ],
            [],
            [],
        ],
    )


def user_profile_agentic() -> Script:
    """Return what the model says in `01_basics/1b_user_profile_agentic.ipynb`."""
    return Script(
        replies=[
            "Hello! How can I help?",
            call("update_user_profile", name="Robert Johnson", preferred_name="Bob"),
            "Nice to meet you, Bob.",
            "I call you Bob.",
        ]
    )


def user_memory_always() -> Script:
    """Return what the model says in `01_basics/2a_user_memory_always.ipynb`."""
    return Script(
        replies=["Good luck with the paper!", "Begin with one figure that carries the argument."],
        extractions=[
            [
                op(
                    "add_memory",
                    content="Works at a research lab",
                    quote="I work at a research lab",
                ),
                op("add_memory", content="Prefers a concise style", quote="I like it concise"),
                op(
                    "add_memory",
                    content="Is writing a paper on transformers",
                    quote="writing a paper on transformers",
                ),
            ],
            [],
        ],
    )


def user_memory_agentic() -> Script:
    """Return what the model says in `01_basics/2b_user_memory_agentic.ipynb`."""
    return Script(
        replies=[
            call("add_memory", content="Is a backend engineer who works on distributed systems"),
            call("add_memory", content="Prefers Rust over Go"),
            "I will remember.",
            "In Rust, as you like it.",
            call("update_memory", id="m2", content="Prefers Go over Rust"),
            "Go, then.",
        ]
    )


def session_context_summary() -> Script:
    """Return what the model says in `01_basics/3a_session_context_summary.ipynb`."""
    summaries = [
        "The user asked whether to use PUT or PATCH; the assistant advised PATCH for parts.",
        "Decided: PATCH for parts. For the URLs the assistant advised /users/{id}/orders.",
        "PATCH and /users/{id}/orders were decided; the user asked for a recap.",
    ]
    return Script(
        replies=[
            "PATCH, for partial updates.",
            "`/users/{id}/orders` is clear.",
            "PATCH, and `/users/{id}/orders`.",
        ],
        extractions=[[op("update_session_context", summary=summary)] for summary in summaries],
    )


def session_context_planning() -> Script:
    """Return what the model says in `01_basics/3b_session_context_planning.ipynb`."""
    plan: list[JsonValue] = ["Build the image", "Push it to the registry", "Roll it out"]
    update = "update_session_context"
    return Script(
        replies=[
            "Three steps: build the image, push it, roll it out.",
            "Well done.",
            "Roll it out: that is all that is left.",
        ],
        extractions=[
            [op(update, summary="A deployment was planned.", goal="Deploy the service", plan=plan)],
            [op(update, summary="The image is built.", progress=["Build the image"])],
            [
                op(
                    update,
                    summary="The image is in the registry.",
                    progress=["Push it to the registry"],
                )
            ],
        ],
    )


def learned_knowledge() -> Script:
    """Return what the model says in `01_basics/4_learned_knowledge.ipynb`."""
    EGRESS = "Compare egress costs before choosing a cloud provider"
    return Script(
        replies=[
            call("search_learnings", query="cloud egress costs", call_id="1"),
            call(
                "save_learning", title="Egress costs", learning=EGRESS, tags=["cloud"], call_id="2"
            ),
            "Saved: compare egress costs first.",
            "Before anything else, compare what egress will cost you.",
            call("save_learning", title="My notes", learning="The office door code is new"),
            "Saved, for you alone.",
        ]
    )


def entity_memory_always() -> Script:
    """Return what the model says in `01_basics/5a_entity_memory_always.ipynb`."""
    acme = {"entity": "Acme", "entity_type": "company"}
    return Script(
        replies=["Noted.", "Congratulations to them!", "A fintech in San Francisco, newly funded."],
        extractions=[
            [
                op(
                    "remember_about",
                    **acme,
                    description="A fintech",
                    facts=["Uses Python and Postgres"],
                    properties=[
                        {"key": "city", "value": "San Francisco"},
                        {"key": "headcount", "value": "50"},
                    ],
                    quote="Acme is a fintech in San Francisco with 50 people",
                ),
                op("remember_about", entity="Jane", entity_type="person", quote="Their CTO Jane"),
                op(
                    "link_entities",
                    entity="Jane",
                    relation="CTO of",
                    related_entity="Acme",
                    quote="Their CTO Jane",
                ),
            ],
            [
                op(
                    "remember_about",
                    **acme,
                    facts=["Hired 20 people"],
                    events=[{"content": "Raised a Series B", "date": "yesterday"}],
                    quote="raised its Series B yesterday",
                )
            ],
            [],
        ],
    )


def entity_memory_agentic() -> Script:
    """Return what the model says in `01_basics/5b_entity_memory_agentic.ipynb`."""
    return Script(
        replies=[
            call("search_entities", query="Acme", call_id="1"),
            call(
                "remember_about",
                entity="Acme",
                entity_type="company",
                description="A fintech",
                facts=["The renewal is blocked by legal"],
                call_id="2",
            ),
            call(
                "link_entities",
                entity="person/Jane",
                relation="CTO of",
                related_entity="Acme",
                call_id="3",
            ),
            "Noted.",
            call("search_entities", query="acme", call_id="4"),
            call(
                "remember_about",
                entity="ACME",
                entity_type="company",
                events=[{"content": "Raised a Series B", "date": "2026-02-03"}],
                call_id="5",
            ),
            "Great news.",
            "Legal blocks it.",
        ]
    )
