"""What operations on entities change: resolution, merging, supersession, links and forgetting, without an engine."""

from collections.abc import Sequence
from datetime import date
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field, JsonValue, field_validator
from stores.plans import ALICE, AT

from langgraph_learning import EntityMemoryConfig
from langgraph_learning._engine.repository import ScopeSnapshot
from langgraph_learning.errors import ConfigurationError
from langgraph_learning.records import Change, Record, Remove
from langgraph_learning.schemas import Entity
from langgraph_learning.stores import EntityMemoryStore, Refused

STORE = EntityMemoryStore()
TODAY = date(2026, 3, 1)
Asked = tuple[str, dict[str, JsonValue]]


def about(entity: str, entity_type: str = "company", /, **arguments: JsonValue) -> Asked:
    return "remember_about", {"entity": entity, "entity_type": entity_type, **arguments}


def linked(entity: str, relation: str, related_entity: str) -> Asked:
    return "link_entities", {"entity": entity, "relation": relation, "related_entity": related_entity}


def forgotten(entity: str, fact: str | None = None) -> Asked:
    return "forget", {"entity": entity, "fact": fact}


def planned(records: Sequence[Record], asked: Asked, store: EntityMemoryStore = STORE) -> list[Change]:
    """What one operation changes; of what it cannot do the rest is planned."""
    [kind] = [kind for kind in store.operations if kind.__name__ == asked[0]]
    return store.plan(store.resolve_dates(kind.model_validate(asked[1]), TODAY), records)


def known(*asked: Asked, store: EntityMemoryStore = STORE) -> tuple[Record, ...]:
    """The records that operations leave, one after the other."""
    scope = store.scope(ALICE)
    assert scope is not None
    found = ScopeSnapshot(store, scope)
    for each in asked:
        found = found.with_changes(planned(found.records, each, store), AT)
    return found.records


def named(records: Sequence[Record]) -> list[tuple[Any, Any]]:
    return [(each.content["name"], each.content["type"]) for each in records if each.content["kind"] == "entity"]


def told(records: Sequence[Record], kind: str = "fact", status: str = "active") -> list[Any]:
    return [each.content["content"] for each in records if each.content["kind"] == kind and each.status == status]


# --- which entity is meant


@pytest.mark.parametrize(
    "again",
    [
        about("ACME, Inc."),
        about("acme inc", "Companies"),
        about("Àcme Inc"),
        about("Acme Inc", "unknown"),
        about("company/Acme Inc"),
        about("company/Acme Inc", "unknown"),
    ],
)
def test_one_entity_is_found_again(again: Asked) -> None:
    records = known(about("Acme Inc"), again)
    assert named(records) == [("Acme Inc", "company")]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (about("Atlas", "system"), about("Atlas", "team")),
        (about("Sarah", "person"), about("Sarah Chen", "person")),
        (about("C", "language"), about("C++", "language")),
        (about("C++", "language"), about("C#", "language")),
        (about("José", "person"), about("Josè", "person")),
        (about("AC/DC", "band"), about("DC", "band")),
        (about("project/radar", "unknown"), about("team/radar", "unknown")),
        (about("Mercury", "planet", aliases=["Hermes"]), about("Hermes", "company")),
    ],
)
def test_two_entities_stay_two(one: Asked, other: Asked) -> None:
    assert len(named(known(one, other))) == 2
    assert len(named(known(other, one))) == 2
    assert len({record.id for record in known(one, other)}) == 2


def test_a_name_with_a_slash_is_a_name_unless_a_type_stands_before_it() -> None:
    assert named(known(about("AC/DC", "band"))) == [("AC/DC", "band")]
    assert named(known(about("project/Radar", "unknown"))) == [("Radar", "project")]
    # "band" is a type once there is a band
    assert named(known(about("Queen", "band"), about("band/Abba", "unknown"))) == [("Queen", "band"), ("Abba", "band")]
    assert named(known(about("band/Abba", "unknown"))) == [("band/Abba", "unknown")]


