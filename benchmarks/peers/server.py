"""A server that speaks OpenAI's chat completions and embeddings, takes its time, and notes what it was sent.

It answers each library in the form that library asks for, with one new memory per extraction. What it says is scripted.
"""

import hashlib
import itertools
import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Json = dict[str, Any]
DIMS = 256


@dataclass
class Call:
    """A request for an answer of the model: when it came, and how many characters it held."""

    at: float
    characters: int


@dataclass
class Script:
    """What the server answers, and what it was asked."""

    delay: float
    url: str = ""
    calls: list[Call] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def answer(self, request: Json) -> Json:
        """Return the message that answers a request."""
        self.calls.append(Call(time.monotonic(), len(json.dumps(request, ensure_ascii=False))))
        time.sleep(self.delay)
        tools = {tool["function"]["name"] for tool in request.get("tools", ())}
        last = request["messages"][-1]
        form = request.get("response_format", {}).get("type")
        if form == "json_schema" or (form is None and not tools) or last["role"] == "tool":
            return {"content": self._operations(request) if form == "json_schema" else "Noted, thank you."}
        if form == "json_object":  # mem0
            return {"content": json.dumps({"memory": [{"id": "0", "text": self._memory(), "attributed_to": "user"}]})}
        if "PatchDoc" in tools and "Memory" not in tools:  # LangMem, where it may only update
            [memory_id] = re.findall(r"(?:json_doc_id|id)\W+([0-9a-f]{32})", json.dumps(request["messages"]))[:1]
            patch = {"op": "add", "path": "/languages/-", "value": f"l{next(self.numbers)}"}
            return _call("PatchDoc", {"json_doc_id": memory_id, "planned_edits": "add it", "patches": [patch]})
        if "add_memory" in tools:  # Agno
            return _call("add_memory", {"memory": self._memory()})
        return _call("Memory", {"content": self._memory()})

    def _operations(self, request: Json) -> str:
        """Return what this package is answered, in the form it asks for."""
        if "add_memory" in json.dumps(request["messages"]):
            operation: Json = {"operation": "add_memory", "content": self._memory(), "quote": "bicycle"}
        else:
            operation = {
                "operation": "update_user_profile",
                "languages": [f"l{next(self.numbers)}"],
                "quote": "Bicycle",
            }
        return json.dumps({"operations": [operation]})

    def _memory(self) -> str:
        return f"Owns bicycle number {next(self.numbers)}"


def _call(name: str, arguments: Json) -> Json:
    called = {"index": 0, "id": "call_0", "type": "function"}
    return {"content": None, "tool_calls": [{**called, "function": {"name": name, "arguments": json.dumps(arguments)}}]}


def embed(text: str) -> list[float]:
    """Return a vector of the words of a text."""
    vector = [0.0] * DIMS
    for word in re.findall(r"\w+", text.lower()):
        vector[int(hashlib.md5(word.encode()).hexdigest(), 16) % DIMS] += 1.0
    return vector


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64
    script: Script


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        head = {"id": "1", "created": 1, "model": request["model"]}
        if self.path.endswith("/embeddings"):
            inputs = request["input"] if isinstance(request["input"], list) else [request["input"]]
            rows = [{"object": "embedding", "index": at, "embedding": embed(str(t))} for at, t in enumerate(inputs)]
            self._send("application/json", json.dumps({"object": "list", "data": rows, **head, "usage": _USAGE}))
            return
        message = {"role": "assistant", **self.server.script.answer(request)}
        reason = "tool_calls" if message.get("tool_calls") else "stop"
        if request.get("stream"):
            parts = [{"index": 0, "delta": message, "finish_reason": None}]
            parts.append({"index": 0, "delta": {}, "finish_reason": reason})
            events = [json.dumps({**head, "object": "chat.completion.chunk", "choices": [part]}) for part in parts]
            self._send("text/event-stream", "".join(f"data: {event}\n\n" for event in (*events, "[DONE]")))
        else:
            choice = {"index": 0, "message": message, "finish_reason": reason}
            body = {**head, "object": "chat.completion", "choices": [choice], "usage": _USAGE}
            self._send("application/json", json.dumps(body))

    def _send(self, kind: str, text: str) -> None:
        body = text.encode()
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


_USAGE = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}


@contextmanager
def serve(delay: float) -> Iterator[Script]:
    """Run the server on a free port of this machine."""
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.script = Script(delay, f"http://127.0.0.1:{server.server_address[1]}/v1")
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server.script
        finally:
            server.shutdown()
