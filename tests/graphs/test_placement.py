"""Where the recalled text stands among messages, and how it is taken out again."""

from typing import Any

import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage

from langgraph_learning.nodes.placement import (
    place_in_system,
    place_in_turn,
    read_messages,
    show_first,
    show_in_turn,
)

TEXT = "<learning_context>\nKeeps bees\n</learning_context>"


def shape(messages: list[BaseMessage]) -> list[tuple[str, bool]]:
    """Return of each message who says it, and whether it holds the text."""
    return [(message.type, TEXT in str(message.text)) for message in messages]


def test_the_text_opens_the_users_last_message_and_nothing_before_it_changes() -> None:
    before = [SystemMessage("Be kind."), HumanMessage("Hi"), AIMessage("Hello")]
    messages = [*before, HumanMessage("Bees?", id="h2")]

    placed = place_in_turn(messages, TEXT)

    assert placed[:3] == before
    assert placed[3].text == f"{TEXT}\n\nBees?"
    assert placed[3].id == "h2"
    assert messages[3].text == "Bees?", "a copy"


def test_after_a_tool_call_it_still_stands_in_the_message_of_the_user() -> None:
    messages = [HumanMessage("Hi"), HumanMessage("Bees?"), AIMessage(""), ToolMessage("found", tool_call_id="c1")]

    assert shape(place_in_turn(messages, TEXT)) == [
        ("human", False),
        ("human", True),
        ("ai", False),
        ("tool", False),
    ]


def test_parts_of_a_message_stay_as_they_are_behind_the_text() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}
    cached = {"type": "text", "text": "Bees?", "cache_control": {"type": "ephemeral"}}

    [placed] = place_in_turn([HumanMessage([image, cached])], TEXT)

    assert placed.content == [{"type": "text", "text": TEXT}, image, cached]


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        ([], [("system", True)]),
        ([SystemMessage("Write a report.")], [("system", True)]),
        ([AIMessage("Hello")], [("system", True), ("ai", False)]),
        (
            [SystemMessage("a"), SystemMessage("b"), AIMessage("c")],
            [("system", False), ("system", True), ("ai", False)],
        ),
    ],
    ids=["nothing", "a prompt alone", "no prompt", "two prompts"],
)
def test_without_a_message_of_the_user_it_stands_in_the_system_message_at_the_head(
    messages: list[BaseMessage], expected: list[tuple[str, bool]]
) -> None:
    assert shape(place_in_turn(messages, TEXT)) == expected


@pytest.mark.parametrize("place", [place_in_turn, place_in_system])
def test_what_is_there_already_is_not_placed_again(place: Any) -> None:
    once = place([SystemMessage("Be kind."), HumanMessage("Hi")], TEXT)

    assert place(once, TEXT) == once
    assert place(once, "") == once


def test_a_node_is_shown_one_system_message_and_the_hosts_own_comes_back() -> None:
    prompt, question = SystemMessage("Be kind.", id="s1"), HumanMessage("Hi", id="h1")

    view = show_first([prompt, question], TEXT, "learning-context")

    assert [message.type for message in view.messages] == ["system", "human"]
    assert view.messages[0].text == f"Be kind.\n\n{TEXT}"
    assert view.messages[0].id == "learning-context"
    assert view.restore([*view.messages, AIMessage("Hello", id="a1")]) == [
        prompt,
        question,
        AIMessage("Hello", id="a1"),
    ]
    assert show_first(view.messages, TEXT, "learning-context").messages == view.messages, "asked twice"


def test_an_older_text_gives_way_to_the_new_one() -> None:
    older = show_first([HumanMessage("Hi")], TEXT, "learning-context").messages

    view = show_first(older, TEXT.replace("bees", "cats"), "learning-context")

    assert [message.type for message in view.messages] == ["system", "human"]
    assert "cats" in view.messages[0].text


@pytest.mark.parametrize(
    "raw",
    [
        [{"role": "user", "content": "Hi"}],
        [("user", "Hi")],
        [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hi"}],
    ],
    ids=["dicts", "tuples", "with a prompt"],
)
def test_messages_of_other_forms_are_shown_the_text_in_their_own_form(raw: list[Any]) -> None:
    view = show_first(raw, TEXT, "learning-context")

    assert {type(message) for message in view.messages} == {type(raw[0])}
    assert read_messages(view.messages)[0].type == "system"
    assert TEXT in read_messages(view.messages)[0].text
    assert view.restore(view.messages) == raw
    assert shape(show_in_turn(raw, TEXT).messages)[-1] == ("human", True)


def test_what_a_node_returns_of_the_users_message_is_the_users_alone() -> None:
    question = HumanMessage("Bees?", id="h1")
    view = show_in_turn([question], TEXT)
    copied = view.messages[0].model_copy()

    assert view.restore([copied, AIMessage("Yes")]) == [question, AIMessage("Yes")]
    rewritten = HumanMessage("Do I keep bees?", id="h1")
    assert view.restore([rewritten]) == [rewritten], "what a host wrote itself stays"


def test_what_is_no_message_is_left_out_when_it_is_read() -> None:
    assert read_messages([{"role": "user", "content": "Hi"}, {"no": "message"}, 7, None, ("user", "Ho")]) == [
        HumanMessage("Hi"),
        HumanMessage("Ho"),
    ]
    assert read_messages("Hi") == []
    assert read_messages(None) == []
