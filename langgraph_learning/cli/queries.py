"""The commands that read users, records, recall and history."""

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from langgraph_learning.cli.command import command
from langgraph_learning.cli.output import Column, day, say, show, write_json
from langgraph_learning.cli.short_ids import find_by_prefix
from langgraph_learning.cli.target import Target, check_exists
from langgraph_learning.errors import ConfigurationError, ScopeError

if TYPE_CHECKING:
    from langgraph_learning.cli.open_target import OpenTarget
    from langgraph_learning.records import Commit, Record, Revision

LEARNING_STORES = (
    "conversations",
    "decision_log",
    "entity_memory",
    "instructions",
    "learned_knowledge",
    "procedures",
    "session_context",
    "user_memory",
    "user_profile",
)
"""The names that TAB completes. They are copied here because importing the learning stores is too slow for that."""
RecordId = Annotated[
    str | None, typer.Argument(metavar="[RECORD]", help="The id of a record, or its beginning.", show_default=False)
]

AsOf = Annotated[
    datetime | None,
    typer.Option("--as-of", help="Only what was said and held at this time, including what was replaced since."),
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    command(app, users, scoped=False)
    for step in (records, search, recall, history):
        command(app, step)


def complete_store(incomplete: str) -> list[str]:
    """Return the names of learning stores that begin with `incomplete`."""
    return [name for name in LEARNING_STORES if name.startswith(incomplete)]


def _scope(record: "Record") -> str:
    scope = record.scope
    if scope.namespace is not None:
        return f"shared in {scope.namespace}" + (f" agent {scope.agent}" if scope.agent else "")
    return " ".join(f"{name} {value}" for name, value in (("thread", scope.thread_id), ("agent", scope.agent)) if value)


def _source(record: "Record") -> str:
    source = record.source
    return f'"{source.quote}"' if source.quote else f"{source.actor} (inferred)" if source.inferred else source.actor


RECORDS = (
    Column("text", lambda record: record.text if record.status == "active" else f"{record.text} ({record.status})"),
    Column("learning store", lambda record: record.store, "name"),
    Column("where", _scope, "detail"),
    Column("from", _source, "detail"),
    Column("updated", lambda record: day(record.updated_at), "time"),
    Column("id", lambda record: record.id, "id"),
)


@dataclass(frozen=True)
class KnownUser:
    """A user that the database has data of, with counts."""

    user: str
    records: int
    commits: int
    proposals: int


USERS = (
    Column("user", lambda known: known.user),
    Column("records", lambda known: known.records, "name"),
    Column("commits", lambda known: known.commits, "name"),
    Column("proposals", lambda known: known.proposals, "name"),
)


def users(at: Target) -> None:
    """List the users that the database has data of, with numbers of records, commits and proposals.

    Example: langgraph-learning users -d sqlite:///learning.db
    """
    from langgraph_learning.namespace_labels import unlabel
    from langgraph_learning.records import NOT_RECORDS, ROOT

    counts: dict[str, Counter[str]] = {}
    for namespace, count in check_exists(at.state(counting=True)).counts.items():
        if namespace[:2] == (ROOT, "user"):
            kind = namespace[-1] if namespace[-1] in NOT_RECORDS else "records"
            counts.setdefault(unlabel(namespace[2]), Counter())[kind] += count
    rows = [
        KnownUser(user, counts[user]["records"], counts[user]["commits"], counts[user]["proposals"])
        for user in sorted(counts)
        if counts[user].total()
    ]
    show(rows, USERS, as_json=at.as_json, none="no users")


def records(
    at: Target,
    store: Annotated[
        str | None,
        typer.Option(
            "--store",
            "-s",
            metavar="NAME",
            help="Only the records of one learning store.",
            autocompletion=complete_store,
        ),
    ] = None,
) -> None:
    """List the records of a user, oldest first; with --thread, without the session contexts of other threads.

    Example: langgraph-learning records -d sqlite:///learning.db -u alex@example.com -s user_memory
    """
    with at.open() as opened:
        opened.check_user()
        stored = opened.records(at.user)
        names = {record.store for record in stored} | {
            learning_store.name for learning_store in opened.scoped_for(at.user).stores
        }
    if store is not None and store not in names:
        raise ConfigurationError(
            f"there is no learning store {store!r} in this database; there are {', '.join(sorted(names))}"
        )
    matching = [record for record in stored if store in (None, record.store)]
    show(matching, RECORDS, as_json=at.as_json, none="no records")


def search(
    at: Target,
    query: Annotated[str, typer.Argument(help="Words; with --embed, their meaning counts too.")],
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="The largest number of records.")] = 5,
    as_of: AsOf = None,
) -> None:
    """List the records that match a query, the best match first.

    Example: langgraph-learning search -d sqlite:///learning.db -u alex@example.com "databases"
    """
    with at.open() as opened:
        opened.check_user()
        best = opened.scoped_for(at.user).search(query, limit=limit, at=as_of)
    show(best, RECORDS, as_json=at.as_json, none="no matches")


