"""Conversations follow the thread: a reply that is given anew replaces the old one, and no model learns twice."""

import asyncio
from typing import Any

import pytest
from acceptance.driver import Colour, Home
from langchain.agents.middleware import after_model, before_model
from langchain_core.messages import AIMessage, HumanMessage, RemoveMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.graph.message import REMOVE_ALL_MESSAGES
from langgraph.types import Command

from langgraph_learning import Background, LearningMachine, create_learning_agent
from langgraph_learning.testing import ScriptedChatModel, op

BEES = op("add_memory", content="Keeps bees", quote="I keep bees")
CONFIG: dict[str, Any] = {"configurable": {"thread_id": "c1", "user_id": "alice"}}


def graph_of(machine: LearningMachine, home: Home) -> Any:
    """Return recall, an agent that numbers its answers, and extraction."""
    answers = iter(range(1, 100))
    builder = StateGraph(MessagesState)
    builder.add_node("recall", machine.recall_node())
    builder.add_node("agent", lambda state: {"messages": [AIMessage(f"Answer {next(answers)}")]})
    builder.add_node("extract", machine.extract_node())
    builder.add_edge(START, "recall")
    builder.add_edge("recall", "agent")
    builder.add_edge("agent", "extract")
    return builder.compile(store=home.store, checkpointer=InMemorySaver())


def run(graph: Any, colour: Colour, given: Any, config: Any = None) -> Any:
    """Run the graph in one colour."""
    config = config or CONFIG
    return graph.invoke(given, config) if colour == "sync" else asyncio.run(graph.ainvoke(given, config))


def before(graph: Any, node: str) -> Any:
    """Return the newest checkpoint from which `node` runs next."""
    return next(state.config for state in graph.get_state_history(CONFIG) if state.next == (node,))


def said(text: str, id: str) -> dict[str, Any]:
    return {"messages": [HumanMessage(text, id=id)]}


def words(machine: LearningMachine, home: Home) -> list[str]:
    return [
        str(one.content["text"]) for one in machine.scoped(user_id="alice", store=home.store).records("conversations")
    ]


def learner(*extractions: Any, **options: Any) -> tuple[LearningMachine, ScriptedChatModel]:
    model = ScriptedChatModel(extractions=extractions)
    return LearningMachine(conversations=True, user_memory=True, model=model, **options), model


@pytest.mark.parametrize("way", ["replayed", "answered again", "sent again", "edited under its id"])
def test_a_reply_that_is_given_anew_replaces_the_old_one_and_what_was_learned_stays(home: Home, way: str) -> None:
    machine, model = learner([BEES])
    graph = graph_of(machine, home)
    run(graph, home.colour, said("I keep bees", "h1"))
    assert words(machine, home) == ["I keep bees", "Answer 1"]

    reply = graph.get_state(CONFIG).values["messages"][-1].id
    if way == "replayed":
        run(graph, home.colour, None, before(graph, "agent"))
    elif way == "sent again":
        run(graph, home.colour, said("I keep bees", "h1"), before(graph, "__start__"))
    elif way == "answered again":
        graph.update_state(CONFIG, {"messages": [RemoveMessage(reply)]}, as_node="recall")
        run(graph, home.colour, None)
    else:
        graph.update_state(CONFIG, {"messages": [AIMessage("Answer 2", id=reply)]}, as_node="agent")
        run(graph, home.colour, None)

    scoped = machine.scoped(user_id="alice", store=home.store)
    assert words(machine, home) == ["I keep bees", "Answer 2"]
    assert [record.place for record in scoped.records("conversations")] == [0, 1], "they stay neighbours"
    [memory] = scoped.records("user_memory")
    assert scoped.records("conversations")[0].keys == {f"user_memory/{memory.id}": "Keeps bees"}
    assert model.calls["extraction"] == 1


def test_a_reply_that_is_given_anew_is_kept_once_however_often_it_is_extracted(home: Home) -> None:
    machine, _ = learner([BEES])
    graph = graph_of(machine, home)
    run(graph, home.colour, said("I keep bees", "h1"))
    run(graph, home.colour, None, before(graph, "agent"))
    scoped = machine.scoped(user_id="alice", store=home.store)
    commits, again = len(scoped.commits()), before(graph, "extract")
    for _ in range(2):
        run(graph, home.colour, None, again)
    assert len(scoped.commits()) == commits == 2
    assert words(machine, home) == ["I keep bees", "Answer 2"]


