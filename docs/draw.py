"""Draw the pictures of README and the first page: `python -m docs.draw`; a test says when they are out of date."""

from base64 import b64decode
from datetime import UTC, datetime
from pathlib import Path

from pydantic import JsonValue

from langgraph_learning import Record, Scope, Source, views

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
        _record(f"{one}-{two}", text, {"kind": "relationship", "source": one, "relation": text, "target": two})
        for one, text, two in LINKS
    ]
    image = views.entity_picture([*things, *links])
    return b64decode(image.partition("base64,")[2].partition('"')[0]).decode()


def _record(key: str, text: str, content: dict[str, JsonValue]) -> Record:
    scope, source = Scope(namespace="global"), Source(actor="user")
    stored = {"id": key, "store": "entity_memory", "scope": scope, "content": content, "text": text, "source": source}
    return Record.model_validate({**stored, "created_at": AT, "updated_at": AT})


if __name__ == "__main__":
    PICTURES.joinpath("entities.svg").write_text(entity_picture() + "\n", encoding="utf-8")
