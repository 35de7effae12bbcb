"""The commands that add or change records manually, by the same operations that models use; `undo` works as well."""

import json
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from langgraph_learning.cli.command import command
from langgraph_learning.cli.output import notice, say, write_json
from langgraph_learning.cli.short_ids import find_by_prefix
from langgraph_learning.cli.target import Target
from langgraph_learning.errors import ConfigurationError

if TYPE_CHECKING:
    from langgraph_learning.records import Record
    from langgraph_learning.scoped import Scoped
    from langgraph_learning.stores import Operation

Values = Annotated[
    list[str],
    typer.Argument(metavar="TEXT|NAME=VALUE...", help="One text, or arguments of the operation; write lists as JSON."),
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for step in (add, edit):
        command(app, step)


def add(
    at: Target,
    values: Values,
    operation: Annotated[
        str,
        typer.Option("--operation", "-o", metavar="NAME", help="The operation to run, also one of your own --machine."),
    ] = "add_memory",
) -> None:
    """Add a record, by default a memory; `undo` takes it back.

    Other operations take NAME=VALUE: add -o remember_about entity=Acme entity_type=company 'facts=["Builds rockets"]'

    Example: langgraph-learning add "Prefers concise answers" -d sqlite:///learning.db -u alex@example.com
    """
    with at.open(make=True) as opened:
        scoped = opened.scoped_for(at.whose)
        kinds = _operations(scoped)
        if operation not in kinds:
            raise ConfigurationError(f"there is no operation {operation!r}; there are {', '.join(kinds)}")
        kind = kinds[operation]
        _apply(at, scoped, operation, _arguments(kind, values, _first_required(kind)))


def edit(
    at: Target, record: Annotated[str, typer.Argument(help="The id of a record, or its beginning.")], values: Values
) -> None:
    """Change what a record says; the earlier version stays in its history, and `undo` takes the change back.

    Example: langgraph-learning edit user_profile:name Alexandra -d sqlite:///learning.db -u alex@example.com
    """
    with at.open() as opened:
        opened.check_user()
        stored = opened.records(at.whose)
        key = find_by_prefix(record, (item.id for item in stored), "record", "records")
        scoped = opened.scoped_for(at.whose)
        operation, arguments, text_is = _editing(scoped, next(item for item in stored if item.id == key))
        kind = _operations(scoped)[operation]
        _apply(at, scoped, operation, {**arguments, **_arguments(kind, values, text_is)})


def _operations(scoped: "Scoped") -> "dict[str, type[Operation]]":
    return {kind.__name__: kind for store in scoped.stores for kind in store.operations}


def _editing(scoped: "Scoped", record: "Record") -> tuple[str, dict[str, object], str | None]:
    """Return the operation that changes `record`, the arguments that name it, and the name of the changed argument."""
    field = record.id.partition(":")[2]
    for store in scoped.stores:
        for kind in store.operations if store.name == record.store else ():
            if kind.__name__ == "update_user_profile" and field in kind.model_fields:
                return kind.__name__, {}, field
            if "id" in kind.model_fields and not kind.__name__.startswith(("delete", "forget", "remove")):
                return kind.__name__, {"id": record.id}, _first_required(kind, {"id"})
            if "title" in kind.model_fields and "title" in record.content:  # saving the same title updates the record
                return kind.__name__, {**record.content}, _first_required(kind, {"title"})
    raise ConfigurationError(
        f"no operation changes {record.id!r} of {record.store} by its id: add the new statement by `add --operation"
        " NAME`"
    )


def _first_required(kind: "type[Operation]", excluded: Collection[str] = ()) -> str | None:
    """Return the name of the first required argument that is not in `excluded`; None if there is none."""
    return next(
        (name for name, field in kind.model_fields.items() if field.is_required() and name not in excluded), None
    )


def _arguments(kind: "type[Operation]", values: Sequence[str], text_is: str | None) -> dict[str, object]:
    """Return the arguments in `values`: either each is NAME=VALUE, or there is one text for the argument `text_is`."""
    pairs = {name: value for name, equals, value in (text.partition("=") for text in values) if equals}
    if len(pairs) == len(values) and pairs.keys() <= kind.model_fields.keys():
        return {name: _value(value) for name, value in pairs.items()}
    if len(values) > 1 or text_is is None:
        raise ConfigurationError(f"{kind.__name__} takes NAME=VALUE; its arguments are {', '.join(kind.model_fields)}")
    return {text_is: values[0]}


def _value(text: str) -> object:
    if text[:1] not in ("[", "{"):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


def _apply(at: Target, scoped: "Scoped", operation: str, arguments: dict[str, object]) -> None:
    try:
        commit = scoped.apply(operation, **arguments)
    except ValueError as error:
        raise ConfigurationError(f"{operation}: {error}") from error
    if at.as_json:
        write_json(commit)
        return
    for change in commit.changes:
        say(f"{change.kind} {change.store}: {change.text}")
    if commit.proposed:
        notice(f"{len(commit.proposed)} proposed: a person has to decide; `proposals` lists it")
    elif not commit.changes:
        notice("nothing changed: this is stored already")
    say(f"by commit {commit.id}") if commit.changes else None
