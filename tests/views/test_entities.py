from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langgraph.store.memory import InMemoryStore
from views.samples import HOSTILE, Seen, drawn, entity, link, record

from langgraph_learning import LearningMachine, Scope, views
from langgraph_learning.testing import ScriptedChatModel, op
from langgraph_learning.views.graph_layout import place_boxes


def test_entities_are_nodes_and_relationships_directed_labelled_edges() -> None:
    records = [entity("1", "Acme, Inc.", "company"), entity("2", "Jane"), link("2", "is CTO of", "1"), record("apart")]
    assert views.entity_graph(records) == (
        "graph LR\n"
        "  classDef unknown stroke-dasharray: 4 3\n"
        '  e1["Acme, Inc. (company)"]\n'
        '  e2["Jane (person)"]\n'
        '  e2 -->|"is CTO of"| e1'
    )


def test_an_end_that_is_not_known_is_dashed_and_what_no_longer_holds_is_left_out() -> None:
    records = [
        entity("1", "Radar", "project"),
        entity("2", "Old", "project", status="archived"),
        entity("3", "Tom", "unknown"),
        link("1", "replaces", "2"),
        link("1", "needs", "gone"),
        link("1", "was led by", "3", status="superseded"),
    ]
    graph = views.entity_graph(records)
    assert 'e2["Tom (unknown)"]:::unknown' in graph
    assert 'e3["Old (project, archived)"]:::unknown' in graph
    assert 'e4["#63;"]:::unknown' in graph
    assert "was led by" not in graph
    assert drawn(views.entity_picture(records)).count("stroke-dasharray") == 3


def test_what_is_archived_and_has_no_relationship_left_is_not_drawn() -> None:
    assert "Old" not in views.entity_graph([entity("1", "Radar"), entity("2", "Old", status="archived")])


def test_entities_of_two_scopes_are_two_whatever_their_ids() -> None:
    theirs = [
        each.model_copy(update={"scope": Scope(namespace="org:bolt")})
        for each in (entity("1", "Acme"), link("1", "x", "1"))
    ]
    graph = views.entity_graph([entity("1", "Acme"), link("1", "y", "1"), *theirs])
    assert graph.splitlines()[2:] == [
        '  e1["Acme (person)"]',
        '  e2["Acme (person)"]',
        '  e1 -->|"y"| e1',
        '  e2 -->|"x"| e2',
    ]


def test_what_entity_memory_has_learned_is_drawn_by_its_present_names_and_relationships() -> None:
    radar: dict[str, Any] = {"entity": "Radar", "entity_type": "project"}
    told = [
        [
            op("remember_about", **radar, facts=["Is blocked"], aliases=["Project R"]),
            op("link_entities", entity="person/Sarah", relation="designs", related_entity="Project R"),
            op("link_entities", entity="Tom", relation="leads", related_entity="radar"),
            op("remember_about", entity="Old Radar", entity_type="project", description="Is <gone>"),
            op("link_entities", entity="Radar", relation="replaces", related_entity="project/Old Radar"),
            op("remember_about", entity="Lonely", entity_type="person"),
        ],
        [
            op("remember_about", **radar, facts=["Has shipped"], outdated=["Is blocked"]),
            op("forget", entity="Old Radar"),
            op("forget", entity="Lonely"),
            op("forget", entity="Radar", fact="Tom leads"),
        ],
    ]
    model = ScriptedChatModel(extractions=told)
    alex = LearningMachine(model=model, entity_memory=True, store=InMemoryStore()).scoped(user_id="alex")
    for number in range(2):
        alex.learn([("user", f"turn {number}")])
    records = alex.records()
    assert sorted(record.status for record in records if record.status != "active") == [
        "archived",
        "archived",
        "superseded",
    ]
    graph = views.entity_graph(records)
    assert sorted(line.partition("[")[2] for line in graph.splitlines() if "[" in line) == [
        '"Old Radar (project, archived)"]:::unknown',
        '"Radar (project)"]',
        '"Sarah (person)"]',
        '"Tom (unknown)"]:::unknown',
    ]
    assert [line.split("|")[1] for line in graph.splitlines() if "|" in line] == ['"designs"', '"replaces"']
    seen = Seen(views.entity_picture(records))
    assert "Radar / Project R (project)" in seen.text, "other names are told on hovering"
    assert "blocked" not in seen.text


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ('say "hi"', "say #34;hi#34;"),
        ("a[b]{c}|d|", "a#91;b#93;#123;c#125;#124;d#124;"),
        ("end", "end"),
        ("%%{init: {}}%%", "#37;#37;#123;init#58; #123;#125;#125;#37;#37;"),
        ("`**bold**` _it_", "#96;#42;#42;bold#42;#42;#96; #95;it#95;"),
        ("- item", "#45; item"),
        ("1. item", "1#46; item"),
        ("two\nlines; and #35;", "two lines#59; and #35;35#59;"),
        ("Łódź 東京 γ", "Łódź 東京 γ"),
        ("x" * 70, "x" * 59 + "…"),
    ],
)
def test_a_label_is_no_syntax(name: str, label: str) -> None:
    graph = views.entity_graph([entity("1", name, "")])
    assert graph.splitlines()[2] == f'  e1["{label}"]'


