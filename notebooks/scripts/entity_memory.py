"""What the model says in notebooks: written by hand, played where no model is named."""

from langchain_core.messages import AIMessage
from pydantic import JsonValue

from langgraph_learning.testing import call, op
from notebooks.cookbook import Script


def facts_and_events() -> Script:
    """Return what the model says in `04_entity_memory/01_facts_and_events.ipynb`."""
    pipe = {"entity": "DataPipe", "entity_type": "company"}

    def happened(content: str, date: str, quote: str) -> dict[str, JsonValue]:
        return op(
            "remember_about", **pipe, events=[{"content": content, "date": date}], quote=quote
        )

    return Script(
        replies=[
            "Noted.",
            "Impressive!",
            "Well done.",
            "They moved, raised money and opened in London.",
        ],
        extractions=[
            [
                op(
                    "remember_about",
                    **pipe,
                    facts=["Is based in San Francisco", "Builds ETL tools in Rust"],
                    aliases=["DataPipe Inc"],
                    quote="DataPipe builds ETL tools in Rust and is based in San Francisco",
                ),
                op(
                    "link_entities",
                    entity="person/Marcus Chen",
                    relation="CTO of",
                    related_entity="DataPipe",
                    quote="Marcus Chen is the CTO",
                ),
            ],
            [
                happened(
                    "Reached 1,000 customers", "2026-01-10", "1,000 customers on January 10th"
                ),
                happened("Raised a Series B", "2026-02-01", "raised a Series B on February 1st"),
            ],
            [
                op(
                    "remember_about",
                    **pipe,
                    facts=["Is based in Oakland"],
                    outdated=["Is based in San Francisco"],
                    quote="DataPipe moved to Oakland",
                ),
                happened("Opened an office in London", "March 2026", "opened in London in March"),
            ],
            [],
        ],
    )


def links_and_forget() -> Script:
    """Return what the model says in `04_entity_memory/02_links_and_forget.ipynb`."""

    def remember(name: str, kind: str, fact: str, number: int) -> AIMessage:
        return call(
            "remember_about", entity=name, entity_type=kind, facts=[fact], call_id=f"r{number}"
        )

    def link(one: str, relation: str, other: str, number: int) -> AIMessage:
        return call(
            "link_entities",
            entity=one,
            relation=relation,
            related_entity=other,
            call_id=f"l{number}",
        )

    return Script(
        replies=[
            remember("radar", "project", "Tracks planes", 1),
            link("person/Sarah", "designs", "radar", 1),
            link("person/Tom", "runs", "system/infra", 2),
            link("radar", "depends on", "infra", 3),
            link("person/Alice", "reports to", "Sarah", 4),
            link("Sarah", "reports to", "person/Carol", 5),
            link("Carol", "CEO of", "company/TechCorp", 6),
            link("TechCorp", "acquired", "company/StartupAI", 7),
            "I have drawn the chart.",
            "Alice does.",
            call("forget", entity="radar"),
            "Forgotten.",
            call("search_entities", query="radar"),
            "There was a project of that name; it is archived.",
            remember("radar", "project", "Is being rebuilt", 2),
            "It is back.",
        ]
    )
