"""The identity that asks, and the scope that a record belongs to."""

from functools import cached_property
from typing import TypeAlias

from pydantic import BaseModel, ConfigDict

from langgraph_learning.display import Displayed
from langgraph_learning.errors import ScopeError
from langgraph_learning.namespace_labels import ROOT, THREAD, USER, fault_of_id, label

Namespace: TypeAlias = tuple[str, ...]


class Frozen(Displayed, BaseModel):
    """A base class for immutable values."""

    model_config = ConfigDict(frozen=True)


class Identity(Frozen):
    """The identity that asks, in a thread; every scope follows from it, and never from a model."""

    user_id: str | None = None
    thread_id: str | None = None
    agent: str | None = None
    timezone: str = "UTC"


def check_ids(identity: Identity) -> Identity:
    """Return `identity`.

    Raises:
        ScopeError: An id is longer than the stores can keep.
    """
    for kind, given in (("user id", identity.user_id), ("thread id", identity.thread_id)):
        if given is not None and (fault := fault_of_id(kind, given)):
            raise ScopeError(fault)
    return identity


class Scope(Frozen):
    """The owner of a record: a user, a user in a thread, a user's agent, or a namespace."""

    user_id: str | None = None
    thread_id: str | None = None
    agent: str | None = None
    namespace: str | None = None

    @cached_property
    def path(self) -> Namespace:
        """The namespace of this scope in the store; two scopes never share one."""
        if self.namespace is not None:
            agent = ("agent", label(self.agent)) if self.agent is not None else ()
            return (ROOT, "namespace", label(self.namespace), *agent)
        parts = [(USER, self.user_id), (THREAD, self.thread_id), ("agent", self.agent)]
        return (ROOT, *(word for name, value in parts if value is not None for word in (name, label(value))))

    @property
    def tag(self) -> str:
        """The scope as one text, such as `learning/namespace/global`; documents in a vector store carry it."""
        return "/".join(self.path)

    @classmethod
    def in_namespace(cls, namespace: str, identity: Identity) -> "Scope | None":
        """Return the scope of a configured namespace: `"user"` means each user's own, any other name a group's."""
        if namespace != "user":
            return cls(namespace=namespace)
        return cls(user_id=identity.user_id) if identity.user_id else None
