"""The HTTP answers to errors."""

from collections.abc import Mapping

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from langgraph_learning.errors import (
    ConflictError,
    LearningError,
    ProposalError,
    ScopeError,
    UnsupportedByStore,
    failure_reason,
)

ANSWERED: tuple[type[Exception], ...] = (HTTPException, LearningError, ValueError)
"""The errors that become an answer with their own status; any other is a bug."""


def status_and_reason(error: Exception) -> tuple[int, str]:
    """Return the HTTP status of an error, and a reason that every visitor may read."""
    if isinstance(error, HTTPException):
        return error.status_code, error.detail
    if isinstance(error, ConflictError):
        return 409, "somebody else changed it meanwhile: look again"
    if isinstance(error, ProposalError):
        return 409, str(error)
    if isinstance(error, ScopeError):
        return 403, str(error)
    if isinstance(error, UnsupportedByStore):
        return 501, "this store keeps no history: `connect()` opens one that does"
    if isinstance(error, ValueError):  # also an invalid operation: the caller can correct it
        return 422, str(error)
    return 500, failure_reason(error)


def refusal(request: Request, status: int, reason: str, headers: Mapping[str, str] | None = None) -> Response:
    """Return the answer of a middleware that refuses a request: JSON under `/api`, else a line of text."""
    path = request.url.path.removeprefix(request.scope.get("root_path", ""))
    if path.startswith("/api/"):
        return JSONResponse({"detail": reason}, status, headers=headers)
    return PlainTextResponse(f"{reason}\n", status, headers=headers)
