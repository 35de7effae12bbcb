"""Up to where the turns of an agent were reflected on."""

from dataclasses import dataclass

from langgraph.store.base import Item, PutOp

from langgraph_learning._engine.reflection.evidence import Evidence
from langgraph_learning.records import Namespace


@dataclass(frozen=True)
class Mark:
    """Up to which event an agent's turns were reflected on, and the version of the item that says so."""

    namespace: Namespace
    key: str
    place: tuple[str, str] = ("", "")
    version: int = 0

    def moved_to(self, event: Evidence) -> PutOp:
        """Return the operation that moves it."""
        return PutOp(self.namespace, self.key, {"place": list(event.place)}, index=False)


def read_mark(namespace: Namespace, key: str, item: object) -> Mark:
    """Read a mark back; where there is none nothing was reflected on."""
    if not isinstance(item, Item):
        return Mark(namespace, key)
    at, event = item.value["place"]
    return Mark(namespace, key, (str(at), str(event)), int(getattr(item, "version", 1)))
