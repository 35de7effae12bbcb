"""What goes wrong must not cost the reply, and must not be called a success."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from acceptance.driver import BOTH, Agent, Colour, Home
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langgraph.store.base import Op, PutOp, Result
from langgraph.store.memory import InMemoryStore

from langgraph_learning import LearningMachine, LearningMode, UserMemoryConfig, UserProfileConfig
from langgraph_learning.errors import ExtractionError, StoreError
from langgraph_learning.testing import call, op

TEA = [op("add_memory", content="Likes tea", quote="I like tea")]


class Flaky(InMemoryStore):
    """A store that fails on demand and counts what it is asked for."""

    fails: str = ""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[Op] = []

    def _check(self, ops: list[Op]) -> list[Op]:
        self.asked += ops
        writes = any(isinstance(each, PutOp) for each in ops)
        if self.fails == ("write" if writes else "read"):
            raise OSError("the disk is gone")
        return ops

    def batch(self, ops: Iterable[Op]) -> list[Result]:
        return super().batch(self._check(list(ops)))

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        return await super().abatch(self._check(list(ops)))


@dataclass
class Broken:
    """A home whose store fails on demand."""

    colour: Colour
    store: Flaky = field(default_factory=Flaky)

    def agent(self, learning: LearningMachine, **script: Any) -> Agent:
        return Home(self.colour, None, memory=self.store).agent(learning, **script)


@pytest.fixture
def broken(colour: Colour) -> Broken:
    return Broken(colour)


def failures(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What was logged with a traceback."""
    return [record.getMessage() for record in caplog.records if record.exc_info]


def test_a_store_that_fails_on_read_costs_neither_the_reply_nor_what_is_stored(
    broken: Broken, caplog: pytest.LogCaptureFixture
) -> None:
    agent = broken.agent(
        LearningMachine(user_memory=True), replies=["Yes.", "Still here.", "Back."], extractions=[TEA, []]
    )
    agent.say("I like tea.")
    stored = agent.records()
    broken.store.fails = "read"
    assert agent.say("What do I like?") == "Still here."
    assert agent.model.calls["extraction"] == 1
    assert failures(caplog) == [
        "recall failed; the turn goes on without it",
        "extract failed; the turn goes on without it",
    ]
    broken.store.fails = ""
    assert agent.records() == stored
    agent.say("And now?")
    # the turn that could not be learned from is caught up with
    assert "What do I like?" in agent.model.prompts["extraction"][-1][-1].text


def test_a_store_that_fails_on_write_is_reported_and_claims_nothing(
    broken: Broken, caplog: pytest.LogCaptureFixture
) -> None:
    agent = broken.agent(LearningMachine(user_memory=True), replies=["Yes.", "Yes."], extractions=[TEA, TEA])
    broken.store.fails = "write"
    told = [part for part in agent.streamed("I like tea.") if part["learning"] != "recalled"]
    assert told == [
        {"learning": "failed", "step": "extract", "error": "StoreError: the store failed; the log has the details"}
    ]
    assert failures(caplog) == ["extract failed; the turn goes on without it"]
    assert agent.records() == []
    assert agent.of().commits() == []
    broken.store.fails = ""
    agent.say("I said so.")
    assert agent.texts() == ["Likes tea"]


def test_on_error_raise_lets_a_failure_through_with_its_cause(broken: Broken) -> None:
    agent = broken.agent(LearningMachine(user_memory=True, on_error="raise"), replies=["Yes."], extractions=[TEA])
    broken.store.fails = "write"
    with pytest.raises(StoreError) as raised:
        agent.say("I like tea.")
    assert isinstance(raised.value.__cause__, OSError)


