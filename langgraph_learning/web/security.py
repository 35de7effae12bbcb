"""Protection of the pages: limits of size, security headers, and protection against forged forms (CSRF)."""

import hmac
import secrets
from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from langgraph_learning.web.errors import refusal

LARGEST_BODY = 256 * 1024
LONGEST_URL = 8 * 1024
COOKIE = "langgraph_learning_form"
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
HEADERS = {
    # No script at all, and no style but our own file, so the text of a record can never run as code.
    "content-security-policy": "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self';"
    " base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",  # with no-referrer, a form's Origin would be "null"
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


class Guard:
    """The middleware that refuses requests that are too large or come from another site, and adds `HEADERS`."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 403, 413 or 414, or read the body and pass the request on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("cache-control", "no-store")
            await send(message)

        request = Request(scope)
        answer = self._refuse(request)
        body = b"" if answer else await _read(receive)
        if body is None:
            answer = refusal(request, 413, "That is too large.")
        if answer:
            await answer(scope, receive, send_guarded)
            return
        await self.app(scope, _replay(body or b"", receive), send_guarded)

    def _refuse(self, request: Request) -> Response | None:
        if len(request.scope.get("raw_path") or b"") + len(request.scope["query_string"]) > LONGEST_URL:
            return refusal(request, 414, "That address is too long.")
        length = request.headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > LARGEST_BODY:
            return refusal(request, 413, "That is too large.")
        if request.method not in SAFE and not same_site(request):
            return refusal(request, 403, "This was sent from another site.")
        return None


def same_site(request: Request) -> bool:
    """Return whether the request does not come from a page of another site.

    Browsers say it in headers. A client that is no browser does not send them, and is accepted.
    """
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc.lower() != request.headers.get("host", "").lower():
        return False
    return request.headers.get("sec-fetch-site", "none") in ("same-origin", "none")


async def _read(receive: Receive) -> bytes | None:
    """Return the body; None if it is too large. The length is counted, because the header can be wrong."""
    body: bytes = b""
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return body
        body += bytes(message.get("body", b""))
        if len(body) > LARGEST_BODY:
            return None
        if not message.get("more_body"):
            return body


def _replay(body: bytes, receive: Receive) -> Receive:
    sent = False

    async def replay() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


class Forms:
    """The tokens of forms: a form is accepted only from a page that this visitor got in this browser."""

    def __init__(self, secret: str | None = None) -> None:
        self._secret = (secret or secrets.token_hex(32)).encode()

    def nonce(self, request: Request) -> str:
        """Return the random value in the cookie of this browser, or a new one if it has none."""
        if "langgraph_learning.nonce" not in request.scope:
            # A value of another length than `token_urlsafe(32)` gives is not from this server.
            cookie = request.cookies.get(COOKIE, "")
            fresh = cookie if len(cookie) == 43 and cookie.isascii() else secrets.token_urlsafe(32)
            request.scope["langgraph_learning.nonce"] = fresh
        nonce: str = request.scope["langgraph_learning.nonce"]
        return nonce

    def token(self, request: Request, name: str) -> str:
        """Return the token for the forms on a page that the visitor `name` gets."""
        return hmac.new(self._secret, f"{self.nonce(request)}\0{name}".encode(), "sha256").hexdigest()

    def check(self, request: Request, name: str, token: object) -> None:
        """Check the token of a form.

        Raises:
            HTTPException: 403, because it is missing or wrong.
        """
        has_session = COOKIE in request.cookies and isinstance(token, str) and token.isascii()
        if not has_session or not hmac.compare_digest(self.token(request, name), str(token)):
            raise HTTPException(403, "this form is too old, or not ours: load the page again and send it again")

    def remember(self, request: Request, response: Response) -> None:
        """Set the cookie with the nonce in a response."""
        path = request.scope.get("root_path") or "/"
        secure = request.url.scheme == "https"
        response.set_cookie(COOKIE, self.nonce(request), path=path, httponly=True, samesite="strict", secure=secure)
