"""Operations as agent tools: the agent itself decides what to remember, without a second model call."""

from collections.abc import Container
from dataclasses import replace
from datetime import UTC, datetime
from typing import cast

from langchain.tools import ToolRuntime
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.tools import BaseTool, StructuredTool, ToolException
from langgraph.errors import GraphBubbleUp
from pydantic import JsonValue

from langgraph_learning._engine.approval.proposals import load_turn
from langgraph_learning._engine.flow import Flow
from langgraph_learning._engine.learning.commit import commit
from langgraph_learning._engine.learning.commit_draft import CommitDraft, CommitKind, OperationRequest
from langgraph_learning._engine.learning.commit_plan import may_teach
from langgraph_learning._engine.learning.edited_messages import digest_messages
from langgraph_learning._engine.learning.grounding import CHANGED_BY, read_thread
from langgraph_learning._engine.learning.messages import Speakers, has_human_role
from langgraph_learning._engine.learning.operation_schema import read_operation
from langgraph_learning._engine.learning.turn import turn_of
from langgraph_learning._engine.recall.recall import lookup
from langgraph_learning._engine.repository import scoped_to
from langgraph_learning._engine.settings import MachineSettings
from langgraph_learning.errors import ConfigurationError, LearningError, ScopeError, failure_reason
from langgraph_learning.nodes.identity import get_field
from langgraph_learning.nodes.run_context import AnyRuntime, Run
from langgraph_learning.nodes.state_keys import MACHINE
from langgraph_learning.nodes.turn_state import TurnState, shown_in
from langgraph_learning.nodes.wrap import get_messages
from langgraph_learning.records import Commit, Identity, Provenance, Remove, Source, derived_id
from langgraph_learning.stores import LearningStore, Operation
from langgraph_learning.stores.operations import tool_schema
from langgraph_learning.versioned_store import Json

NOBODY = "Nothing was stored: it is not known who the user is. Do not say that you will remember."
BEFORE_EXTRACTION = 1_000_000
"""The offset that puts proposals of tools before those of extraction."""
SAME = "Nothing changed: that is stored already."
ECHOED = 1_000
NOTHING_FOUND = "Nothing was found."


def tools(settings: MachineSettings) -> list[BaseTool]:
    """Return one tool for each operation that the configuration gives to agents.

    Raises:
        ConfigurationError: Two learning stores offer a tool of the same name.
    """
    offered = [(store, operation) for store in settings.stores for operation in store.tools]
    names = [operation.__name__ for _, operation in offered]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ConfigurationError(f"two learning stores offer the tool {twice[0]!r}: rename an operation of one of them")
    return [_tool(settings, store, operation) for store, operation in offered]


def _tool(settings: MachineSettings, store: LearningStore, operation: type[Operation]) -> BaseTool:
    name = operation.__name__
    searching = operation in store.searches
    work = _search if searching else _change

    def mark(text: str) -> tuple[str, object]:
        """Return the result, marked as nobody's words if it only reports a change or an empty search."""
        return text, {CHANGED_BY: settings.name} if not searching or text == NOTHING_FOUND else None

    def call(runtime: ToolRuntime, **arguments: Json) -> tuple[str, object]:
        run = _run(settings, runtime)
        return mark(run.driver.run(_step(run, name, work(run, store, name, arguments))))

    async def acall(runtime: ToolRuntime, **arguments: Json) -> tuple[str, object]:
        run = _run(settings, runtime)
        return mark(await run.driver.arun(_step(run, name, work(run, store, name, arguments))))

    return StructuredTool.from_function(
        func=call,
        coroutine=acall,
        name=name,
        description=operation.__doc__ or name,
        args_schema=tool_schema(operation),
        infer_schema=False,
        response_format="content_and_artifact",
        handle_tool_error=True,
        metadata={MACHINE: settings.name},
    )


def _run(settings: MachineSettings, runtime: ToolRuntime) -> Run:
    return Run(settings, cast("AnyRuntime", runtime), runtime.config)


def _step(run: Run, name: str, work: Flow[str]) -> Flow[str]:
    """Run one tool call; an error becomes a message that the model can act on.

    No failure here may end the run: the reply comes first, and success is never claimed.
    """
    try:
        return (yield from work)
    except (GraphBubbleUp, ConfigurationError, ScopeError, ToolException):
        raise
    except LearningError as error:
        if run.settings.on_error == "raise":
            raise
        run.report(name, error)
        searching = name in {search.__name__ for store in run.settings.stores for search in store.searches}
        failed = "Nothing was searched" if searching else "Nothing was stored"
        advice = "" if searching else " Do not say that you will remember."
        raise ToolException(f"{failed}: {failure_reason(error)}.{advice}") from error


def _change(run: Run, store: LearningStore, name: str, arguments: dict[str, JsonValue]) -> Flow[str]:
    """Make the changes, or propose them, and return the result in words."""
    new_commit = yield from _commit_call(run, store, name, arguments)
    run.emit_commit(new_commit)
    if new_commit.refused and not (new_commit.changes or new_commit.proposed):
        raise ToolException("Nothing was stored: " + "; ".join(refusal.reason for refusal in new_commit.refused))
    return describe_commit(new_commit)