def test_a_thread_that_goes_on_from_an_earlier_reply_keeps_what_it_has_now(home: Home) -> None:
    machine, model = learner([BEES], [], [])
    graph = graph_of(machine, home)
    run(graph, home.colour, said("I keep bees", "h1"))
    first = before(graph, "agent")
    run(graph, home.colour, said("And goats", "h2"))
    run(graph, home.colour, None, first)
    assert words(machine, home) == ["I keep bees", "Answer 3"]
    run(graph, home.colour, said("Go on", "h3"))
    assert words(machine, home) == ["I keep bees", "Answer 3", "Go on", "Answer 4"]
    assert [record.text for record in machine.scoped(user_id="alice", store=home.store).records("user_memory")] == [
        "Keeps bees"
    ]
    assert model.calls["extraction"] == 3


def test_a_reply_that_is_given_anew_behind_the_reply_is_kept_at_once(home: Home) -> None:
    machine, model = learner([BEES], background=Background(delay=0.0))
    graph = graph_of(machine, home)
    run(graph, home.colour, said("I keep bees", "h1"))
    machine.drain()
    run(graph, home.colour, None, before(graph, "agent"))
    assert words(machine, home) == ["I keep bees", "Answer 2"]
    machine.drain()
    assert model.calls["extraction"] == 1


def test_an_undone_turn_is_not_kept_again_by_another_reply(keeping: Home) -> None:
    machine, _ = learner([BEES])
    graph = graph_of(machine, keeping)
    run(graph, keeping.colour, said("I keep bees", "h1"))
    scoped = machine.scoped(user_id="alice", store=keeping.store)
    [commit] = scoped.commits()
    scoped.undo(commit.id)
    run(graph, keeping.colour, None, before(graph, "agent"))
    assert scoped.records() == []


def trimmed(way: str, messages: list[Any]) -> list[Any]:
    """Return what a node after the model makes of the messages."""
    summary = HumanMessage("They talked.", additional_kwargs={"lc_source": "summarization"})
    gone: list[Any] = [RemoveMessage(message.id) for message in messages]
    return {
        "removes all": [RemoveMessage(REMOVE_ALL_MESSAGES)],
        "summarises": [*gone, summary],
        "removes all and summarises": [RemoveMessage(REMOVE_ALL_MESSAGES), summary],
        "keeps the last": [RemoveMessage(REMOVE_ALL_MESSAGES), messages[-1]],
        "keeps the last under another id": [
            RemoveMessage(REMOVE_ALL_MESSAGES),
            AIMessage(messages[-1].content, id=f"copy of {messages[-1].id}"),
        ],
        "takes the reply out": gone[-1:],
    }[way]


WAYS = ["removes all", "summarises", "removes all and summarises", "keeps the last", "keeps the last under another id"]


def trimming(machine: LearningMachine, home: Home, way: str, kind: str) -> Any:
    """Return an agent whose messages are trimmed after the model and before extraction."""
    model = ScriptedChatModel(replies=["I see."], repeat=True)
    if kind == "middleware":

        @after_model
        def trim(state: Any, runtime: Any) -> Any:
            return {"messages": trimmed(way, state["messages"])}

        return create_learning_agent(
            model, learning=machine, middleware=[trim], store=home.store, checkpointer=InMemorySaver()
        )
    builder = StateGraph(MessagesState)

    def answer(state: MessagesState) -> Any:
        reply = model.invoke(state["messages"])
        said: Any = {
            "wrap, a dict": {"role": "assistant", "content": reply.text},
            "wrap, tuples": [("assistant", reply.text)],
        }.get(kind, reply)
        return Command(update={"messages": said}) if kind == "wrap, a command" else {"messages": said}

    builder.add_node("agent", answer)
    builder.add_node("trim", lambda state: {"messages": trimmed(way, state["messages"])})
    builder.add_edge(START, "agent")
    builder.add_edge("agent", "trim")
    return machine.into(builder, models=["agent"]).compile(store=home.store, checkpointer=InMemorySaver())


