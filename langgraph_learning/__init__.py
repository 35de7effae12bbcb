"""A learning machine for LangGraph: what a user says in one conversation makes the agent better in the next."""

from importlib import import_module
from typing import TYPE_CHECKING

from langgraph_learning.display import register_views

if TYPE_CHECKING:
    from langgraph_learning.agent import create_learning_agent
    from langgraph_learning.checkpointers import LearningDB, LearningSaver, connect
    from langgraph_learning.config import (
        Background,
        ConversationsConfig,
        DecisionLogConfig,
        EntityMemoryConfig,
        InstructionsConfig,
        LearnedKnowledgeConfig,
        LearningContext,
        LearningMode,
        ProceduresConfig,
        SessionContextConfig,
        UserMemoryConfig,
        UserProfileConfig,
    )
    from langgraph_learning.machine import LearningMachine
    from langgraph_learning.records import (
        Commit,
        Identity,
        Proposal,
        Record,
        Revision,
        Scope,
        Source,
    )
    from langgraph_learning.reports import CurationReport, Feedback, Outcome, Recall, Receipt, Reflection
    from langgraph_learning.scoped import Scoped
    from langgraph_learning.stores import LearningStore

__all__ = [
    "Background",
    "Commit",
    "ConversationsConfig",
    "CurationReport",
    "DecisionLogConfig",
    "EntityMemoryConfig",
    "Feedback",
    "Identity",
    "InstructionsConfig",
    "LearnedKnowledgeConfig",
    "LearningContext",
    "LearningDB",
    "LearningMachine",
    "LearningMode",
    "LearningSaver",
    "LearningStore",
    "Outcome",
    "ProceduresConfig",
    "Proposal",
    "Recall",
    "Receipt",
    "Record",
    "Reflection",
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
__version__ = "0.1.0"

# A name is imported when it is first asked for: the command line answers --help and TAB without LangChain.
_MODULES = {
    "agent": ("create_learning_agent",),
    "checkpointers": ("LearningDB", "LearningSaver", "connect"),
    "config": (
        "Background",
        "ConversationsConfig",
        "DecisionLogConfig",
        "EntityMemoryConfig",
        "InstructionsConfig",
        "LearnedKnowledgeConfig",
        "LearningContext",
        "LearningMode",
        "ProceduresConfig",
        "SessionContextConfig",
        "UserMemoryConfig",
        "UserProfileConfig",
    ),
    "machine": ("LearningMachine",),
    "records": (
        "Commit",
        "Identity",
        "Proposal",
        "Record",
        "Revision",
        "Scope",
        "Source",
    ),
    "reports": ("CurationReport", "Feedback", "Outcome", "Recall", "Receipt", "Reflection"),
    "scoped": ("Scoped",),
    "stores": ("LearningStore",),
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}

if not TYPE_CHECKING:  # a type checker reads the imports above, and refuses what is not among them

    def __getattr__(name: str) -> object:
        if (module := _MODULE_OF.get(name)) is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(f"{__name__}.{module}"), name)
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})


register_views("langgraph_learning.views")  # imported when a notebook shows a value, not before