@pytest.mark.parametrize("fails", ["read", "write"])
def test_a_tool_whose_store_fails_tells_the_model_so(broken: Broken, fails: str) -> None:
    agent = broken.agent(
        LearningMachine(user_memory=UserMemoryConfig(mode=LearningMode.AGENTIC)),
        replies=[call("add_memory", content="Likes tea"), "I could not store that."],
    )
    broken.store.fails = fails
    state = agent.turn("I like tea.")
    [told] = [message for message in state["messages"] if isinstance(message, ToolMessage)]
    assert told.status == "error"
    assert told.text.startswith("Nothing was stored: the store failed")
    assert state["messages"][-1].text == "I could not store that."
    broken.store.fails = ""
    assert agent.records() == []


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (call("update_memory", id="m9", content="x"), "there is no record 'm9'; there are none"),
        (call("add_memory", content="x" * 2_001), "content: String should have at most 2000 characters"),
        (call("add_memory", content=""), "content: Field required"),
    ],
)
def test_a_tool_that_cannot_do_it_says_why_in_a_way_the_model_can_act_on(
    home: Home, wrong: AIMessage, reason: str
) -> None:
    learning = LearningMachine(user_memory=UserMemoryConfig(mode=LearningMode.AGENTIC))
    agent = home.agent(learning, replies=[wrong, "Sorry."])
    [told] = [message for message in agent.turn("Do it.")["messages"] if isinstance(message, ToolMessage)]
    assert (told.status, told.text) == ("error", f"Nothing was stored: {reason}")
    assert agent.records() == []


def test_a_tool_that_stores_what_is_stored_says_that_nothing_changed(home: Home) -> None:
    learning = LearningMachine(user_memory=UserMemoryConfig(mode=LearningMode.AGENTIC))
    again = [call("add_memory", content=content, call_id=f"call_{content}") for content in ("Likes tea", "likes tea")]
    agent = home.agent(learning, replies=[*again, "Stored."])
    told = [message.text for message in agent.turn("I like tea.")["messages"] if isinstance(message, ToolMessage)]
    assert told == ["Stored: Likes tea", "Nothing changed: that is stored already."]


def test_a_short_id_goes_on_meaning_what_recall_showed_when_an_earlier_tool_call_moves_the_rest(home: Home) -> None:
    first = home.agent(
        LearningMachine(user_memory=True),
        replies=["OK."],
        extractions=[[op("add_memory", content=f"Likes {thing}") for thing in ("tea", "cake", "cats")]],
    )
    first.say("I like tea, cake and cats.")
    learning = LearningMachine(user_memory=UserMemoryConfig(mode=LearningMode.AGENTIC))
    forget = [call("delete_memory", id=short, call_id=f"call_{short}") for short in ("m1", "m2")]
    agent = home.agent(learning, replies=[*forget, "Forgotten."])
    agent.say("Forget tea and cake.", thread="c2")
    assert agent.texts() == ["Likes cats"]


def test_an_answer_that_stays_cut_off_costs_the_lesson_and_not_the_reply(
    home: Home, caplog: pytest.LogCaptureFixture
) -> None:
    half = '{"operations": [{"operation": "add_memory", "content": "Likes te'
    agent = home.agent(LearningMachine(user_memory=True), replies=["Yes."], extractions=[half, half])
    assert agent.say("I like tea.") == "Yes."
    assert agent.records() == []
    assert agent.model.calls["extraction"] == 2
    assert failures(caplog) == ["extract failed; the turn goes on without it"]
    machine = LearningMachine(user_memory=True, on_error="raise")
    loud = home.agent(machine, replies=["Yes."], extractions=[half, half])
    with pytest.raises(ExtractionError):
        loud.say("I like tea.", thread="c2")


@pytest.mark.parametrize("nobody", [None, "", "  "])
def test_of_an_unknown_user_nothing_is_read_or_written_and_it_is_said_once(
    broken: Broken, caplog: pytest.LogCaptureFixture, nobody: str | None
) -> None:
    agent = broken.agent(LearningMachine(**BOTH, session_context=True), replies=["Yes."], repeat=True)
    for turn in range(3):
        assert agent.say(f"I like tea {turn}.", user=nobody) == "Yes."
    assert broken.store.asked == []
    assert agent.model.calls == {"reply": 3}
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 1
    assert "no user_id in this run" in said[0]
    assert "context={'user_id': ...}" in said[0]


def test_a_tool_of_an_unknown_user_stores_nothing_and_says_so(broken: Broken) -> None:
    agent = broken.agent(
        LearningMachine(user_memory=UserMemoryConfig(mode=LearningMode.AGENTIC)),
        replies=[call("add_memory", content="Likes tea"), "I cannot remember that."],
    )
    [told] = [
        message for message in agent.turn("I like tea.", user=None)["messages"] if isinstance(message, ToolMessage)
    ]
    assert told.status == "error"
    assert "it is not known who the user is" in told.text
    assert broken.store.asked == []


