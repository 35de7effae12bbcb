"""A chat service: replies as server-sent events, users from a token in the header, never from the body.

    SERVICE_TOKENS='{"secret": "alex"}' uvicorn examples.service:app
    curl -N localhost:8000/chat -H 'authorization: Bearer secret' --json '{"text": "I like green tea."}'

What is proposed waits at `/proposals` for the user's yes; `/memory` shows a user what is known of them; a conversation
that goes on names its `thread`.
"""

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any, Literal
from uuid import UUID, uuid4

from fastapi import Body, Depends, FastAPI, HTTPException, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from fastapi.sse import EventSourceResponse, ServerSentEvent

from examples.model import stand_in_extraction, stand_in_reply
from langgraph_learning import LearningMachine, LearningMode, Scoped, UserMemoryConfig, connect, create_learning_agent
from langgraph_learning.errors import ProposalError
from langgraph_learning.testing import model_or_script
from langgraph_learning.web import create_app

LEARNING = LearningMachine(user_profile=True, user_memory=UserMemoryConfig(mode=LearningMode.PROPOSE))
Json = dict[str, Any]
Decision = Annotated[Literal["approve", "reject"], Body()]
Token = Annotated[HTTPAuthorizationCredentials | None, Depends(HTTPBearer(auto_error=False))]


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    model, model_note = model_or_script([stand_in_reply], [stand_in_extraction], repeat=True)
    print(model_note)
    app.state.users = json.loads(os.environ["SERVICE_TOKENS"])  # whose each token is: your identity provider knows
    async with connect(os.environ.get("DATABASE_URL") or "sqlite:///learning.db") as db:
        app.mount("/memory", create_app(LEARNING, db.store, authenticate=asking))
        app.state.db, app.state.agent = db, create_learning_agent(model, learning=LEARNING, db=db)
        yield


app = FastAPI(title="A chat that learns", lifespan=lifespan)


async def authenticated(token: Token) -> str:
    if token is None or (user := app.state.users.get(token.credentials)) is None:
        raise HTTPException(401, "send `authorization: Bearer` and a token", {"WWW-Authenticate": "Bearer"})
    return str(user)


User = Annotated[str, Depends(authenticated)]


def scoped(user: str) -> Scoped:
    return LEARNING.scoped(user_id=user, store=app.state.db.store)


def asking(request: Request) -> str | None:
    """Whose token it is; they see what is theirs at `/memory`, and nobody else's."""
    token = request.headers.get("authorization", "").removeprefix("Bearer ")
    user: str | None = app.state.users.get(token)
    return user


@app.post("/chat", response_class=EventSourceResponse)
async def chat(
    user: User, text: Annotated[str, Body()], thread: Annotated[UUID, Body(default_factory=uuid4)]
) -> AsyncIterator[ServerSentEvent]:
    # The user is part of the thread's id: who names a thread of somebody else's begins one of their own.
    config = {"configurable": {"thread_id": f"{user}/{thread}"}, "metadata": {"user_id": user}}
    inputs, modes = {"messages": [("user", text)]}, ["messages", "custom"]
    yield ServerSentEvent(event="thread", data=thread)
    async for mode, part in app.state.agent.astream(inputs, config, context={"user_id": user}, stream_mode=modes):
        if mode == "custom":
            yield ServerSentEvent(event=part["learning"], data=part)
        elif part[0].type == "AIMessageChunk" and part[0].text:
            yield ServerSentEvent(event="token", data=part[0].text)
    yield ServerSentEvent(event="done")


@app.get("/memories")
async def memories(user: User) -> list[Json]:
    return [{"id": record.id, "store": record.store, "text": record.text} for record in await scoped(user).arecords()]


@app.get("/proposals")
async def proposals(user: User) -> list[Json]:
    return [{"id": item.id, "name": item.name, "args": item.args} for item in await scoped(user).aproposals()]


@app.post("/proposals/{key}/decide")
async def decide(key: str, user: User, decision: Decision, edit: Annotated[Json | None, Body()] = None) -> Json:
    if key not in {proposal.id for proposal in await scoped(user).aproposals()}:
        raise HTTPException(404, "no such proposal waits for you")
    try:
        return (await scoped(user).adecide(key, decision, edit=edit)).model_dump(mode="json")
    except ProposalError as error:  # the edit is not valid, or what it would change has changed
        raise HTTPException(409, str(error)) from error


@app.delete("/me")
async def forget(user: User) -> dict[str, int]:
    saver = app.state.db.checkpointer
    checkpoints = saver.alist(None, filter={"user_id": user})
    threads = {checkpoint.config["configurable"]["thread_id"] async for checkpoint in checkpoints}
    for thread in threads:  # what was said there is no record of the learning machine's
        await saver.adelete_thread(thread)
    return {**await scoped(user).aforget(), "threads": len(threads)}
