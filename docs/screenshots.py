"""Take the pictures of the memory browser anew: `python -m docs.screenshots`; it needs playwright and a Chromium.

What is shown was learned by the package from a scripted conversation, so the words are ours and the pages are real.
"""

import shutil
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, NamedTuple
from urllib.parse import urlencode

import uvicorn
from playwright.sync_api import sync_playwright
from pydantic import JsonValue

from langgraph_learning import LearningMachine, LearningMode, UserMemoryConfig, connect
from langgraph_learning.testing import ScriptedChatModel, op
from langgraph_learning.web import create_app

IMAGES = Path(__file__).parent / "images"
ALEX = "alex@example.com"
MONDAY = (
    "Hi, I'm Alex Rivera, data engineer at a climate start-up. Short answers, please. We are moving our pipelines from"
    " Airflow to Dagster. Maria Chen leads the platform team, which runs the warehouse on Postgres."
)
THURSDAY = "The warehouse went to version 17 yesterday, and I do the nightly runs at 02:00 now."
PROPOSED = "On Fridays I work from Lisbon, and no meetings before ten, please."


def _link(one: str, relation: str, other: str, quote: str) -> dict[str, JsonValue]:
    return op("link_entities", entity=one, relation=relation, related_entity=other, quote=quote)


LEARNED = [
    [
        op("update_user_profile", name="Alex Rivera", quote="I'm Alex Rivera"),
        op(
            "add_memory",
            content="Is a data engineer at a climate start-up",
            quote="data engineer at a climate start-up",
        ),
        op("add_memory", content="Prefers short answers", quote="Short answers, please"),
        op(
            "add_memory",
            content="Is moving the team's pipelines from Airflow to Dagster",
            quote="We are moving our pipelines from Airflow to Dagster",
        ),
        op("remember_about", entity="Maria Chen", entity_type="person", quote="Maria Chen leads the platform team"),
        op("remember_about", entity="Platform team", entity_type="team", quote="the platform team"),
        op(
            "remember_about",
            entity="Warehouse",
            entity_type="system",
            facts=["Runs on Postgres"],
            quote="the warehouse on Postgres",
        ),
        op("remember_about", entity="Dagster", entity_type="tool", quote="from Airflow to Dagster"),
        op("remember_about", entity="Postgres", entity_type="tool", quote="the warehouse on Postgres"),
        _link("Maria Chen", "leads", "Platform team", "Maria Chen leads the platform team"),
        _link("Platform team", "runs", "Warehouse", "the platform team, which runs the warehouse"),
        _link("Warehouse", "runs on", "Postgres", "the warehouse on Postgres"),
        op("update_session_context", summary="Alex introduced themself and told of the move to Dagster."),
    ],
    [
        op(
            "remember_about",
            entity="Warehouse",
            entity_type="system",
            events=[{"content": "Went to version 17", "date": "yesterday"}],
            quote="The warehouse went to version 17 yesterday",
        ),
        op("add_memory", content="Does the nightly runs at 02:00", quote="I do the nightly runs at 02:00"),
        op("update_session_context", summary="The warehouse is on version 17; nightly runs are at 02:00."),
    ],
]
ASKED = [
    op("add_memory", content="Works from Lisbon on Fridays", quote="On Fridays I work from Lisbon"),
    op("add_memory", content="Has no meetings before ten", quote="no meetings before ten"),
]


class Shot(NamedTuple):
    """A page, and how much of it is shown."""

    path: str
    query: dict[str, str]
    height: int = 640
    scheme: Literal["light", "dark"] = "light"


QUESTION = "When do the pipelines run on the warehouse?"
PAGES = {
    "memories": Shot("/user", {"user": ALEX}, 780),
    "what-is-told": Shot("/recall", {"user": ALEX, "q": QUESTION}, 880),
    "timeline": Shot("/timeline", {"user": ALEX}),
    "review-dark": Shot("/queue", {}, scheme="dark"),
}


@contextmanager
def served() -> Iterator[str]:
    """Teach a machine what is shown, and serve its pages on a free port; yields the address."""
    kinds: dict[str, Any] = dict.fromkeys(("user_profile", "session_context", "entity_memory", "conversations"), True)
    learning = LearningMachine(model=ScriptedChatModel(extractions=LEARNED), user_memory=True, **kinds)
    careful = LearningMachine(
        model=ScriptedChatModel(extractions=[ASKED]), user_memory=UserMemoryConfig(mode=LearningMode.PROPOSE)
    )
    with tempfile.TemporaryDirectory() as folder, connect(f"sqlite:///{folder}/shown.db") as db:
        for machine, thread, text in (
            (learning, "monday", MONDAY),
            (learning, "thursday", THURSDAY),
            (careful, "friday", PROPOSED),
        ):
            machine.scoped(user_id=ALEX, thread_id=thread, store=db.store).learn([("user", text)])
        app = create_app(learning, db.store, authenticate=None)
        with socket.create_server(("127.0.0.1", 0)) as listening:
            server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
            serving = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
            serving.start()
            try:
                yield f"http://127.0.0.1:{listening.getsockname()[1]}"
            finally:
                server.should_exit = True
                serving.join()


def main() -> None:
    """Write the pictures into docs/images."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with served() as address, sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        for name, shot in PAGES.items():
            page = chromium.new_page(
                base_url=address, viewport={"width": 1000, "height": shot.height}, color_scheme=shot.scheme
            )
            page.goto(f"{shot.path}?{urlencode(shot.query)}")
            page.screenshot(path=IMAGES / f"{name}.png")
        chromium.close()


if __name__ == "__main__":
    main()
