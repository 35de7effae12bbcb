"""What is learned: one file per learning store, none of which does I/O."""

from langgraph_learning.stores.base import Entry, LearningStore, Operation, Ranked, Refused, operation
from langgraph_learning.stores.decision_log import DecisionLogStore
from langgraph_learning.stores.entity_memory import EntityMemoryStore
from langgraph_learning.stores.instructions import InstructionsStore
from langgraph_learning.stores.learned_knowledge import LearnedKnowledgeStore
from langgraph_learning.stores.procedures import ProceduresStore
from langgraph_learning.stores.session_context import SessionContextStore
from langgraph_learning.stores.user_memory import UserMemoryStore
from langgraph_learning.stores.user_profile import UserProfileStore

__all__ = [
    "DecisionLogStore",
    "EntityMemoryStore",
    "Entry",
    "InstructionsStore",
    "LearnedKnowledgeStore",
    "LearningStore",
    "Operation",
    "ProceduresStore",
    "Ranked",
    "Refused",
    "SessionContextStore",
    "UserMemoryStore",
    "UserProfileStore",
    "operation",
]
