"""Messages as records: the messages of a turn that its commit keeps, and the keys that searches find them by.

Learning stores that capture keep the messages of a session (usually a thread) in order. The id of a record is session
and place, so that a search that finds one can read its neighbours. What other learning stores learn from a message
becomes a key of that message. The key is written in the commit that learns it and deleted in the commit that removes
it.
"""

import base64
import hashlib
import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeAlias, cast
from zoneinfo import ZoneInfo

from langgraph.store.base import Item, PutOp, SearchOp

from langgraph_learning._engine.flow import Expected, Flow, batch, describe_store
from langgraph_learning._engine.learning.messages import TurnMessage
from langgraph_learning._engine.learning.turn import Turn, TurnInput
from langgraph_learning._engine.repository import EVERYTHING, ScopeSnapshot, put_record, scoped_to
from langgraph_learning._engine.snapshots import MOST_SOUGHT, SessionPart
from langgraph_learning.masking import Mask
from langgraph_learning.records import (
    ACTIVE,
    Add,
    Change,
    Commit,
    Identity,
    Namespace,
    Record,
    Remove,
    Scope,
    Source,
    Update,
    derived_id,
)
from langgraph_learning.stores import LearningStore
from langgraph_learning.stores.base import FAULTS, SpokenMessage

log = logging.getLogger(__name__)

Cited: TypeAlias = tuple[str | None, str]
"""A message, as thread id and message id."""

LONGEST_READ = 64_000
"""The number of characters of a message that are read."""
MOST_CITED = 8
"""The number of messages that a record may rest on; one that rests on more says nothing about any of them."""


@dataclass(frozen=True)
class Captured:
    """The messages of a conversation that a commit keeps, with their present texts, and the session they belong to."""

    session: SessionPart
    messages: tuple[SpokenMessage, ...]
    source: Source
    zone: ZoneInfo
    current: Mapping[str, str | None] | None = None
    """The present texts of the thread's messages, by id; None if unknown: then nothing counts as edited or deleted."""


def session_code(thread_id: str | None, graph_ns: str, otherwise: str) -> str:
    """Return the code of the session that messages belong to.

    Args:
        thread_id: The thread.
        graph_ns: The checkpoint namespace of the graph: a graph inside another may have a conversation of its own.
        otherwise: A text that tells one call from others if there is no thread.
    """
    path = [part.partition(":")[0] for part in graph_ns.split("|") if part]
    parts = ["thread", thread_id, *path] if thread_id is not None else ["none", otherwise]
    digest = hashlib.sha256(json.dumps(parts).encode()).digest()
    return base64.b32encode(digest[:10]).decode().lower()


def read_capture(
    turn_input: TurnInput, commit: str, mask: Mask, current: Sequence[TurnMessage] | None = None
) -> Captured:
    """Return the messages of a turn that a commit keeps, with secrets masked.

    Args:
        turn_input: The turn.
        commit: The id of its commit.
        mask: The function that masks secrets.
        current: The messages of the thread, with their present texts.
    """
    identity, turn = turn_input.identity, turn_input.turn
    code = session_code(identity.thread_id, turn_input.provenance.graph_ns, commit)
    source = Source(thread_id=identity.thread_id, checkpoint_id=turn_input.checkpoint_id)
    zone = ZoneInfo(identity.timezone)
    messages = tuple(_to_spoken(message, turn_input.said_at, mask) for message in name_messages(turn))
    session = SessionPart(code, turn_input.anchors, tuple(message.id for message in messages))
    texts = (
        None
        if current is None
        else {message.id: mask(message.text[:LONGEST_READ]) for message in current if message.id}
    )
    return Captured(session, messages, source, zone, texts)


def name_messages(turn: Turn) -> Iterable[TurnMessage]:
    """Return the messages of a turn; one without an id gets one that follows from its position and its text."""
    humans, since = turn.human_offset, 0
    for message in turn.messages:
        humans, since = (humans + 1, 0) if message.role == "user" else (humans, since + 1)
        own_id = f"#{humans}.{since}-{derived_id(message.role, message.text)[:8]}"
        yield message if message.id else replace(message, id=own_id)


def _to_spoken(message: TurnMessage, at: datetime, mask: Mask) -> SpokenMessage:
    text = mask(message.text[:LONGEST_READ])
    name = mask(message.name) if message.name else None
    return SpokenMessage(str(message.id), message.role, text, message.said_at or at, name)


def plan_capture(snapshot: ScopeSnapshot, captured: Captured, at: datetime) -> list[Change]:
    """Return the changes after which the records of a session hold the messages with their present texts."""
    session = captured.session.code
    in_session = [record for record in snapshot.records if record.session == session]
    records = sorted(in_session, key=lambda record: record.place or 0)
    stored = {id: record for record in records for id in record.source.message_ids}
    changes = _taken_away(snapshot.store, records, captured)
    gone = {change.id for change in changes}
    freed = {record.place or 0 for record in records if record.id in gone}
    end = 1 + max((record.place or 0 for record in records if record.id not in gone), default=-1)
    last = end - 1
    for message in dict((message.id, message) for message in _as_now(captured, stored)).values():
        record = stored.get(message.id)
        add = _capture(snapshot.store, message, captured.zone, record)
        if record is not None:
            changes += _change(snapshot.store, record, add)
            last = record.place or 0
        elif add is not None and not (add.expires_at and add.expires_at <= at):
            source = captured.source.model_copy(update={"message_ids": (message.id,), "actor": message.role})
            # A reply that is given anew takes the place of the old one, so that it stays beside its question.
            last = last + 1 if last + 1 in freed else end
            end = max(end, last + 1)
            where = {"id": f"{session}-{last}", "session": session, "place": last}
            changes.append(add.model_copy(update={"source": source, **where}))
    return changes


