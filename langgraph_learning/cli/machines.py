"""The learning machine that commands use: the user's own, or one with every learning store."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import redirect_stdout
from importlib import import_module
from typing import Any

from langgraph_learning.errors import ConfigurationError
from langgraph_learning.machine import LearningMachine
from langgraph_learning.records import Change, Identity, Record, Scope
from langgraph_learning.stores import LearningStore, Operation, Refused
from langgraph_learning.stores.resolve_stores import SLOTS


def load_object(where: str, example: str, option: str = "") -> object:
    """Import the object that `module:name` names; the module may be in the working directory.

    Args:
        where: The name, as `module:name`.
        example: A valid name, for the error message.
        option: The option that has the name, for the error message.

    Raises:
        ConfigurationError: The module or the object does not exist, or the import fails.
    """
    module, _, name = where.partition(":")
    if "" not in sys.path:
        sys.path.insert(0, "")
    try:
        with redirect_stdout(sys.stderr):  # what the module prints is not a result of the command
            return getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigurationError(f"{option}{where}: {error}; write module:name, e.g. {example}") from error


def load_machine(where: str) -> LearningMachine:
    """Import the machine that `module:name` names.

    Raises:
        ConfigurationError: There is no such object, or it is no machine.
    """
    machine = load_object(where, "app.agent:learning", "--machine ")
    if not isinstance(machine, LearningMachine):
        raise ConfigurationError(f"--machine {where} is a {type(machine).__name__}, not a LearningMachine")
    return machine


def load_agent(where: str) -> Any:
    """Import the graph that `module:name` names.

    Raises:
        ConfigurationError: There is no such object, or it has no `invoke`.
    """
    agent = load_object(where, "app.agent:agent")
    if not callable(getattr(agent, "invoke", None)):
        raise ConfigurationError(f"{where} is a {type(agent).__name__}: give a compiled graph")
    return agent


class _StoredLearningStore(LearningStore):
    """A stand-in for a custom learning store of the user's own program: commands show its records, but learn none."""

    def __init__(self, scopes: frozenset[Scope]) -> None:
        super().__init__()
        self.operations = ()
        self._scopes = scopes

    def scope(self, identity: Identity) -> Scope | None:
        threads = (identity.thread_id, None) if identity.thread_id else (None,)
        own = [Scope(user_id=identity.user_id, thread_id=thread) for thread in threads]
        shared = [scope for scope in self._scopes if scope.namespace is not None]
        return next((scope for scope in [*own, *shared] if scope in self._scopes), None)

    def plan(self, operation: Operation, records: Sequence[Record]) -> list[Change]:
        raise Refused("this learning store is not configured here")


def machine_for_everything(
    namespace: str, scopes: Mapping[str, Iterable[Scope]], model: str | None = None
) -> LearningMachine:
    """Return a machine with every built-in learning store, and a stand-in for each custom one in the database.

    Args:
        namespace: The namespace of shared records.
        scopes: The scopes that have records, by the name of the learning store.
        model: The model for extraction, for a command that learns.
    """
    custom = [
        type(name, (_StoredLearningStore,), {"name": name})(frozenset(stored))
        for name, stored in scopes.items()
        if name not in SLOTS
    ]
    slots = dict.fromkeys(SLOTS, True)
    return LearningMachine(**slots, custom_stores=custom, namespace=namespace, model=model)  # type: ignore[arg-type]
