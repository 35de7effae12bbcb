import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from langchain_core.embeddings import DeterministicFakeEmbedding
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.store.base import BaseStore
from langgraph.store.memory import InMemoryStore
from pydantic import Field
from views.samples import HOSTILE, NOW, Seen, entity, link, record

from langgraph_learning import (
    Commit,
    CurationReport,
    LearningMachine,
    Proposal,
    Recall,
    Receipt,
    Revision,
    Scope,
    Source,
    connect,
    views,
)
from langgraph_learning.records import Add, Frozen, Identity, Refusal, Remove, Update, Usage
from langgraph_learning.reports import Curated, Feedback, Outcome, ShownRecord
from langgraph_learning.schemas import UserProfile
from langgraph_learning.testing import ScriptedChatModel, op
from langgraph_learning.views.markup import tag

ELEMENTS = set("div style table caption thead tbody tr th td span s b ol li pre details summary time img".split())
PICTURES = {"svg", "g", "rect", "path", "text", "title"}
ATTRIBUTES = set("class dir title style open width height x y rx d fill stroke viewbox font-size src alt xmlns".split())
STROKES = {"fill-opacity", "stroke-opacity", "stroke-dasharray"}


class Profile(UserProfile):
    languages: list[str] = Field(default=[])
    years: int | None = None


hostile = record(
    HOSTILE,
    store=HOSTILE,
    key=HOSTILE,
    content={HOSTILE: [HOSTILE, {HOSTILE: HOSTILE}]},
    scope=Scope(user_id=HOSTILE, thread_id=HOSTILE),
    source=Source(quote=HOSTILE, approved_by=HOSTILE),
    status="superseded",
)
shown = ShownRecord(
    id=HOSTILE, store=HOSTILE, label=HOSTILE, score=1, reason=HOSTILE, tokens=3, parts={"words": 2, HOSTILE: -1}
)
receipt = Receipt(shown=(shown,), left_out={HOSTILE: 2}, tokens=9)
commit = Commit(
    id=HOSTILE,
    identity=Identity(user_id=HOSTILE, thread_id=HOSTILE),
    at=NOW,
    changes=(
        Add(store=HOSTILE, content={}, text=HOSTILE),
        Update(store=HOSTILE, id="1", content={}, text=HOSTILE),
        Remove(store=HOSTILE, id="2", text=HOSTILE),
    ),
    refused=(Refusal(operation=HOSTILE, reason=HOSTILE),),
)
revisions = [Revision(record=hostile, version=1, at=NOW), Revision(record=None, version=2, at=NOW)]
entities = [entity("a", HOSTILE, HOSTILE), entity("b", "Bob"), link("a", HOSTILE, "b"), link("b", HOSTILE, HOSTILE)]
proposal = Proposal(
    id=HOSTILE,
    identity=Identity(user_id=HOSTILE),
    store=HOSTILE,
    name=HOSTILE,
    args={"because": HOSTILE, HOSTILE: HOSTILE},
    changes=commit.changes,
    source=Source(quote=HOSTILE),
    stale=True,
    at=NOW,
)
decided = proposal.model_copy(update={"status": "rejected", "message": HOSTILE, "decided_by": HOSTILE})
curated = Curated(
    store=HOSTILE, kind="merged", ids=("1", "2"), texts=(HOSTILE, HOSTILE), reason=HOSTILE, changes=commit.changes[:2]
)
report = CurationReport(dry_run=False, merged=(curated,), retired=(curated,), refused=commit.refused, commit=HOSTILE)
VIEWS: dict[str, Callable[[], str | None]] = {
    "record": hostile._repr_html_,
    "records": lambda: views.table([hostile], title=HOSTILE),
    "profile": Profile(name=HOSTILE, languages=[HOSTILE])._repr_html_,
    "receipt": receipt._repr_html_,
    "recall": Recall(text=HOSTILE, records=(hostile,), receipt=receipt)._repr_html_,
    "commit": commit._repr_html_,
    "commits": lambda: views.timeline([commit], title=HOSTILE),
    "timeline of records": lambda: views.timeline([hostile]),
    "revision": revisions[0]._repr_html_,
    "history": lambda: views.history(revisions, title=HOSTILE),
    "proposal": proposal._repr_html_,
    "proposals": lambda: views.inbox([proposal, decided], title=HOSTILE),
    "outcome": Outcome(proposal=HOSTILE, result="stale", reason=HOSTILE, commit=HOSTILE)._repr_html_,
    "report": report._repr_html_,
    "feedback": Feedback(helpful=True, proposed=(HOSTILE,), commit=HOSTILE)._repr_html_,
    "picture": lambda: views.entity_picture(entities),
}


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_what_is_stored_is_shown_as_text_whatever_it_says(view: Callable[[], str | None]) -> None:
    markup = view()
    assert markup is not None
    seen = Seen(markup)
    assert set(seen.elements) <= ELEMENTS | PICTURES
    assert {name for name, _ in seen.attributes} <= ATTRIBUTES | STROKES
    assert "<script>alert(1)" in seen.text, "the reader sees what is stored"
    assert seen.elements.count("style") == 1