def _as_now(captured: Captured, stored: Mapping[str, Record]) -> list[SpokenMessage]:
    """Return the messages of the turn, and the older stored ones, with their present texts."""
    current = captured.current or {}
    messages = [
        replace(message, text=current[message.id] or "") if message.id in current else message
        for message in captured.messages
    ]
    own = {message.id for message in messages}
    older = [
        SpokenMessage(id, record.source.actor, current[id] or "", record.created_at)
        for id, record in stored.items()
        if id in current and id not in own
    ]
    return [*messages, *older]


def _capture(store: LearningStore, message: SpokenMessage, zone: ZoneInfo, record: Record | None) -> Add | None:
    try:
        return store.capture(message, zone, record)
    except FAULTS:
        log.exception("%s cannot keep a message", store.name)
        return None


def _change(store: LearningStore, record: Record, now: Add | None) -> list[Change]:
    """Return the change for an edited message; one without text is removed."""
    if now is None:
        return [Remove(store=store.name, id=record.id, source=record.source)]
    if now.content == record.content:
        return []
    update = Update(store=store.name, id=record.id, content=now.content, text=now.text, source=record.source)
    return [update.model_copy(update={"session": record.session, "place": record.place, "keys": record.keys})]


def _taken_away(store: LearningStore, records: Sequence[Record], captured: Captured) -> list[Change]:
    """Return removals for messages that were deleted from the thread.

    Messages missing before the first present one were trimmed from the state, not deleted, so they stay. The same goes
    for several messages missing behind the first of the thread, which trimming may spare, and for messages missing
    after the last one, unless a new message follows it: it would have followed them.
    """
    current = captured.current or {}
    present = [
        place for place, record in enumerate(records) if not current.keys().isdisjoint(record.source.message_ids)
    ]
    stored = {id for record in records for id in record.source.message_ids}
    new = {message.id for message in captured.messages if message.id in current and message.id not in stored}
    if present[:1] == [0] and len(present) > 1 and present[1] > 2 and _following(records[0], current) not in new:
        present = present[1:]
    middle = records[present[0] : None if new else present[-1]] if present else []
    gone = [record for record in middle if current.keys().isdisjoint(record.source.message_ids)]
    own = {message.id for message in captured.messages}
    return [
        Remove(store=store.name, id=record.id, source=record.source)
        for record in gone
        if own.isdisjoint(record.source.message_ids) and not record.source.message_ids[0].startswith("#")
    ]


def _following(record: Record, current: Mapping[str, str | None]) -> str | None:
    """Return the id of the message that comes after a record's in the thread."""
    ids = iter(current)
    return next((next(ids, None) for id in ids if id in record.source.message_ids), None)


def find_citing(identity: Identity, captured: Captured, snapshots: Sequence[ScopeSnapshot]) -> Flow[list[Record]]:
    """Return the user's records that rest on messages which are about to be kept: a tool may have learned first.

    Only the learning stores that key messages are searched, because the messages are far more.
    """
    stored = {
        id
        for snapshot in snapshots
        for record in snapshot.records
        if record.session
        for id in record.source.message_ids
    }
    new = [message.id for message in captured.messages if message.id not in stored and message.role == "user"]
    thread = captured.source.thread_id
    keying = {store.name: store for snapshot in snapshots for store in snapshot.store.keyed_by}
    scopes = [(store, scope) for store, scope in scoped_to(keying.values(), identity) if scope.user_id is not None]
    paths = [(*scope.path, store.name) for store, scope in scopes]
    items = yield from _find_items(paths, {(thread, id) for id in new}, messages=False)
    return [Record.from_item(item) for item in items if isinstance(item.value.get("source"), dict)]


def with_keys(changes: Sequence[Change], facts: Iterable[Record]) -> list[Change]:
    """Return `changes`; new messages get the facts that rest on them as keys."""
    cited: dict[Cited, dict[str, str]] = {}
    for record in facts:
        for message in _cited_messages(record):
            cited.setdefault(message, {})[_key(record)] = record.text
    keyed: list[Change] = []
    for change in changes:
        keys: dict[str, str] = {}
        for id in change.source.message_ids if not isinstance(change, Remove) and change.session else ():
            keys |= cited.get((change.source.thread_id, id), {})
        old = {} if isinstance(change, Remove) else change.keys
        keyed.append(change.model_copy(update={"keys": {**old, **keys}}) if keys else change)
    return keyed


