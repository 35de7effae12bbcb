"""Take the pictures of the memory browser anew: `python -m docs.screenshots`; it needs playwright and a Chromium.

The conversation is the demo's, with more words in it, and its extractions are scripted; the pages are real.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, NamedTuple
from urllib.parse import urlencode

from playwright.sync_api import sync_playwright
from pydantic import JsonValue

from examples.demo import CONVERSATIONS, EXTRACTIONS
from langgraph_learning import LearningMachine, LearningMode, UserMemoryConfig, connect
from langgraph_learning.testing import ScriptedChatModel, op

IMAGES = Path(__file__).parent / "images"
ALEX = CONVERSATIONS[0][0]
MONDAY = (
    " ".join(text for user, thread, text in CONVERSATIONS if (user, thread) == (ALEX, "monday"))
    + " Maria Chen leads the platform team, which runs the warehouse on Postgres."
)
THURSDAY = "The warehouse went to version 17 yesterday, and I do the nightly runs at 02:00 now."
PROPOSED = "On Fridays I work from Lisbon, and no meetings before ten, please."


def _link(source: str, relation: str, target: str, quote: str) -> dict[str, JsonValue]:
    return op("link_entities", entity=source, relation=relation, related_entity=target, quote=quote)


def _teaches(operation: dict[str, JsonValue]) -> bool:
    return operation["operation"] != "update_session_context"


LEARNED = [
    [
        *(operation for operations in EXTRACTIONS[:2] for operation in operations if _teaches(operation)),
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
def serve_memory() -> Iterator[str]:
    """Teach a machine what is shown, and serve its pages by the command `serve`; yield their address."""
    learning = LearningMachine(
        model=ScriptedChatModel(extractions=LEARNED),
        user_profile=True,
        user_memory=True,
        session_context=True,
        entity_memory=True,
        conversations=True,
    )
    careful = LearningMachine(
        model=ScriptedChatModel(extractions=[ASKED]), user_memory=UserMemoryConfig(mode=LearningMode.PROPOSE)
    )
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/shown.db"
        with connect(url) as db:
            for machine, thread, text in (
                (learning, "monday", MONDAY),
                (learning, "thursday", THURSDAY),
                (careful, "friday", PROPOSED),
            ):
                machine.scoped(user_id=ALEX, thread_id=thread, store=db.store).learn([("user", text)])
        command = [sys.executable, "-m", "langgraph_learning.cli", "serve", "--db", url, "--port", "0"]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
            try:
                assert server.stderr is not None
                yield re.findall(r"http://[^ ]+", server.stderr.readline())[0].rstrip("/")
            finally:
                server.terminate()


def main() -> None:
    """Write the pictures into docs/images."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with serve_memory() as address, sync_playwright() as playwright:
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