def test_a_tag_escapes_attributes_and_whatever_is_not_markup() -> None:
    seen = Seen(tag("p", HOSTILE, tag("b", "bold"), title=HOSTILE, class_="x", dir=None))
    assert seen.elements == ["p", "b"]
    assert seen.attributes == [("title", HOSTILE), ("class", "x")]
    assert seen.text == f"{HOSTILE}bold"


@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_colours_are_those_of_the_page(view: Callable[[], str | None]) -> None:
    markup = (view() or "").lower()
    assert "currentcolor" in markup
    assert not [
        fixed for fixed in ("#fff", "white", "#000", "black") if f"{fixed};" in markup or f'"{fixed}"' in markup
    ]


def test_what_has_no_view_keeps_its_repr() -> None:
    class Another(Frozen):
        value: int = 1

    assert Another()._repr_html_() is None


def test_a_view_of_another_kind_is_one_registered_function() -> None:
    class Weather(Frozen):
        sky: str

    @views.html.register
    def _weather(value: Weather) -> views.Html:
        return views.Html(f"<b>{value.sky}</b>")

    assert Weather(sky="blue")._repr_html_() == "<b>blue</b>"


def test_views_are_imported_when_something_is_shown_and_not_before() -> None:
    script = (
        "import sys\n"
        "from langgraph_learning.schemas import UserProfile\n"
        "before = 'langgraph_learning.views' in sys.modules\n"
        "print(before, 'Alex' in UserProfile(name='Alex')._repr_html_())"
    )
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "False True"


def test_a_profile_of_any_schema_shows_all_fields_and_what_is_not_known() -> None:
    seen = Seen(Profile(name="Ann", languages=["Rust", "Go"])._repr_html_() or "")
    assert "languagesRust, Go" in seen.text
    assert "yearsnot known" in seen.text


def test_many_records_and_no_records_are_a_table() -> None:
    seen = Seen(views.table([record("one"), record("two", source=Source(actor="assistant"))]))
    assert seen.elements.count("tr") == 3
    assert "“I said so”" in seen.text
    assert "inferred" in seen.text
    assert "none" in Seen(views.table([])).text


def test_a_record_that_a_person_approved_says_who() -> None:
    seen = Seen(views.table([record("one", source=Source(quote="I said", approved_by="dana")), record("two")]))
    assert "“I said”approved by dana" in seen.text
    assert seen.text.count("approved") == 1


def test_nobody_knows_since_when_a_document_of_a_vector_store_is_there() -> None:
    known, document = record("one"), record("two", status="document")
    assert "time" in Seen(views.table([known])).elements
    assert "time" not in Seen(views.table([document])).elements


