"""What becomes of the operations a model asks for: which stand, which are refused and why, what vouches for them."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from engine.hand import ALICE, AT, ByHand, answer, heard, items, memory, record, rules, work
from langgraph.store.base import Item
from pydantic import Field, JsonValue

from langgraph_learning import UserProfileConfig
from langgraph_learning._engine.flow import Batch, ModelCall, Write
from langgraph_learning._engine.learning.commit import commit
from langgraph_learning._engine.learning.commit_draft import CommitDraft, CommitKind, CommitRules, OperationRequest
from langgraph_learning._engine.learning.extract import extract
from langgraph_learning._engine.learning.parse_requests import read_requests
from langgraph_learning._engine.learning.turn import Turn, TurnMessage
from langgraph_learning._engine.repository import ScopeSnapshot, put_commit, read_commit
from langgraph_learning.records import Add, Change, Commit, Identity, Record, Remove, Source, Update
from langgraph_learning.schemas import UserProfile
from langgraph_learning.stores import LearningStore, SessionContextStore, UserMemoryStore, UserProfileStore
from langgraph_learning.testing import op


class Developer(UserProfile):
    """A profile of many types."""

    company: str | None = Field(None, max_length=20)
    experience_years: int | None = None
    remote: bool | None = None
    languages: list[str] = Field(default=[])
    links: dict[str, str] = Field(default={})
    born: datetime | None = None


PROFILE = UserProfileStore(UserProfileConfig(schema=Developer))
MEMORY = UserMemoryStore()
SESSION = SessionContextStore()


def learned(
    *operations: object, known: tuple[Record, ...] = (), store: LearningStore = MEMORY, limit: int = 10
) -> Commit:
    """What an extraction that answers with `operations` comes to."""
    hand: ByHand[Commit | None] = ByHand(extract(work(store), heard("I like tea."), rules(store, limit=limit)))
    hand.gets(Batch, [None, items(*known)])
    hand.gets(ModelCall, answer(operations))
    hand.gets(Write, None)
    assert hand.result is not None
    return hand.result


def told(commit: Commit) -> list[str]:
    return [change.text for change in commit.changes]


def refusals(commit: Commit) -> list[tuple[str, str]]:
    return [(refusal.operation, refusal.reason) for refusal in commit.refused]


TEA = op("add_memory", content="Likes tea")


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (op("delete_memory", id="m7"), "there is no record 'm7'; there is m1"),
        (op("update_memory", id="uuid-1", content="x"), "there is no record 'uuid-1'; there is m1"),
        (op("format_disk"), "there is no operation 'format_disk'"),
        (op("add_memory", content="x" * 2_001), "content: String should have at most 2000 characters"),
        (op("add_memory", content=7), "content: Input should be a valid string"),
        (op("add_memory"), "content: Field required"),
        (op("add_memory", content="   "), "content: Field required"),
        (op("update_memory", id="m1"), "content: Field required"),
        ({"content": "no operation"}, "there is no operation None"),
        ({"operation": ["add_memory"], "content": "x"}, "there is no operation ['add_memory']"),
        ("add_memory", "there is no operation \"'add_memory'\""),
        (None, "there is no operation 'None'"),
        (7, "there is no operation '7'"),
    ],
)
def test_what_cannot_be_carried_out_is_refused_with_its_reason_and_its_siblings_stand(
    wrong: object, reason: str
) -> None:
    made = learned(TEA, wrong, op("add_memory", content="Likes cake"), known=(memory(MEMORY, "uuid-1", "Has a cat"),))
    assert told(made) == ["Likes tea", "Likes cake"]
    assert [why for _, why in refusals(made)] == [reason]


def test_an_id_where_there_is_nothing_is_refused_and_says_so() -> None:
    assert refusals(learned(op("delete_memory", id="m1"))) == [
        ("delete_memory", "there is no record 'm1'; there are none")
    ]


def test_a_record_that_was_added_by_a_sibling_has_no_id_a_model_could_know() -> None:
    made = learned(TEA, op("delete_memory", id="m1"))
    assert told(made) == ["Likes tea"]
    assert len(made.refused) == 1


def test_a_wrong_field_of_a_profile_is_refused_alone() -> None:
    fields: dict[str, JsonValue] = {
        "name": "Alice",
        "experience_years": "twelve",
        "company": "x" * 21,
        "hobby": "chess",
        "languages": ["Python"],
    }
    made = learned({"operation": "update_user_profile", **fields}, store=PROFILE)
    assert told(made) == ["name: Alice", "languages: Python"]
    assert {reason.partition(":")[0] for _, reason in refusals(made)} == {"experience_years", "company", "hobby"}


def test_types_are_kept_and_not_made_to_fit() -> None:
    fields: dict[str, JsonValue] = {"experience_years": 12, "remote": True, "born": "1990-05-17T00:00:00Z"}
    made = learned({"operation": "update_user_profile", **fields}, store=PROFILE)
    assert made.refused == ()
    values = {key: value for change in made.changes for key, value in getattr(change, "content", {}).items()}
    assert values == fields
    wrong: dict[str, JsonValue] = {"experience_years": 1.5, "remote": "yes", "languages": "Python", "name": 7}
    assert learned({"operation": "update_user_profile", **wrong}, store=PROFILE).changes == ()


def test_a_free_dict_comes_as_pairs_and_is_kept_as_a_dict() -> None:
    pairs: JsonValue = [{"key": "github", "value": "alice"}, {"key": "web", "value": "example.com"}]
    [change] = learned(op("update_user_profile", links=pairs), store=PROFILE).changes
    assert getattr(change, "content", None) == {"links": {"github": "alice", "web": "example.com"}}


@pytest.mark.parametrize("nothing", [None, "", "  \n"])
def test_null_and_blank_leave_a_field_as_it_is(nothing: JsonValue) -> None:
    known = record(PROFILE, "user_profile:name", {"name": "Alice"}, "name: Alice")
    made = learned(op("update_user_profile", name=nothing, company="Stripe"), store=PROFILE, known=(known,))
    assert told(made) == ["company: Stripe"]
    assert made.refused == ()


def test_an_operation_with_nothing_in_it_changes_nothing() -> None:
    made = learned(op("update_user_profile", name=None, company=None), store=PROFILE)
    assert (made.changes, made.refused) == ((), ())


def test_what_is_over_the_cap_is_dropped_with_a_reason_and_a_log_line(caplog: pytest.LogCaptureFixture) -> None:
    made = learned(*(op("add_memory", content=f"Likes tea number {n}") for n in range(5)), limit=3)
    assert told(made) == [f"Likes tea number {n}" for n in range(3)]
    assert [reason for _, reason in refusals(made)] == ["over the limit of 3 changes a turn"] * 2
    assert "over 3 changes a turn" in caplog.text


def test_what_changes_nothing_does_not_count_for_the_cap() -> None:
    known = (memory(MEMORY, "one", "Likes tea"),)
    made = learned(TEA, TEA, op("add_memory", content="Likes cake"), known=known, limit=1)
    assert told(made) == ["Likes cake"]
    assert made.refused == ()


def test_the_same_statement_twice_in_one_answer_is_stored_once() -> None:
    assert told(learned(TEA, op("add_memory", content="likes TEA!"))) == ["Likes tea"]


TURN = Turn(
    (
        TurnMessage("user", "I like  tea — it’s “great”, & cheap.", "h1"),
        TurnMessage("assistant", "You like tea, and I suggest Assam.", "a1"),
        TurnMessage("user", "Ich heiße Jörg 🎉", "h2"),
    )
)


@pytest.mark.parametrize(
    ("quote", "actor", "message"),
    [
        ("I like tea", "user", "h1"),
        ("i like TEA", "user", "h1"),
        ("&amp; cheap", "user", "h1"),
        ("“I like tea…”", "user", "h1"),
        ("I suggest Assam", "assistant", "a1"),
        ("Ich heisse Jorg 🎉", "user", "h2"),
        ("tea", "user", "h1"),
    ],
)
def test_a_quote_is_checked_against_what_was_said(quote: str, actor: str, message: str) -> None:
    [request], _ = read_requests([op("add_memory", content="x", quote=quote)], TURN, Source(thread_id="c1"), [])
    source = request.source
    assert source.actor == actor
    assert source.thread_id == "c1"
    assert (source.quote, source.message_ids, source.inferred) == (quote, (message,), False)


@pytest.mark.parametrize("quote", ["I like coffee", "tea I like", "", "   ", "…", '""', None, 7, ["I like tea"]])
def test_a_quote_that_nobody_said_leaves_the_statement_inferred(quote: Any) -> None:
    item = {"operation": "add_memory", "content": "x", "quote": quote}
    [request], _ = read_requests([item], TURN, Source(), [])
    source = request.source
    assert source.inferred
    assert source.quote is None
    assert source.message_ids == ("h1", "h2")


def test_a_statement_that_is_inferred_says_so_where_it_is_shown() -> None:
    inferred = learned(TEA).changes[0]
    quoted = learned(op("add_memory", content="Likes tea", quote="I like tea")).changes[0]
    known = ScopeSnapshot(MEMORY, memory(MEMORY, "x", "").scope)
    shown = [MEMORY.render(known.with_changes([change], AT).records[0]) for change in (inferred, quoted)]
    assert shown == ["Likes tea (inferred)", "Likes tea"]


def test_an_agents_tool_call_that_changes_nothing_leaves_no_commit() -> None:
    known = [ScopeSnapshot(MEMORY, memory(MEMORY, "x", "").scope, (memory(MEMORY, "one", "Likes tea"),))]
    asked = (OperationRequest("add_memory", {"content": "likes tea"}),)
    draft = CommitDraft(CommitKind.TOOL_CALL, "c", ALICE, AT, CommitRules({"user_memory": 10}), requests=asked)
    hand = ByHand(commit(draft, known))
    assert hand.kinds == []
    assert hand.result.changes == ()


def test_a_repeated_commit_gives_its_new_records_the_same_ids() -> None:
    one, two = learned(TEA), learned(TEA)
    assert one.id == two.id
    assert [change.id for change in one.changes] == [change.id for change in two.changes]


def test_a_summary_that_never_changes_is_not_written_again() -> None:
    content: dict[str, JsonValue] = {"summary": "Tea."}
    known = (record(SESSION, "session_context", content, "Tea."),)
    assert learned(op("update_session_context", summary="Tea."), store=SESSION, known=known).changes == ()


def test_changes_and_commits_are_plain_json() -> None:
    made = learned(TEA, op("nonsense"))
    assert Commit.model_validate(json.loads(json.dumps(made.model_dump(mode="json")))) == made


def test_each_record_of_a_commit_is_a_moment_after_the_one_before() -> None:
    known = ScopeSnapshot(MEMORY, memory(MEMORY, "x", "").scope)
    changes = learned(*(op("add_memory", content=f"Likes tea number {n}") for n in range(9))).changes
    records = known.with_changes(changes, datetime.now(UTC)).records
    assert sorted(records, key=lambda each: (each.created_at, each.id)) == list(records)


MESSAGE = Add(
    store="conversations",
    id="abc-7",
    session="abc",
    place=7,
    content={"speaker": "user", "text": "Hello."},
    text="(1 May 2026) user: Hello.",
    source=Source(thread_id="t", message_ids=("m1",)),
)


def stored(*changes: Change) -> tuple[list[JsonValue], Commit]:
    """The changes of a commit as a store holds them, and the commit that is read from there."""
    made = Commit(id="c", identity=Identity(user_id="alice", thread_id="t"), at=AT, changes=changes)
    put = put_commit(made)
    assert put.value is not None
    value = json.loads(json.dumps(put.value))
    read = read_commit(Item(value=value, key="c", namespace=put.namespace, created_at=AT, updated_at=AT))
    assert read is not None
    return value["changes"], read


def test_a_commit_names_a_message_by_its_id_alone() -> None:
    bare = MESSAGE.model_copy(update={"content": {}, "text": ""})
    edited = Update(**bare.model_dump(exclude={"kind", "status"}), status="archived")
    elsewhere = bare.model_copy(update={"source": Source(thread_id="another"), "id": "abc-8", "place": 8})
    imported = bare.model_copy(update={"id": "x9"})
    written, read = stored(MESSAGE, edited, elsewhere, imported)
    assert written[0] == {"kind": "add", "store": "conversations", "id": "abc-7", "source": {"message_ids": ["m1"]}}
    assert read.changes == (bare, edited, elsewhere, imported)


def test_a_commit_is_read_as_it_was_written() -> None:
    add = Add(store="user_memory", id="1", content={}, text="", from_now_on=True, source=Source(actor="assistant"))
    gone = Remove(store="user_memory", id="2", text="Likes tea", source=Source(thread_id=None, quote="no tea"))
    assert stored(add, gone)[1].changes == (add, gone)


def test_a_commit_of_an_earlier_version_is_read_as_it_was() -> None:
    """Earlier versions wrote every field of a change that is not empty, and the content always."""
    source = {"actor": "user", "thread_id": "t", "message_ids": ["m1"]}
    change = {"kind": "add", "store": "conversations", "id": "abc-7", "session": "abc", "place": 7, "content": {}}
    change |= {"text": "", "status": "active", "from_now_on": False, "source": source}
    value = {"identity": {"user_id": "alice", "thread_id": "t"}, "at": AT.isoformat(), "changes": [change]}
    read = read_commit(Item(value=value, key="c", namespace=("learning",), created_at=AT, updated_at=AT))
    assert read is not None
    assert read.changes == (MESSAGE.model_copy(update={"content": {}, "text": ""}),)