def test_a_name_whose_type_and_prefix_differ_changes_nothing() -> None:
    with pytest.raises(Refused, match="give one of them"):
        planned((), about("project/Radar", "team"))


def test_only_unknown_becomes_another_type_and_its_id_and_edges_stay() -> None:
    before = known(linked("Jane", "CTO of", "Acme"))
    after = known(linked("Jane", "CTO of", "Acme"), about("Acme", "company"), about("Acme", "unknown"))
    assert named(before) == [("Jane", "unknown"), ("Acme", "unknown")]
    assert named(after) == [("Jane", "unknown"), ("Acme", "company")]
    assert [record.id for record in before] == [record.id for record in after]
    assert named(known(about("Acme", "company"), about("Acme", "band"))) == [("Acme", "company"), ("Acme", "band")]


def test_an_alias_finds_its_entity_and_at_most_eight_are_kept() -> None:
    records = known(
        about("International Business Machines", aliases=["IBM", "", "Big Blue", "ibm"]),
        about("IBM", facts=["Sells mainframes"]),
        about("Big Blue", aliases=[f"Alias {number}" for number in range(9)]),
    )
    assert named(records) == [("International Business Machines", "company")]
    assert records[0].content["aliases"] == ["IBM", "Big Blue", *(f"Alias {number}" for number in range(6))]
    assert told(records) == ["Sells mainframes"]
    assert "IBM" in records[0].text


def test_another_spelling_is_kept_as_an_alias_and_another_case_is_not() -> None:
    records = known(about("Acme Inc"), about("ACME INC"), about("Acme, Inc."))
    assert records[0].content["aliases"] == ["Acme, Inc."]


def test_a_name_goes_before_an_alias() -> None:
    records = known(
        about("Bob", "person"), about("Robert", "person", aliases=["Bob"]), about("Bob", "person", facts=["x"])
    )
    assert records[-1].content["entity"] == records[0].id


@pytest.mark.parametrize(
    "asked", [about("Atlas", "unknown", facts=["Is late"]), linked("Jane", "works on", "atlas"), forgotten("Atlas")]
)
def test_an_ambiguous_name_changes_nothing_and_lists_the_candidates(asked: Asked) -> None:
    records = known(about("Atlas", "system"), about("Atlas", "team"))
    with pytest.raises(Refused, match="say system/Atlas or team/Atlas"):
        planned(records, asked)
    assert planned(records, linked("Jane", "works on", "team/Atlas"))[-1].content["target"] == records[1].id  # type: ignore[union-attr]


def test_a_bare_name_means_the_one_that_is_not_archived_or_is_spelled_so() -> None:
    records = known(about("Atlas", "system"), about("Atlas", "team"), forgotten("team/Atlas"))
    assert planned(records, about("Atlas", "unknown", facts=["Is late"]))[-1].content["entity"] == records[0].id  # type: ignore[union-attr]
    records = known(about("José", "person"), about("Josè", "person"))
    assert planned(records, about("Josè", "person", facts=["Sings"]))[-1].content["entity"] == records[1].id  # type: ignore[union-attr]
    with pytest.raises(Refused, match="person/José or person/Josè"):
        planned(records, about("Jose", "person"))


@pytest.mark.parametrize("name", ["...", "++", "—"])
def test_what_is_no_name_is_refused(name: str) -> None:
    for asked in (about(name), linked(name, "owns", "Acme"), linked("Acme", "owns", name), forgotten(name)):
        with pytest.raises(Refused, match="is no name"):
            planned((), asked)


NAMES = st.sampled_from(["Atlas", "atlas", "ATLAS!", "Àtlas", "Atlàs", "Atlas 2", "system/Atlas", "A.T."])
TYPES = st.sampled_from(["system", "team", "unknown", "Systems", "person"])
OPERATIONS = st.one_of(
    st.builds(about, NAMES, TYPES, aliases=st.lists(NAMES, max_size=2), facts=st.lists(st.just("Is late"), max_size=1)),
    st.builds(linked, NAMES, st.just("owns"), NAMES),
    st.builds(forgotten, NAMES),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(OPERATIONS, max_size=8))
