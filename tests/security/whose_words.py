"""Attacks and honest turns, and what a machine makes of them; by the public API alone, so that versions compare."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from langchain.agents import create_agent
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langgraph.store.memory import InMemoryStore

from langgraph_learning import LearningMachine, LearningMode, UserMemoryConfig, UserProfileConfig
from langgraph_learning.testing import ScriptedChatModel, call

DATA: dict[str, Any] = json.loads(Path(__file__).with_name("whose_words.json").read_text("utf-8"))
Case = dict[str, Any]
Result = Literal["stored", "waits", "nothing"]


@dataclass(frozen=True)
class Turn:
    """The messages before the agent's last step, and what the assistant then says."""

    messages: list[BaseMessage]
    reply: str


def _foreign(case: Case) -> list[BaseMessage]:
    """Return how somebody else's words come into the thread."""
    text = DATA["pages"][case["page"]]
    if case.get("via", "tool") == "quoted":
        return [HumanMessage(text, additional_kwargs={"learning": "quoted"})]
    if case.get("via") == "summary":
        return [HumanMessage(text, additional_kwargs={"lc_source": "summarization"})]
    name = case.get("tool", "fetch")
    asked = AIMessage("", tool_calls=[{"name": name, "args": {}, "id": "f1"}])
    return [asked, ToolMessage(text, tool_call_id="f1", name=name)]


def turn_of(case: Case) -> Turn:
    """Return the thread of a case."""
    user, foreign = HumanMessage(case["user"]), _foreign(case)
    if case.get("before") is not None:
        return Turn([HumanMessage("Hi"), *foreign, AIMessage(case["before"]), user], case["said"])
    if case.get("earlier") == "dialogue":
        return Turn([HumanMessage("Read the page"), *foreign, AIMessage(case["said"]), user], "Ok.")
    if case.get("earlier"):
        return Turn([HumanMessage("Read the page"), *foreign, AIMessage("It is about widgets."), user], case["said"])
    if case.get("via") in ("quoted", "summary"):
        return Turn([*foreign, user], case["said"])
    return Turn([user, *foreign], case["said"])


def run(case: Case) -> Result:
    """Return what becomes of the case's operation."""
    mode, store = LearningMode(case["mode"]), InMemoryStore()
    if case["known"]:
        model = ScriptedChatModel(extractions=[_known(case)])
        LearningMachine(model=model, user_memory=True, store=store).scoped(user_id="ada").learn([("user", "Hello")])
    model = ScriptedChatModel(extractions=[[case["op"]]], replies=_replies(case))
    learning = LearningMachine(
        model=model, user_profile=UserProfileConfig(mode=mode), user_memory=UserMemoryConfig(mode=mode), store=store
    )
    turn, scoped = turn_of(case), learning.scoped(user_id="ada", thread_id="t1")
    if mode is LearningMode.AGENTIC:
        agent: Any = create_agent(model, tools=learning.tools(), middleware=[*learning.middleware()])
        agent.invoke({"messages": turn.messages}, context={"user_id": "ada"})
    else:
        scoped.learn([*turn.messages, AIMessage(turn.reply)])
    if [record.text for record in scoped.records()] != case["known"]:
        return "stored"
    return "waits" if scoped.proposals() else "nothing"


def _known(case: Case) -> list[Any]:
    return [{"operation": "add_memory", "content": text, "quote": None} for text in case["known"]]


def _replies(case: Case) -> list[Any]:
    given = {key: value for key, value in case["op"].items() if key not in ("operation", "quote")}
    return [call(case["op"]["operation"], **given), "Done."]


def count(kind: str, held_out: bool | None = None) -> dict[Result, int]:
    """Return how often each result comes; of the half that was not looked at while mending, of the other, or of all."""
    counts: dict[Result, int] = {"stored": 0, "waits": 0, "nothing": 0}
    for case in DATA[kind]:
        if held_out in (None, case["held_out"]):
            counts[run(case)] += 1
    return counts


if __name__ == "__main__":
    for kind in ("attacks", "honest"):
        print(kind, {half: count(kind, held) for half, held in (("looked at", False), ("held out", True))})
