"""What is learned: one file per learning store, none of which does I/O."""

from langgraph_learning.stores.base import Entry, LearningStore, Operation, Ranked, Refused, operation
from langgraph_learning.stores.session_context import SessionContextStore
from langgraph_learning.stores.user_memory import UserMemoryStore
from langgraph_learning.stores.user_profile import UserProfileStore

__all__ = [
    "Entry",
    "LearningStore",
    "Operation",
    "Ranked",
    "Refused",
    "SessionContextStore",
    "UserMemoryStore",
    "UserProfileStore",
    "operation",
]