def test_no_named_type_ever_becomes_another_and_no_id_changes(asked: list[Asked]) -> None:
    scope = STORE.scope(ALICE)
    assert scope is not None
    found, types = ScopeSnapshot(STORE, scope), dict[str, Any]()
    for each in asked:
        try:
            changes = planned(found.records, each)
        except Refused:
            continue
        found = found.with_changes(changes, AT)
        entities = {one.id: one.content["type"] for one in found.records if one.content["kind"] == "entity"}
        assert types.keys() <= entities.keys()
        assert all(kind in ("unknown", entities[key]) for key, kind in types.items())
        types = entities
    owners = {
        str(one.content[end]) for one in found.records for end in ("entity", "source", "target") if end in one.content
    }
    assert owners <= types.keys()


# --- what is remembered


def test_what_is_given_is_merged_and_blanks_wipe_nothing() -> None:
    records = known(
        about(
            "Acme", description="A fintech", properties={"Headcount": "50", "city": "San Francisco"}, facts=["Uses Go"]
        ),
        about(
            "Acme", description=None, aliases=[], properties={"headcount": "70", "city": " ", "": "x"}, facts=["", " "]
        ),
    )
    assert records[0].content == {
        "kind": "entity",
        "name": "Acme",
        "type": "company",
        "description": "A fintech",
        "aliases": [],
        "properties": {"Headcount": "70", "city": "San Francisco"},
    }
    assert told(records) == ["Uses Go"]
    assert planned(records, about("Acme", events=[{"content": " ", "date": "today"}])) == []
    assert "Headcount: 70" in records[0].text


def test_the_same_twice_is_one_record_and_changes_nothing() -> None:
    asked = about(
        "Acme",
        facts=["Uses Postgres", "uses  POSTGRES."],
        events=[{"content": "Raised a Series B", "date": "2026-02-01"}] * 2,
        aliases=["ACM"],
    )
    records = known(asked)
    assert len(records) == 3
    assert planned(records, asked) == []
    assert planned((), asked) == planned((), asked)


def test_the_same_event_on_another_day_is_another_event() -> None:
    records = known(
        about(
            "Acme",
            events=[{"content": "Raised money", "date": "2025-02-01"}, {"content": "Raised money", "date": None}],
        )
    )
    assert [record.content["date"] for record in records[1:]] == ["2025-02-01", "2026-03-01"]
    assert records[1].text == "Acme: Raised money (2025-02-01)"


def test_a_fact_of_another_entity_is_another_record() -> None:
    assert len(told(known(about("Acme", facts=["Uses Go"]), about("Beta", facts=["Uses Go"])))) == 2


# --- what is no longer true


RADAR = about("Radar", "project", facts=["Blocked on review", "Owned by Sarah", "Written in Rust"])


@pytest.mark.parametrize(
    "outdated",
    [
        "Blocked on review",
        "blocked on  REVIEW.",
        "Radar: Blocked on review",
        "Blocked on review (as of 2026-03-01)",
        "Blocked on review (as of 2026-03-01, inferred)",
        "on review",
    ],
)
def test_a_contradicted_fact_is_superseded_by_the_new_one_and_not_erased(outdated: str) -> None:
    records = known(RADAR)
    new, old = planned(records, about("Radar", "project", facts=["Shipped v1"], outdated=[outdated]))
    assert (new.kind, new.text) == ("add", "Radar: Shipped v1")
    assert (old.kind, old.text, old.status) == ("update", "Radar: Blocked on review", "superseded")  # type: ignore[union-attr]
    assert old.content["superseded_by"] == new.id  # type: ignore[union-attr]
    left = known(RADAR, about("Radar", "project", facts=["Shipped v1"], outdated=[outdated]))
    assert told(left) == ["Owned by Sarah", "Written in Rust", "Shipped v1"]
    assert told(left, status="superseded") == ["Blocked on review"]