def test_what_was_said_anonymously_is_not_learned_as_the_next_users(home: Home) -> None:
    agent = home.agent(LearningMachine(user_memory=True), replies=["Yes."], extractions=[[]], repeat=True)
    agent.say("My secret is 42.", user=None)
    agent.say("Hello.", user="ben")
    assert "42" not in agent.model.prompts["extraction"][-1][-1].text


@pytest.mark.parametrize("user", ["alex@example.com", "李雷", "a.b|c*", "Zoë 🎉", 7])
def test_any_id_is_a_user_of_its_own(home: Home, user: str | int) -> None:
    agent = home.agent(
        LearningMachine(user_profile=True),
        replies=["Hi."],
        extractions=[[op("update_user_profile", name=f"Name of {user}")], []],
        repeat=True,
    )
    agent.say("Hello.", user=user)
    agent.say("Hello.", user="somebody else", thread="c2")
    assert agent.of(user).profile().name == f"Name of {user}"
    assert agent.of("somebody else").profile().name is None


@pytest.mark.parametrize(
    "text",
    ["Ich heiße Jörg und mag Grünkohl.", "我叫李雷，我喜欢喝茶。", "أنا أحب الشاي", "ฉันชอบชา", "می‌خواهم", "🎉👩‍👩‍👧‍👦"],
)
def test_text_of_any_language_is_learned_quoted_and_recalled(home: Home, text: str) -> None:
    agent = home.agent(
        LearningMachine(user_memory=True),
        replies=["OK."],
        extractions=[[op("add_memory", content=text, quote=text)], []],
        repeat=True,
    )
    agent.say(text)
    [record] = agent.records()
    assert (record.text, record.source.quote) == (text, text)
    agent.say(text, thread="c2")
    assert f"- {text}" in agent.shown()


def test_characters_that_nobody_sees_do_not_reach_a_prompt(home: Home) -> None:
    hidden = "".join(chr(0xE0000 + ord(c)) for c in "obey")
    agent = home.agent(
        LearningMachine(user_memory=True),
        replies=["OK."],
        extractions=[[op("add_memory", content=f"Tea{hidden}\x1b")], []],
        repeat=True,
    )
    agent.say(f"Tea{hidden}")
    agent.say("Tea?", thread="c2")
    assert "Tea" in agent.shown()
    for text in (agent.shown(), agent.model.prompt("extraction", 0)):
        assert hidden not in text
        assert "\x1b" not in text


def test_a_message_of_100_kb_is_learned_from(home: Home) -> None:
    agent = home.agent(LearningMachine(user_memory=True), replies=["Long."], extractions=[TEA])
    long = "I like tea. " + "word " * 20_000
    assert agent.say(long) == "Long."
    assert agent.texts() == ["Likes tea"]
    assert agent.records()[0].source.quote == "I like tea"
    assert len(agent.model.prompt("extraction")) < 25_000
    assert long.strip() in agent.model.prompt("reply")


def test_content_blocks_that_are_not_text_are_passed_on_and_not_learned_from(home: Home) -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}}
    agent = home.agent(LearningMachine(user_memory=True), replies=["A cat.", "A picture."], extractions=[TEA])
    agent.turn([HumanMessage([{"type": "text", "text": "I like tea; what is this?"}, image])])
    assert "QUJD" not in agent.model.prompt("extraction")
    assert "I like tea; what is this?" in agent.model.prompt("extraction")
    assert agent.texts() == ["Likes tea"]
    # a picture alone says nothing: no extraction call is due
    agent.turn([HumanMessage([image])], thread="c2")
    assert agent.model.calls == {"reply": 2, "extraction": 1}
    text, *own = cast("list[Any]", agent.model.prompts["reply"][-1][-1].content)
    assert own == [image]
    assert text["text"].startswith("<learning_context>")


def test_one_bad_operation_costs_only_itself(home: Home) -> None:
    learning = LearningMachine(user_profile=UserProfileConfig(), user_memory=True)
    agent = home.agent(
        learning,
        replies=["Hi."],
        extractions=[
            [
                op("update_user_profile", name=7, preferred_name="Ali"),
                op("sing"),
                op("delete_memory", id="m1"),
                op("add_memory", content="x" * 3_000),
                *TEA,
            ]
        ],
    )
    agent.say("Call me Ali. I like tea.")
    assert agent.texts() == ["preferred_name: Ali", "Likes tea"]
    [commit] = agent.of().commits()
    assert [refusal.operation for refusal in commit.refused] == [
        "update_user_profile",
        "sing",
        "delete_memory",
        "add_memory",
    ]
