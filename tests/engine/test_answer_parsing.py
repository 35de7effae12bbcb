"""What a model answers is read at the first call, whatever stands around it and wherever it ends."""

import json

import pytest
from pydantic import JsonValue

from langgraph_learning._engine.learning import answer_parsing
from langgraph_learning._engine.learning.answer_parsing import (
    LONGEST_ANSWER,
    MOST_OPERATIONS,
    OperationList,
    UnusableAnswer,
    read_answer,
)
from langgraph_learning.testing import op

TEA: JsonValue = op("add_memory", content="Likes tea", quote="I like tea")
CAKE: JsonValue = op("add_memory", content='Likes {cake} and "[pie]"', quote="")
WHOLE = json.dumps({"operations": [TEA, CAKE]})


@pytest.mark.parametrize(
    "answer",
    [
        WHOLE,
        f"Sure! Here is what I learned:\n\n{WHOLE}\n\nAnything else?",
        f"```json\n{WHOLE}\n```",
        f'<think>The user likes tea, so {{"operations": []}} would be wrong.</think>\n{WHOLE}',
        f"The user said {{something}}.\n</think>{WHOLE}",
        f"<Thinking>\nhm\n</Thinking>Hello! {WHOLE}",
        json.dumps({"thoughts": "none", "operations": [TEA, CAKE]}),
        json.dumps({"operations": json.dumps([TEA, CAKE])}),
        json.dumps([TEA, CAKE]),
    ],
)
def test_prose_thoughts_and_fences_around_the_object_do_not_matter(answer: str) -> None:
    assert read_answer(answer) == OperationList([TEA, CAKE])


def test_one_operation_without_a_list_is_a_list_of_one() -> None:
    assert read_answer(json.dumps({"operations": TEA})) == OperationList([TEA])
    assert read_answer(f"Here: {json.dumps(TEA)}") == OperationList([TEA])


@pytest.mark.parametrize("cut", range(WHOLE.index("}, {") + 1, len(WHOLE) - 2, 7))
def test_of_an_answer_that_is_cut_off_the_complete_operations_stand(cut: int) -> None:
    assert read_answer(WHOLE[:cut]) == OperationList([TEA], cut_off=True)


def test_what_is_spoilt_in_the_middle_costs_that_operation_alone() -> None:
    spoilt = f'{{"operations": [{json.dumps(TEA)}, {{"operation": "add_memory", content: oops}}, {json.dumps(CAKE)}]}}'
    assert read_answer(spoilt) == OperationList([TEA, CAKE], cut_off=True)


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "There is nothing to learn here.",
        "[]",
        '{"memories": [{"text": "Likes tea"}]}',
        '{"operations": 7}',
        '{"operations": [{"operation": "add_mem',
        '{"operations": ' + "[" * 100_000,
        "{" * 100_000,
        "I cannot help with that.",
    ],
)
def test_what_holds_no_complete_operation_is_no_answer(answer: str) -> None:
    with pytest.raises(UnusableAnswer):
        read_answer(answer)


def test_nothing_to_learn_is_an_answer() -> None:
    assert read_answer('{"operations": []}') == OperationList([])


def test_a_huge_answer_is_read_to_a_limit_and_says_that_it_was_cut() -> None:
    many = json.dumps({"operations": [{"operation": "add_memory", "content": str(n)} for n in range(100_000)]})
    assert len(many) > 4 * LONGEST_ANSWER
    read = read_answer(many)
    assert (len(read.operations), read.cut_off) == (MOST_OPERATIONS, True)
    assert len(read_answer(many[: LONGEST_ANSWER // 20]).operations) == MOST_OPERATIONS


def test_text_that_no_database_takes_is_mended() -> None:
    read = read_answer('{"operations": [{"operation": "add_memory", "content": "a\\u0000b \\ud83d c"}]}')
    assert read.operations == [{"operation": "add_memory", "content": "ab ? c"}]


@pytest.mark.parametrize("levels", [20, 200, 900])
def test_an_operation_that_is_nested_too_deeply_takes_no_other_with_it(levels: int) -> None:
    deep = '{"a": ' * levels + "1" + "}" * levels
    good = '{"operation": "add_memory", "content": "Likes tea"}'
    read = read_answer(f'{{"operations": [{{"operation": "update_user_profile", "details": {deep}}}, {good}]}}')
    assert [operation["operation"] for operation in read.operations] == ["update_user_profile", "add_memory"]  # type: ignore[index,call-overload]
    assert len(json.dumps(read.operations)) < 1_000


def test_thoughts_are_taken_out_and_a_tag_that_is_never_closed_is_looked_for_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    good = '{"operations": [{"operation": "add_memory", "content": "Likes tea"}]}'
    for thought in ("<think>{a}</think>", "<THINK>{a}</Think>{b}<reasoning>{c}</reasoning>", "{d}</think>"):
        assert len(read_answer(f"{thought}{good}").operations) == 1
    looked: list[int] = []

    class Closing:
        def search(self, text: str, start: int) -> None:
            looked.append(start)

    monkeypatch.setitem(answer_parsing._CLOSING, "think", Closing())
    assert len(read_answer("<think>" * 10_000 + good).operations) == 1
    assert len(looked) == 1
