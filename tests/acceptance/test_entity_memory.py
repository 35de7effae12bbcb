"""The rows of the cookbook's entity memory pages, of both of its generations."""

from datetime import timedelta
from typing import Any

from acceptance.driver import Agent, Home

from langgraph_learning import EntityMemoryConfig, LearningMachine, LearningMode, Record
from langgraph_learning.testing import call, op

ALWAYS = LearningMachine(entity_memory=True)
AGENTIC = LearningMachine(entity_memory=EntityMemoryConfig(mode=LearningMode.AGENTIC))
TOOLS = ["remember_about", "link_entities", "forget", "search_entities"]
ACME = {"entity": "Acme", "entity_type": "company"}


def of_kind(agent: Agent, kind: str) -> list[Record]:
    return [record for record in agent.records("entity_memory") if record.content["kind"] == kind]


def names(agent: Agent) -> list[tuple[Any, Any]]:
    return [(record.content["name"], record.content["type"]) for record in of_kind(agent, "entity")]


def texts(agent: Agent, kind: str, status: str = "active") -> list[str]:
    return [record.text for record in of_kind(agent, kind) if record.status == status]


def tool_results(state: dict[str, Any]) -> list[str]:
    return [str(message.text) for message in state["messages"] if message.type == "tool"]


def recalled(agent: Agent) -> str:
    """What the model was shown of entities before its last reply."""
    return agent.model.prompt("reply").partition("<entity_memory>")[2].partition("</entity_memory>")[0]


def test_01_5a_always_learns_entities_without_tools_and_adds_to_the_one_that_is_known(home: Home) -> None:
    agent = home.agent(
        ALWAYS,
        replies=["Noted.", "Congratulations to them.", "They are a fintech."],
        extractions=[
            [
                op(
                    "remember_about",
                    **ACME,
                    description="A fintech",
                    facts=["Uses Python and Postgres"],
                    properties=[{"key": "city", "value": "San Francisco"}, {"key": "headcount", "value": "50"}],
                    quote="Acme is a fintech",
                ),
                op("remember_about", entity="Jane", entity_type="person", facts=[], quote="their CTO Jane"),
                op("link_entities", entity="Jane", relation="CTO of", related_entity="Acme", quote="their CTO Jane"),
            ],
            [
                op(
                    "remember_about",
                    entity="Acme",
                    entity_type="Company",
                    events=[{"content": "Raised a Series B", "date": "yesterday"}],
                    facts=["Hired 20 people"],
                    quote="raised its Series B yesterday",
                )
            ],
            [],
        ],
    )
    agent.say("Acme is a fintech in San Francisco, 50 people, their CTO Jane uses Python and Postgres.")
    assert names(agent) == [("Acme", "company"), ("Jane", "person")]
    assert texts(agent, "relationship") == ["Jane: CTO of Acme"]
    agent.say("Acme raised its Series B yesterday and hired 20 people.", thread="c2")
    assert names(agent) == [("Acme", "company"), ("Jane", "person")]
    [event] = of_kind(agent, "event")
    assert event.content["entity"] == of_kind(agent, "entity")[0].id
    assert event.content["date"] == (event.created_at - timedelta(days=1)).date().isoformat()
    assert texts(agent, "fact") == ["Acme: Uses Python and Postgres", "Acme: Hired 20 people"]
    assert agent.model.bound == []
    agent.say("What is acme?", thread="c3")
    for known in ("A fintech", "city: San Francisco", "Jane → CTO of → Acme", f"{event.content['date']}: Raised"):
        assert known in recalled(agent)
    # the extraction sees what is known, so that it can add to it
    assert "Uses Python and Postgres" in agent.model.prompt("extraction", 1)
    found = [each for each in agent.of().search("acme", limit=50) if each.content.get("type") == "company"]
    assert len(found) == 1


def test_01_5b_agentic_searches_first_then_merges_into_one_entity(home: Home) -> None:
    agent = home.agent(
        AGENTIC,
        replies=[
            call("search_entities", query="Acme", call_id="a"),
            call("remember_about", **ACME, facts=["Is a fintech"], call_id="b"),
            "Noted.",
            call("search_entities", query="acme", call_id="c"),
            call("remember_about", entity="ACME", entity_type="company", call_id="d",
                 events=[{"content": "Raised a Series B", "date": "2026-02-03"}]),
            "Great news.",
        ],
    )  # fmt: skip
    state = agent.turn("Acme is a fintech.")
    calls = [each["name"] for message in state["messages"] for each in getattr(message, "tool_calls", ())]
    assert calls == ["search_entities", "remember_about"]
    assert tool_results(state) == ["Nothing was found.", "Stored: Acme (company)\nStored: Acme: Is a fintech"]
    state = agent.turn("Acme raised its Series B on February 3rd.", thread="c2")
    found, stored = tool_results(state)
    assert found.startswith("- Acme (company)\n  - Is a fintech (as of ")
    assert stored == "Stored: Acme: Raised a Series B (2026-02-03)"
    assert names(agent) == [("Acme", "company")]
    assert set(agent.model.bound[0]) == set(TOOLS)
    assert agent.model.calls["extraction"] == 0


