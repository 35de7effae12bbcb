"""What a run without a user or a thread leaves out: said in the log once, and of a user on the custom stream, too.

A chat window that sends no user looks as if it worked: it answers, and nothing is ever learned.
"""

from langgraph_learning._engine.learning.commit_plan import may_teach
from langgraph_learning._engine.settings import MachineSettings
from langgraph_learning.records import Identity

NAME_USER = "give context={'user_id': ...} to invoke"
FIX = (
    f"{NAME_USER}, or say who is asking by LearningMachine(scope=...); for a chat UI that sends no user make an"
    " assistant with that context, or let the server authenticate"
)


def warn_scopeless(settings: MachineSettings, identity: Identity) -> None:
    """Say once which learning stores neither read nor write, and what they lack."""
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
    """Return the learning stores of a namespace that the run may not teach."""
    scopes = ((store, store.scope(identity)) for store in settings.stores)
    return [store.name for store, scope in scopes if scope and not may_teach(store, scope, identity, settings.shared)]


def _warn_threadless(settings: MachineSettings, identity: Identity, scopeless: list[str]) -> None:
    """Say once which of the learning stores without a scope would have one in a thread."""
    anywhere = identity.model_copy(update={"thread_id": "any"})
    waiting = [store.name for store in settings.stores if store.name in scopeless and store.scope(anywhere) is not None]
    if waiting:
        do = "neither reads nor writes" if len(waiting) == 1 else "neither read nor write"
        fix = "give config={'configurable': {'thread_id': ...}} to invoke"
        settings.warn_once("thread_id", f"no thread_id in this run: {', '.join(waiting)} {do}; {fix}")
