"""The memory browser as REST. FastAPI generates the OpenAPI document from the routes, so the two never differ."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Literal

from fastapi import Depends, FastAPI, Query, Request
from fastapi import Path as InPath
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, JsonValue
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from langgraph_learning._all_users import PendingTurn
from langgraph_learning.records import Commit, Proposal, Record, Revision
from langgraph_learning.reports import Outcome, Recall
from langgraph_learning.web.access import Visitor, visitor
from langgraph_learning.web.errors import ANSWERED, status_and_reason
from langgraph_learning.web.service import Memory

Text = Annotated[str, Query(min_length=1, max_length=2_000)]
Limit = Annotated[int, Query(ge=1, le=500)]
Offset = Annotated[int, Query(ge=0, le=10_000_000)]
Thread = Annotated[str | None, Query(max_length=255)]
# Clients remove path segments "." and ".." from a URL before they send it, so an id of dots alone cannot work.
UserPath = Annotated[str, InPath(min_length=1, max_length=255, pattern=r"[^./]")]
Key = Annotated[str, InPath(min_length=1, max_length=500, pattern=r"[^./]")]
JSON_ONLY = "send the body as JSON: content-type application/json"


class Problem(BaseModel):
    """The reason why a request was refused or failed."""

    detail: str


class Everybody(BaseModel):
    """The users, shared namespaces and agents that the store has data of."""

    users: list[str]
    namespaces: list[str]
    agents: list[str]


class OperationBody(BaseModel):
    """An operation to run as a person."""

    model_config = ConfigDict(extra="forbid")

    operation: str = Field(min_length=1, max_length=200, examples=["add_memory"])
    arguments: dict[str, JsonValue] = Field(default_factory=dict, examples=[{"content": "Prefers concise answers"}])
    thread: str | None = Field(None, max_length=255)
    agent: str | None = Field(None, max_length=255)


class DecisionBody(BaseModel):
    """A decision about a proposal."""

    model_config = ConfigDict(extra="forbid")

    decision: Literal["approve", "reject"]
    edit: dict[str, JsonValue] | None = None
    message: str | None = Field(None, max_length=2_000)


async def _whose(request: Request, user: UserPath) -> str:
    visitor(request).check(user)
    return user


User = Annotated[str, Depends(_whose)]
Asking = Annotated[Visitor, Depends(visitor)]


def rest(memory: Memory) -> FastAPI:
    """Return the REST application of a memory. It has no authentication of its own: mount it behind `Gate`."""
    problems: dict[int | str, dict[str, Any]] = {
        code: {"model": Problem} for code in (400, 401, 403, 404, 405, 409, 413, 414, 415, 422, 500, 501)
    }
    # No documentation pages: they would load a script from another server.
    app = FastAPI(title="langgraph-learning", docs_url=None, redoc_url=None, responses=problems)
    _add_reads(app, memory)
    _add_reports(app, memory)
    _add_writes(app, memory)

    async def answer_error(request: Request, error: Exception) -> JSONResponse:
        status, reason = status_and_reason(error)
        return JSONResponse({"detail": reason}, status, headers=getattr(error, "headers", None))

    async def not_valid(request: Request, error: Exception) -> JSONResponse:
        wrong = error.errors() if isinstance(error, RequestValidationError) else []
        reason = "; ".join(f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in wrong[:5])
        return JSONResponse({"detail": reason or "that is not valid"}, 422)

    handlers: dict[Any, Callable[[Request, Exception], Awaitable[JSONResponse]]] = dict.fromkeys(ANSWERED, answer_error)
    for kind, handler in {**handlers, RequestValidationError: not_valid}.items():
        app.add_exception_handler(kind, handler)
    return app


def _add_reads(app: FastAPI, memory: Memory) -> None:
    @app.get("/users", operation_id="list_known")
    async def list_known(asking: Asking) -> Everybody:
        """List users, namespaces and agents; a visitor who may see only their own records gets their own id."""
        if not asking.everybody:
            return Everybody(users=[asking.name], namespaces=[], agents=[])
        owners = await memory.owners()
        return Everybody(users=[*owners.users], namespaces=[*owners.namespaces], agents=[*owners.agents])

    @app.get("/users/{user:path}/records", operation_id="list_records")
    async def records(
        user: User, store: Annotated[str | None, Query(max_length=200)] = None, limit: Limit = 100, offset: Offset = 0
    ) -> list[Record]:
        """List the records of a user, newest first."""
        matching = [record for record in await memory.records(user) if store in (None, record.store)]
        return matching[offset : offset + limit]

    @app.get("/users/{user:path}/search", operation_id="search_records")
    async def search(user: User, q: Text, limit: Annotated[int, Query(ge=1, le=50)] = 5) -> list[Record]:
        """Return the records that match the query `q` best, the best match first."""
        return await memory.search(user, q, limit)

    @app.get("/users/{user:path}/recall", operation_id="recall")
    async def recall(user: User, q: Text, thread: Thread = None) -> Recall:
        """Return the text that a model would get with the message `q` of the user, and why each record was chosen."""
        return await memory.scoped(user, thread).arecall(q)

    @app.get("/proposals", operation_id="list_proposals")
    async def proposals(asking: Asking, limit: Limit = 100, offset: Offset = 0) -> list[Proposal]:
        """List the waiting proposals that the visitor may decide about, oldest first."""
        return (await memory.queue(asking))[offset : offset + limit]


def _add_reports(app: FastAPI, memory: Memory) -> None:
    @app.get("/users/{user:path}/records/{store}/{key}/history", operation_id="record_history")
    async def history(user: User, store: Key, key: Key) -> list[Revision]:
        """Return all versions of a record, oldest first."""
        return await memory.history(user, await memory.record(user, store, key))

    @app.get("/users/{user:path}/commits", operation_id="list_commits")
    async def commits(user: User, limit: Limit = 100, offset: Offset = 0) -> list[Commit]:
        """List the commits of a user that changed or refused something, newest first."""
        return (await memory.scoped(user).acommits())[::-1][offset : offset + limit]

    @app.get("/users/{user:path}/figures", operation_id="user_figures")
    async def figures(user: User) -> dict[str, dict[str, int]]:
        """Return figures by learning store: what was learned from a user, what became of it, the tokens it cost."""
        return await memory.figures(user)

    @app.get("/users/{user:path}/pending", operation_id="list_pending")
    async def pending(user: User, limit: Limit = 100, offset: Offset = 0) -> list[PendingTurn]:
        """List the turns that wait to be learned from, and those that failed, oldest first."""
        return (await memory.scoped(user).apending())[offset : offset + limit]


def _add_writes(app: FastAPI, memory: Memory) -> None:
    @app.post("/users/{user:path}/operations", operation_id="apply_operation", dependencies=[Depends(_json_only)])
    async def apply(user: User, body: OperationBody) -> Commit:
        """Run one operation as a person: add, change or remove records."""
        return await memory.scoped(user, body.thread, body.agent).aapply(body.operation, **body.arguments)

    @app.post("/users/{user:path}/commits/{key}/undo", operation_id="undo_commit", dependencies=[Depends(_json_only)])
    async def undo(user: User, key: Key) -> Commit:
        """Restore every record that a commit changed to its earlier state."""
        return await memory.undo(user, key)

    @app.post("/proposals/{key}/decision", operation_id="decide", dependencies=[Depends(_json_only)])
    async def decide(key: Key, body: DecisionBody, asking: Asking) -> Outcome:
        """Approve a proposal, unchanged or edited, or reject it."""
        if body.edit is not None and body.decision == "reject":
            raise HTTPException(422, "edit goes with approve")
        return await memory.decide(asking, key, body.decision, body.edit, body.message)

    @app.delete("/users/{user:path}", operation_id="forget_user")
    async def forget(user: User) -> dict[str, int]:
        """Erase everything of a user for good, with its history."""
        return await memory.forget(user)


async def _json_only(request: Request) -> None:
    """Check that the body is JSON, against requests from other sites (CSRF).

    A form on another site cannot send JSON. A script there can, but the browser asks this server first (CORS).

    Raises:
        HTTPException: 415.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise HTTPException(415, JSON_ONLY)
