"""Graphs of other people, in small: the shapes that are built over and over, none of which knows of learning."""

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, RemoveMessage, SystemMessage, trim_messages
from langchain_core.tools import tool
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.graph.message import add_messages
from langgraph.prebuilt import ToolNode, tools_condition
from langgraph.types import Command, Send, interrupt
from typing_extensions import TypedDict

from langgraph_learning.testing import call

Graph = StateGraph[Any, Any, Any, Any]
Model = Any
Node = Callable[..., Any]
BEES = "I keep bees on the roof"


@tool
def weather(city: str) -> str:
    """Return the weather."""
    return f"Sunny in {city}"


@dataclass(frozen=True)
class Ends:
    """Where a graph begins and ends, and what is put around a node that calls a model: nothing, as it was written."""

    start: str = START
    end: str = END
    show: Callable[[Node], Node] = lambda node: node

    def lead(self, builder: Graph, name: str) -> None:
        """Lead a node that leads nowhere to the end, if there is another than LangGraph's own."""
        if self.end != END:
            builder.add_edge(name, self.end)


ALONE = Ends()


@dataclass(frozen=True)
class Shape:
    """A graph, how a conversation with it goes, and what its model says in it."""

    name: str
    build: Callable[[Model, Ends], Graph]
    replies: Sequence[Any]
    models: tuple[str, ...] = ()
    """The nodes that call a model with their messages; empty where none does."""
    turns: Callable[[str], list[Any]] = lambda text: [{"messages": [HumanMessage(text)]}]
    hears: bool = True
    """Whether the user's words are messages of the graph."""
    wraps: bool = True
    """Whether its nodes send the messages they are given, and a system message among them."""

    def __str__(self) -> str:
        return self.name


def _ask(model: Model, messages: Sequence[Any]) -> dict[str, Any]:
    return {"messages": [model.invoke(messages)]}


def react(model: Model, ends: Ends = ALONE) -> Graph:
    bound = model.bind_tools([weather])
    builder: Graph = StateGraph(MessagesState)
    builder.add_node("agent", ends.show(lambda state: _ask(bound, [SystemMessage("Be kind."), *state["messages"]])))
    builder.add_node("tools", ToolNode([weather]))
    builder.add_edge(ends.start, "agent")
    builder.add_conditional_edges("agent", tools_condition, {"tools": "tools", END: ends.end})
    builder.add_edge("tools", "agent")
    return builder


def retrieval(model: Model, ends: Ends = ALONE) -> Graph:
    """The question is rewritten from the second message on, and a branch at the start counts them."""

    class Retrieval(MessagesState):
        documents: list[str]

    def route(state: Retrieval) -> Literal["retrieve", "rewrite"]:
        return "retrieve" if len(state["messages"]) == 1 else "rewrite"

    def rewrite(state: Retrieval) -> dict[str, Any]:
        return {"documents": [model.invoke([HumanMessage(f"Rewrite: {state['messages'][-1].text}")]).text]}

    def answer(state: Retrieval) -> dict[str, Any]:
        few_shot = [HumanMessage("Example?"), AIMessage("Like this.")]
        return _ask(model, [SystemMessage("Answer from documents."), *few_shot, *state["messages"]])

    builder: Graph = StateGraph(Retrieval)
    builder.add_node("rewrite", rewrite)
    builder.add_node("retrieve", lambda state: {"documents": [f"about: {state['messages'][-1].text}"]})
    builder.add_node("answer", ends.show(answer))
    builder.add_conditional_edges(ends.start, route)
    builder.add_edge("rewrite", "retrieve")
    builder.add_edge("retrieve", "answer")
    ends.lead(builder, "answer")  # alone it has no edge to END
    return builder


def email(model: Model, ends: Ends = ALONE) -> Graph:
    """No messages at all: an e-mail is triaged, drafted, shown to a person, and sent by `Command`."""

    class Email(TypedDict, total=False):
        email: str
        draft: str
        sent: bool

    def triage(state: Email) -> Command[Any]:
        verdict = model.invoke([SystemMessage("Triage."), HumanMessage(state["email"])]).text
        return Command(goto="draft" if verdict == "respond" else ends.end)

    def draft(state: Email) -> dict[str, Any]:
        return {"draft": model.invoke(f"Answer this: {state['email']}").text}

    def review(state: Email) -> Command[Any]:
        return Command(update={"sent": interrupt(state["draft"]) == "send"}, goto=ends.end)

    builder: Graph = StateGraph(Email)
    builder.add_node("triage", triage, destinations=("draft", ends.end))
    builder.add_node("draft", draft)
    builder.add_node("review", review)
    builder.add_edge(ends.start, "triage")
    builder.add_edge("draft", "review")
    return builder


