"""The requests that langchain-anthropic would send: one system prompt, whatever is recalled."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from graphs.world import ADA, FACT, known, machine, said
from langchain.agents import create_agent
from langchain_anthropic import ChatAnthropic
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
from langgraph.graph import START, MessagesState, StateGraph

Graph = StateGraph[Any, Any, Any, Any]


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, Any]]]:
    """A server on this machine that answers as Anthropic's does; what it was sent."""
    seen: list[dict[str, Any]] = []

    class Messages(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            seen.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            answer = {
                "id": "m1",
                "type": "message",
                "role": "assistant",
                "model": "claude",
                "content": [{"type": "text", "text": "Hello"}],
                "stop_reason": "end_turn",
                "usage": {"input_tokens": 1, "output_tokens": 1},
            }
            body = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: Any) -> None:
            """Be quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Messages)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setenv("ANTHROPIC_BASE_URL", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "none")
    yield seen
    server.shutdown()
    server.server_close()
    thread.join()


def claude() -> ChatAnthropic:
    return ChatAnthropic(model_name="claude-of-tests", max_retries=0, timeout=5, stop=None)


def texts(request: dict[str, Any]) -> list[tuple[str, str]]:
    return [(message["role"], json.dumps(message["content"])) for message in request["messages"]]


@pytest.mark.parametrize("way", ["into", "model"])
def test_a_prompt_with_examples_before_the_conversation_is_sent(way: str, requests: list[dict[str, Any]]) -> None:
    learning, _ = machine([])
    model: Any = learning.model(claude()) if way == "model" else claude()

    def node(state: MessagesState) -> dict[str, Any]:
        examples = [HumanMessage("Example?"), AIMessage("Like this.")]
        return {"messages": [model.invoke([SystemMessage("Be kind."), *examples, *state["messages"]])]}

    builder: Graph = StateGraph(MessagesState)
    builder.add_node("node", node).add_edge(START, "node")
    graph = learning.into(builder, models=["node"] if way == "into" else []).compile(store=known())

    assert graph.invoke(said("Bees?"), context=ADA)["messages"][-1].text == "Hello"

    [request] = requests
    assert request["system"] == "Be kind."
    assert [(role, FACT in text) for role, text in texts(request)] == [
        ("user", False),
        ("assistant", False),
        ("user", True),
    ]


def test_an_agent_sends_one_system_prompt_and_the_text_in_the_users_message(requests: list[dict[str, Any]]) -> None:
    learning, _ = machine([])
    agent: Any = create_agent(claude(), system_prompt="Be kind.", middleware=[*learning.middleware()], store=known())

    agent.invoke(said("Bees?"), context=ADA)

    [request] = requests
    assert FACT not in json.dumps(request["system"])
    assert [(role, FACT in text) for role, text in texts(request)] == [("user", True)]


def test_placed_in_the_system_prompt_it_is_one_system_prompt(requests: list[dict[str, Any]]) -> None:
    learning, _ = machine([], placement="system")
    agent: Any = create_agent(claude(), system_prompt="Be kind.", middleware=[*learning.middleware()], store=known())

    agent.invoke(said("Bees?"), context=ADA)

    [request] = requests
    assert "Be kind." in json.dumps(request["system"])
    assert FACT in json.dumps(request["system"])
    assert [(role, FACT in text) for role, text in texts(request)] == [("user", False)]
