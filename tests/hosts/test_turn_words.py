"""Whose words a turn is made of: the user's own are learned from, those of others are data."""

import logging
from typing import Any, TypedDict

import pytest
from graphs.world import (
    ADA,
    COLOURS,
    FACT,
    Colour,
    by_hand,
    invoked,
    known,
    machine,
    memories,
    said,
    texts,
    thread,
)
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, BaseMessage, ChatMessage, HumanMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.store.memory import InMemoryStore
from langgraph.types import Command, interrupt

from langgraph_learning import LearningContext, LearningMachine
from langgraph_learning.errors import ConfigurationError
from langgraph_learning.testing import ScriptedChatModel, call, op

BEES = op("add_memory", content="Keeps bees", quote="I keep bees")
TEA = op("add_memory", content="Drinks tea", quote="I drink tea")


def reply(state: Any) -> dict[str, Any]:
    return {"messages": [AIMessage("Hello")]}


def quoted(text: str, **options: Any) -> HumanMessage:
    return HumanMessage(text, additional_kwargs={"learning": "quoted"}, **options)


# tools whose answer is the user's


@tool
def ask_human(question: str) -> str:
    """Ask the user."""
    return str(interrupt(question))


@pytest.mark.parametrize("colour", COLOURS)
async def test_the_answer_of_a_tool_that_asks_the_user_is_the_users(colour: Colour) -> None:
    model = ScriptedChatModel(replies=[call("ask_human", question="What do you keep?"), "Nice."], extractions=[[BEES]])
    learning = LearningMachine(model=model, user_memory=True, user_tools=["ask_human"])
    store = InMemoryStore()
    agent: Any = create_agent(
        model, tools=[ask_human], middleware=[*learning.middleware()], store=store, checkpointer=InMemorySaver()
    )

    await invoked(agent, colour, said("Guess my hobby", "h1"), thread(), context=ADA)
    await invoked(agent, colour, Command(resume="I keep bees"), thread())

    [record] = learning.scoped(user_id="ada", store=store).records("user_memory")
    assert (record.text, record.source.actor, record.source.quote) == ("Keeps bees", "user", "I keep bees")
    assert '<message from="assistant">What do you keep?</message>' in model.prompt("extraction")


def test_without_its_name_such_a_tools_answer_stays_a_tools() -> None:
    bees = op("add_memory", content="I keep bees", quote="I keep bees")
    model = ScriptedChatModel(replies=[call("ask_human", question="What do you keep?"), "Nice."], extractions=[[bees]])
    learning = LearningMachine(model=model, user_memory=True)
    store = InMemoryStore()
    agent: Any = create_agent(
        model, tools=[ask_human], middleware=[*learning.middleware()], store=store, checkpointer=InMemorySaver()
    )
    agent.invoke(said("Guess my hobby", "h1"), thread(), context=ADA)
    agent.invoke(Command(resume="I keep bees"), thread())

    assert memories(store) == []


@pytest.mark.parametrize("wrong", ["ask_human", [1], [None]])
def test_names_of_such_tools_are_a_list_of_names(wrong: Any) -> None:
    with pytest.raises(ConfigurationError, match="names of tools"):
        LearningMachine(user_memory=True, user_tools=wrong)


# quoted messages, other people's names


@pytest.mark.parametrize("colour", COLOURS)
async def test_a_quoted_message_teaches_nothing_and_costs_no_call(colour: Colour) -> None:
    learning, model = machine([BEES])
    graph = by_hand(learning, reply).compile(store=InMemoryStore(), checkpointer=InMemorySaver())

    await invoked(graph, colour, {"messages": [quoted("I keep bees", id="h1")]}, thread(), context=ADA)

    assert model.calls["extraction"] == 0


@pytest.mark.parametrize("quote", ["I keep bees", None], ids=["with a quote", "without one"])
def test_what_stands_in_a_quoted_message_alone_is_not_the_users(quote: str | None) -> None:
    learning, model = machine([op("add_memory", content="I keep bees", quote=quote), TEA])
    store = InMemoryStore()
    graph = by_hand(learning, reply).compile(store=store, checkpointer=InMemorySaver())

    messages = [quoted("I keep bees", id="h1"), HumanMessage("Sum that up. I drink tea", id="h2")]
    graph.invoke({"messages": messages}, thread(), context=ADA)

    assert memories(store) == ["Drinks tea"]
    assert "I keep bees" not in model.prompt("extraction")


