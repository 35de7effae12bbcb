"""How much of a request a provider's prompt cache has seen: what it shares with the one before.

A conversation of ten turns, 25 memories about a user, of which each turn recalls what fits it. Three ways to send it:
without learning, with the recalled text as a system message before the conversation (as it was until it moved), and
where it stands now, at the start of the user's last message.

    python -m benchmarks.prompt_prefix
"""

import json
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from langchain_core.messages import BaseMessage, SystemMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.store.memory import InMemoryStore

from langgraph_learning import LearningContext, LearningMachine
from langgraph_learning.testing import ScriptedChatModel, op

Model = Any
TOPICS = "bees tea rust chess opera hiking sourdough sailing jazz pottery".split()
PROMPT = "You are a helpful assistant for a small company. Answer briefly and to the point. " * 20
ANSWER = "Here is what I would do about it, step by step, and why. " * 8


def learned_store() -> InMemoryStore:
    """Return a store with 25 memories of one user, in many words."""
    store = InMemoryStore()
    facts = [
        f"Note {n}: about {TOPICS[n % 10]} the user once said that it matters to them, {n} times" for n in range(25)
    ]
    model = ScriptedChatModel(extractions=[[op("add_memory", content=fact) for fact in facts]])
    machine = LearningMachine(model=model, user_memory=True, max_updates_per_run=25)
    machine.scoped(user_id="ada", store=store).learn([("user", "hello")])
    return store


def conversation(call: Callable[[LearningMachine, Model], Callable[[MessagesState], Sequence[Any]]]) -> list[str]:
    """Return the ten requests as they were sent."""
    model = ScriptedChatModel(replies=[ANSWER], repeat=True)
    learning = LearningMachine(user_memory=True, context_tokens=500)
    ask = call(learning, model)
    builder: StateGraph[Any, Any, Any, Any] = StateGraph(MessagesState, context_schema=LearningContext)
    builder.add_node("agent", lambda state: {"messages": ask(state)}).add_edge(START, "agent")
    graph = builder.compile(store=learned_store(), checkpointer=InMemorySaver())
    for topic in TOPICS:
        inputs: Any = {"messages": [("user", f"And what should I know about {topic} this week?")]}
        graph.invoke(inputs, {"configurable": {"thread_id": "1"}}, context={"user_id": "ada"})
    return [serialize(prompt) for prompt in model.prompts["reply"]]


def serialize(prompt: Sequence[BaseMessage]) -> str:
    """Return the messages of a request as text, in order."""
    return "\n".join(json.dumps([message.type, message.content]) for message in prompt)


def without(learning: LearningMachine, model: Model) -> Callable[[MessagesState], Sequence[Any]]:
    return lambda state: [model.invoke([SystemMessage(PROMPT), *state["messages"]])]


def in_front(learning: LearningMachine, model: Model) -> Callable[[MessagesState], Sequence[Any]]:
    return lambda state: [model.invoke([SystemMessage(PROMPT), *learning.messages(state)])]


def in_turn(learning: LearningMachine, model: Model) -> Callable[[MessagesState], Sequence[Any]]:
    wrapped = learning.model(model)
    return lambda state: [wrapped.invoke([SystemMessage(PROMPT), *state["messages"]])]


def common_prefix(first: str, second: str) -> int:
    """Return how many characters two texts begin with in common."""
    return next(
        (place for place, (a, b) in enumerate(zip(first, second, strict=False)) if a != b), min(len(first), len(second))
    )


def main() -> None:
    """Print of each way how many characters of a request stood at the start of the one before."""
    ways = {"without learning": without, "before: system message": in_front, "now: in the turn": in_turn}
    for name, way in ways.items():
        requests = conversation(way)
        shared = [common_prefix(before, after) for before, after in pairwise(requests)]
        sent = [len(request) for request in requests[1:]]
        turns = " ".join(f"{100 * kept // size}" for kept, size in zip(shared, sent, strict=True))
        print(f"{name:24} {sum(shared)} of {sum(sent)} characters, {100 * sum(shared) / sum(sent):.0f} % ({turns})")


if __name__ == "__main__":
    main()
