"""The base of all pages: templates, links, forms with tokens, and a page to show while long work runs."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Mapping
from itertools import count, groupby
from urllib.parse import quote, urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse

from langgraph_learning import views
from langgraph_learning.records import Record
from langgraph_learning.views.commits import change_line, refusal
from langgraph_learning.views.markup import Html, without_style
from langgraph_learning.views.records import because
from langgraph_learning.web.access import visitor
from langgraph_learning.web.errors import ANSWERED, status_and_reason
from langgraph_learning.web.security import Forms
from langgraph_learning.web.service import Memory

PATIENCE = 1.5
"""How many seconds to wait for a result before the browser gets a page that says that the work is going on."""
TICK = 1.0
"""How many seconds pass between two updates of that page."""
MAIN = '<main id="main">'


class Renderer:
    """The base class of pages: it checks the visitor and the form, and renders templates."""

    def __init__(self, memory: Memory, forms: Forms) -> None:
        self.memory = memory
        self.forms = forms
        self._templates = Environment(
            loader=PackageLoader("langgraph_learning.web"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
        )
        self._templates.filters.update(view=_view, words=_words, by_store=_by_store)
        self._templates.globals.update(change_line=change_line, refusal=refusal, because=because)
        self._at_work: set[asyncio.Future[Response]] = set()

    def user(self, request: Request) -> str:
        """Return the user whose page this is.

        Raises:
            HTTPException: 404, because the page names no user, or one whom the visitor may not see.
        """
        user = request.query_params.get("user", "")
        if not user:
            raise HTTPException(404, "there is no such page")
        visitor(request).check(user)
        return user

    async def form(self, request: Request) -> FormData:
        """Return the fields of a form that one of our pages sent.

        Raises:
            HTTPException: 403, because its token is missing or wrong.
        """
        form = await request.form(max_files=0, max_fields=100)
        self.forms.check(request, visitor(request).name, form.get("form_token"))
        return form

    def show(self, request: Request, template: str, status: int = 200, /, **variables: object) -> Response:
        """Return a template as a response, with the variables that every page needs."""
        who = visitor(request)
        page = {
            "user": None,
            "base": request.scope.get("root_path", ""),
            "visitor": who,
            "token": self.forms.token(request, who.name),
            "here": request.url.path.removeprefix(request.scope.get("root_path", "")),
            "done": request.query_params.get("done", ""),
            "link": lambda path, **query: link(request, path, query),
        }
        response = HTMLResponse(self._templates.get_template(template).render(page | variables), status)
        self.forms.remember(request, response)
        return response

    def redirect(self, request: Request, path: str, /, **query: str) -> Response:
        """Return a redirect (303) to a page, so that a reload of that page does not send the form again."""
        return RedirectResponse(link(request, path, query), 303)

    def failure(self, request: Request, status: int, reason: str) -> Response:
        """Return the page that shows an error."""
        return self.show(request, "failure.html", status, code=status, reason=reason)

    async def show_when_done(self, request: Request, work: Awaitable[Response], progress_text: str) -> Response:
        """Return the page that `work` makes; if that takes long, stream a page that shows the progress first.

        The page is sent in pieces, and the style sheet hides all but the last one, so that no script is needed. The
        work goes on if the browser is closed.
        """
        working = asyncio.ensure_future(work)
        self._at_work.add(working)  # the event loop keeps only a weak reference
        working.add_done_callback(self._at_work.discard)
        done, _ = await asyncio.wait({working}, timeout=PATIENCE)
        if done:
            return working.result()
        response = StreamingResponse(self._stream(request, working, progress_text), media_type="text/html")
        self.forms.remember(request, response)
        return response

    async def _stream(
        self, request: Request, working: "asyncio.Future[Response]", progress_text: str
    ) -> AsyncIterator[str]:
        page = bytes(self.show(request, "working.html", progress_text=progress_text).body).decode()
        head, main, _ = page.partition(MAIN)
        yield head + main
        for seconds in count(int(PATIENCE)):
            yield f'<p class="working" role="status">{progress_text} <span>{seconds} s</span></p>\n'
            done, _ = await asyncio.wait({working}, timeout=TICK)
            if done:
                break
        try:
            finished = working.result()
        except ANSWERED as error:
            finished = self.failure(request, *status_and_reason(error))
        # The browser has the head already, so only the main part of the finished page follows.
        yield bytes(finished.body).decode().partition(MAIN)[2]


def link(request: Request, path: str, query: Mapping[str, object]) -> str:
    """Return the URL of a page, with the path under which the application is mounted."""
    query_string = urlencode({name: value for name, value in query.items() if value not in (None, "")})
    return f"{quote(request.scope.get('root_path', ''))}{path}{'?' if query_string else ''}{query_string}"


def _view(value: object) -> Html | None:
    """Return the HTML that a notebook would show for a value, without the style, which the page already has."""
    markup = value if isinstance(value, Html) else views.html(value)
    return without_style(markup) if markup is not None else None


def _words(name: str) -> str:
    return name.replace("_", " ")


def _by_store(records: list[Record]) -> list[tuple[str, list[Record]]]:
    """Return adjacent records of the same learning store as groups; Jinja's `groupby` would sort them."""
    return [(store, [*group]) for store, group in groupby(records, key=lambda record: record.store)]