def _search(run: Run, store: LearningStore, name: str, arguments: dict[str, JsonValue]) -> Flow[str]:
    """Search the records, and return them as data."""
    identity, _ = _who_asks(run)
    _, search, refused = read_operation([store], name, arguments, searches=True)
    if search is None:
        raise ToolException("Nothing was searched: " + "; ".join(refusal.reason for refusal in refused))
    scoped_stores = scoped_to([store], identity)
    if not scoped_stores:
        raise ToolException("Nothing was searched: it is not known who the user is.")
    text = yield from lookup(
        *scoped_stores[0], search, datetime.now(UTC), run.settings.context_tokens, identity, run.settings.author_name
    )
    return text or NOTHING_FOUND


def _who_asks(run: Run) -> tuple[Identity, TurnState | None]:
    """Return who asks, and the state that recall froze for the turn."""
    messages = _messages(run)
    return run.identity(messages), run.frozen_turn(messages)


def _messages(run: Run) -> list[BaseMessage]:
    return get_messages(cast("ToolRuntime", run.runtime).state, run.settings.messages_key) or []


def _commit_call(run: Run, store: LearningStore, name: str, arguments: dict[str, JsonValue]) -> Flow[Commit]:
    at = datetime.now(UTC)  # before any wait, so that tools called at the same time keep their order
    runtime = cast("ToolRuntime", run.runtime)
    messages = _messages(run)
    identity, turn = _who_asks(run)
    scoped_stores = scoped_to([store], identity)
    if not scoped_stores or not may_teach(*scoped_stores[0], identity, run.settings.shared):
        raise ToolException(NOBODY)
    position = _calls_before(messages, run.settings.tool_names, runtime.tool_call_id)
    names = frozenset(operation.__name__ for operation in store.operations)
    if _calls_before(messages, names, runtime.tool_call_id) >= (limit := run.settings.limits[store.name]):
        raise ToolException(f"Nothing was stored: {limit} changes a turn are the limit. Go on without it.")
    # Some providers number tool calls anew in every reply, so the id alone does not tell two calls apart.
    who = (identity.user_id, identity.thread_id, identity.agent)
    key = derived_id("tool", *who, get_field(turn, "turn_id"), runtime.tool_call_id, arguments)
    earlier_commit, snapshots, earlier = yield from load_turn(scoped_stores, identity, key)
    if earlier_commit is not None:  # the same call again, in a resumed or replayed step
        return earlier_commit
    speakers = run.speakers(messages, identity)
    ids = _turn_messages(turn)
    digest = _digest_of(run, [message for message in messages if message.id in ids], speakers)
    # When the user edits these messages, the digest tells which statements about the user must go.
    source = Source(
        thread_id=identity.thread_id, actor="agent", message_ids=ids, digest=digest if store.about_user else None
    )
    draft = CommitDraft(
        CommitKind.TOOL_CALL,
        key,
        identity,
        at,
        run.settings.rules,
        requests=(OperationRequest(name, arguments, source),),
        provenance=shown_in(
            turn,
            Provenance(turn_id=run.turn_id(messages), graph_ns=run.graph, position=position - BEFORE_EXTRACTION),
        ),
        shown_ids={store.name: _shown_ids(turn, store)},
        thread=read_thread(messages, run.settings.name, speakers),
    )
    return (yield from commit(draft, snapshots, earlier))


def _digest_of(run: Run, messages: list[BaseMessage], speakers: Speakers) -> str | None:
    """Return the digest of the messages as extraction will read them: in the background, it reads masked text."""
    turn_messages = turn_of(messages, speakers).messages
    if run.settings.background is not None:
        turn_messages = tuple(replace(message, text=run.settings.mask(message.text)) for message in turn_messages)
    return digest_messages(turn_messages) if turn_messages else None


def _calls_before(messages: list[BaseMessage], names: Container[str], call_id: str | None) -> int:
    """Return how often the agent has called tools of these names in this turn, before this call."""
    start = max((index for index, message in enumerate(messages) if has_human_role(message)), default=0)
    calls = [call for message in messages[start:] if isinstance(message, AIMessage) for call in message.tool_calls]
    ids = [call["id"] for call in calls if call["name"] in names]
    return len(ids) - 1 - ids[::-1].index(call_id) if call_id in ids else 0


def _shown_ids(turn: TurnState | None, store: LearningStore) -> dict[str, str]:
    """Return the record ids by the short ids that recall showed in this turn."""
    entries = ((turn or {}).get("receipt") or {}).get("shown", ())
    return {entry["label"]: entry["id"] for entry in entries if entry["store"] == store.name and entry["label"]}


def _turn_messages(turn: object) -> tuple[str, ...]:
    turn_id = get_field(turn, "turn_id")
    return (turn_id,) if isinstance(turn_id, str) and turn_id else ()


def describe_commit(new_commit: Commit) -> str:
    """Return the effect of a commit in words for the model."""
    verbs = {"add": "Stored", "update": "Updated", "remove": "Removed"}
    lines = [
        f"{verbs[change.kind]}: {_shorten_echo(change.text)}"
        if change.text or not isinstance(change, Remove)
        else "Removed."
        for change in new_commit.changes
    ]
    if new_commit.proposed:
        lines.append("Not stored yet: a person is asked to approve it first. Do not propose it again.")
    lines += [f"Refused: {refusal.reason}" for refusal in new_commit.refused]
    return "\n".join(lines) or SAME


def _shorten_echo(text: str) -> str:
    """Return the text, shortened if it is long: the model wrote it a moment ago and need not read it again in full."""
    return text if len(text) <= ECHOED else f"{text[:ECHOED]}... ({len(text)} characters, stored as a whole)"
