"""JSON files: one document, a list of documents, a list inside a document, or one document in each line."""

from collections.abc import Iterable
from pathlib import Path
from typing import TypeAlias

from langgraph_learning.errors import ConfigurationError
from langgraph_learning.importing.build_row import Skipped, parse_json
from langgraph_learning.versioned_store import Json

Document: TypeAlias = dict[str, Json]
Entries: TypeAlias = list[tuple[str, object]]
LISTS = ("results", "memories")
"""The keys under which exports of mem0 have their list."""


def read(path: Path) -> tuple[list[Document], list[Skipped]]:
    """Return the objects in a file, and the entries that are none.

    Raises:
        ConfigurationError: The file cannot be read as text.
    """
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"cannot read {path.name}: {error}") from error
    entries, beside = _entries(text)
    broken = [Skipped(where, "it is no JSON object") for where, entry in entries if not isinstance(entry, dict)]
    return [entry for _, entry in entries if isinstance(entry, dict)], [*beside, *broken]


def _entries(text: str) -> tuple[Entries, list[Skipped]]:
    whole = parse_json(text)
    if isinstance(whole, list):
        return _number_entries("entry", whole), []
    if not isinstance(whole, dict):
        lines = _number_entries("line", text.split("\n"))  # a text may contain other line ends
        return [(where, parse_json(line)) for where, line in lines if str(line).strip()], []
    lists = {name: part for name, part in whole.items() if isinstance(part, list)}
    name = next((name for name in LISTS if name in lists), None)
    if name is None:
        return _number_entries("entry", [whole]), []
    others = [(key, len(part)) for key, part in lists.items() if part and key != name]
    return _number_entries("entry", lists[name]), [
        Skipped(key, f"its {count} entries are no memories") for key, count in others
    ]


def _number_entries(kind: str, things: Iterable[object]) -> Entries:
    return [(f"{kind} {number}", thing) for number, thing in enumerate(things, 1)]
