"""The pages: each is a handler that reads the data and a template that shows them. HTML forms make the changes."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Literal

from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from langgraph_learning import views
from langgraph_learning._all_users import FIGURES
from langgraph_learning.errors import UnsupportedByStore
from langgraph_learning.records import Record
from langgraph_learning.web.access import visitor
from langgraph_learning.web.operation_forms import fields_of, find_operation, operations_on, read_form, values_of
from langgraph_learning.web.rendering import Renderer
from langgraph_learning.web.service import CONVERSATIONS, count_by_store

Handler = Callable[[Request], Awaitable[Response]]
PAGE = 50
LONGEST_QUERY = 2_000


class Pages(Renderer):
    """The pages of one memory, except those of `MaintenancePages`."""

    def routes(self) -> list[Route]:
        """Return the routes of the pages: GET shows a page, POST makes a change."""
        reads: dict[str, Handler] = {
            "/": self.people,
            "/queue": self.queue,
            "/namespace": self.namespace,
            "/user": self.records,
            "/record": self.record,
            "/operation": self.operation,
            "/recall": self.recall,
            "/timeline": self.timeline,
            "/entities": self.entities,
            "/conversations": self.conversations,
            "/pending": self.pending,
            "/figures": self.figures,
        }
        writes: dict[str, Handler] = {
            "/operation": self.apply,
            "/timeline": self.undo,
            "/queue": self.decide,
            "/pending": self.retry,
        }
        return [
            *(Route(path, page, methods=["GET"]) for path, page in reads.items()),
            *(Route(path, page, methods=["POST"]) for path, page in writes.items()),
        ]

    async def people(self, request: Request) -> Response:
        """Show all users, namespaces and agents; redirect a visitor without `everybody` to their own records."""
        if not visitor(request).everybody:
            return self.redirect(request, "/user", user=visitor(request).name)
        owners = await self.memory.owners()
        query = request.query_params.get("q", "").casefold()
        users = [user for user in owners.users if query in user.casefold()]
        return self.show(request, "people.html", owners=owners, users=users, q=request.query_params.get("q", ""))

    async def namespace(self, request: Request) -> Response:
        """Show the shared records of one namespace."""
        if not visitor(request).everybody:
            raise HTTPException(404, "there is no such page")
        name = request.query_params.get("name", "")
        records = await self.memory.list_shared(name)
        picture = views.entity_picture(records) if any(record.store == "entity_memory" for record in records) else None
        return self.show(request, "namespace.html", name=name, picture=picture, **_page_of(request, records))

    async def records(self, request: Request) -> Response:
        """Show the records of one user by learning store, or those that fit a search."""
        user, query = self.user(request), _query(request)
        everything = [record for record in await self.memory.records(user) if record.store != CONVERSATIONS]
        store = request.query_params.get("store", "")
        matching = await self.memory.search(user, query) if query else everything
        selection = [record for record in matching if store in ("", record.store)]
        adding = [
            (learning_store.name, learning_store.operations[0].__name__)
            for learning_store in self.memory.learning.stores
            if learning_store.operations
        ]
        counts = count_by_store(everything)
        return self.show(
            request,
            "records.html",
            user=user,
            counts=counts,
            store=store,
            q=query,
            adding=adding,
            grouped=not query,
            **_page_of(request, selection if query else self._by_store(selection)),
        )

    async def record(self, request: Request) -> Response:
        """Show one record: its text, its source, its earlier versions, and the operations on it."""
        user, record = await self._named_record(request)
        try:
            history = await self.memory.history(user, record)
        except UnsupportedByStore:  # show the record without its history
            history = []
        store = next(
            (learning_store for learning_store in self.memory.learning.stores if learning_store.name == record.store),
            None,
        )
        operations = operations_on(store, record) if store is not None else []
        variables = {"record": record, "history": views.history(history), "operations": operations}
        return self.show(request, "record.html", user=user, **variables)

    async def operation(self, request: Request) -> Response:
        """Show the form of one operation."""
        user, name = self.user(request), request.query_params.get("name", "")
        about = await self._about(request, user, request.query_params)
        return self._operation_form(request, user, name, about)

    async def apply(self, request: Request) -> Response:
        """Carry out an operation, or show its form again with the error."""
        form = await self.form(request)
        user, name = self.user(request), request.query_params.get("name", "")
        about = await self._about(request, user, request.query_params)
        if (operation := find_operation(self.memory.learning.stores, name)) is None:
            raise HTTPException(404, "there is no such operation")
        try:
            arguments = read_form(operation, form)
            if about is not None and "id" in operation.model_fields:
                arguments["id"] = about.id
            commit = await self.memory.apply(user, name, arguments, about)
        except ValueError as error:
            typed = {key: str(value) for key, value in form.items()}
            return self._operation_form(request, user, name, about, str(error), typed)
        done = "proposed" if commit.proposed and not commit.changes else "done" if commit.changes else "same"
        return self.redirect(request, "/user", user=user, done=done)

    async def recall(self, request: Request) -> Response:
        """Show what recall would give a model for a question, and why."""
        user, query, thread = self.user(request), _query(request), request.query_params.get("thread", "")
        variables: dict[str, object] = {"recalled": None}
        if query:
            recalled = await self.memory.scoped(user, thread or None).arecall(query)
            texts = {record.id: record.text for record in recalled.records}
            variables = {"recalled": recalled, "receipt": views.receipt_bars(recalled.receipt, texts)}
        return self.show(request, "recall.html", user=user, q=query, thread=thread, **variables)

    async def timeline(self, request: Request) -> Response:
        """Show the commits of a user, the newest first."""
        user = self.user(request)
        commits = await self.memory.scoped(user).acommits()
        return self.show(request, "timeline.html", user=user, **_page_of(request, commits[::-1]))

    async def undo(self, request: Request) -> Response:
        """Undo one commit."""
        form, user = await self.form(request), self.user(request)
        await self.memory.undo(user, str(form.get("commit", "")))
        return self.redirect(request, "/timeline", user=user, done="undone")

    async def entities(self, request: Request) -> Response:
        """Show the entities of a user and their relationships."""
        user = self.user(request)
        records = [record for record in await self.memory.records(user) if record.store == "entity_memory"]
        picture = views.entity_picture(records) if records else None
        return self.show(request, "entities.html", user=user, picture=picture, records=records)

    async def conversations(self, request: Request) -> Response:
        """Show the messages of one thread, and a list of all threads."""
        user = self.user(request)
        messages = [record for record in await self.memory.records(user) if record.store == CONVERSATIONS]
        threads: dict[str, list[Record]] = {}
        for record in reversed(messages):
            threads.setdefault(record.source.thread_id or "", []).append(record)
        newest = request.query_params.get("thread") or (messages[0].source.thread_id if messages else None) or ""
        return self.show(
            request,
            "conversations.html",
            user=user,
            threads=threads,
            thread=newest,
            **_page_of(request, threads.get(newest, [])),
        )

    async def pending(self, request: Request) -> Response:
        """Show the turns that wait to be learned from, and those that failed."""
        user = self.user(request)
        turns = await self.memory.scoped(user).apending()
        failed = any(turn.status == "failed" for turn in turns)
        return self.show(request, "pending.html", user=user, failed=failed, **_page_of(request, turns))

    async def figures(self, request: Request) -> Response:
        """Show the statistics of each learning store, for one user or for all."""
        user = self.user(request) if "user" in request.query_params else None
        if user is None and not visitor(request).everybody:
            raise HTTPException(404, "there is no such page")
        return self.show(request, "figures.html", user=user, figures=await self.memory.figures(user), meanings=FIGURES)

    async def retry(self, request: Request) -> Response:
        """Put the failed turns of a user back into the queue."""
        await self.form(request)
        user = self.user(request)
        await self.memory.scoped(user).aretry_pending()
        return self.redirect(request, "/pending", user=user, done="retried")

    async def queue(self, request: Request) -> Response:
        """Show the proposals that the visitor may decide on."""
        proposals = await self.memory.queue(visitor(request))
        user = request.query_params.get("user")
        if user is not None:
            visitor(request).check(user)
            proposals = [proposal for proposal in proposals if proposal.identity.user_id == user]
        forms = {}
        for proposal in proposals:
            operation = find_operation(self.memory.learning.stores, proposal.name)
            forms[proposal.id] = fields_of(operation, proposal.args) if operation is not None else []
        return self.show(request, "queue.html", user=user, forms=forms, **_page_of(request, proposals))

    async def decide(self, request: Request) -> Response:
        """Approve, edit or reject one proposal."""
        form, who = await self.form(request), visitor(request)
        answer, key = form.get("answer"), str(form.get("proposal", ""))
        if answer not in ("approve", "edit", "reject"):
            raise HTTPException(422, "answer approve, edit or reject")
        edit = None
        if answer == "edit":
            waiting = [proposal for proposal in await self.memory.queue(who) if proposal.id == key]
            operation = find_operation(self.memory.learning.stores, waiting[0].name) if waiting else None
            if operation is None:
                raise HTTPException(404, "no such proposal waits for you")
            edit = read_form(operation, form)
        message = str(form.get("message", "")).strip() or None
        decision: Literal["approve", "reject"] = "reject" if answer == "reject" else "approve"
        outcome = await self.memory.decide(who, key, decision, edit, message)
        back = {"user": request.query_params["user"]} if "user" in request.query_params else {}
        return self.redirect(request, "/queue", done=outcome.result, **back)

    def _operation_form(
        self,
        request: Request,
        user: str,
        name: str,
        about: Record | None,
        wrong: str = "",
        typed: dict[str, str] | None = None,
    ) -> Response:
        if (operation := find_operation(self.memory.learning.stores, name)) is None:
            raise HTTPException(404, "there is no such operation")
        values = values_of(operation, about) if about is not None else {}
        fields = fields_of(operation, values)
        variables = {"name": name, "about": about, "fields": fields, "wrong": wrong, "typed": typed or {}}
        return self.show(request, "operation.html", 422 if wrong else 200, user=user, **variables)

    def _by_store(self, records: list[Record]) -> list[Record]:
        """Return the records sorted by learning store, as the machine lists them; the order within each stays."""
        places = {store.name: place for place, store in enumerate(self.memory.learning.stores)}
        return sorted(records, key=lambda record: (places.get(record.store, len(places)), record.store))

    async def _named_record(self, request: Request) -> tuple[str, Record]:
        user, query = self.user(request), request.query_params
        return user, await self.memory.record(user, query.get("store", ""), query.get("id", ""))

    async def _about(self, request: Request, user: str, query: QueryParams) -> Record | None:
        return await self.memory.record(user, query.get("store", ""), query["id"]) if "id" in query else None


def _query(request: Request) -> str:
    return request.query_params.get("q", "").strip()[:LONGEST_QUERY]


def _page_of(request: Request, things: Sequence[object]) -> dict[str, object]:
    number = request.query_params.get("page", "1")
    page = max(1, int(number)) if number.isascii() and number.isdecimal() and len(number) < 8 else 1
    begin = (page - 1) * PAGE
    more = page + 1 if len(things) > begin + PAGE else None
    return {"things": things[begin : begin + PAGE], "total": len(things), "page": page, "more": more}
