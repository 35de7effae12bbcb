"""The plan of one batch: its operations, checked and encoded before a connection is taken, and its reads."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from langgraph.store.base import GetOp, ListNamespacesOp, Op, PutOp, Result, SearchOp, validate_op_namespace

from langgraph_learning.checkpointers._store.dialect import Row, Session
from langgraph_learning.checkpointers._store.embedding import Vectors
from langgraph_learning.checkpointers._store.reading import (
    ID,
    TTL,
    AsOf,
    SearchScope,
    get_rows,
    list_namespaces,
    stored_item,
)
from langgraph_learning.checkpointers._store.search import search
from langgraph_learning.checkpointers._store.writing import ItemWrite


@dataclass(slots=True)
class BatchPlan:
    """The operations of a batch, by kind and position."""

    size: int
    gets: dict[int, GetOp] = field(default_factory=dict)
    searches: dict[int, SearchOp] = field(default_factory=dict)
    listings: dict[int, ListNamespacesOp] = field(default_factory=dict)
    writes: list[ItemWrite] = field(default_factory=list)

    @classmethod
    def of(cls, ops: Iterable[Op], fields: Sequence[str]) -> "BatchPlan":
        """Check `ops`; an invalid operation fails here, before anything is read or written."""
        every = list(ops)
        plan = cls(len(every))
        for position, op in enumerate(every):
            validate_op_namespace(op)
            if isinstance(op, GetOp):
                plan.gets[position] = op
            elif isinstance(op, SearchOp):
                _check_page(op)
                plan.searches[position] = op
            elif isinstance(op, ListNamespacesOp):
                _check_page(op)
                plan.listings[position] = op
            elif isinstance(op, PutOp):
                plan.writes.append(ItemWrite.of(op, fields))
            else:
                raise TypeError(f"not an operation of a store: {op!r}")
        return plan

    @property
    def documents(self) -> list[str]:
        """The texts to embed as documents."""
        return [text for write in self.writes for _, text in write.texts]

    @property
    def queries(self) -> list[str]:
        """The texts to embed as queries."""
        return [op.query for op in self.searches.values() if op.query]

    @property
    def needs_snapshot(self) -> bool:
        """Whether the reads take several statements that must see one state."""
        return bool(self.queries) or self.size > len(self.gets)

    def read(self, session: Session, moment: AsOf, vectors: Vectors) -> tuple[list[Result], list[object]]:
        """Run the reads; return the results, and the ids of items whose time to live is to start again."""
        results: list[Result] = [None] * self.size
        read: list[tuple[Row, GetOp | SearchOp]] = []
        asked = list(self.gets)
        for number, row in get_rows(session, list(self.gets.values()), moment).items() if asked else ():
            results[asked[number]] = stored_item(row)
            read.append((row, self.gets[asked[number]]))
        for position, op in self.searches.items():
            page = search(SearchScope(session, op, moment), op, vectors)
            results[position] = page.items()
            read += [(row, op) for row, _ in page.rows]
        for position, listing in self.listings.items():
            results[position] = list_namespaces(session, listing, moment)
        if moment.revision is not None:
            return results, []
        return results, [row[ID] for row, op in read if op.refresh_ttl and row[TTL] is not None]

    @property
    def reads(self) -> bool:
        """Whether the batch reads anything."""
        return bool(self.gets or self.searches or self.listings)


def _check_page(op: SearchOp | ListNamespacesOp) -> None:
    if op.limit < 0 or op.offset < 0:
        raise ValueError(f"limit and offset count from 0, not limit={op.limit}, offset={op.offset}")