def test_each_outdated_fact_follows_the_new_one_that_is_most_like_it() -> None:
    records = known(RADAR)
    asked = about(
        "Radar",
        "project",
        facts=["Owned by Tom", "Now on AWS", "Written in Go"],
        outdated=["Written in Rust", "Owned by Sarah"],
    )
    assert [change.text.removeprefix("Radar: ") for change in planned(records, asked)] == [
        "Owned by Tom",
        "Owned by Sarah",
        "Now on AWS",
        "Written in Go",
        "Written in Rust",
    ]


def test_an_outdated_fact_without_a_new_one_is_superseded_by_nothing() -> None:
    [change] = planned(known(RADAR), about("Radar", "project", outdated=["Blocked on review"]))
    assert (change.status, "superseded_by" in change.content) == ("superseded", False)  # type: ignore[union-attr]


def test_a_fact_that_is_known_already_may_be_the_successor() -> None:
    [change] = planned(
        known(RADAR), about("Radar", "project", facts=["owned by sarah"], outdated=["Blocked on review"])
    )
    assert change.content["superseded_by"] == known(RADAR)[2].id  # type: ignore[union-attr]


def test_a_fact_that_is_said_to_be_outdated_by_itself_stays() -> None:
    assert (
        planned(known(RADAR), about("Radar", "project", facts=["Written in Rust"], outdated=["Written in Rust"])) == []
    )


def test_what_becomes_true_again_is_the_same_record() -> None:
    asked = [
        RADAR,
        about("Radar", "project", facts=["Shipped v1"], outdated=["Blocked on review"]),
        about("Radar", "project", facts=["Blocked on review"], outdated=["Shipped v1"]),
    ]
    records = known(*asked)
    assert told(records) == ["Blocked on review", "Owned by Sarah", "Written in Rust"]
    assert told(records, status="superseded") == ["Shipped v1"]
    assert "superseded_by" not in records[1].content
    assert len(records) == 5


@pytest.mark.parametrize("outdated", ["Cancelled", "e"])
def test_what_names_no_fact_or_several_is_refused_with_the_live_facts_and_the_rest_stands(outdated: str) -> None:
    records = known(RADAR)
    asked = about("Radar", "project", facts=["Shipped v1"], outdated=[outdated, "Blocked on review"])
    with pytest.raises(Refused, match=r"'Blocked on review'; 'Owned by Sarah'; 'Written in Rust'") as refused:
        planned(records, asked)
    assert refused.value.rest is not None
    changes = STORE.plan(refused.value.rest, records)
    assert [change.text for change in changes] == ["Radar: Shipped v1", "Radar: Blocked on review"]
    with pytest.raises(Refused) as refused:
        planned(records, about("Radar", "project", outdated=[outdated]))
    assert refused.value.rest is None


def test_a_fact_of_another_entity_cannot_be_made_outdated() -> None:
    records = known(RADAR, about("Sonar", "project", facts=["Blocked on review"]))
    with pytest.raises(Refused, match="there are none"):
        planned(records, about("Atlas", "project", facts=["Shipped"], outdated=["Blocked on review"]))
    planned(records, about("Sonar", "project", facts=["Shipped"], outdated=["Blocked on review"]))
    left = known(
        RADAR,
        about("Sonar", "project", facts=["Blocked on review"]),
        about("Sonar", "project", facts=["Shipped"], outdated=["Blocked on review"]),
    )
    assert told(left).count("Blocked on review") == 1


