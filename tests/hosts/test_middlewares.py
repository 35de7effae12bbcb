"""`create_agent` with each middleware that LangChain ships: what it does is the same with learning among them."""

from typing import Any

import pytest
from graphs.world import ADA, BOB, COLOURS, Colour, invoked, memories, said, thread
from hosts.compare import FACT, a_machine, plain
from hosts.shapes import BEES, weather
from langchain.agents import create_agent
from langchain.agents.middleware import (
    AgentMiddleware,
    ClearToolUsesEdit,
    ContextEditingMiddleware,
    HumanInTheLoopMiddleware,
    LLMToolSelectorMiddleware,
    ModelCallLimitMiddleware,
    ModelFallbackMiddleware,
    ModelRetryMiddleware,
    PIIMiddleware,
    SummarizationMiddleware,
    TodoListMiddleware,
    ToolCallLimitMiddleware,
    ToolRetryMiddleware,
    dynamic_prompt,
)
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.store.memory import InMemoryStore
from langgraph.types import Command

from langgraph_learning.testing import ScriptedChatModel, call, op

CALL = call("weather", city="Oslo")
REPLIES: list[Any] = [CALL, "Sunny."]


@dynamic_prompt
def polite(request: Any) -> str:
    return "Be polite."


def summarising() -> Any:
    summariser = ScriptedChatModel(replies=["A summary."], repeat=True)
    return SummarizationMiddleware(summariser, trigger=("messages", 3), keep=("messages", 2))


MIDDLEWARE: dict[str, Any] = {
    "none": lambda: [],
    "summarization": lambda: [summarising()],
    "human in the loop": lambda: [HumanInTheLoopMiddleware({"weather": True})],
    "todo list": lambda: [TodoListMiddleware()],
    "model call limit": lambda: [ModelCallLimitMiddleware(run_limit=5)],
    "tool call limit": lambda: [ToolCallLimitMiddleware(run_limit=5)],
    "model fallback": lambda: [ModelFallbackMiddleware(ScriptedChatModel(replies=["other"]))],
    "model retry": lambda: [ModelRetryMiddleware(max_retries=1)],
    "tool retry": lambda: [ToolRetryMiddleware(max_retries=1)],
    "context editing": lambda: [ContextEditingMiddleware(edits=[ClearToolUsesEdit(trigger=1, keep=0)])],
    "pii": lambda: [PIIMiddleware("email", strategy="redact")],
    "dynamic prompt": lambda: [polite],
}


async def talk(agent: Any, colour: Colour, text: str, name: str, user: dict[str, str]) -> Any:
    result = await invoked(agent, colour, said(text, "h1"), thread(name), context=user)
    if "__interrupt__" in result:
        answer: Command[Any] = Command(resume={"decisions": [{"type": "approve"}]})
        result = await invoked(agent, colour, answer, thread(name), context=user)
    return plain(result)


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("name", MIDDLEWARE)
async def test_an_agent_does_what_it_did_and_its_second_conversation_knows(name: str, colour: Colour) -> None:
    learning = a_machine([op("add_memory", content=FACT, quote=BEES)])
    model, model_alone = ScriptedChatModel(replies=REPLIES * 3), ScriptedChatModel(replies=REPLIES * 3)
    store = InMemoryStore()

    def agent(model: ScriptedChatModel, middleware: list[AgentMiddleware[Any, Any]], store: InMemoryStore) -> Any:
        return create_agent(model, [weather], middleware=middleware, checkpointer=InMemorySaver(), store=store)

    learns = agent(model, [*learning.middleware(), *MIDDLEWARE[name]()], store)
    alone = agent(model_alone, MIDDLEWARE[name](), InMemoryStore())

    for thread_id, user, text in [("t1", ADA, BEES), ("t2", ADA, "Where are my bees?"), ("t3", BOB, "Where are bees?")]:
        shown = len(model.prompts["reply"])
        expected = await talk(alone, colour, text, thread_id, user)
        assert await talk(learns, colour, text, thread_id, user) == expected
        assert plain(learns.get_state(thread(thread_id)).values) == plain(alone.get_state(thread(thread_id)).values)
        knows = [any(FACT in str(message.text) for message in prompt) for prompt in model.prompts["reply"][shown:]]
        assert knows == [thread_id == "t2"] * 2, "in each call of the turn"

    assert model.calls["reply"] == model_alone.calls["reply"] == 6
    assert memories(store) == [FACT]
    assert memories(store, "bob") == []


def test_a_tool_selector_keeps_the_learning_tools_out_of_its_way() -> None:
    chosen = ScriptedChatModel(replies=['{"tools": ["weather"]}'], repeat=True)
    model = ScriptedChatModel(replies=["Sunny."])
    learning = a_machine()
    store = InMemoryStore()
    a_machine([op("add_memory", content=FACT)]).scoped(user_id="ada", store=store).learn([("user", BEES)])
    selector = LLMToolSelectorMiddleware(model=chosen, max_tools=1)
    agent: Any = create_agent(model, [weather], middleware=[*learning.middleware(), selector], store=store)

    agent.invoke(said("Weather?"), context=ADA)

    assert FACT in model.prompt()