def test_01_5_v2_a_note_of_one_conversation_answers_the_next_without_a_tool_call(home: Home) -> None:
    agent = home.agent(
        AGENTIC,
        replies=[
            call("remember_about", **ACME, facts=["The renewal is blocked by legal"]),
            "Noted.",
            "Legal blocks it.",
        ],
    )
    agent.say("Note that legal blocks the renewal of Acme.")
    state = agent.turn("What blocks the Acme renewal?", thread="c2")
    assert "The renewal is blocked by legal (as of " in recalled(agent)
    assert tool_results(state) == []
    assert "entity:" not in recalled(agent)


def test_04_01_v1_facts_are_timeless_events_dated_and_none_is_lost(home: Home) -> None:
    datapipe = {"entity": "DataPipe", "entity_type": "company"}

    def happened(content: str, date: str) -> dict[str, Any]:
        return op("remember_about", **datapipe, events=[{"content": content, "date": date}])

    agent = home.agent(
        ALWAYS,
        replies=["Noted.", "Wow.", "Nice.", "All of that."],
        extractions=[
            [
                op("remember_about", **datapipe, facts=["Is in San Francisco", "Builds ETL in Rust"]),
                op("link_entities", entity="person/Marcus Chen", relation="CTO of", related_entity="DataPipe"),
            ],
            [happened("Reached 1,000 customers", "2026-01-10"), happened("Raised a Series B", "2026-02-01")],
            [happened("Partnered with Acme", "2026-02-20"), happened("Opened an office in London", "March 2026")],
            [],
        ],
    )
    for number, text in enumerate(
        ["DataPipe: San Francisco, Rust ETL, CTO Marcus Chen.", "1,000 customers!", "London!"]
    ):
        agent.say(text, thread=f"c{number}")
    assert names(agent) == [("DataPipe", "company"), ("Marcus Chen", "person")]
    assert texts(agent, "fact") == ["DataPipe: Is in San Francisco", "DataPipe: Builds ETL in Rust"]
    assert [record.content["date"] for record in of_kind(agent, "event")] == [
        "2026-01-10",
        "2026-02-01",
        "2026-02-20",
        "2026-03-01",
    ]
    agent.say("What do we know about DataPipe?", thread="c9")
    for known in ("San Francisco", "Rust", "Marcus Chen → CTO of → DataPipe", "1,000", "Series B", "Acme", "London"):
        assert known in recalled(agent)


def test_04_02_v1_an_organisation_chart_is_directed_edges_that_both_ends_show(home: Home) -> None:
    def link(one: str, relation: str, other: str) -> dict[str, Any]:
        return op("link_entities", entity=one, relation=relation, related_entity=other)

    agent = home.agent(
        ALWAYS,
        replies=["Noted.", "Alice does.", "Noted.", "TechCorp did."],
        extractions=[
            [
                op("remember_about", entity="TechCorp", entity_type="company"),
                link("person/Carol", "CEO of", "TechCorp"),
                link("person/Bob", "reports to", "Carol"),
                link("person/Alice", "reports to", "Bob"),
            ],
            [],
            [link("TechCorp", "acquired", "company/StartupAI"), link("TechCorp", "partner of", "company/CloudCo")],
            [],
        ],
    )
    agent.say("Carol is the CEO of TechCorp, Bob reports to her, Alice to Bob.")
    agent.say("Who reports to Bob?", thread="c2")
    assert "- Alice → reports to → Bob" in recalled(agent)
    assert "- Bob → reports to → Carol" in recalled(agent)
    agent.say("TechCorp acquired StartupAI; CloudCo is a partner.", thread="c3")
    agent.say("Who acquired StartupAI?", thread="c4")
    assert "- TechCorp → acquired → StartupAI" in recalled(agent)
    agent_of = dict(names(agent))
    assert agent_of["StartupAI"] == "company"
    assert agent_of["Alice"] == "person"
    [edge] = [record for record in of_kind(agent, "relationship") if record.content["relation"] == "acquired"]
    ids = {record.content["name"]: record.id for record in of_kind(agent, "entity")}
    assert (edge.content["source"], edge.content["target"]) == (ids["TechCorp"], ids["StartupAI"])


