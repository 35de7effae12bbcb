"""What a forked process has to make anew: `gunicorn --preload` forks after the database was opened.

A child inherits no threads, locks that nobody will release, and sockets that its parent goes on talking through. So
whatever holds any of these registers here, and is renewed in the child before other code runs.
"""

import os
from typing import Protocol
from weakref import WeakSet


class Renewable(Protocol):
    """Something that a fork leaves unusable in the child."""

    def renew(self) -> None:
        """Replace threads, locks and connections, without touching what belongs to the parent."""


_HOLDERS: "WeakSet[Renewable]" = WeakSet()
_ABANDONED: list[object] = []


def renew_in_child(holder: Renewable) -> None:
    """Call `holder.renew()` in each process that is forked from this one, as long as `holder` lives."""
    _HOLDERS.add(holder)


def abandon(resource: object) -> None:
    """Keep what belongs to the parent from being closed: that would end the parent's session, too."""
    _ABANDONED.append(resource)


def _renew_all() -> None:
    for holder in list(_HOLDERS):
        holder.renew()


if hasattr(os, "register_at_fork"):  # Windows has no fork
    os.register_at_fork(after_in_child=_renew_all)
