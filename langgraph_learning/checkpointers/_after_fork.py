"""Renewal after a fork: `gunicorn --preload` forks after the database was opened.

A child process inherits no threads, locks that nobody will release, and sockets that the parent still uses. Each object
that holds one of these registers here and is renewed in the child before any other code runs.
"""

import os
from typing import Protocol
from weakref import WeakSet


class Renewable(Protocol):
    """An object that a fork leaves unusable in the child process."""

    def renew(self) -> None:
        """Replace threads, locks and connections, without touching what belongs to the parent."""


_HOLDERS: "WeakSet[Renewable]" = WeakSet()
_ABANDONED: list[object] = []


def renew_in_child(holder: Renewable) -> None:
    """Call `holder.renew()` in each process that is forked from this one, as long as `holder` lives."""
    _HOLDERS.add(holder)


def abandon(resource: object) -> None:
    """Keep a reference to a resource of the parent, so that the child never closes it and ends the parent's session."""
    _ABANDONED.append(resource)


def _renew_all() -> None:
    for holder in list(_HOLDERS):
        holder.renew()


if hasattr(os, "register_at_fork"):  # Windows has no fork
    os.register_at_fork(after_in_child=_renew_all)
