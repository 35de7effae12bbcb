"""A message that is edited and sent again under its id takes back what its old text taught.

A chat window lets people edit their messages: the thread forks before the message, and the same id comes with other
words. The store does not fork, so the records that rest on the old words are searched and taken back.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence

from langgraph_learning._engine.flow import Flow, call_store
from langgraph_learning._engine.learning.messages import TurnMessage, clip_middle
from langgraph_learning._engine.learning.turn import Turn
from langgraph_learning._engine.repository import ScopeSnapshot
from langgraph_learning.errors import UnsupportedByStore
from langgraph_learning.records import Change, Identity, Proposal, Record, Remove, Source, Update
from langgraph_learning.validity import VALIDITY
from langgraph_learning.versioned_store import VersionedStore
from langgraph_learning.words import fold


def digest_messages(messages: Iterable[TurnMessage]) -> str:
    """Return a short digest of the messages' texts, by which an edit is noticed."""
    texts = "\0".join(clip_middle(message.text) for message in messages)
    return hashlib.sha256(texts.encode(errors="surrogatepass")).hexdigest()[:12]


def withdraw_edited(snapshots: Sequence[ScopeSnapshot], turn: Turn, identity: Identity) -> Flow[list[Change]]:
    """Return the changes that take back what messages of `turn` taught before they were edited.

    A record that the old text changed gets its earlier state back if the store keeps history. A record that the old
    text added, or whose history is unknown, is removed; so is a past record that rests on the old text.
    """
    spoken = {message.id: message for message in turn.messages if message.id}
    changes: dict[tuple[str, str], Change] = {}
    for snapshot in snapshots:
        for record in (*snapshot.records, *snapshot.past):
            if not (_is_theirs(record, identity) and _was_edited(record.source, spoken)):
                continue
            for change in (yield from _take_back(snapshot, record, spoken)):
                changes.setdefault((change.store, change.id), change)
    return list(changes.values())


def edited_proposals(earlier: Iterable[Proposal], turn: Turn, identity: Identity) -> list[Proposal]:
    """Return the pending proposals that rest on what messages of `turn` said before they were edited."""
    spoken = {message.id: message for message in turn.messages if message.id}
    if identity.thread_id is None:
        return []
    own = [proposal for proposal in earlier if proposal.source.thread_id == identity.thread_id]
    return [proposal for proposal in own if proposal.status == "pending" and _was_edited(proposal.source, spoken)]


def _is_theirs(record: Record, identity: Identity) -> bool:
    source = record.source
    shared_by_others = record.scope.namespace is not None and source.user_id != identity.user_id
    return identity.thread_id is not None and source.thread_id == identity.thread_id and not shared_by_others


def _was_edited(source: Source, spoken: Mapping[str, TurnMessage]) -> bool:
    """Return whether the messages that a statement rests on are in the turn with another text."""
    messages = [spoken[id] for id in source.message_ids if id in spoken]
    if not messages or len(messages) < len(source.message_ids):
        return False
    if source.digest is not None:
        return source.digest != digest_messages(messages)
    return bool(source.quote) and not any(fold(source.quote or "") in fold(message.text) for message in messages)


def _take_back(snapshot: ScopeSnapshot, record: Record, spoken: Mapping[str, TurnMessage]) -> Flow[list[Change]]:
    """Return the changes that restore a record, and delete the past states that replaced it meanwhile."""
    removed = Remove(store=record.store, id=record.id, text=record.text, source=record.source)
    if record.version == 1 or record.past_of is not None:
        return [removed]
    try:
        states = yield from call_store(VersionedStore.history, (*snapshot.scope.path, record.store), record.id)
    except UnsupportedByStore:
        return [removed]
    replaced = [past for past in snapshot.past if past.past_of == record.id]
    past: list[Change] = []
    for state in reversed(states):
        if state.value is None:
            continue
        past += [
            Remove(store=past.store, id=past.id, source=record.source) for past in replaced if past.keeps(state.value)
        ]
        source = Source.model_validate(state.value["source"])
        if not _was_edited(source, spoken):
            before = Update(
                store=record.store,
                id=record.id,
                content=state.value["content"],
                text=state.value["text"],
                status=state.value["status"],
                source=source,
                **{name: state.value[name] for name in VALIDITY if name in state.value},
            )
            return [before, *past]
    return [removed, *past]