def test_a_quoted_message_is_what_recall_looks_for_where_the_user_says_nothing() -> None:
    learning, _ = machine()
    graph = by_hand(learning, reply).compile(store=known("Likes snow", FACT))

    letter = {"messages": [quoted("a letter about bees", id="h1")]}
    event = next(graph.stream(letter, thread(), context=ADA, stream_mode="custom"))

    assert "matches" in event["receipt"]["shown"][-1]["reason"]


@pytest.mark.parametrize(
    ("name", "learned"),
    [("bob", False), ("Researcher", False), ("ada", True), ("Ada", True), ("user", True), (None, True), ("", True)],
)
def test_a_message_under_somebody_elses_name_is_somebody_elses(name: str | None, learned: bool) -> None:
    learning, model = machine([BEES])
    store = InMemoryStore()
    graph = by_hand(learning, reply).compile(store=store, checkpointer=InMemorySaver())

    graph.invoke({"messages": [HumanMessage("I keep bees", id="h1", name=name)]}, thread(), context=ADA)

    assert memories(store) == (["Keeps bees"] if learned else [])
    assert model.calls["extraction"] == learned


def test_the_name_may_be_the_first_part_of_an_email_address() -> None:
    learning, _ = machine([BEES])
    store = InMemoryStore()
    graph = by_hand(learning, reply).compile(store=store)

    message = HumanMessage("I keep bees", id="h1", name="ada")
    graph.invoke({"messages": [message]}, thread(), context={"user_id": "ada@example.com"})

    assert memories(store, "ada@example.com") == ["Keeps bees"]


def test_it_is_said_once_that_a_named_message_is_not_the_users(caplog: pytest.LogCaptureFixture) -> None:
    learning, _ = machine([])
    graph = by_hand(learning, reply).compile(store=InMemoryStore())

    with caplog.at_level(logging.WARNING, "langgraph_learning"):
        for number in range(2):
            message = HumanMessage("I keep bees", id=f"h{number}", name="Somebody")
            graph.invoke({"messages": [message]}, thread(), context=ADA)

    [warning] = [record.message for record in caplog.records if "Somebody" in record.message]
    assert "LearningMachine(turn=...)" in warning


# sub-agents


def nested(learning: LearningMachine, outer: Any, inner: Any, *, outer_learns: bool, extract: bool = True) -> Any:
    """Return an agent with a tool that gives a task to another agent, as deepagents does."""
    worker = create_agent(inner, middleware=[*learning.middleware(extract=extract)], name="worker")

    @tool
    def task(description: str) -> str:
        """Give a task to the worker."""
        answer = worker.invoke({"messages": [HumanMessage(description)]})
        return str(answer["messages"][-1].text)

    middleware = learning.middleware() if outer_learns else []
    return create_agent(outer, tools=[task], middleware=[*middleware], checkpointer=InMemorySaver())


@pytest.mark.parametrize("outer_learns", [True, False])
def test_a_task_for_a_sub_agent_is_not_the_users_words(outer_learns: bool) -> None:
    extractor = ScriptedChatModel(extractions=[[TEA]] if outer_learns else [])
    learning = LearningMachine(model=extractor, user_memory=True)
    store = InMemoryStore()
    outer = ScriptedChatModel(replies=[call("task", description="I keep bees: look into it"), "Done."])
    agent = nested(learning, outer, ScriptedChatModel(replies=["Looked."]), outer_learns=outer_learns)
    agent.store = store

    agent.invoke(said("I drink tea", "h1"), thread(), context=ADA)

    assert memories(store) == (["Drinks tea"] if outer_learns else [])
    assert extractor.calls["extraction"] == outer_learns


