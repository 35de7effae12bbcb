"""Draw the pictures of README and the first page: `python -m docs.draw`; a test says when they are out of date."""

from base64 import b64decode
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from importlib import import_module
from pathlib import Path

from pydantic import JsonValue

from langgraph_learning import LearningMachine, Record, Scope, Source, views
from langgraph_learning.testing import ScriptedChatModel

PICTURES = Path(__file__).parent / "pictures"
AT = datetime(2026, 5, 4, tzinfo=UTC)
THINGS = {
    "acme": ("Acme", "company"),
    "jane": ("Jane", "person"),
    "portal": ("Portal", "product"),
    "pg": ("Postgres", "tool"),
}
LINKS = (("jane", "is CTO of", "acme"), ("acme", "builds", "portal"), ("portal", "runs on", "pg"))


def entity_picture() -> str:
    """Return the picture of four things that an agent learned of, and how they stand to each other."""
    things = [
        _record(key, name, {"kind": "entity", "name": name, "type": kind}) for key, (name, kind) in THINGS.items()
    ]
    links = [
        _record(
            f"{source}-{target}", text, {"kind": "relationship", "source": source, "relation": text, "target": target}
        )
        for source, text, target in LINKS
    ]
    return _svg(views.entity_picture([*things, *links]))


def around_picture() -> str:
    """Return the picture of the four nodes around an agent."""
    learning = LearningMachine(user_memory=True, model=ScriptedChatModel())
    return _svg(views.graph_picture(learning.around(lambda state: state).compile().get_graph()))


def studio_picture(name: str) -> str:
    """Return the picture of one of the dev server's graphs; to import it opens its database in this folder."""
    return _svg(views.graph_picture(import_module(f"examples.studio.{name}").graph.get_graph(xray=True)))


def _svg(image: str) -> str:
    return b64decode(image.partition("base64,")[2].partition('"')[0]).decode() + "\n"


def _record(key: str, text: str, content: dict[str, JsonValue]) -> Record:
    scope, source = Scope(namespace="global"), Source(actor="user")
    stored = {"id": key, "store": "entity_memory", "scope": scope, "content": content, "text": text, "source": source}
    return Record.model_validate({**stored, "created_at": AT, "updated_at": AT})


STUDIO = ("assistant", "composed", "support_agent", "inbox")
DRAWN: dict[str, Callable[[], str]] = {
    "entities": entity_picture,
    "around": around_picture,
    **{f"studio-{name}": partial(studio_picture, name) for name in STUDIO},
}

if __name__ == "__main__":
    for name, draw in DRAWN.items():
        PICTURES.joinpath(f"{name}.svg").write_text(draw(), encoding="utf-8")
