"""Authorization: the application identifies the visitor, and this module limits what they can see."""

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TypeAlias

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from langgraph_learning.errors import ConfigurationError
from langgraph_learning.web.errors import refusal


@dataclass(frozen=True)
class Visitor:
    """The person who opens the pages: a user, who sees only their own records, or one who may see all users'."""

    name: str
    """The user id; it is stored with the decisions that the visitor makes."""
    everybody: bool = False
    """Whether the visitor may see and change the records of all users."""

    def check(self, user_id: str | None) -> None:
        """Check that the visitor may see the records of a user.

        Raises:
            HTTPException: 404 if not. It is not 403, which would reveal that the user exists.
        """
        if not self.everybody and user_id != self.name:
            raise HTTPException(404, "there is no such page")


Who: TypeAlias = Visitor | str | Response | None
Authenticate: TypeAlias = Callable[[Request], Who | Awaitable[Who]]
"""Returns the visitor, the id of a user, None (the answer is 401), or a response of its own, such as a redirect."""

LOCAL = Visitor("local", everybody=True)
"""The visitor if there is no `authenticate` function and the request comes from this machine."""
LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
REFUSED = "These pages answer this machine only; create_app(..., authenticate=...) opens them to others."
FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip")
"""Headers that a proxy sets."""


def visitor(request: Request) -> Visitor:
    """Return the visitor of a request, which the middleware `Gate` has put there."""
    admitted: Visitor = request.scope["langgraph_learning.visitor"]
    return admitted


class Gate:
    """The middleware that admits authenticated visitors; without `authenticate`, only requests from this machine."""

    def __init__(self, app: ASGIApp, authenticate: Authenticate | None) -> None:
        self.app = app
        self.authenticate = authenticate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 401 or 403, or pass the request on with its visitor."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        who = await self._identify(Request(scope, receive))
        if isinstance(who, Response):
            await who(scope, receive, send)
            return
        await self.app({**scope, "langgraph_learning.visitor": who}, receive, send)

    async def _identify(self, request: Request) -> Visitor | Response:
        if self.authenticate is None:
            return LOCAL if is_local(request) else refusal(request, 403, REFUSED)
        try:
            answer = self.authenticate(request)
            who = await answer if inspect.isawaitable(answer) else answer
        except HTTPException as error:
            return refusal(request, error.status_code, error.detail, error.headers)
        if who is None or who == "":
            return refusal(request, 401, "Sign in first.")
        if isinstance(who, str):
            return Visitor(who)
        if not isinstance(who, Visitor | Response):
            raise ConfigurationError(f"authenticate returned a {type(who).__name__}: give a Visitor, a user id or None")
        return who


def is_local(request: Request) -> bool:
    """Return whether a request comes from this machine, and to a local host name.

    The address alone is not enough. Another site can let its own host name point to this machine (DNS rebinding), so
    the name must be local. A proxy on this machine passes on requests from anywhere, so there must be no proxy headers.
    """
    if request.client is None or any(name in request.headers for name in FORWARDED):
        return False
    try:
        near = ip_address(request.client.host).is_loopback
    except ValueError:
        return False
    return near and (request.url.hostname or "").lower() in LOCAL_NAMES
