"""What a prompt and a search show of entities."""

from collections.abc import Sequence
from datetime import timedelta

import pytest
from stores.plans import ALICE, AT
from stores.test_entity_memory import STORE, Asked, about, forgotten, linked, planned

from langgraph_learning._engine.recall.ranking import rank_records
from langgraph_learning._engine.repository import ScopeSnapshot
from langgraph_learning.records import ACTIVE, Record
from langgraph_learning.stores import Entry


def days(*asked: Asked) -> tuple[Record, ...]:
    """The records that operations leave, one a day."""
    scope = STORE.scope(ALICE)
    assert scope is not None
    found = ScopeSnapshot(STORE, scope)
    for day, each in enumerate(asked):
        found = found.with_changes(planned(found.records, each), AT + timedelta(days=day))
    return found.records


def shown(records: Sequence[Record], query: str = "", *, complete: bool = True) -> list[Entry]:
    """What a recall shows, the directory first."""
    live = [record for record in records if record.status == ACTIVE]
    return STORE.entries(rank_records(live, query), query, complete=complete)


def searched(
    records: Sequence[Record], query: str | None = None, entity_type: str | None = None, *, complete: bool = True
) -> list[str]:
    """What a search answers."""
    search = STORE.searches[0].model_validate({"query": query, "entity_type": entity_type})
    ranked = rank_records(records, query or "")
    return [entry.text for entry in STORE.search_entries(search, ranked, AT, complete=complete)]


def headings(entries: Sequence[Entry]) -> list[str]:
    return [entry.text.splitlines()[0] for entry in entries]


TEAM = (
    about("Radar", "project", description="A tracker", facts=["Written in Rust"], aliases=["雷达"]),
    about("Sarah", "person", facts=["Designs interfaces"]),
    linked("Sarah", "designs", "Radar"),
    about("Al", "person", events=[{"content": "Joined", "date": "2026-01-05"}]),
)


def test_nothing_is_shown_of_nothing() -> None:
    assert shown((), "Who is Sarah?") == []


def test_the_directory_lists_all_names_the_one_last_spoken_of_first_and_says_that_these_are_all() -> None:
    [entry] = shown(days(*TEAM), "Good morning!")
    assert entry.first
    assert entry.text == (
        "All entities that are known; whoever is not listed here is not known:"
        " Al (person), Sarah (person), Radar (project)"
    )


def test_a_long_directory_is_cut_and_says_so() -> None:
    records = days(*(about(f"Company {number}") for number in range(51)))
    [entry] = shown(records)
    assert entry.text.startswith("The 50 entities last spoken of; there are more: Company 50 (company)")
    assert "Company 0 " not in entry.text
    assert entry.text.count("(company)") == 50
    assert entry.brief.count("(company)") == 10
    assert "there are more" in entry.brief
    [entry] = shown(records[:50])
    assert entry.text.startswith("All entities")
    assert "there are more" in entry.brief


def test_a_directory_of_what_may_not_all_have_been_read_does_not_say_it_is_complete() -> None:
    records = days(about("Acme", facts=["Owns a house"]))
    assert shown(records)[0].text.startswith("All")
    assert not shown(records, complete=False)[0].text.startswith("All")


def test_a_fact_is_shown_without_its_entity_where_that_may_not_have_been_read() -> None:
    records = days(about("Acme", facts=["Owns a house"]), about("Zoe", "person", facts=["Plays chess"]))
    without = [record for record in records if record.content.get("name") != "Zoe"]
    unread = [entry.text for entry in shown(without, "chess", complete=False)]
    assert unread[1:] == ["Zoe: Plays chess (as of 2026-03-02)"]
    assert searched(without, "chess", complete=False) == ["Zoe: Plays chess (as of 2026-03-02)"]
    [directory] = shown(without, "chess")  # these are all that there are, so Zoe is archived
    assert "Zoe" not in directory.text


@pytest.mark.parametrize("query", ["What about radar?", "我们的雷达怎么样", "How is RADAR's design", "Is it in Rust?"])
def test_what_the_turn_is_about_is_shown_in_full(query: str) -> None:
    entry = shown(days(*TEAM), query)[1]
    assert entry.text == (
        "Radar (project), also called 雷达: A tracker\n- Written in Rust (as of 2026-03-01)\n- Sarah → designs → Radar"
    )
    assert entry.brief == "Radar (project), also called 雷达: A tracker"
    kinds = [each.record.content["kind"] for each in entry.ranked]
    assert kinds == ["entity", "fact", "relationship"]
    # the directory is made of the others: nothing is counted twice, and nothing that is shown as left out
    [directory, *expanded] = shown(days(*TEAM), query)
    entities = [each.record.id for each in (*directory.ranked, *(entry.ranked[0] for entry in expanded))]
    assert sorted(entities) == ["entity:al", "entity:radar", "entity:sarah"]


