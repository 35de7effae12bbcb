"""Resolve the options of a machine (True, a configuration or a learning store) to learning stores."""

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

from langgraph_learning.config import LearningMode, StoreConfig
from langgraph_learning.errors import ConfigurationError
from langgraph_learning.option_checks import check_list, check_text
from langgraph_learning.stores import (
    ConversationsStore,
    DecisionLogStore,
    EntityMemoryStore,
    InstructionsStore,
    LearnedKnowledgeStore,
    LearningStore,
    ProceduresStore,
    SessionContextStore,
    UserMemoryStore,
    UserProfileStore,
)
from langgraph_learning.stores.base import check_complete

Choice: TypeAlias = bool | StoreConfig | LearningStore
SLOTS: Mapping[str, type[LearningStore]] = {
    "instructions": InstructionsStore,  # first, because the agent should read how to work before what is known
    "user_profile": UserProfileStore,
    "user_memory": UserMemoryStore,
    "session_context": SessionContextStore,
    "entity_memory": EntityMemoryStore,
    "learned_knowledge": LearnedKnowledgeStore,
    "procedures": ProceduresStore,
    "decision_log": DecisionLogStore,
    "conversations": ConversationsStore,
}


def resolve_stores(
    choices: Mapping[str, Choice], custom: Iterable[LearningStore], namespace: str
) -> tuple[LearningStore, ...]:
    """Return the learning stores of a machine, in the order in which they are recalled.

    Args:
        choices: The option for each of `SLOTS`.
        custom: Learning stores of the developer's own.
        namespace: The machine's namespace, for learning stores that name none.

    Raises:
        ConfigurationError: An option is no learning store, lacks something, or occurs twice.
    """
    check_text("LearningMachine(namespace=...)", namespace)
    own = check_list("LearningMachine(custom_stores=...)", custom)
    configured = [*(_learning_store(option, choice) for option, choice in choices.items()), *own]
    stores = tuple(_in_namespace(store, namespace) for store in configured if store is not None)
    _check_distinct(stores)
    return _keying_messages(stores) if any(store.captures for store in stores) else stores


def _learning_store(option: str, choice: Choice) -> LearningStore | None:
    """Return the learning store for True, a configuration, or the store itself; None for False."""
    kind = SLOTS[option]
    if isinstance(choice, LearningStore):
        if (label := getattr(choice, "name", None)) != option:
            raise ConfigurationError(
                f"{option} takes a learning store whose name is {option!r}, and {type(choice).__name__} is {label!r}:"
                f" give it as {f'{label}=...' if label in SLOTS else 'custom_stores=[...]'}"
            )
        return choice
    if isinstance(choice, bool):
        return kind() if choice else None
    name = kind.config_class.__name__
    if isinstance(choice, LearningMode):
        fix = f"{name}(mode=LearningMode.{choice.name})"
        raise ConfigurationError(f"{option}={choice!r}: a mode goes into a configuration, {fix}")
    if not isinstance(choice, StoreConfig):
        raise ConfigurationError(f"{option}={choice!r}: give True, False, a {name} or a learning store")
    return kind(choice)


def _in_namespace(store: LearningStore, namespace: str) -> LearningStore:
    """Return the learning store in the machine's namespace, unless its configuration names one or it has none."""
    if getattr(getattr(store, "config", None), "namespace", "") is not None:
        return store
    bound = copy.copy(store)  # the caller's object stays unchanged
    bound.config = replace(store.config, namespace=namespace)  # type: ignore[call-arg]  # only configurations with one
    return bound


def _keying_messages(stores: Sequence[LearningStore]) -> tuple[LearningStore, ...]:
    """Return copies of the learning stores of a machine that keeps messages: the others key those that do."""
    bound = tuple(map(copy.copy, stores))
    keying = tuple(store for store in bound if not store.captures)
    for store in bound:
        store.keys_messages, store.keyed_by = not store.captures, keying if store.captures else ()
    return bound


def _check_distinct(stores: Sequence[LearningStore]) -> None:
    for store in stores:
        if not isinstance(store, LearningStore):
            raise ConfigurationError(f"custom_stores holds {store!r}: give instances of LearningStore")
        check_complete(store)
    names = [store.name for store in stores]
    operations = [operation.__name__ for store in stores for operation in (*store.operations, *store.searches)]
    for kind, all_names in (("learning store", names), ("operation", operations)):
        if twice := sorted({name for name in all_names if all_names.count(name) > 1}):
            raise ConfigurationError(f"there are two of the {kind} {twice[0]!r}: give one of them another name")
