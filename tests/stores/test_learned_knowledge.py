import pytest
from pydantic import JsonValue
from stores.plans import ALICE, after, planned

from langgraph_learning import LearnedKnowledgeConfig, LearningMachine, LearningMode
from langgraph_learning.records import Identity, Record, Scope
from langgraph_learning.schemas import LearnedKnowledge
from langgraph_learning.stores import LearnedKnowledgeStore, Ranked

STORE = LearnedKnowledgeStore()
EGRESS: dict[str, JsonValue] = {
    "title": "Egress costs",
    "learning": "Compare egress prices before choosing a provider.",
}


def saved(*learnings: dict[str, JsonValue]) -> tuple[Record, ...]:
    """What is known after these were saved one by one."""
    return after(STORE, *(("save_learning", learning) for learning in learnings))


def titles(*learnings: dict[str, JsonValue]) -> list[JsonValue]:
    return [record.content["title"] for record in saved(*learnings)]


def test_a_learning_reads_by_its_title_and_is_found_by_context_and_tags() -> None:
    [record] = saved({**EGRESS, "context": "Choosing a cloud", "tags": ["cloud", "costs"]})
    assert record.text == (
        "Egress costs: Compare egress prices before choosing a provider.\ncontext: Choosing a cloud\ntags: cloud, costs"
    )


@pytest.mark.parametrize("title", ["Egress costs", "  egress   COSTS. ", "Égress costs:"])
def test_the_same_title_with_new_text_updates_what_stands_under_it(title: str) -> None:
    known = saved({**EGRESS, "context": "Any cloud", "tags": ["cloud"]})
    [change] = planned(STORE, known, "save_learning", title=title, learning="Egress is free.", tags=["Cloud", "price"])
    assert (change.kind, change.id) == ("update", known[0].id)
    assert change.model_dump()["content"] == {
        "title": "Egress costs",
        "learning": "Egress is free.",
        "context": "Any cloud",
        "tags": ["cloud", "price"],
    }


@pytest.mark.parametrize("one", ["...", "?!"])
def test_titles_of_punctuation_alone_are_told_apart(one: str) -> None:
    assert titles({"title": one, "learning": "One thing."}, {"title": "--", "learning": "Another."}) == [one, "--"]


def test_titles_of_c_and_its_descendants_are_three() -> None:
    named = ["Tests in C", "Tests in C++", "Tests in C#"]
    learnings: list[dict[str, JsonValue]] = [{"title": title, "learning": f"{title} are slow."} for title in named]
    assert titles(*learnings) == named


def test_what_is_saved_already_changes_nothing() -> None:
    known = saved({**EGRESS, "tags": ["cloud"]})
    for again in (EGRESS, {**EGRESS, "tags": ["CLOUD"]}, {**EGRESS, "title": "egress costs"}):
        assert planned(STORE, known, "save_learning", **again) == []


def test_the_same_words_under_another_title_are_merged_and_their_tags_united() -> None:
    known = saved({**EGRESS, "context": "AWS", "tags": ["cloud"]})
    other: dict[str, JsonValue] = {
        "title": "Choosing a provider",
        "learning": "compare egress prices, before choosing the provider",
        "context": "GCP",
        "tags": ["provider"],
    }
    [change] = planned(STORE, known, "save_learning", **other)
    assert (change.kind, change.id) == ("update", known[0].id)
    assert change.model_dump()["content"] == {**EGRESS, "context": "AWS; GCP", "tags": ["cloud", "provider"]}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Retry 3 times.", "Retry 5 times."),
        ("Use tabs.", "Do not use tabs."),
        ("Write kernels in C.", "Write kernels in C++."),
        ("Roll back before you debug.", "Debug before you roll back."),
    ],
)
def test_what_says_something_else_under_another_title_is_another_learning(one: str, other: str) -> None:
    assert len(saved({"title": "One", "learning": one}, {"title": "Two", "learning": other})) == 2