@pytest.mark.parametrize("limit", range(8))
def test_every_beginning_of_the_changes_makes_sense(limit: int) -> None:
    """The limit of a turn may cut them anywhere."""
    asked = about(
        "Radar",
        "project",
        description="A tracker",
        facts=["Owned by Tom", "Shipped v1"],
        outdated=["Owned by Sarah", "Blocked on review"],
        events=[{"content": "Shipped", "date": "today"}],
    )
    before = known(RADAR)
    found = ScopeSnapshot(STORE, before[0].scope, before).with_changes(planned(before, asked)[:limit], AT)
    ids = {record.id for record in found.records}
    for record in found.records:
        assert str(record.content.get("entity", record.id)) in ids
        assert str(record.content.get("superseded_by", record.id)) in ids


# --- how entities stand to each other


def test_a_link_is_one_record_read_from_both_ends_and_missing_ends_are_made() -> None:
    records = known(about("Jane Smith", "person"), linked("jane smith", "reports_to", "Ann"))
    assert named(records) == [("Jane Smith", "person"), ("Ann", "unknown")]
    link = records[-1]
    assert link.content == {
        "kind": "relationship",
        "source": records[0].id,
        "relation": "reports to",
        "target": records[1].id,
    }
    assert link.text == "Jane Smith: reports to Ann"


def test_a_link_twice_is_one_and_its_direction_counts() -> None:
    asked = linked("Jane", "reports to", "Ann")
    records = known(asked)
    assert planned(records, linked("JANE", "Reports_to", "ann")) == []
    assert len(planned(records, linked("Ann", "reports to", "Jane"))) == 1


@pytest.mark.parametrize("other", ["Acme", "ACME.", "company/Acme", "The Company"])
def test_nothing_is_related_to_itself(other: str) -> None:
    with pytest.raises(Refused, match="itself"):
        planned(known(about("Acme", aliases=["The Company"])), linked("Acme", "owns", other))
    if other == "ACME.":
        with pytest.raises(Refused, match="itself"):
            planned((), linked("Acme", "owns", other))


def test_two_new_ends_of_one_name_and_two_types_are_two() -> None:
    records = known(linked("team/Atlas", "runs", "system/Atlas"))
    assert named(records) == [("Atlas", "team"), ("Atlas", "system")]
    assert len({record.id for record in records}) == 3


# --- what is forgotten


CHART = (
    about("Bob", "person", facts=["Likes tea", "Likes tea with milk", "Has a cat"], properties={"team": "infra"}),
    about("Bob", "person", aliases=["Bobby"], events=[{"content": "Was promoted", "date": "2026-02-01"}]),
    linked("Alice", "reports to", "Bob"),
    linked("Bob", "reports to", "Carol"),
    linked("Bob", "owns", "Radar"),
)


def test_an_entity_is_archived_in_one_change_and_comes_back_with_all_that_was_known() -> None:
    [change] = planned(known(*CHART), forgotten("bobby"))
    assert (change.kind, change.status) == ("update", "archived")  # type: ignore[union-attr]
    archived = known(*CHART, forgotten("Bob"))
    assert planned(archived, forgotten("Bob")) == []
    for again in (about("Bob", "person", facts=["Moved to Rome"]), linked("Bob", "knows", "Dave")):
        back = known(*CHART, forgotten("Bob"), again)
        assert {record.status for record in back} == {"active"}
        assert set(told(known(*CHART))) <= set(told(back))


@pytest.mark.parametrize(
    ("what", "gone"),
    [
        ("Likes tea", "Bob: Likes tea"),
        ("likes TEA.", "Bob: Likes tea"),
        ("with milk", "Bob: Likes tea with milk"),
        ("Has a cat (as of 2026-03-01)", "Bob: Has a cat"),
        ("Carol", "Bob: reports to Carol"),
        ("Alice", "Alice: reports to Bob"),
        ("Alice reports to Bob", "Alice: reports to Bob"),
        ("Alice → reports to → Bob", "Alice: reports to Bob"),
        ("Bob ← Alice", "Alice: reports to Bob"),
        ("← Alice", "Alice: reports to Bob"),
        ("→ Carol", "Bob: reports to Carol"),
        ("owns", "Bob: owns Radar"),
        ("owns unknown/radar", "Bob: owns Radar"),
        ("Was promoted", "Bob: Was promoted (2026-02-01)"),
        ("2026-02-01: Was promoted", "Bob: Was promoted (2026-02-01)"),
        ("promoted", "Bob: Was promoted (2026-02-01)"),
    ],
)
def test_one_thing_is_forgotten_and_nothing_else(what: str, gone: str) -> None:
    [change] = planned(known(*CHART), forgotten("Bob", what))
    assert change.text == gone
    fact = gone.startswith(("Bob: Likes", "Bob: Has"))
    assert isinstance(change, Remove) != fact
    assert fact == (getattr(change, "status", None) == "archived")