def test_a_timeline_is_in_the_order_of_learning_and_says_what_went() -> None:
    late = commit.model_copy(
        update={"at": NOW + timedelta(hours=1), "changes": (Remove(store="s", id="1", text="late"),)}
    )
    early = commit.model_copy(update={"changes": (Add(store="s", content={}, text="early"),)})
    seen = Seen(views.timeline([late, early]))
    assert seen.text.index("+early") < seen.text.index("−late")
    wordless = late.model_copy(update={"changes": (Remove(store="s", id="1"),)})
    assert "−a record; its words stand in the record s" in Seen(views.timeline([wordless])).text
    assert "nothing was learned" in Seen(views.timeline([])).text


def test_a_proposal_says_what_it_would_do_why_and_how_it_stands() -> None:
    changes = (
        Update(store="s", id="1", content={}, text="old", status="archived"),
        Add(store="s", content={}, text="new"),
    )
    plain = proposal.model_copy(
        update={"name": "save", "args": {}, "changes": changes, "source": Source(quote="I said"), "stale": False}
    )
    seen = Seen(plain._repr_html_() or "")
    assert "~old s, archived+new s" in seen.text
    assert "“I said”" in seen.text
    assert seen.text.rstrip().endswith("waits")
    assert "s" in seen.elements, "what would be set aside is struck through"
    stale = plain.model_copy(update={"stale": True})
    assert "look again" in Seen(stale._repr_html_() or "").text
    settled = {"status": "rejected", "decided_by": "ben", "message": "not true"}
    text = Seen(plain.model_copy(update=settled)._repr_html_() or "").text
    assert "rejected by ben" in text
    assert "not true" in text
    assert "look again" not in Seen(stale.model_copy(update=settled)._repr_html_() or "").text
    assert "inbox: none" in Seen(views.inbox([], title="inbox")).text


def test_proposals_of_many_are_in_the_order_given() -> None:
    one, other = (proposal.model_copy(update={"changes": (Add(store="s", content={}, text=text),)}) for text in "ab")
    text = Seen(views.inbox([one, other])).text
    assert text.index("+a") < text.index("+b")


def test_the_commit_of_a_turn_that_only_proposed_says_so() -> None:
    seen = Seen(views.timeline([commit.model_copy(update={"changes": (), "refused": (), "proposed": ("1", "2")})]))
    assert "2 proposed: waiting for a person" in seen.text
    assert "nothing changed" not in seen.text


@pytest.mark.parametrize(
    ("result", "told"), [("approved", "✓approved"), ("rejected", "−rejected"), ("stale", "×stale"), ("gone", "×gone")]
)
def test_an_outcome_says_what_came_of_an_answer(result: Any, told: str) -> None:
    assert told in Seen(Outcome(proposal="p1", result=result, commit="c1")._repr_html_() or "").text


def test_a_report_says_what_stays_what_goes_and_whether_anything_was_written() -> None:
    kept = Update(store="s", id="1", content={}, text="both")
    merged = Curated(store="s", kind="merged", ids=("1", "2"), texts=("a", "b"), reason="twice", changes=(kept,))
    retired = Curated(store="s", kind="retired", ids=("3",), texts=("gone",), reason="old")
    dry = CurationReport(dry_run=True, merged=(merged,), retired=(retired,), proposed=(retired,), changes=3)
    seen = Seen(dry._repr_html_() or "")
    assert "A dry run: 3 changes to be made" in seen.text
    assert "smergedbothbtwice" in seen.text
    assert "sretiredgoneold" in seen.text
    assert "sproposedgoneold" in seen.text
    assert seen.elements.count("s") == 3
    real = dry.model_copy(update={"dry_run": False, "changes": 1, "commit": "c1", "usage": Usage(calls=2)})
    assert "1 change made, commit c1 2 model calls" in Seen(real._repr_html_() or "").text
    nothing = Seen(CurationReport(dry_run=False)._repr_html_() or "").text
    assert "Nothing was changed" in nothing
    assert "nothing is said twice" in nothing