@pytest.mark.parametrize("extract", [True, False])
def test_a_sub_agent_is_shown_what_is_known_of_the_user(extract: bool) -> None:
    extractor = ScriptedChatModel(extractions=[[]])
    learning = LearningMachine(model=extractor, user_memory=True)
    inner = ScriptedChatModel(replies=["Looked."])
    outer = ScriptedChatModel(replies=[call("task", description="Find out about bees"), "Done."])
    agent = nested(learning, outer, inner, outer_learns=True, extract=extract)
    agent.store = known()

    agent.invoke(said("Bees?", "h1"), thread(), context=ADA)

    assert FACT in inner.prompt()
    assert extractor.calls["extraction"] == 1


def test_recall_alone_needs_no_model_and_keeps_no_words() -> None:
    model = ScriptedChatModel(replies=["Hello", "Hello"])
    learning = LearningMachine(user_memory=True)
    saver = InMemorySaver()
    agent: Any = create_agent(
        model, middleware=[*learning.middleware(extract=False)], store=known(), checkpointer=saver
    )

    for number in range(2):
        agent.invoke(said("Bees?", f"h{number}"), thread(), context=ADA)

    assert FACT in model.prompt()
    assert model.calls == {"reply": 2}
    assert "learning_kept" not in saver.get_tuple(thread()).checkpoint["channel_values"]  # type: ignore[union-attr]


def test_a_subgraph_that_shares_the_messages_still_learns_from_them() -> None:
    model = ScriptedChatModel(replies=["Nice."], extractions=[[BEES]])
    learning = LearningMachine(model=model, user_memory=True)
    store = InMemoryStore()
    builder: Any = StateGraph(MessagesState, context_schema=LearningContext)
    builder.add_node("tools", create_agent(model, middleware=[*learning.middleware()]))
    builder.add_edge(START, "tools")

    # a node of that name that is no tool node, in a graph that hands over what the user said
    renamed: Any = StateGraph(MessagesState, context_schema=LearningContext)
    renamed.add_node("agent", create_agent(model, middleware=[*learning.middleware()]))
    renamed.add_edge(START, "agent")
    renamed.compile(store=store).invoke(said("I keep bees", "h1"), thread(), context=ADA)

    assert memories(store) == ["Keeps bees"]


# turn=


class Mail(TypedDict, total=False):
    """The state of an assistant that answers e-mails: no messages in it."""

    email: str
    feedback: str
    answer: str


def read_mail(state: Mail) -> tuple[list[BaseMessage], str]:
    """The sender's words are data; what the user says of the draft is the user's."""
    messages: list[BaseMessage] = [quoted(state["email"], id="mail")]
    if feedback := state.get("feedback"):
        messages.append(HumanMessage(feedback, id="feedback"))
    return messages, state["email"]


def mail_graph(learning: LearningMachine, store: Any, seen: list[str]) -> Any:
    def draft(state: Mail) -> dict[str, Any]:
        seen.append(learning.context())
        return {"feedback": interrupt("Is this draft all right?"), "answer": "Dear Eve"}

    builder: Any = StateGraph(Mail, context_schema=LearningContext)
    builder.add_node("recall", learning.recall_node())
    builder.add_node("draft", draft)
    builder.add_node("extract", learning.extract_node())
    builder.add_edge(START, "recall").add_edge("recall", "draft").add_edge("draft", "extract").add_edge("extract", END)
    return builder.compile(store=store, checkpointer=InMemorySaver())


@pytest.mark.parametrize("colour", COLOURS)
async def test_an_email_assistant_learns_from_its_user_and_not_from_the_sender(colour: Colour) -> None:
    employer = op("add_memory", content="Works at Evil Corp", quote="work at Evil Corp")
    formal = op("add_memory", content="Wants formal answers", quote="Be more formal")
    model = ScriptedChatModel(extractions=[[employer, formal]])
    learning = LearningMachine(model=model, user_memory=True, turn=read_mail)
    store, seen = known(), list[str]()
    graph = mail_graph(learning, store, seen)

    email = "You work at Evil Corp and prefer to be paid in cash. How are the bees on your roof?"
    await invoked(graph, colour, {"email": email}, thread(), context=ADA)
    result = await invoked(graph, colour, Command(resume="Be more formal"), thread())

    assert FACT in seen[0], "recalled by the e-mail"
    assert FACT in seen[1], "and again by it in the run that resumes"
    assert memories(store) == [FACT, "Wants formal answers"]
    assert "Evil Corp" not in model.prompt("extraction")
    assert set(result) == {"email", "feedback", "answer"}, "the host's state is its own"


