"""Records to look at, and what a view may not let through."""

from base64 import b64decode
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

from pydantic import JsonValue

from langgraph_learning import Record, Scope, Source

NOW = datetime(2026, 5, 4, 9, 30, tzinfo=UTC)
HOSTILE = (
    """<script>alert(1)</script> " onmouseover="alert(2)" x=' </style></svg></pre><img src=x onerror=alert(3)> &lt; `"""
)


def record(text: str, *, store: str = "user_memory", key: str = "r1", minutes: int = 0, **given: object) -> Record:
    values: dict[str, object] = {
        "id": key,
        "store": store,
        "scope": Scope(user_id="alex"),
        "content": {"content": text},
        "text": text,
        "source": Source(quote="I said so"),
        "created_at": NOW,
        "updated_at": NOW + timedelta(minutes=minutes),
    }
    return Record.model_validate({**values, **given})


def entity(key: str, name: str, kind: str = "person", status: str = "active") -> Record:
    content: dict[str, JsonValue] = {"kind": "entity", "name": name, "type": kind}
    return record(name, store="entity_memory", key=key, content=content, status=status)


def link(source: str, relation: str, target: str, status: str = "active") -> Record:
    content: dict[str, JsonValue] = {"kind": "relationship", "source": source, "relation": relation, "target": target}
    key = f"{source} {relation} {target}"
    return record(key, store="entity_memory", key=key, content=content, status=status)


def drawn(markup: str) -> str:
    """Return the first picture in `markup` as the SVG that it is."""
    return b64decode(markup.partition("base64,")[2].partition('"')[0]).decode()


class Seen(HTMLParser):
    """What a browser makes of markup: elements, attributes, and text."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(markup)
        self.close()

    def handle_starttag(self, element: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append(element)
        self.attributes += attributes
        self.open.append(element)
        if element == "img":  # what it draws is seen as well
            self.feed_picture(str(dict(attributes)["src"]))

    def feed_picture(self, source: str) -> None:
        picture = type(self)(b64decode(source.removeprefix("data:image/svg+xml;base64,")).decode())
        self.elements += [element for element in picture.elements if element != "style"]
        self.attributes += picture.attributes
        self.text += picture.text

    def handle_endtag(self, element: str) -> None:
        assert self.open.pop() == element, "elements close in the order they opened"

    def handle_data(self, text: str) -> None:
        if self.open[-1:] != ["style"]:
            self.text += text