@pytest.mark.parametrize("kind", ["middleware", "wrap", "wrap, a command", "wrap, a dict", "wrap, tuples"])
@pytest.mark.parametrize("way", WAYS)
def test_a_reply_that_is_trimmed_away_before_it_is_learned_is_kept(home: Home, way: str, kind: str) -> None:
    machine, model = learner([BEES], [])
    graph = trimming(machine, home, way, kind)
    run(graph, home.colour, said("I keep bees", "h1"))
    assert words(machine, home) == ["I keep bees", "I see."]
    assert "I see." in model.prompt("extraction"), "whoever learns sees both"
    run(graph, home.colour, said("And goats", "h2"))
    assert words(machine, home) == ["I keep bees", "I see.", "And goats", "I see."]
    assert machine._settings.replies == {}


@pytest.mark.parametrize("kind", ["middleware", "wrap"])
def test_a_reply_that_is_taken_out_while_its_question_stays_is_not_kept(home: Home, kind: str) -> None:
    machine, _ = learner([BEES])
    run(trimming(machine, home, "takes the reply out", kind), home.colour, said("I keep bees", "h1"))
    assert words(machine, home) == ["I keep bees"]


def test_a_draft_that_was_taken_back_is_not_kept_though_the_thread_is_trimmed_later(home: Home) -> None:
    machine, model = learner([BEES])
    drafts = iter(["A draft", "The answer"])
    builder = StateGraph(MessagesState)
    builder.add_node("agent", lambda state: {"messages": [AIMessage(next(drafts))]})
    builder.add_node("critic", lambda state: {"messages": [RemoveMessage(state["messages"][-1].id)]})
    builder.add_node("trim", lambda state: {"messages": [RemoveMessage(REMOVE_ALL_MESSAGES)]})
    builder.add_edge(START, "agent")
    builder.add_conditional_edges(
        "agent", lambda state: "critic" if state["messages"][-1].content == "A draft" else "trim", ["critic", "trim"]
    )
    builder.add_edge("critic", "agent")
    graph = machine.into(builder, models=["agent"]).compile(store=home.store, checkpointer=InMemorySaver())
    run(graph, home.colour, said("I keep bees", "h1"))
    assert words(machine, home) == ["I keep bees", "The answer"]
    assert "A draft" not in model.prompt("extraction")


def six_turns(machine: LearningMachine, home: Home, trim: Any) -> Any:
    """Return an agent that has answered six questions, each time after `trim` had its way with the messages."""

    @before_model
    def trim_messages(state: Any, runtime: Any) -> Any:
        return {"messages": [RemoveMessage(REMOVE_ALL_MESSAGES), *trim(state["messages"])]}

    model = ScriptedChatModel(replies=[f"Answer {number}" for number in range(6)])
    agent = create_learning_agent(
        model, learning=machine, middleware=[trim_messages], store=home.store, checkpointer=InMemorySaver()
    )
    for number in range(6):
        run(agent, home.colour, said(f"Question {number}", f"q{number}"))
    return agent


def test_trimming_that_spares_the_first_message_does_not_take_away_what_was_said(home: Home) -> None:
    machine = LearningMachine(conversations=True)
    # as LangChain's own page shows it
    agent = six_turns(machine, home, lambda all: all if len(all) < 4 else [all[0], *all[-3 - len(all) % 2 :]])
    assert len(agent.get_state(CONFIG).values["messages"]) < 7
    assert words(machine, home) == [f"{word} {number}" for number in range(6) for word in ("Question", "Answer")]


@pytest.mark.parametrize("gone", [[1], [0, 1], [2], [2, 3], [3, 4, 5]])
def test_messages_that_somebody_takes_out_of_the_thread_are_taken_away(home: Home, gone: list[int]) -> None:
    machine = LearningMachine(conversations=True)
    graph = graph_of(machine, home)
    for number in range(4):
        run(graph, home.colour, said(f"Question {number}", f"q{number}"))
    stored, messages = words(machine, home), graph.get_state(CONFIG).values["messages"]
    graph.update_state(CONFIG, {"messages": [RemoveMessage(messages[index].id) for index in gone]})
    run(graph, home.colour, said("And then?", "q4"))
    left = [text for index, text in enumerate(stored) if index not in gone or 0 in gone]  # trimmed at the beginning
    assert words(machine, home) == [*left, "And then?", "Answer 5"]
