"""Messages as records: what a turn's commit keeps of what was said, and what else a message is found by.

Learning stores that capture keep the messages of a session, a thread as a rule, in its order: the id of a record is
session and place, so that a search that finds one can read its neighbours. What other learning stores learn from a
message becomes a key of it, in the same commit as it is learned, and goes in the same commit as that goes.
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

from langgraph.store.base import Item, PutOp, Result, SearchOp

from langgraph_learning._engine.flow import Expected, Flow, batch, describe_store
from langgraph_learning._engine.learning.messages import TurnMessage
from langgraph_learning._engine.learning.turn import Turn, TurnInput, derived_id
from langgraph_learning._engine.repository import EVERYTHING, ScopeSnapshot, put_record
from langgraph_learning.masking import Mask
from langgraph_learning.records import ACTIVE, Add, Change, Commit, Record, Remove, Scope, Source, Update
from langgraph_learning.stores import LearningStore
from langgraph_learning.stores.base import FAULTS, SpokenMessage

log = logging.getLogger(__name__)

Cited: TypeAlias = tuple[str | None, str]
"""A message, as thread and id."""

LONGEST_READ = 64_000
"""How much of a message is looked at, in characters."""
MOST_CITED = 8
"""A record that rests on more messages than this says nothing about any of them."""
AT_ONCE = 8
"""How many messages of a thread are looked up one by one; for more the thread is read."""


@dataclass(frozen=True)
class Captured:
    """What a commit is to keep of a conversation: its messages, as they stand now, and where they belong."""

    session: str
    messages: tuple[SpokenMessage, ...]
    source: Source
    zone: ZoneInfo
    current: Mapping[str, str | None] | None = None
    """The texts of the thread's messages now, by id; None where nobody knows them: then nothing was edited or taken
    away."""


def session_code(thread_id: str | None, graph_ns: str, otherwise: str) -> str:
    """Return the code of the session that messages belong to.

    Args:
        thread_id: The thread.
        graph_ns: The checkpoint namespace of the graph: one inside another may have a conversation of its own.
        otherwise: What tells one call from others where there is no thread.
    """
    path = [part.partition(":")[0] for part in graph_ns.split("|") if part]
    parts = ["thread", thread_id, *path] if thread_id is not None else ["none", otherwise]
    digest = hashlib.sha256(json.dumps(parts).encode()).digest()
    return base64.b32encode(digest[:10]).decode().lower()


def read_capture(heard: TurnInput, commit: str, mask: Mask, current: Sequence[TurnMessage] | None = None) -> Captured:
    """Return what is to be kept of a turn, secrets taken out.

    Args:
        heard: The turn.
        commit: The id of its commit.
        mask: Takes secrets out.
        current: The messages of the thread, as they stand now.
    """
    identity, turn = heard.identity, heard.turn
    session = session_code(identity.thread_id, heard.provenance.graph_ns, commit)
    source = Source(thread_id=identity.thread_id, checkpoint_id=heard.checkpoint_id)
    zone = ZoneInfo(identity.timezone)
    messages = tuple(_to_spoken(message, heard.said_at, mask) for message in _with_ids(turn))
    texts = None if current is None else {each.id: mask(each.text[:LONGEST_READ]) for each in current if each.id}
    return Captured(session, messages, source, zone, texts)


def _with_ids(turn: Turn) -> Iterable[TurnMessage]:
    """Give messages without ids one that follows from the place in the conversation and the text."""
    humans, since = turn.human_offset, 0
    for message in turn.messages:
        humans, since = (humans + 1, 0) if message.role == "user" else (humans, since + 1)
        made = f"#{humans}.{since}-{derived_id(message.role, message.text)[:8]}"
        yield message if message.id else replace(message, id=made)


def _to_spoken(message: TurnMessage, at: datetime, mask: Mask) -> SpokenMessage:
    text = mask(message.text[:LONGEST_READ])
    name = mask(message.name) if message.name else None
    return SpokenMessage(str(message.id), message.role, text, message.said_at or at, name)


def plan_capture(known: ScopeSnapshot, captured: Captured, at: datetime) -> list[Change]:
    """Return what changes in the records of a session, so that they hold the messages as they stand now."""
    records = sorted(_in_session(known.records, captured.session), key=lambda record: record.place or 0)
    kept = {id: record for record in records for id in record.source.message_ids}
    place = 1 + max((record.place or 0 for record in records), default=-1)
    changes: list[Change] = []
    for message in dict((message.id, message) for message in _as_now(captured, kept)).values():
        record = kept.get(message.id)
        add = _capture(known.store, message, captured.zone, record)
        if record is not None:
            changes += _change(known.store, record, add)
        elif add is not None and not (add.expires_at and add.expires_at <= at):
            source = captured.source.model_copy(update={"message_ids": (message.id,), "actor": message.role})
            where = {"id": f"{captured.session}-{place}", "session": captured.session, "place": place}
            changes.append(add.model_copy(update={"source": source, **where}))
            place += 1
    return [*changes, *_taken_away(known.store, records, captured)]


def _in_session(records: Iterable[Record], session: str) -> list[Record]:
    return [record for record in records if record.session == session]


def _as_now(captured: Captured, kept: Mapping[str, Record]) -> list[SpokenMessage]:
    """Return the messages of the turn, and the older ones that were kept, with the texts they have now."""
    current = captured.current or {}
    messages = [
        replace(message, text=current[message.id] or "") if message.id in current else message
        for message in captured.messages
    ]
    own = {message.id for message in messages}
    older = [
        SpokenMessage(id, record.source.actor, current[id] or "", record.created_at)
        for id, record in kept.items()
        if id in current and id not in own
    ]
    return [*messages, *older]


def _capture(store: LearningStore, message: SpokenMessage, zone: ZoneInfo, kept: Record | None) -> Add | None:
    try:
        return store.capture(message, zone, kept)
    except FAULTS:
        log.exception("%s cannot keep a message", store.name)
        return None


def _change(store: LearningStore, record: Record, now: Add | None) -> list[Change]:
    """Return what an edit changes; a message that says nothing any more is gone."""
    if now is None:
        return [Remove(store=store.name, id=record.id, source=record.source)]
    if now.content == record.content:
        return []
    update = Update(store=store.name, id=record.id, content=now.content, text=now.text, source=record.source)
    return [update.model_copy(update={"session": record.session, "place": record.place, "keys": record.keys})]


def _taken_away(store: LearningStore, records: Sequence[Record], captured: Captured) -> list[Change]:
    """Return the removal of what somebody took out of the thread.

    What is missing before the first message that is there was trimmed away: it stays. So does what is missing after
    the last one.
    """
    current = captured.current or {}
    there = [place for place, record in enumerate(records) if not current.keys().isdisjoint(record.source.message_ids)]
    middle = records[there[0] : there[-1]] if there else []
    gone = [record for record in middle if current.keys().isdisjoint(record.source.message_ids)]
    own = {message.id for message in captured.messages}
    return [
        Remove(store=store.name, id=record.id, source=record.source)
        for record in gone
        if own.isdisjoint(record.source.message_ids) and not record.source.message_ids[0].startswith("#")
    ]


def find_citing(user_id: str, captured: Captured, known: Sequence[ScopeSnapshot]) -> Flow[list[Record]]:
    """Return the user's records that rest on messages which are about to be kept: an agent's tools were faster."""
    kept = {id for each in known for record in each.records if record.session for id in record.source.message_ids}
    new = [message.id for message in captured.messages if message.id not in kept and message.role == "user"]
    thread = captured.source.thread_id
    items = yield from _find_items(user_id, {(thread, id) for id in new}, messages=False)
    return [Record.from_item(item) for item in items if isinstance(item.value.get("source"), dict)]


def with_keys(changes: Sequence[Change], facts: Iterable[Record]) -> list[Change]:
    """Return `changes`, messages found by the facts that rest on them, too."""
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
    """Return the messages that a record stands for; one that is set aside stands for none."""
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
) -> Flow[tuple[list[PutOp], Expected]]:
    """Return what gives messages the keys of what was learned from them, and takes away those of what is gone.

    Args:
        user_id: Whose messages; records of shared namespaces name who taught them.
        pairs: Each record before and after; None where it is not there.
        done: Where records are written in the same commit anyway.
        at: Now.
    """
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
        for item in (yield from _find_items(owner, messages.keys(), messages=True)):
            record, address = Record.from_item(item), (tuple(item.namespace), item.key)
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


def _find_items(user_id: str, cited: Iterable[Cited], *, messages: bool) -> Flow[list[Item]]:
    """Return the messages that are `cited`, or with `messages=False` the other records that cite them."""
    prefix = Scope(user_id=user_id).path
    threads: dict[str | None, list[str]] = {}
    for thread, id in cited:
        threads.setdefault(thread, []).append(id)
    if not threads:
        return []
    stand = yield from describe_store()
    ops = []
    for thread, ids in threads.items():
        sources: list[dict[str, object]] = [{"thread_id": thread}]
        if stand.ranks and len(ids) <= AT_ONCE:
            sources = [{"thread_id": thread, "message_ids": {"$contains": id}} for id in ids]
        there = {"session": {"$exists": messages}} if stand.ranks else {}
        ops += [SearchOp(prefix, {"source": each, **there}, limit=EVERYTHING, refresh_ttl=False) for each in sources]
    results = yield from batch(*ops)
    found = {(tuple(item.namespace), item.key): item for result in results for item in _items(result)}
    wanted = {(thread, id) for thread, ids in threads.items() for id in ids}
    return [
        item for (path, _), item in found.items() if path[: len(prefix)] == prefix and _cites(item, wanted, messages)
    ]


def _items(result: Result) -> list[Item]:
    return cast("list[Item]", result or [])


def _cites(item: Item, wanted: set[Cited], messages: bool) -> bool:
    source = item.value.get("source")
    if not isinstance(source, dict) or (item.value.get("session") is not None) != messages or "text" not in item.value:
        return False
    return any((source.get("thread_id"), id) in wanted for id in source.get("message_ids") or ())


def commit_keys(made: Commit, known: Sequence[ScopeSnapshot], at: datetime) -> Flow[tuple[list[PutOp], Expected]]:
    """Return what the changes of a commit mean for the keys of messages that it does not write itself."""
    pairs, done = [], []
    for each in known:
        old = {record.id: record for record in each.records}
        mine = [change for change in made.changes if change.store == each.store.name]
        new = {record.id: record for record in each.with_changes(mine, at).records}
        path = (*each.scope.path, each.store.name)
        done += [(path, change.id) for change in mine]
        if each.store.keys_messages:
            pairs += [(old.get(key), new.get(key)) for key in dict.fromkeys(change.id for change in mine)]
    return (yield from key_puts(made.identity.user_id, pairs, done, at))