def recall(
    at: Target, query: Annotated[str, typer.Argument(help="The message of the user.")], as_of: AsOf = None
) -> None:
    """Show the text that a model would get with this message of the user, and why each record was chosen.

    Example: langgraph-learning recall -d sqlite:///learning.db -u alex@example.com "Where do I deploy?"
    """
    with at.open() as opened:
        opened.check_user()
        recalled = opened.scoped_for(at.user).recall(query, at=as_of)
    if at.as_json:
        write_json(recalled)
        return
    receipt = recalled.receipt
    say(recalled.text or "(nothing is recalled)")
    texts = {record.id: record.text for record in recalled.records}
    columns = (
        Column("text", lambda item: texts.get(item.id, "")),
        Column("label", lambda item: item.label, "name"),
        Column("learning store", lambda item: item.store, "name"),
        Column("why", lambda item: item.reason, "detail"),
        Column("score", lambda item: f"{item.score:.2f}", "time"),
        Column("tokens", lambda item: item.tokens, "time"),
        Column("id", lambda item: item.id, "id"),
    )
    show(receipt.shown, columns, as_json=False)
    left = "".join(f"; left out: {count} of {store}" for store, count in receipt.left_out.items())
    say(f"{receipt.tokens} tokens{left}")


def history(at: Target, record: RecordId = None) -> None:
    """List the commits of a user, or all versions of one record with the commits that made them.

    Example: langgraph-learning history -d sqlite:///learning.db -u alex@example.com user_profile:name
    """
    with at.open() as opened:
        if record is None:
            whose = at.whose
            opened.check_user()
            show(opened.scoped_for(whose).commits(), COMMITS, as_json=at.as_json, none="no commits")
            return
        opened.check_user()
        states = _states_of(opened, record)
    show(states, REVISIONS, as_json=at.as_json)


def _states_of(opened: "OpenTarget", prefix: str) -> "list[Revision]":
    """Return the versions of a record, by its id or the beginning of it; a removed record needs its whole id."""
    user = opened.target.user
    with suppress(ScopeError):
        return opened.scoped_for(user).history(prefix)
    stored = opened.records(user)
    key = find_by_prefix(prefix, (record.id for record in stored), "record", "records")
    threads = {record.scope.thread_id for record in stored if record.id == key}
    if len(threads) > 1:  # the id of a session context is the same in every thread
        raise ConfigurationError(f"there is a record {key!r} in {len(threads)} threads: name one by --thread")
    return opened.scoped_for(user, next(iter(threads))).history(key)


def _changes(commit: "Commit") -> str:
    return "\n".join(f"{change.kind} {change.store}: {change.text}" for change in commit.changes)


def _text(revision: "Revision") -> str:
    return revision.record.text if revision.record is not None else "(removed)"


COMMITS = (
    Column("changes", _changes),
    Column("thread", lambda commit: commit.identity.thread_id, "detail"),
    Column("at", lambda commit: day(commit.at), "time"),
    Column("commit", lambda commit: commit.id, "id"),
)
REVISIONS = (
    Column("text", _text),
    Column("version", lambda revision: revision.version, "time"),
    Column("at", lambda revision: day(revision.at), "time"),
    Column("commit", lambda revision: revision.commit, "id"),
)