@pytest.mark.parametrize("what", ["tea", "likes", "reports to", "→ Alice", "Alice ← Bob", "Likes coffee"])
def test_what_is_not_there_or_may_be_several_changes_nothing_and_lists_what_there_is(what: str) -> None:
    with pytest.raises(Refused, match="Bob: "):
        planned(known(*CHART), forgotten("Bob", what))


def test_a_property_and_an_alias_can_be_taken_back() -> None:
    [change] = planned(known(*CHART), forgotten("Bob", "Team"))
    assert change.content["properties"] == {}  # type: ignore[union-attr]
    [change] = planned(known(*CHART), forgotten("Bob", "bobby"))
    assert change.content["aliases"] == []  # type: ignore[union-attr]
    assert "Bobby" not in change.text


def test_a_forgotten_fact_comes_back_as_the_same_record() -> None:
    records = known(*CHART, forgotten("Bob", "Has a cat"))
    assert told(records, status="archived") == ["Has a cat"]
    [change] = planned(records, about("Bob", "person", facts=["has a cat"]))
    assert (change.kind, change.status) == ("update", "active")  # type: ignore[union-attr]


def test_nobody_is_forgotten_who_is_not_known() -> None:
    with pytest.raises(Refused, match=r"nothing is known as 'Bo'; there is Bob \(person\)"):
        planned(known(about("Bob", "person")), forgotten("Bo"))


# --- a schema of one's own


class Customer(Entity):
    """A customer."""

    type: Literal["Customer", "partner"] = Field(description="Which of the two")
    seats: int | None = Field(default=None, ge=1, description="How many seats they pay for")
    regions: list[str] = Field(default=[])
    ticker: str = Field(description="Where they are listed")

    @field_validator("ticker")
    @classmethod
    def _capitals(cls, ticker: str) -> str:
        return ticker.upper()


CUSTOMERS = EntityMemoryStore(EntityMemoryConfig(schema=Customer))


def test_fields_of_a_schema_are_arguments_kept_with_their_types_and_merged() -> None:
    records = known(
        about("Acme", "Customer", seats=12, regions=["EU"], ticker="acm", properties={"tier": "gold"}),
        about("Acme", "Customer", regions=["US", "eu"], seats=None),
        store=CUSTOMERS,
    )
    content = records[0].content
    assert (content["seats"], content["regions"], content["ticker"]) == (12, ["EU", "US"], "ACM")
    assert (content["type"], content["properties"]) == ("customer", {"tier": "gold"})
    assert "seats: 12" in records[0].text
    fields = CUSTOMERS.operations[0].model_fields
    assert fields["seats"].description == "How many seats they pay for"
    assert fields["entity_type"].description == "Which of the two"


def test_a_field_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="seats"):
        planned((), about("Acme", "Customer", seats=0), CUSTOMERS)


@pytest.mark.parametrize("field", ["facts", "events", "entity", "entity_type", "outdated", "kind", "quote", "id"])
def test_a_schema_has_no_field_that_an_argument_has_the_name_of(field: str) -> None:
    schema = type("Mine", (Entity,), {"__annotations__": {field: str | None}, field: None})
    with pytest.raises(ConfigurationError, match=f"'{field}' of Mine has a reserved name"):
        EntityMemoryStore(EntityMemoryConfig(schema=schema))
