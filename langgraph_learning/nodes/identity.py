"""Who is asking in a run: from its authentication, its context, its configuration, or a resolver."""

import inspect
import logging
from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from langgraph_learning._engine.learning.commit_plan import may_teach
from langgraph_learning._engine.settings import MachineSettings
from langgraph_learning.errors import ScopeError
from langgraph_learning.records import Identity

log = logging.getLogger("langgraph_learning")
AGENT_NAME = "lc_agent_name"
"""The metadata key under which `create_agent` writes its name, for tracing."""


def get_field(holder: object, key: str) -> Any:
    """Return a key's or attribute's value, else None: contexts and users come as dicts, dataclasses and models."""
    if isinstance(holder, Mapping):
        return holder.get(key)
    return getattr(holder, key, None)


def agent_name(runs: object) -> str | None:
    """Return the name that `create_agent(name=...)` wrote into the metadata of a graph, or of a run's configuration."""
    config = runs if isinstance(runs, Mapping) else getattr(runs, "config", None)
    name = get_field(get_field(config, "metadata"), AGENT_NAME)
    return str(name) if name else None


def user_label(given: object, what: str = "user_id") -> str | None:
    """Return an id as text, None if it is missing or blank; `what` is the name of the id for the error message.

    Raises:
        ScopeError: The value is not an id. Converting it anyway could give another user's id.
    """
    if given is None:
        return None
    if isinstance(given, bool) or not isinstance(given, str | int | UUID):
        raise ScopeError(f"a {what} is a str or an int, not {type(given).__name__}")
    return str(given) if str(given).strip() else None


def call_resolver(resolver: Callable[..., object], offered: Mapping[str, object], otherwise: object) -> object:
    """Call the developer's resolver with the parameters that it names; if it names none of ours, with one argument.

    Args:
        resolver: The function given as `LearningMachine(scope=...)`.
        offered: The values by parameter name.
        otherwise: The single argument, if the resolver names none of them.
    """
    names = list(inspect.signature(resolver).parameters)
    wanted = {name: offered[name] for name in names if name in offered}
    return resolver(**wanted) if wanted or not names else resolver(otherwise)


def read_resolver_answer(base: Identity, answer: object) -> Identity:
    """Return the identity that a resolver's answer means: an id, an `Identity`, a mapping of its fields, or None.

    Raises:
        ScopeError: The answer is none of these, or one of its fields is not valid.
    """
    if isinstance(answer, Identity):
        return answer.model_copy(update={"user_id": user_label(answer.user_id)})
    if not isinstance(answer, Mapping):
        return base.model_copy(update={"user_id": user_label(answer)})
    fields = list(Identity.model_fields)
    if "user_id" not in answer or (unknown := [key for key in answer if key not in fields]):
        wrong = "has no 'user_id'" if "user_id" not in answer else f"has {', '.join(map(repr, unknown))}"
        raise ScopeError(f"the mapping that scope= returned {wrong}; its fields are {', '.join(fields)}")
    ids = {key: user_label(answer[key], key) for key in ("user_id", "thread_id") if key in answer}
    try:
        return Identity.model_validate({**base.model_dump(), **answer, **ids})
    except ValidationError as error:
        raise ScopeError(f"the mapping that scope= returned is no identity: {error}") from error


def read_timezone(given: object) -> str:
    """Return an IANA time zone; if the value is not one, warn and return UTC."""
    if not given:
        return "UTC"
    try:
        return ZoneInfo(str(given)).key
    except (ValueError, OSError, KeyError):
        log.warning("%r is no IANA time zone such as 'Europe/Berlin'; this run uses UTC", given)
        return "UTC"


NAME_USER = "give context={'user_id': ...} to invoke"
FIX = (
    f"{NAME_USER}, or say who is asking by LearningMachine(scope=...); for a chat UI that sends no user make an"
    " assistant with that context, or let the server authenticate"
)


def warn_scopeless(settings: MachineSettings, identity: Identity) -> None:
    """Warn once about learning stores that neither read nor write in this run, and name the id they need."""
    scopeless = _scopeless(settings, identity)
    if identity.user_id is None and scopeless:
        who = ", ".join(scopeless)
        settings.warn_once("user_id", f"no user_id in this run: {who} neither read nor write; {NAME_USER}")
    elif identity.thread_id is None and scopeless:
        _warn_threadless(settings, identity, scopeless)
    if closed := _closed(settings, identity):
        settings.warn_once("shared", f"no user_id in this run: {', '.join(closed)} learn nothing; {NAME_USER}")


def idle_stores(settings: MachineSettings, identity: Identity) -> list[str]:
    """Return the learning stores that learn nothing in a run because it has no user."""
    if identity.user_id is not None:
        return []
    return [*_scopeless(settings, identity), *_closed(settings, identity)]


def _scopeless(settings: MachineSettings, identity: Identity) -> list[str]:
    return [store.name for store in settings.stores if store.scope(identity) is None]


def _closed(settings: MachineSettings, identity: Identity) -> list[str]:
    """Return the learning stores whose namespace this run may not write to."""
    scopes = ((store, store.scope(identity)) for store in settings.stores)
    return [store.name for store, scope in scopes if scope and not may_teach(store, scope, identity, settings.shared)]


def _warn_threadless(settings: MachineSettings, identity: Identity, scopeless: list[str]) -> None:
    """Warn once about learning stores that have no scope only because the run has no thread."""
    anywhere = identity.model_copy(update={"thread_id": "any"})
    waiting = [store.name for store in settings.stores if store.name in scopeless and store.scope(anywhere) is not None]
    if waiting:
        do = "neither reads nor writes" if len(waiting) == 1 else "neither read nor write"
        fix = "give config={'configurable': {'thread_id': ...}} to invoke"
        settings.warn_once("thread_id", f"no thread_id in this run: {', '.join(waiting)} {do}; {fix}")