def _cited_messages(record: Record | None) -> list[Cited]:
    """Return the messages that a record rests on; a record that is set aside counts for none."""
    if record is None or record.session is not None or record.status != ACTIVE:
        return []
    ids = record.source.message_ids
    return [(record.source.thread_id, id) for id in ids] if len(ids) <= MOST_CITED else []


def _key(record: Record) -> str:
    return f"{record.store}/{record.id}"


def key_puts(
    user_id: str | None,
    pairs: Iterable[tuple[Record | None, Record | None]],
    done: Iterable[tuple[tuple[str, ...], str]],
    at: datetime,
    captured: Iterable[Record] = (),
) -> Flow[tuple[list[PutOp], Expected]]:
    """Return the puts that give messages the keys of what was learned from them, and delete those of what was removed.

    Args:
        user_id: The user of the messages; records of shared namespaces name who taught them.
        pairs: Each record before and after; None if it does not exist.
        done: The addresses of records that the same commit writes anyway.
        at: The present time.
        captured: Messages of the user that were read already; others are searched for.
    """
    known = {(record.source.thread_id, id): record for record in captured for id in record.source.message_ids}
    wanted: dict[str, dict[Cited, dict[str, str | None]]] = {}
    for old, new in pairs:
        for record, gone in ((old, True), (new, False)):
            for message in _cited_messages(record):
                assert record is not None
                owner = record.source.user_id or user_id
                keys = wanted.setdefault(owner, {}).setdefault(message, {}) if owner else {}
                keys[_key(record)] = None if gone else record.text
    written, puts, expect = set(done), [], {}
    for owner, messages in wanted.items():
        # A graph inside another may have kept the message once more: what is taken away is searched for everywhere.
        added = {message for message, keys in messages.items() if None not in keys.values()}
        here = added & known.keys() if owner == user_id else set[Cited]()
        items = yield from _find_items([Scope(user_id=owner).path], messages.keys() - here, messages=True)
        read = [*map(known.__getitem__, here), *map(Record.from_item, items)]
        records = {(record.namespace, record.id): record for record in read}
        for address, record in records.items():
            changed = {
                key: text
                for id in record.source.message_ids
                for key, text in messages.get((record.source.thread_id, id), {}).items()
            }
            keys = {key: text for key, text in {**record.keys, **changed}.items() if text is not None}
            if address in written or keys == record.keys:
                continue
            puts.append(put_record(record.model_copy(update={"keys": keys, "version": record.version + 1}), at))
            expect[address] = record.version
    return puts, expect


def _find_items(paths: Sequence[Namespace], cited: Iterable[Cited], *, messages: bool) -> Flow[list[Item]]:
    """Return the messages in `cited` under some paths; with `messages=False`, the other records that cite them."""
    threads: dict[str | None, list[str]] = {}
    for thread, id in cited:
        threads.setdefault(thread, []).append(id)
    if not threads or not paths:
        return []
    info = yield from describe_store()
    ops = []
    for thread, ids in threads.items():
        sources: list[dict[str, object]] = [{"thread_id": thread}]
        if info.ranks and len(ids) <= MOST_SOUGHT:
            sources = [{"thread_id": thread, "message_ids": {"$contains": id}} for id in ids]
        kind = {"session": {"$exists": messages}} if info.ranks else {}
        filters = [{"source": source, **kind} for source in sources]
        ops += [SearchOp(path, filter_, limit=EVERYTHING, refresh_ttl=False) for path in paths for filter_ in filters]
    results = yield from batch(*ops)
    items = [item for result in results for item in cast("list[Item]", result or [])]
    by_address = {(tuple(item.namespace), item.key): item for item in items}
    wanted = {(thread, id) for thread, ids in threads.items() for id in ids}
    return [
        item
        for (path, _), item in by_address.items()
        if any(path[: len(prefix)] == prefix for prefix in paths) and _cites(item, wanted, messages)
    ]


def _cites(item: Item, wanted: set[Cited], messages: bool) -> bool:
    source = item.value.get("source")
    if not isinstance(source, dict) or (item.value.get("session") is not None) != messages or "text" not in item.value:
        return False
    return any((source.get("thread_id"), id) in wanted for id in source.get("message_ids") or ())


def commit_keys(
    new_commit: Commit, snapshots: Sequence[ScopeSnapshot], at: datetime
) -> Flow[tuple[list[PutOp], Expected]]:
    """Return the puts for keys of messages that a commit does not write itself."""
    pairs, done, captured = [], [], list[Record]()
    for snapshot in snapshots:
        old = {record.id: record for record in snapshot.records}
        own_changes = [change for change in new_commit.changes if change.store == snapshot.store.name]
        new = {record.id: record for record in snapshot.with_changes(own_changes, at).records}
        path = (*snapshot.scope.path, snapshot.store.name)
        done += [(path, change.id) for change in own_changes]
        captured += new.values() if snapshot.store.captures else ()
        if snapshot.store.keys_messages:
            pairs += [(old.get(key), new.get(key)) for key in dict.fromkeys(change.id for change in own_changes)]
    return (yield from key_puts(new_commit.identity.user_id, pairs, done, at, captured))