def test_04_01_v2_a_contradicted_fact_is_superseded_and_kept(home: Home) -> None:
    radar = {"entity": "radar", "entity_type": "project"}
    agent = home.agent(
        ALWAYS,
        replies=["Noted.", "Great.", "It shipped."],
        extractions=[
            [op("remember_about", **radar, facts=["Is blocked on review"]), op("remember_about", entity="Sarah",
                entity_type="person", facts=["Is a designer"])],
            [op("remember_about", **radar, facts=["Has shipped v1"], outdated=["Is blocked on review (as of today)"])],
            [],
        ],
    )  # fmt: skip
    agent.say("Radar is blocked on review; the designer is Sarah.")
    agent.say("Radar shipped v1.", thread="c2")
    assert "Is blocked on review (as of " in agent.model.prompt("extraction")
    assert texts(agent, "fact") == ["Sarah: Is a designer", "radar: Has shipped v1"]
    assert texts(agent, "fact", "superseded") == ["radar: Is blocked on review"]
    [old] = [record for record in of_kind(agent, "fact") if record.status == "superseded"]
    [new] = [record for record in of_kind(agent, "fact") if "shipped" in record.text]
    assert old.content["superseded_by"] == new.id
    agent.say("How is radar?", thread="c3")
    assert f"- Has shipped v1 (as of {new.updated_at:%Y-%m-%d}" in recalled(agent)
    assert "blocked" not in recalled(agent)
    receipt = agent.of().recall("How is radar?").receipt
    shown = {each.id for each in receipt.shown}
    assert shown == {
        record.id
        for record in agent.records()
        if record.text in ("Sarah (person)", "radar (project)", "radar: Has shipped v1")
    }


def test_04_02_v2_links_browse_forget_and_revive(home: Home) -> None:
    def ask(tool: str, number: int, **arguments: Any) -> Any:
        return call(tool, call_id=f"call_{number}", **arguments)

    agent = home.agent(
        AGENTIC,
        replies=[
            ask("remember_about", 1, entity="radar", entity_type="project", facts=["Tracks planes"]),
            ask("link_entities", 2, entity="person/Sarah", relation="designs", related_entity="radar"),
            ask("link_entities", 3, entity="person/Tom", relation="runs", related_entity="system/infra"),
            ask("link_entities", 4, entity="radar", relation="depends on", related_entity="infra"),
            "Noted.",
            ask("search_entities", 5),
            "Four.",
            ask("forget", 6, entity="radar"),
            "Forgotten.",
            "I do not know it.",
            ask("search_entities", 7, query="radar"),
            "It is archived.",
            ask("remember_about", 8, entity="radar", entity_type="project", facts=["Is being rebuilt"]),
            "Noted.",
            "It is being rebuilt.",
        ],
    )
    agent.say("Sarah designs radar, Tom runs infra, radar depends on infra.")
    for name, edge in {"radar": "Sarah → designs → radar", "infra": "radar → depends on → infra"}.items():
        assert edge in agent.of().recall(name).text
    [browsed] = tool_results(agent.turn("What is there?", thread="c2"))
    assert set(browsed.splitlines()) == {"- infra (system)", "- radar (project)", "- Tom (person)", "- Sarah (person)"}
    assert browsed.splitlines()[2:] == ["- Tom (person)", "- Sarah (person)"]  # radar and infra were spoken of later
    agent.say("Forget radar.", thread="c3")
    agent.say("What about radar?", thread="c4")
    assert "radar" not in recalled(agent)
    assert "infra (system)" in recalled(agent)
    [found] = tool_results(agent.turn("Was there something called radar?", thread="c5"))
    assert found.startswith("- radar (project) [archived]")
    assert "Tracks planes" in found
    agent.say("Radar is being rebuilt.", thread="c6")
    agent.say("And radar?", thread="c7")
    for known in ("Tracks planes", "Is being rebuilt", "Sarah → designs → radar"):
        assert known in recalled(agent)


def test_07_personal_assistant_a_group_of_ones_own_holds_who_matters_to_the_user(home: Home) -> None:
    def assistant(user: str, **script: Any) -> Agent:
        mine = LearningMachine(entity_memory=EntityMemoryConfig(namespace=f"user:{user}:personal"))
        return home.agent(mine, **script)

    sarah = {"entity": "Sarah", "entity_type": "person"}
    first = assistant(
        "alex",
        replies=["How nice."],
        extractions=[[
            op("remember_about", **sarah, facts=["Is Alex's sister"], events=[{"content": "Visits", "date": "soon"}]),
            op("remember_about", **sarah, facts=["Likes hiking"]),
        ]],
    )  # fmt: skip
    first.say("My sister Sarah visits next week, she likes hiking.", user="alex")
    again = assistant("alex", replies=["Go hiking."], extractions=[[]])
    again.say("What could I do with Sarah?", thread="c2", user="alex")
    assert "Likes hiking" in recalled(again)
    other = assistant("ben", replies=["Who is Sarah?"], extractions=[[]])
    other.say("Do you know Sarah?", thread="c3", user="ben")
    assert recalled(other) == ""
