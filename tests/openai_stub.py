"""A small server that speaks OpenAI's chat completions and responses, to try the real client over a real socket."""

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import uuid4

Json = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """What the server says to one request: a text, tool calls, or a refusal by status."""

    text: str | None = None
    calls: Sequence[tuple[str, Mapping[str, Any]]] = ()
    finish_reason: str = "stop"
    usage: tuple[int, int] = (11, 7)
    status: int = 200


@dataclass
class Stub:
    """The server's script and what it was asked: replies to the agent, and answers to extraction."""

    url: str
    replies: list[Answer | str] = field(default_factory=list)
    extractions: list[Answer | Sequence[Json] | str] = field(default_factory=list)
    refused: tuple[str, ...] = ()
    """The ways of structured output that the server does not know: `json_schema`, `tools`."""
    requests: list[Json] = field(default_factory=list)

    @property
    def asked(self) -> list[Json]:
        """The requests for an extraction."""
        return [request for request in self.requests if way(request)]

    def answer(self, request: Json) -> Answer:
        """Note the request and take the next answer of the script."""
        self.requests.append(request)
        if (found := way(request)) is None:
            reply = self.replies.pop(0)
            return reply if isinstance(reply, Answer) else Answer(reply)
        if found in self.refused:
            return Answer(f"{found} is not supported by this server", status=400)
        answer = self.extractions.pop(0)
        if isinstance(answer, Answer) and answer.status != 200:
            return answer
        if not isinstance(answer, Answer):
            text = answer if isinstance(answer, str) else json.dumps({"operations": list(answer)})
            answer = Answer(text)
        return answer if found == "json_schema" else as_call(answer, name_of(request))


def way(request: Json) -> str | None:
    """Return how structured output is asked for; None for a reply."""
    if "response_format" in request:
        return str(request["response_format"]["type"])
    if "format" in request.get("text", {}):
        return str(request["text"]["format"]["type"])
    return "tools" if isinstance(request.get("tool_choice"), dict) else None


def name_of(request: Json) -> str:
    """Return the tool that must be called."""
    return str(request["tool_choice"]["function"]["name"])


def as_call(answer: Answer, name: str) -> Answer:
    """Say a text as the arguments of a tool call."""
    reason = "tool_calls" if answer.finish_reason == "stop" else answer.finish_reason
    return Answer(None, [(name, {"raw": answer.text})], reason, answer.usage)


def wire_schema(request: Json) -> Json:
    """Return the schema of an extraction as it came over the wire."""
    if way(request) == "json_schema":
        return dict(request["response_format"]["json_schema"]["schema"])
    return dict(request["tools"][0]["function"]["parameters"])


def _tool_calls(answer: Answer) -> list[Json]:
    return [
        {
            "index": index,
            "id": f"call_{index}",
            "type": "function",
            "function": {"name": name, "arguments": arguments.get("raw") or json.dumps(arguments)},
        }
        for index, (name, arguments) in enumerate(answer.calls)
    ]


def _usage(answer: Answer) -> Json:
    asked, said = answer.usage
    return {"prompt_tokens": asked, "completion_tokens": said, "total_tokens": asked + said}


def response(answer: Answer, model: str) -> Json:
    """Return the body of an answer of the responses API."""
    output: list[Json] = [
        {"type": "function_call", "id": f"fc_{index}", "call_id": f"call_{index}", "name": name, "status": "completed"}
        | {"arguments": arguments.get("raw") or json.dumps(arguments)}
        for index, (name, arguments) in enumerate(answer.calls)
    ]
    if answer.text is not None:
        content = [{"type": "output_text", "text": answer.text, "annotations": []}]
        output.append(
            {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": content}
        )
    asked, said = answer.usage
    usage: Json = {"input_tokens": asked, "output_tokens": said, "total_tokens": asked + said}
    usage |= {"input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}}
    head = {"id": f"resp_{uuid4().hex}", "object": "response", "created_at": 1, "model": model, "status": "completed"}
    return {**head, "output": output, "usage": usage, "parallel_tool_calls": True, "tool_choice": "auto", "tools": []}


def completion(answer: Answer, model: str) -> Json:
    """Return the body of an answer that is not streamed."""
    message: Json = {"role": "assistant", "content": answer.text, "refusal": None}
    if answer.calls:
        message["tool_calls"] = _tool_calls(answer)
    choice = {"index": 0, "message": message, "finish_reason": answer.finish_reason, "logprobs": None}
    head = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": model}
    return {**head, "choices": [choice], "usage": _usage(answer)}


def chunks(answer: Answer, model: str) -> Iterator[Json]:
    """Return the events of an answer that is streamed: a word each, then why it ends, then what it cost."""
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": model}

    def chunk(delta: Json, reason: str | None = None) -> Json:
        return {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}

    yield chunk({"role": "assistant", "content": ""})
    for word in (answer.text or "").split(" ") if answer.text else []:
        yield chunk({"content": f"{word} "})
    if answer.calls:
        yield chunk({"tool_calls": _tool_calls(answer)})
    yield chunk({}, answer.finish_reason)
    yield {**head, "choices": [], "usage": _usage(answer)}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    stub: Stub


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        try:
            answer = self.server.stub.answer(request)
        except IndexError:
            answer = Answer("nothing was scripted for this request", status=418)
        if answer.status != 200:
            error = {"message": answer.text, "type": "invalid_request_error", "param": None, "code": None}
            self._send(answer.status, "application/json", json.dumps({"error": error}))
        elif request.get("stream"):
            events = [*(json.dumps(chunk) for chunk in chunks(answer, request["model"])), "[DONE]"]
            self._send(200, "text/event-stream", "".join(f"data: {event}\n\n" for event in events))
        else:
            body = response if "input" in request else completion
            self._send(200, "application/json", json.dumps(body(answer, request["model"])))

    def _send(self, status: int, kind: str, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")  # no connection outlives the event loop of its test
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def openai_stub() -> Iterator[Stub]:
    """Run the server on a free port of this machine."""
    with _Server(("127.0.0.1", 0), _Handler) as server:
        # Clients are cached by address, with connections and event loop: a port that comes again is another server.
        server.stub = Stub(f"http://127.0.0.1:{server.server_address[1]}/{uuid4().hex}/v1")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield server.stub
        finally:
            server.shutdown()
            thread.join()