def researcher(model: Model, ends: Ends = ALONE) -> Graph:
    """The first question of the user is the answer to an interrupt."""

    def ask(state: MessagesState) -> dict[str, Any]:
        return {"messages": [HumanMessage(interrupt("What shall I look into?"))]}

    builder: Graph = StateGraph(MessagesState)
    builder.add_node("ask", ask)
    builder.add_node("research", ends.show(lambda state: _ask(model, [*state["messages"], SystemMessage("Cite.")])))
    builder.add_edge(ends.start, "ask")
    builder.add_edge("ask", "research")
    builder.add_edge("research", ends.end)
    return builder


def summariser(model: Model, ends: Ends = ALONE) -> Graph:
    """From the third message on all but the last two are deleted, and a summary is kept."""

    class Summary(MessagesState):
        summary: str

    def chat(state: Summary) -> dict[str, Any]:
        head = [SystemMessage(state["summary"])] if state.get("summary") else []
        return _ask(model, [*head, *state["messages"]])

    def shorten(state: Summary) -> dict[str, Any]:
        gone = [RemoveMessage(id=str(message.id)) for message in state["messages"][:-2]]
        return {"messages": gone, "summary": f"{len(gone)} messages before"}

    builder: Graph = StateGraph(Summary)
    builder.add_node("chat", ends.show(chat))
    builder.add_node("shorten", shorten)
    builder.add_edge(ends.start, "chat")
    builder.add_conditional_edges("chat", lambda state: "shorten" if len(state["messages"]) > 2 else ends.end)
    builder.add_edge("shorten", ends.end)
    return builder


def trimmer(model: Model, ends: Ends = ALONE) -> Graph:
    """Only the newest messages are sent, from one of the user's on."""

    def chat(state: MessagesState) -> dict[str, Any]:
        kept = trim_messages(state["messages"], max_tokens=3, token_counter=len, strategy="last", start_on="human")
        return _ask(model, kept)

    builder: Graph = StateGraph(MessagesState)
    builder.add_node("chat", ends.show(chat))
    builder.add_edge(ends.start, "chat")
    builder.set_finish_point("chat") if ends is ALONE else ends.lead(builder, "chat")
    return builder


def map_reduce(model: Model, ends: Ends = ALONE) -> Graph:
    """Three workers by `Send`, each with an input of its own; a deferred node collects what they found."""

    class Found(TypedDict, total=False):
        messages: Annotated[list[AnyMessage], add_messages]
        notes: Annotated[list[str], operator.add]

    def plan(state: Found) -> list[Send]:
        return [Send("work", {"topic": topic}) for topic in ("one", "two", "three")]

    def work(state: Any) -> dict[str, Any]:
        return {"notes": [model.invoke(f"Tell me about {state['topic']}").text]}

    def collect(state: Found) -> dict[str, Any]:
        return {"messages": [AIMessage(" ".join(state["notes"][-3:]))]}

    builder: Graph = StateGraph(Found)
    builder.add_node("work", work)
    builder.add_node("collect", collect, defer=True)
    builder.add_node("after", lambda state: {"messages": [AIMessage("Enough?")]})
    builder.add_conditional_edges(ends.start, plan, ["work"])
    builder.add_edge("work", "collect")
    builder.add_edge("collect", "after")
    ends.lead(builder, "after")
    return builder


def nested(model: Model, ends: Ends = ALONE) -> Graph:
    """The model is called in a subgraph of a subgraph."""
    deep: Graph = StateGraph(MessagesState)
    deep.add_node("chat", lambda state: _ask(model, state["messages"]))
    deep.add_edge(START, "chat")
    middle: Graph = StateGraph(MessagesState)
    middle.add_node("deep", deep.compile())
    middle.add_edge(START, "deep")
    outer: Graph = StateGraph(MessagesState)
    outer.add_node("middle", middle.compile())
    outer.add_edge(ends.start, "middle")
    outer.add_edge("middle", ends.end)
    return outer


SHAPES = [
    Shape("react", react, [call("weather", city="Oslo"), "Sunny."], ("agent",)),
    Shape("retrieval", retrieval, ["A roof."], ("answer",)),
    Shape(
        "email",
        email,
        ["respond", "Dear Sir."],
        turns=lambda text: [{"email": text}, Command(resume="send")],
        hears=False,
    ),
    Shape(
        "researcher",
        researcher,
        ["A report."],
        ("research",),
        turns=lambda text: [{"messages": []}, Command(resume=text)],
    ),
    Shape("summariser", summariser, ["Well."], ("chat",)),
    Shape("trimmer", trimmer, ["Well."], ("chat",), wraps=False),
    Shape("map-reduce", map_reduce, ["a"]),
    Shape("nested", nested, ["Deep."]),
]