def test_a_very_long_learning_stays_one_and_whole_and_shows_its_beginning_where_room_is_short() -> None:
    long = "".join(f"Step {n}: do the {n}th thing. " for n in range(1_000)).strip()
    assert len(long) > 20_000
    [record] = saved({"title": "The long way", "learning": long})
    assert record.content["learning"] == long
    assert record.text == f"The long way: {long}"
    [entry] = STORE.entries([Ranked(record, 1.0)])
    assert entry.text == record.text
    assert entry.brief.startswith("The long way: Step 0")
    assert len(entry.brief) < 1_100


def test_a_learning_is_deleted_by_its_id() -> None:
    known = saved(EGRESS, {"title": "Roll back", "learning": "Roll back first, then debug."})
    for record in known:
        [change] = planned(STORE, known, "delete_learning", id=record.id)
        assert (change.kind, change.id, change.text) == ("remove", record.id, record.text)


@pytest.mark.parametrize(
    ("namespace", "scope"),
    [
        (None, Scope(namespace="global")),
        ("global", Scope(namespace="global")),
        ("org:1:support", Scope(namespace="org:1:support")),
        ("user", Scope(user_id="alice")),
    ],
)
def test_the_namespace_says_whose_learnings_they_are(namespace: str | None, scope: Scope) -> None:
    assert LearnedKnowledgeStore(LearnedKnowledgeConfig(namespace=namespace)).scope(ALICE) == scope


def test_without_a_user_there_is_no_namespace_of_each_users_own() -> None:
    assert LearnedKnowledgeStore(LearnedKnowledgeConfig(namespace="user")).scope(Identity()) is None
    assert STORE.scope(Identity()) == Scope(namespace="global")


def test_a_namespace_of_its_own_goes_before_the_machines() -> None:
    def namespaces(machine: LearningMachine) -> list[Scope | None]:
        return [store.scope(ALICE) for store in machine.stores]

    own = LearnedKnowledgeConfig(namespace="team")
    assert namespaces(LearningMachine(learned_knowledge=True, namespace="org")) == [Scope(namespace="org")]
    assert namespaces(LearningMachine(learned_knowledge=own, namespace="org")) == [Scope(namespace="team")]
    assert own == LearnedKnowledgeConfig(namespace="team")


@pytest.mark.parametrize(
    ("mode", "extracts", "tools"),
    [
        (LearningMode.ALWAYS, True, []),
        (LearningMode.PROPOSE, True, []),
        (LearningMode.AGENTIC, False, ["save_learning", "delete_learning", "search_learnings"]),
    ],
)
def test_the_mode_says_who_learns(mode: LearningMode, extracts: bool, tools: list[str]) -> None:
    store = LearnedKnowledgeStore(LearnedKnowledgeConfig(mode=mode))
    assert (store.extracts, [tool.__name__ for tool in store.tools]) == (extracts, tools)
    everything = ["save_learning", "delete_learning", "search_learnings"]
    both = LearnedKnowledgeStore(LearnedKnowledgeConfig(mode=mode, enable_agent_tools=True))
    assert [tool.__name__ for tool in both.tools] == everything


def test_instructions_reach_the_extraction_and_the_agents_tool() -> None:
    config = LearnedKnowledgeConfig(instructions="ONLY-BILLING", additional_instructions="NO-PRICES")
    store = LearnedKnowledgeStore(config)
    assert store.extraction_instructions == "ONLY-BILLING\nNO-PRICES"
    save = store.operations[0].__doc__ or ""
    assert save.endswith("ONLY-BILLING\nNO-PRICES")
    default = STORE.operations[0].__doc__ or ""
    assert default.splitlines()[0] == save.splitlines()[0]
    assert "policy" in default


class Cited(LearnedKnowledge):
    """A field of one's own."""

    link: str | None = None


def test_a_field_of_ones_own_is_asked_for_kept_and_shown() -> None:
    store = LearnedKnowledgeStore(LearnedKnowledgeConfig(schema=Cited))
    [record] = after(store, ("save_learning", {**EGRESS, "link": "https://example.org"}))
    assert record.content["link"] == "https://example.org"
    assert "link: https://example.org" in record.text
