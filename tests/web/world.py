"""A memory that pages show, and visitors who look at it."""

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape
from typing import Any

import uvicorn
from starlette.requests import Request
from starlette.testclient import TestClient
from starlette.types import ASGIApp

from langgraph_learning import LearningMachine, LearningMode, UserMemoryConfig, connect
from langgraph_learning.testing import ScriptedChatModel, op
from langgraph_learning.web import Visitor, create_app

ALEX, SAM = "alex@example.com", "sam/о'nil"
SCRIPT = "<script>alert('x')</script><img src=x onerror=alert(1)>"
TOKENS: dict[str, Visitor | str] = {"alex": ALEX, "sam": SAM, "ops": Visitor("ops", everybody=True)}
TURNS = [
    (
        "monday",
        "Hi, I'm Alex, and I prefer short answers. Maria Chen leads the platform team.",
        [
            op("update_user_profile", name="Alex", quote="I'm Alex"),
            op("add_memory", content="Prefers short answers", quote="I prefer short answers"),
            op("remember_about", entity="Maria Chen", entity_type="person", quote="Maria Chen leads"),
            op("remember_about", entity="Platform team", entity_type="team", quote="the platform team"),
            op(
                "link_entities",
                entity="Maria Chen",
                relation="leads",
                related_entity="Platform team",
                quote="Maria Chen leads the platform team",
            ),
            op("update_session_context", summary="Alex said hello."),
        ],
    ),
]
PROPOSED = [
    op("add_memory", content="Works from Lisbon on Fridays", quote="On Fridays I work from Lisbon"),
    op("add_memory", content="Drinks no coffee", quote="no coffee for me"),
]


def machine(**options: Any) -> LearningMachine:
    model = ScriptedChatModel(extractions=[operations for _, _, operations in TURNS])
    slots = dict.fromkeys(("user_profile", "user_memory", "session_context", "entity_memory"), True)
    return LearningMachine(model=model, **{**slots, **options})


@contextmanager
def opened(url: str) -> Iterator[tuple[LearningMachine, Any]]:
    with connect(url) as db:
        yield machine(), db.store


def teach(url: str) -> None:
    """Let Alex and Sam teach something, and propose two things of Alex's."""
    learning = machine()
    proposing = LearningMachine(
        model=ScriptedChatModel(extractions=[PROPOSED]), user_memory=UserMemoryConfig(mode=LearningMode.PROPOSE)
    )
    with connect(url) as db:
        for thread, text, _ in TURNS:
            assert learning.scoped(user_id=ALEX, thread_id=thread, store=db.store).learn([("user", text)])
        learning.scoped(user_id=SAM, store=db.store).apply("add_memory", content=f"Secretly likes {SCRIPT}")
        friday = proposing.scoped(user_id=ALEX, thread_id="friday", store=db.store)
        assert friday.learn([("user", "On Fridays I work from Lisbon, and no coffee for me.")])


def by_token(request: Request) -> Visitor | str | None:
    """Who asks, as an application would know it."""
    return TOKENS.get(request.headers.get("authorization", "").removeprefix("Bearer "))


def browser(app: ASGIApp, token: str | None = None, *, host: str = "localhost", peer: str = "127.0.0.1") -> TestClient:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    return TestClient(app, base_url=f"http://{host}", client=(peer, 50_000), headers=headers)


def app_for(learning: LearningMachine, store: Any, **options: Any) -> ASGIApp:
    return create_app(learning, store, **{"authenticate": by_token, **options})


@contextmanager
def serving(app: ASGIApp) -> Iterator[str]:
    """Serve `app` on a free port of this machine; yields its address."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


def form_token(page: str) -> str:
    """Return the token in the first form of a page."""
    found = re.search(r'name="form_token" value="([0-9a-f]+)"', page)
    assert found
    return found[1]


def links(page: str) -> list[str]:
    return [unescape(href) for href in re.findall(r'href="([^"]+)"', page)]