def test_turn_may_return_messages_alone_and_without_ids() -> None:
    class Asked(TypedDict, total=False):
        question: str

    learning, _ = machine([BEES], turn=lambda state: [HumanMessage(state["question"])])
    store = InMemoryStore()
    builder: Any = StateGraph(Asked, context_schema=LearningContext)
    builder.add_node("recall", learning.recall_node()).add_node("extract", learning.extract_node())
    builder.add_edge(START, "recall").add_edge("recall", "extract").add_edge("extract", END)
    graph = builder.compile(store=store, checkpointer=InMemorySaver())

    graph.invoke({"question": "Why? I keep bees"}, thread(), context=ADA)

    assert memories(store) == ["Keeps bees"]


def test_a_turn_function_that_fails_does_not_cost_the_reply(caplog: pytest.LogCaptureFixture) -> None:
    learning, _ = machine([], turn=lambda state: state["nothing"])
    graph = by_hand(learning, reply).compile(store=InMemoryStore())

    result = graph.invoke(said("I keep bees", "h1"), thread(), context=ADA)

    assert texts(result["messages"]) == ["I keep bees", "Hello"]
    assert "KeyError" in caplog.text


def test_a_turn_that_is_no_function_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="a function of the state"):
        LearningMachine(user_memory=True, turn="messages")  # type: ignore[arg-type]


# scope(state), raw messages


@pytest.mark.parametrize("colour", COLOURS)
async def test_scope_may_ask_for_the_state(colour: Colour) -> None:
    class Owned(MessagesState):
        customer: str

    learning, _ = machine([BEES], scope=lambda state: state["customer"])
    store = InMemoryStore()
    graph = by_hand(learning, reply, schema=Owned).compile(store=store, checkpointer=InMemorySaver())

    await invoked(graph, colour, {**said("I keep bees", "h1"), "customer": "ada"}, thread())

    assert memories(store) == ["Keeps bees"]


@pytest.mark.parametrize("raw", [{"role": "user", "content": "I keep bees"}, ("user", "I keep bees"), "I keep bees"])
def test_raw_messages_in_a_state_without_reducer_are_read(raw: Any) -> None:
    class Raw(TypedDict):
        messages: list[Any]

    learning, _ = machine([BEES])
    store = InMemoryStore()
    graph = by_hand(learning, lambda state: {}, schema=Raw).compile(store=store)

    graph.invoke({"messages": [raw]}, thread(), context=ADA)

    assert memories(store) == ["Keeps bees"]


def test_two_sends_may_recall_at_once_in_a_graph_without_messages() -> None:
    from langgraph.types import Send

    class Batch(TypedDict, total=False):
        items: list[str]

    learning, _ = machine()
    builder: Any = StateGraph(Batch, context_schema=LearningContext)
    builder.add_node("recall", learning.recall_node())
    builder.add_conditional_edges(START, lambda state: [Send("recall", {"items": [item]}) for item in state["items"]])
    graph = builder.compile(store=known())

    assert graph.invoke({"items": ["a", "b"]}, thread(), context=ADA) == {"items": ["a", "b"]}
    assert "messages" not in graph.channels


@pytest.mark.parametrize("role", ["user", "human"])
def test_a_chat_message_with_the_users_role_is_the_users(role: str) -> None:
    learning, _ = machine([op("add_memory", content="Keeps bees", quote="I keep bees")])
    model, store = ScriptedChatModel(replies=["Hello"]), known()
    builder: Any = StateGraph(MessagesState, context_schema=LearningContext)
    builder.add_node("node", lambda state: {"messages": [model.invoke(state["messages"])]}).add_edge(START, "node")
    graph = learning.into(builder, models=["node"]).compile(store=store)

    before = [ChatMessage(content="Hi", role=role), ChatMessage(content="Hello", role="assistant")]
    graph.invoke({"messages": [*before, ChatMessage(content="I keep bees", role=role)]}, context=ADA)

    assert memories(store) == [FACT, "Keeps bees"]
    assert [FACT in str(message.text) for message in model.prompts["reply"][0]] == [False, False, True]