def test_a_hostile_name_stays_one_label_on_one_line() -> None:
    graph = views.entity_graph([entity("1", HOSTILE, HOSTILE), link("1", HOSTILE, "1")])
    assert len(graph.splitlines()) == 4
    assert "<" not in graph
    assert graph.count('"') == 4


def test_notebooks_get_the_diagram_and_anything_else_its_text() -> None:
    graph = views.entity_graph([entity("1", "Acme")])
    assert graph._repr_mimebundle_() == {"text/vnd.mermaid": str(graph), "text/plain": str(graph)}


def test_a_picture_names_everything_and_is_always_the_same() -> None:
    records = [entity("1", "Acme", "company"), entity("2", "Jane"), link("2", "is CTO of", "1"), entity("3", "Alone")]
    picture = views.entity_picture(records)
    assert [word for word in ("Acme", "company", "Jane", "is CTO of", "Alone") if word not in Seen(picture).text] == []
    assert picture == views.entity_picture(records)
    assert "no entities" in views.entity_picture([])


def test_a_picture_is_an_image_that_says_in_words_what_it_shows() -> None:
    records = [entity("1", "Acme", "company"), entity("2", "Jane"), link("2", "is CTO of", "1")]
    picture = views.entity_picture(records)
    assert "<svg" not in picture, "markup is cleaned away in notebooks that are not trusted, images are not"
    assert 'alt="Acme, Jane; Jane is CTO of Acme"' in picture
    svg = ElementTree.fromstring(drawn(picture))  # alone, as an image is
    assert svg.tag == "{http://www.w3.org/2000/svg}svg"
    assert "prefers-color-scheme:dark" in drawn(picture)


@pytest.mark.parametrize(
    ("name", "read"), [("tool/Dagster", "Dagster (tool)"), ("AC/DC", "AC#47;DC (unknown)"), ("Tom", "Tom (unknown)")]
)
def test_a_target_that_is_no_entity_yet_reads_as_its_name(name: str, read: str) -> None:
    assert f'"{read}"]:::unknown' in views.entity_graph([entity("1", name, "unknown")])


def test_a_picture_of_many_keeps_those_with_most_relationships_and_says_so() -> None:
    hub = [link(str(number), "knows", "0") for number in range(1, 9)]
    records = [*(entity(str(number), f"Person {number}") for number in range(9)), entity("x", "Lonely"), *hub]
    seen = Seen(views.entity_picture(records, limit=6)).text
    assert "Person 0" in seen
    assert "Lonely" not in seen
    assert "4 more entities are not drawn" in seen


@given(data=st.data(), count=st.integers(1, 14))
@settings(max_examples=60, deadline=None)
def test_no_box_lies_on_another(data: st.DataObject, count: int) -> None:
    boxes = st.tuples(st.floats(10, 220), st.floats(15, 45))
    sizes = np.array(data.draw(st.lists(boxes, min_size=count, max_size=count)))
    ends = st.integers(0, count - 1)
    edges = data.draw(st.lists(st.tuples(ends, ends), max_size=2 * count))
    centres = place_boxes(sizes, edges, 800)
    assert np.isfinite(centres).all()
    gaps = np.abs(centres[:, None] - centres[None]) - (sizes[:, None] + sizes[None]) / 2
    assert (gaps.max(axis=2)[~np.eye(count, dtype=bool)] > 0).all()
    assert ((centres - sizes / 2).min(axis=0) >= -1e-6).all()
