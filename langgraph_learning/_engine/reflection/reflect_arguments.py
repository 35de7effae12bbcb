"""The arguments of `reflect` on a machine: they are checked here, and make a flow."""

import copy
from dataclasses import replace
from datetime import datetime

from langgraph_learning._engine.flow import Flow
from langgraph_learning._engine.reflection.reflect import Reflector, reflect
from langgraph_learning._engine.settings import MachineSettings, resolve_model
from langgraph_learning.config import Model
from langgraph_learning.errors import ConfigurationError
from langgraph_learning.reports import Reflection
from langgraph_learning.stores import LearningStore
from langgraph_learning.validity import with_timezone


def reflect_flow(
    settings: MachineSettings,
    user_id: str | None,
    namespace: str | None,
    *,
    since: datetime | None,
    model: Model | None,
    dry_run: bool,
) -> Flow[Reflection]:
    """Check the arguments and return the flow of a reflection.

    Raises:
        ConfigurationError: No learning store can be reflected into, there is no model, or an argument is wrong.
    """
    if not isinstance(dry_run, bool):
        raise ConfigurationError(f"reflect(dry_run={dry_run!r}): give True or False")
    if since is not None and not isinstance(since, datetime):
        raise ConfigurationError(f"reflect(since={since!r}): give a datetime, or None for the last reflection")
    namespace = namespace or settings.namespace
    stores = [_in_namespace(store, namespace) for store in settings.stores if store.reflects]
    if not stores:
        raise ConfigurationError(
            "there is nothing to reflect into: give LearningMachine(procedures=True), instructions or learned_knowledge"
        )
    configured = (settings.models.get(store.name) for store in stores)
    chat = resolve_model(model) or next((chat_model for chat_model in configured if chat_model is not None), None)
    if chat is None:
        raise ConfigurationError(
            "there is no model to reflect with: give reflect(model=...) or LearningMachine(model=)"
        )
    moment = None if since is None else with_timezone(since)
    reflector = Reflector(stores, chat, settings.methods, settings.rules, namespace, moment)
    return reflect(reflector, user_id, dry_run=dry_run)


def _in_namespace(store: LearningStore, namespace: str) -> LearningStore:
    """Return a copy of a learning store that uses `namespace`; one that each user has alone is returned unchanged."""
    if getattr(store.config, "namespace", "user") in (namespace, "user"):
        return store
    moved = copy.copy(store)
    moved.config = replace(store.config, namespace=namespace)  # type: ignore[call-arg]  # only configs with a namespace come here
    return moved
