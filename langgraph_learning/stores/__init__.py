"""The learning stores: each defines one kind of knowledge. None of them does I/O.

This package exports everything that a learning store of your own needs (`docs/tutorials/own-learning-store.md`):

```python
from langgraph_learning.stores import ID, Add, LearningStore, Operation, Record, StoreConfig, operation
```
"""

from langgraph_learning.config import StoreConfig
from langgraph_learning.records import Add, Change, Record, Remove, Update
from langgraph_learning.stores.base import ID, Entry, LearningStore, Ranked
from langgraph_learning.stores.conversations import ConversationsStore
from langgraph_learning.stores.decision_log import DecisionLogStore
from langgraph_learning.stores.entity_memory import EntityMemoryStore
from langgraph_learning.stores.instructions import InstructionsStore
from langgraph_learning.stores.learned_knowledge import LearnedKnowledgeStore
from langgraph_learning.stores.operations import Operation, Refused, operation
from langgraph_learning.stores.procedures import ProceduresStore
from langgraph_learning.stores.session_context import SessionContextStore
from langgraph_learning.stores.user_memory import UserMemoryStore
from langgraph_learning.stores.user_profile import UserProfileStore

__all__ = [
    "ID",
    "Add",
    "Change",
    "ConversationsStore",
    "DecisionLogStore",
    "EntityMemoryStore",
    "Entry",
    "InstructionsStore",
    "LearnedKnowledgeStore",
    "LearningStore",
    "Operation",
    "ProceduresStore",
    "Ranked",
    "Record",
    "Refused",
    "Remove",
    "SessionContextStore",
    "StoreConfig",
    "Update",
    "UserMemoryStore",
    "UserProfileStore",
    "operation",
]
