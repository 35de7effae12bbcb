"""Import of this package's own export: JSON lines of records; from a backup, only the records of users."""

from collections.abc import Iterable, Iterator, Mapping

from langgraph_learning.importing.build_row import Found, Skipped

WHOLE = "`langgraph-learning load` takes in a whole backup"


def rows(lines: Iterable[Mapping[str, object]]) -> Iterator[Found]:
    """Yield each record as it is; whether it is valid is checked later, for all rows together."""
    for line in lines:
        if (namespace := line.get("namespace")) is not None:
            kind = namespace[-1] if isinstance(namespace, list) and namespace else namespace
            yield Skipped(f"{kind} {line.get('key')}", f"it is no record; {WHOLE}")
        else:
            yield {name: value for name, value in line.items() if name != "history"}


def is_backup_row(line: Mapping[str, object]) -> bool:
    """Return whether a line is from a backup and no record."""
    namespace = line.get("namespace")
    return isinstance(namespace, list) and namespace[:1] == ["learning"] and "value" in line