def test_feedback_says_what_it_counted_for_and_what_a_person_is_asked() -> None:
    told = Feedback(helpful=False, records=(("s", "1"),), proposed=("p1",), commit="c1")
    text = Seen(told._repr_html_() or "").text
    assert "harmful: counted for 1 record; 1 set aside until a person decides" in text
    assert "helpful: counted for 0 records" in Seen(Feedback(helpful=True)._repr_html_() or "").text


def test_a_history_ends_with_the_removal() -> None:
    assert Seen(views.history(revisions)).text.rstrip().endswith("removed2026-05-04 09:30")


def _taught(store: BaseStore) -> Recall:
    operations = [op("add_memory", content=text) for text in ("Writes Rust at work", "Cooks at night", "Likes Go")]
    learning = LearningMachine(model=ScriptedChatModel(extractions=[operations]), user_memory=True, store=store)
    alex = learning.scoped(user_id="alex")
    alex.learn([("user", "I write Rust at work, cook at night, and like Go.")])
    return alex.recall("What do I write at work?")


def test_a_receipt_says_what_each_score_is_the_sum_of() -> None:
    fake = DeterministicFakeEmbedding(size=8)
    with connect("sqlite:///:memory:") as db:
        own, words = _taught(db.store), _taught(InMemoryStore())
    both = _taught(InMemoryStore(index={"embed": fake, "dims": 8, "fields": ["text"]}))
    names = []
    for recall in (own, words, both):
        names.append({name for each in recall.receipt.shown for name in each.parts})
        for each in recall.receipt.shown:
            assert sum(each.parts.values()) == pytest.approx(each.score, abs=1e-3)
    assert names == [{"search"}, {"words"}, {"words", "meaning"}]
    assert "similar meaning" in Seen(both._repr_html_() or "").text


def test_bars_are_as_long_as_what_they_stand_for_and_lie_on_their_side_of_nothing() -> None:
    parts = [{"words": 2.0, "meaning": 1.0}, {"words": -1.0}]
    entries = [
        ShownRecord(id=str(n), store="s", label="m1", score=1, reason="", tokens=1, parts=p)
        for n, p in enumerate(parts)
    ]
    rects = [dict(each) for each in _rects(views.receipt_bars(Receipt(shown=tuple(entries))))]
    assert [(float(each["x"]), float(each["width"])) for each in rects] == [(40, 80), (120, 40), (0, 40)]


def test_votes_have_a_colour_and_a_name_and_so_has_whatever_else_a_score_is_made_of() -> None:
    entries = [
        ShownRecord(id="m", store="s", label="m1", score=1, reason="", tokens=1, parts={"votes": -0.5, "luck": 2.0})
    ]
    markup = views.receipt_bars(Receipt(shown=tuple(entries)), {"m": "Keeps bees"})
    fills = [each["fill"] for each in map(dict, _rects(markup))]
    assert fills == ["#d65c7a", "#8a8f98"]
    assert 'alt="votes of people: -0.50, luck: 2.00"' in markup
    assert "Keeps bees" in Seen(markup).text


def _rects(markup: str) -> list[list[tuple[str, str]]]:
    found: list[list[tuple[str, str]]] = []

    class Rects(Seen):
        def handle_starttag(self, element: str, attributes: list[tuple[str, str | None]]) -> None:
            super().handle_starttag(element, attributes)
            if element == "rect":
                found.append([(name, value or "") for name, value in attributes])

    Rects(markup)
    return found


def test_a_node_with_metadata_and_a_loop_is_drawn_and_marks_of_langgraph_are_not() -> None:
    builder = StateGraph(MessagesState)
    builder.add_node("again", lambda state: {}, metadata={"owner": {"team": "a"}})
    builder.add_edge(START, "again")
    builder.add_conditional_edges("again", lambda state: END, {"go on": "again", "__end__": END})
    seen = Seen(views.graph_picture(builder.compile().get_graph()))
    assert "__" not in seen.text  # also not of the label of an edge
    assert "go on" in seen.text
