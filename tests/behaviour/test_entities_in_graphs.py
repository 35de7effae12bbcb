"""Entities in graphs: names, links, scopes and search, where other entity memories lose or mix up."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from acceptance.driver import Agent, Home
from langchain_core.embeddings import Embeddings
from langgraph.store.memory import InMemoryStore

from langgraph_learning import EntityMemoryConfig, LearningMachine, LearningMode, Record, connect
from langgraph_learning.errors import StoreError
from langgraph_learning.testing import ScriptedChatModel, call, op


@pytest.fixture(params=["memory-async", "sqlite-sync"])
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Home]:
    """An empty store of each kind."""
    kind, colour = request.param.split("-")
    url = f"sqlite:///{tmp_path / 'learning.db'}" if kind == "sqlite" else None
    with Home("sync" if colour == "sync" else "async", url) as opened:
        yield opened


def entity(name: str, kind: str = "company", **more: Any) -> dict[str, Any]:
    return op("remember_about", entity=name, entity_type=kind, **more)


def link(one: str, relation: str, other: str) -> dict[str, Any]:
    return op("link_entities", entity=one, relation=relation, related_entity=other)


def taught(home: Home, namespace: str, *operations: dict[str, Any], user: str = "alice") -> Agent:
    """An agent whose one turn taught these."""
    learning = LearningMachine(entity_memory=True, namespace=namespace)
    agent = home.agent(learning, replies=["Noted."], extractions=[operations], repeat=True)
    agent.say("Learn.", user=user, thread=f"{namespace}-{user}")
    return agent


def named(agent: Agent, user: str = "alice") -> list[tuple[Any, Any]]:
    records = agent.records("entity_memory", user=user)
    return [(each.content["type"], each.content["name"]) for each in records if each.content["kind"] == "entity"]


def recalled(agent: Agent, query: str, user: str = "alice") -> str:
    scoped = agent.of(user)
    return agent.either(lambda: scoped.recall(query), lambda: scoped.arecall(query)).text


def test_joined_keys_of_namespaces_types_and_names_never_collide(home: Home) -> None:
    spaces = {
        "a": [entity("x", "b_c", facts=["first"]), entity("c_x", "b", facts=["second"])],
        "a_b": [entity("x", "c", facts=["third"])],
        "A": [entity("x", "b_c", facts=["fourth"])],
        "user:alice": [entity("x", "b c", facts=["fifth"])],
    }
    agents = {space: taught(home, space, *operations) for space, operations in spaces.items()}
    facts = {space: [each.text for each in agent.records() if "fact:" in each.id] for space, agent in agents.items()}
    assert facts == {
        "a": ["x: first", "c_x: second"],
        "a_b": ["x: third"],
        "A": ["x: fourth"],
        "user:alice": ["x: fifth"],
    }
    for agent in agents.values():
        assert len({each.id for each in agent.records()}) == len(agent.records())


class Torn(InMemoryStore):
    """Fails in the middle of writing a relationship."""

    def batch(self, ops: Any) -> Any:
        if any("relation" in str(getattr(each, "value", "")) for each in ops):
            raise OSError("the disk is full")
        return super().batch(ops)


def test_a_link_is_all_there_or_not_at_all(home: Home) -> None:
    agent = taught(home, "global", link("Jane", "CTO of", "Acme"))
    edges = [each for each in agent.records() if each.content["kind"] == "relationship"]
    assert len(edges) == 1
    for end in ("Jane", "Acme"):
        assert "- Jane → CTO of → Acme" in recalled(agent, end)
    [commit] = agent.of().commits()
    assert len(commit.changes) == 3

    model = ScriptedChatModel(extractions=[[link("Jane", "CTO of", "Acme")]])
    alice = LearningMachine(model=model, entity_memory=True, store=Torn()).scoped(user_id="alice")
    with pytest.raises(StoreError):
        alice.learn([("user", "Jane is the CTO of Acme")])
    assert alice.records() == []


def test_a_type_that_becomes_known_breaks_no_edge_however_many_there_are(home: Home) -> None:
    links = [link(f"Person {number}", "works at", "Acme") for number in range(3)]
    agent = taught(home, "global", *links, entity("Acme", "company"))
    assert ("company", "Acme") in named(agent)
    assert recalled(agent, "Acme").count("→ works at → Acme") == 3


def test_two_users_of_the_namespace_user_never_meet(home: Home) -> None:
    alice = taught(home, "user", entity("Acme", facts=["Is Alice's client"]), user="alice")
    ben = taught(home, "user", entity("Acme", facts=["Is Ben's rival"]), user="ben")
    assert "Ben" not in recalled(alice, "Acme", "alice")
    assert "Alice" not in recalled(ben, "Acme", "ben")
    assert [each.text for each in alice.records(user="alice")] == ["Acme (company)", "Acme: Is Alice's client"]
    # without a user there is nobody whose they could be
    alice.say("Learn.", user=None, thread="anonymous")
    assert alice.model.calls["extraction"] == 1
    assert recalled(alice, "Acme", None) == ""  # type: ignore[arg-type]
    # and what is a user's own goes with the user
    counts = alice.of("alice").forget()
    assert sum(counts.values()) > 0
    assert alice.records(user="alice") == []
    assert len(ben.records(user="ben")) == 2


def test_the_namespace_global_is_shared(home: Home) -> None:
    taught(home, "global", entity("Acme", facts=["Uses Go"]), user="alice")
    ben = taught(home, "global", entity("ACME", facts=["Is in Rome"]), user="ben")
    assert named(ben, "ben") == [("company", "Acme")]
    for known in ("Uses Go", "Is in Rome"):
        assert known in recalled(ben, "acme", "ben")


class Concepts(Embeddings):
    """Knows that some words mean nearly the same."""

    groups = ("database databases postgres storage", "boss cto leads", "rome city italy", "cloud egress")

    def _vector(self, text: str) -> list[float]:
        words = text.lower().replace("?", "").split()
        return [0.05 + sum(word in group.split() for word in words) for group in self.groups]

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [self._vector(text) for text in texts]

    def embed_query(self, text: str) -> list[float]:
        return self._vector(text)


def test_a_paraphrase_is_found_by_its_meaning() -> None:
    model = ScriptedChatModel(extractions=[[entity(f"Company {n}", facts=["Sells shoes in Rome"]) for n in range(6)],
                                           [entity("Acme", facts=["Runs on Postgres"])]])  # fmt: skip
    with connect("sqlite:///:memory:", embed=Concepts(), dims=4) as db:
        machine = LearningMachine(model=model, entity_memory=EntityMemoryConfig(max_updates_per_run=50), store=db.store)
        alice = machine.scoped(user_id="alice")
        alice.learn([("user", "one")])
        alice.learn([("user", "two")])
        found = alice.recall("Whose databases are these?")
    shown = [record for record in found.records if record.content["kind"] == "entity"]
    assert "- Runs on Postgres" in found.text
    assert found.receipt.shown[0].id in [record.id for record in shown]
    best = max(found.receipt.shown, key=lambda each: each.score)
    assert "Postgres" in next(record.text for record in found.records if record.id == best.id)


@pytest.mark.parametrize(
    "query", ["昨天张伟说了什么", "张伟", "我和张伟一起去了北京", "Was macht 张伟 heute?", "その張偉ではなく张伟です"]
)
def test_a_chinese_name_is_found_in_a_sentence(home: Home, query: str) -> None:
    agent = taught(
        home, "global", entity("张伟", "person", facts=["喜欢喝茶"]), entity("李娜", "person", facts=["住在上海"])
    )
    text = recalled(agent, query)
    assert "喜欢喝茶" in text
    assert "住在上海" not in text


def test_properties_and_aliases_are_arguments_and_can_be_taken_back(home: Home) -> None:
    def content(agent: Agent) -> dict[str, Any]:
        [record] = agent.records("entity_memory")
        return record.content

    size: Any = [{"key": "headcount", "value": "50"}, {"key": "stage", "value": "seed"}]
    calls: list[Callable[[], Any]] = [
        lambda: call("remember_about", entity="Acme", entity_type="company", aliases=["ACM"], properties=size),
        lambda: call("remember_about", entity="ACM", entity_type="company", properties={"headcount": 70}, call_id="2"),
        lambda: call("forget", entity="Acme", fact="stage", call_id="3"),
        lambda: call("forget", entity="ACM", fact="ACM", call_id="4"),
    ]
    learning = LearningMachine(entity_memory=EntityMemoryConfig(mode=LearningMode.AGENTIC))
    agent = home.agent(learning, replies=[reply for each in calls for reply in (each(), "Done.")])
    agent.say("one")
    assert (content(agent)["aliases"], content(agent)["properties"]) == (["ACM"], {"headcount": "50", "stage": "seed"})
    agent.say("two")
    assert content(agent)["properties"] == {"headcount": 70, "stage": "seed"}
    agent.say("three")
    assert content(agent)["properties"] == {"headcount": 70}
    agent.say("four")
    assert content(agent)["aliases"] == []
    for shown in ("headcount: 70", "Acme (company)"):
        assert shown in recalled(agent, "acme")
    assert "seed" not in recalled(agent, "acme")


def proposals(agent: Agent) -> list[str]:
    return [each.name for each in agent.of().proposals()]


def texts(records: list[Record]) -> list[str]:
    return [each.text for each in records]


def test_what_an_extraction_cannot_retire_costs_nothing_of_what_it_told(home: Home) -> None:
    agent = taught(home, "global", entity("Acme", facts=["Uses Go"]),
                   entity("Acme", facts=["Uses Rust"], outdated=["Uses Perl"]))  # fmt: skip
    assert texts(agent.records()) == ["Acme (company)", "Acme: Uses Go", "Acme: Uses Rust"]
    [commit] = agent.of().commits()
    assert [each.operation for each in commit.refused] == ["remember_about"]
    assert "'Uses Go'" in commit.refused[0].reason


def test_a_turn_that_reaches_its_limit_leaves_whole_entities(home: Home) -> None:
    learning = LearningMachine(entity_memory=EntityMemoryConfig(max_updates_per_run=3))
    operations = [entity("Acme", facts=["Uses Go", "Is in Rome", "Has a cat"]), link("Jane", "CTO of", "Acme")]
    agent = home.agent(learning, replies=["Noted."], extractions=[operations])
    agent.say("Learn.")
    assert texts(agent.records()) == ["Acme (company)", "Acme: Uses Go", "Acme: Is in Rome"]
    assert "Jane" not in recalled(agent, "Jane, Acme")


def test_a_person_decides_about_entities_too(home: Home) -> None:
    learning = LearningMachine(entity_memory=EntityMemoryConfig(mode=LearningMode.PROPOSE))
    told = [entity("Acme", facts=["Uses Go"], events=[{"content": "Moved", "date": "2026-01-05"}])]
    agent = home.agent(learning, replies=["Noted."], extractions=[told])
    agent.say("Learn.")
    assert agent.records() == []
    assert proposals(agent) == ["remember_about"]
    [waiting] = agent.of().proposals()
    assert agent.of().decide(waiting.id, "approve").result == "approved"
    assert texts(agent.records()) == ["Acme (company)", "Acme: Uses Go", "Acme: Moved (2026-01-05)"]


def test_eight_at_once_add_facts_to_one_new_entity_and_all_are_kept(tmp_path: Path) -> None:
    with connect(f"sqlite:///{tmp_path / 'learning.db'}") as db:

        def learn(number: int) -> None:
            model = ScriptedChatModel(extractions=[[entity("Acme", facts=[f"Owns house number {number}"])]])
            machine = LearningMachine(model=model, entity_memory=True, store=db.store)
            machine.scoped(user_id=f"user {number}").learn([("user", f"Acme owns house number {number}")])

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(learn, range(8)))
        records = LearningMachine(entity_memory=True, store=db.store).scoped(user_id="anyone").records()
    assert [each.content["name"] for each in records if each.content["kind"] == "entity"] == ["Acme"]
    assert len([each for each in records if each.content["kind"] == "fact"]) == 8
