"""Who is asking, as a run says it: by its authentication, its context, its configuration, or a resolver."""

import inspect
import logging
from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from langgraph_learning.errors import ScopeError
from langgraph_learning.records import Identity

log = logging.getLogger("langgraph_learning")
AGENT_NAME = "lc_agent_name"
"""Where `create_agent` notes its name in the metadata of a run, for tracing."""


def get_field(holder: object, key: str) -> Any:
    """Return a key or an attribute: contexts and users come as dicts, dataclasses and models."""
    if isinstance(holder, Mapping):
        return holder.get(key)
    return getattr(holder, key, None)


def agent_name(runs: object) -> str | None:
    """Return the name that `create_agent(name=...)` noted in a graph, or in the configuration of a run."""
    config = runs if isinstance(runs, Mapping) else getattr(runs, "config", None)
    name = get_field(get_field(config, "metadata"), AGENT_NAME)
    return str(name) if name else None


def user_label(given: object, what: str = "user_id") -> str | None:
    """Return a user id, or another id that `what` names, as text; empty is absent.

    Raises:
        ScopeError: It is no id: guessing one could be somebody else's.
    """
    if given is None:
        return None
    if isinstance(given, bool) or not isinstance(given, str | int | UUID):
        raise ScopeError(f"a {what} is a str or an int, not {type(given).__name__}")
    return str(given) if str(given).strip() else None


def call_resolver(resolver: Callable[..., object], offered: Mapping[str, object], otherwise: object) -> object:
    """Call the developer's resolver with what its parameters ask for by name; else with one argument.

    Args:
        resolver: The resolver, as `LearningMachine(scope=...)` was given it.
        offered: What its parameters may name.
        otherwise: Its argument where it names none of them.
    """
    names = list(inspect.signature(resolver).parameters)
    wanted = {name: offered[name] for name in names if name in offered}
    return resolver(**wanted) if wanted or not names else resolver(otherwise)


def read_resolver_answer(base: Identity, answer: object) -> Identity:
    """Read the answer of a resolver: an id, an `Identity`, a mapping of its fields, or None.

    Raises:
        ScopeError: It is none of them.
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
    """Return an IANA time zone; UTC, with a warning, for what is none."""
    if not given:
        return "UTC"
    try:
        return ZoneInfo(str(given)).key
    except (ValueError, OSError, KeyError):
        log.warning("%r is no IANA time zone such as 'Europe/Berlin'; this run uses UTC", given)
        return "UTC"
