"""A server on this machine that every provider's real client can be pointed to: it writes down what it is asked."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import uuid4

Json = dict[str, Any]
Reply = Callable[[Json], Json]


@dataclass
class Recorder:
    """What the server answers, in order, and what it was asked."""

    url: str
    replies: list[Json | tuple[int, Json]] = field(default_factory=list)
    requests: list[Json] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)

    def answer(self, path: str, request: Json) -> tuple[int, Json]:
        """Note a request and take the next answer."""
        self.requests.append(request)
        self.paths.append(path)
        if not self.replies:
            return 418, {"error": {"message": "nothing was scripted for this request"}}
        reply = self.replies.pop(0)
        return reply if isinstance(reply, tuple) else (200, reply)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    recorder: Recorder


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status, reply = self.server.recorder.answer(self.path, json.loads(body))
        text = json.dumps(reply).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def recorder() -> Iterator[Recorder]:
    """Run the server on a free port of this machine."""
    with _Server(("127.0.0.1", 0), _Handler) as server:
        # Clients are cached by address: a port that comes again is another server.
        server.recorder = Recorder(f"http://127.0.0.1:{server.server_address[1]}/{uuid4().hex}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield server.recorder
        finally:
            server.shutdown()
            thread.join()


def find_schema(value: object) -> Json:
    """Return the schema of operations, wherever a request holds it."""
    if isinstance(value, str) and '"operations"' in value:
        value = json.loads(value) if value.startswith("{") else None
    if isinstance(value, Mapping):
        if "operations" in value.get("properties", {}) if isinstance(value.get("properties"), Mapping) else False:
            return dict(value)
        parts = list(value.values())
    else:
        parts = list(value) if isinstance(value, list) else []
    return next((found for part in parts if (found := find_schema(part))), {})