def test_a_name_inside_another_word_is_no_name() -> None:
    assert len(shown(days(*TEAM), "always also")) == 1
    assert headings(shown(days(*TEAM), "what does al do?"))[1:] == ["Al (person)"]


def test_both_ends_of_a_link_show_it() -> None:
    for query in ("Sarah", "Radar"):
        assert "- Sarah → designs → Radar" in shown(days(*TEAM), query)[1].text
    assert len(shown(days(*TEAM), "Radar")) == 2  # the other end of the link is not what the turn is about
    assert {heading.split()[0] for heading in headings(shown(days(*TEAM), "Who designs?"))[1:]} == {"Sarah", "Radar"}


def test_what_is_called_by_name_goes_before_what_fits_by_its_words_and_five_are_shown() -> None:
    records = days(
        *(about(f"Rustic {number}", facts=["Rust, rust and more rust"]) for number in range(6)), about("Zoe", "person")
    )
    entries = shown(records, "Does Zoe like rust?")
    assert len(entries) == 6
    assert entries[1].text == "Zoe (person)"
    assert entries[1].score >= max(entry.score for entry in entries[2:])
    assert entries[1].ranked[0].matched == ("zoe",)


def test_long_stories_are_cut_with_a_mark() -> None:
    records = days(
        *(about("Acme", facts=[f"Opened office number {number}"]) for number in range(12)),
        about("Acme", events=[{"content": f"Raised round {day}", "date": f"2026-01-0{day}"} for day in range(1, 8)]),
        *(linked(f"Person {number}", "works at", "Acme") for number in range(22)),
    )
    lines = shown(records, "Acme")[1].text.splitlines()
    assert lines[1] == "- Opened office number 11 (as of 2026-03-12)"
    assert lines[11:13] == ["- … and 2 more facts", "- … and 2 earlier events"]
    assert lines[13] == "- 2026-01-03: Raised round 3"
    assert lines[-1] == "- … and 2 older relationships"
    assert not [line for line in lines if "Person 0 " in line]


def test_what_is_archived_is_neither_listed_nor_shown_nor_told_by_others() -> None:
    records = days(*TEAM, forgotten("Radar"))
    directory, sarah = shown(records, "Who is Sarah, and how is Radar, the tracker written in Rust?")
    assert "Radar" not in directory.text + sarah.text
    assert "Rust" not in directory.text + sarah.text


def test_a_superseded_fact_is_not_recalled() -> None:
    records = days(*TEAM, about("Radar", "project", facts=["Written in Go"], outdated=["Written in Rust"]))
    text = shown(records, "Radar")[1].text
    assert "Written in Go (as of 2026-03-05)" in text
    assert "Rust" not in text


def test_no_id_is_ever_shown() -> None:
    records = days(*TEAM)
    text = "\n".join(entry.text + entry.brief for entry in shown(records, "Sarah, Al and Radar")) + str(
        searched(records)
    )
    assert not [record.id for record in records if record.id in text]
    assert "entity:" not in text


def test_a_search_without_a_query_lists_all_the_newest_first_in_short() -> None:
    records = days(*TEAM, forgotten("Radar"))
    assert searched(records) == [
        "Radar (project) [archived], also called 雷达: A tracker",
        "Al (person)",
        "Sarah (person)",
    ]
    assert searched(records, entity_type="People") == ["Al (person)", "Sarah (person)"]
    assert searched(records, entity_type="band") == []


@pytest.mark.parametrize("query", ["radar", "雷达", "tracker", "rust"])
def test_a_search_finds_what_is_archived_with_a_mark(query: str) -> None:
    [text] = searched(days(*TEAM, forgotten("Radar")), query)
    assert text.startswith("Radar (project) [archived]")
    assert "Written in Rust" in text


def test_a_search_tells_what_is_no_longer_true_as_such() -> None:
    records = days(*TEAM, about("Radar", "project", facts=["Written in Go"], outdated=["Written in Rust"]))
    [text] = searched(records, "rust")
    assert "- Written in Go (as of 2026-03-05)" in text
    assert "- no longer true: Written in Rust" in text


def test_a_search_finds_what_hundreds_of_others_nearly_are() -> None:
    others = [about(f"Radarscope {number}", facts=["Uses a radar-like scope"]) for number in range(200)]
    assert searched(days(*TEAM, *others), "radar")[0].startswith("Radar (project)")


def test_what_a_model_concluded_is_marked() -> None:
    records = days(
        about("Acme", description="A fintech", facts=["Uses Go"], events=[{"content": "Moved", "date": "2025-01-01"}])
    )
    concluded = records[0].source.model_copy(update={"actor": "assistant"})
    inferred = [record.model_copy(update={"source": concluded}) for record in records]
    assert shown(inferred, "Acme")[1].text.splitlines() == [
        "Acme (company): A fintech (inferred)",
        "- Uses Go (as of 2026-03-01, inferred)",
        "- 2025-01-01: Moved (inferred)",
    ]
