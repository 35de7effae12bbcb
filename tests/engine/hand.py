"""Flows stepped by hand: no store, no model, no event loop."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from langchain_core.messages import AIMessage
from langgraph.store.base import Item, SearchItem
from pydantic import JsonValue

from langgraph_learning._engine.flow import (
    Batch,
    DescribeStore,
    Effect,
    Flow,
    ModelCall,
    StoreCall,
    VectorStoreCall,
    Write,
)
from langgraph_learning._engine.learning.commit_draft import CommitRules
from langgraph_learning._engine.learning.extract import Extraction
from langgraph_learning._engine.learning.structured_output import OutputMethods
from langgraph_learning._engine.learning.turn import Turn, TurnInput, TurnMessage
from langgraph_learning.records import Identity, Record, Scope, Source
from langgraph_learning.stores import LearningStore
from langgraph_learning.testing import ScriptedChatModel

T = TypeVar("T")
E = TypeVar("E", ModelCall, Batch, StoreCall, VectorStoreCall, Write)
AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
ALICE = Identity(user_id="alice", thread_id="c1")


class ByHand(Generic[T]):
    """A flow under way: `effect` is what it waits for, `result` what it came to."""

    def __init__(self, flow: Flow[T]) -> None:
        self._flow = flow
        self.result: T
        self.effects: list[Effect] = []
        self._advance(None)

    def _advance(self, outcome: object) -> None:
        try:
            if isinstance(outcome, BaseException):
                self.effects.append(self._flow.throw(outcome))
            else:
                self.effects.append(self._flow.send(outcome))
        except StopIteration as done:
            self.result = done.value

    def expects(self, kind: type[E]) -> E:
        """Return the effect it waits for, which is of this kind."""
        effect = self.effects[-1]
        assert isinstance(effect, kind)
        return effect

    def gets(
        self, kind: type[ModelCall | Batch | StoreCall | VectorStoreCall | DescribeStore | Write], outcome: object
    ) -> None:
        """Hand it the outcome of the effect it waits for; an exception is thrown in."""
        assert isinstance(self.effects[-1], kind)
        self._advance(outcome)

    @property
    def kinds(self) -> list[str]:
        """What it has asked for so far."""
        return [type(effect).__name__ for effect in self.effects]


def answer(operations: Sequence[object] | str, **metadata: Any) -> dict[str, Any]:
    """Return what a model answers, as `include_raw` hands it out."""
    text = operations if isinstance(operations, str) else json.dumps({"operations": operations})
    return {"raw": AIMessage(text, response_metadata=metadata), "parsed": None}


def heard(user: str, assistant: str = "I see.", identity: Identity = ALICE) -> TurnInput:
    """Return one turn of two messages."""
    turn = Turn((TurnMessage("user", user, "h1"), TurnMessage("assistant", assistant, "a1")))
    return TurnInput(turn=turn, identity=identity, at=AT)


def work(*stores: LearningStore, methods: OutputMethods | None = None) -> list[Extraction]:
    """Return the one call for `stores`; its model is never called by hand."""
    return [Extraction(ScriptedChatModel(), stores, methods or OutputMethods())]


def rules(*stores: LearningStore, limit: int = 10) -> CommitRules:
    """Return rules with the same limit for each."""
    return CommitRules({store.name: limit for store in stores})


def record(
    store: LearningStore,
    id: str,
    content: dict[str, JsonValue],
    text: str,
    identity: Identity = ALICE,
    version: int = 1,
) -> Record:
    """Return a record of `store` in the scope of `identity`."""
    scope = store.scope(identity)
    assert isinstance(scope, Scope)
    return Record(
        id=id,
        store=store.name,
        scope=scope,
        content=content,
        text=text,
        version=version,
        source=Source(),
        created_at=AT,
        updated_at=AT,
    )


def memory(store: LearningStore, id: str, text: str, version: int = 1) -> Record:
    """Return a memory of Alice's."""
    return record(store, id, {"content": text}, text, version=version)


def items(*records: Record) -> list[SearchItem]:
    """Return what a store's search finds."""
    return [
        SearchItem(record.namespace, record.id, record.value(), record.created_at, record.updated_at)
        for record in records
    ]


def item(namespace: tuple[str, ...], key: str, value: dict[str, Any]) -> Item:
    """Return what a store's get finds."""
    return Item(value=value, key=key, namespace=namespace, created_at=AT, updated_at=AT)
