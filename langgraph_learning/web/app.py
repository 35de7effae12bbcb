"""The application: pages and REST behind the same authentication."""

import logging
from importlib.resources import files

from langgraph.store.base import BaseStore
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from langgraph_learning.errors import ConfigurationError
from langgraph_learning.machine import LearningMachine
from langgraph_learning.views.markup import style_sheet
from langgraph_learning.web.access import Authenticate, Gate
from langgraph_learning.web.api import rest
from langgraph_learning.web.errors import ANSWERED, status_and_reason
from langgraph_learning.web.maintenance import MaintenancePages
from langgraph_learning.web.pages import Pages
from langgraph_learning.web.security import Forms, Guard
from langgraph_learning.web.service import Memory

ICON = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><circle cx="8" cy="8" r="6" fill="#2f6b58"/></svg>'
log = logging.getLogger("langgraph_learning")


def create_app(
    learning: LearningMachine,
    store: BaseStore | None = None,
    *,
    authenticate: Authenticate | None,
    secret: str | None = None,
) -> Starlette:
    """Return the memory browser, an ASGI application of pages and of REST under `/api`.

    ```python
    app = FastAPI()
    app.mount("/memory", create_app(learning, store, authenticate=lambda request: request.session.get("user")))
    ```

    Args:
        learning: The machine whose learning stores are shown.
        store: Where the records are; by default the machine's own store.
        authenticate: Identifies the visitor: a function of the request, sync or async, that returns a `Visitor`, the
            id of a user (who sees only their own records), None (the answer is 401), or a response of yours, such as a
            redirect. If it is None itself, only requests from this machine are answered, and they see everything.
        secret: The key that signs the forms; by default a random one. Give one if several processes serve the pages.

    Raises:
        ConfigurationError: There is no store.
    """
    records_store = store if store is not None else learning.store
    if records_store is None:
        raise ConfigurationError("there is no store: give create_app(learning, store) or LearningMachine(store=...)")
    memory = Memory(learning, records_store)
    forms = Forms(secret)
    pages, maintenance = Pages(memory, forms), MaintenancePages(memory, forms)
    own = files(__package__).joinpath("static", "style.css").read_text(encoding="utf-8")
    sheet = f"{style_sheet()}\n{own}"

    def style(request: Request) -> Response:
        return Response(sheet, media_type="text/css", headers={"cache-control": "private, max-age=300"})

    def icon(request: Request) -> Response:
        return Response(ICON, media_type="image/svg+xml", headers={"cache-control": "private, max-age=86400"})

    async def answer_error(request: Request, error: Exception) -> Response:
        """Return the page of a failure, with what the visitor may know; the details are logged."""
        status, reason = status_and_reason(error)
        if status >= 500:
            log.error("the memory browser could not answer %s", request.url.path, exc_info=error)
        if isinstance(error, HTTPException) and error.status_code < 400:
            return Response(status_code=error.status_code, headers=error.headers)
        return pages.failure(request, status, reason)

    api = rest(memory)
    return Starlette(
        routes=[
            Route("/style.css", style),
            Route("/icon.svg", icon),
            Mount("/api", api),
            *pages.routes(),
            *maintenance.routes(),
        ],
        middleware=[Middleware(Guard), Middleware(Gate, authenticate=authenticate)],
        exception_handlers={kind: answer_error for kind in ANSWERED},
    )
