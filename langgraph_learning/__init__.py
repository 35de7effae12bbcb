"""A learning machine for LangGraph: what a user says in one conversation makes the agent better in the next."""

from langgraph_learning._engine.recall.recall import Recall, Receipt
from langgraph_learning.agent import create_learning_agent
from langgraph_learning.checkpointers import LearningDB, LearningSaver, connect
from langgraph_learning.config import (
    ConversationsConfig,
    DecisionLogConfig,
    EntityMemoryConfig,
    LearnedKnowledgeConfig,
    LearningContext,
    LearningMode,
    SessionContextConfig,
    UserMemoryConfig,
    UserProfileConfig,
)
from langgraph_learning.display import register_views
from langgraph_learning.machine import LearningMachine
from langgraph_learning.records import Commit, CurationReport, Proposal, Record, Revision, Scope, Source
from langgraph_learning.scoped import Scoped
from langgraph_learning.stores import LearningStore

__all__ = [
    "Commit",
    "ConversationsConfig",
    "CurationReport",
    "DecisionLogConfig",
    "EntityMemoryConfig",
    "LearnedKnowledgeConfig",
    "LearningContext",
    "LearningDB",
    "LearningMachine",
    "LearningMode",
    "LearningSaver",
    "LearningStore",
    "Proposal",
    "Recall",
    "Receipt",
    "Record",
    "Revision",
    "Scope",
    "Scoped",
    "SessionContextConfig",
    "Source",
    "UserMemoryConfig",
    "UserProfileConfig",
    "connect",
    "create_learning_agent",
]

register_views("langgraph_learning.views")  # imported when a notebook shows a value, not before
