"""The extract flow: one model call after the reply, for all learning stores that share the model."""

import html
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from zoneinfo import ZoneInfo

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage
from pydantic import JsonValue

from langgraph_learning import prompts
from langgraph_learning._engine.approval.proposals import load_turn
from langgraph_learning._engine.flow import Flow, batch
from langgraph_learning._engine.learning.capture import find_citing, read_capture
from langgraph_learning._engine.learning.commit import (
    CommitKind,
    CommitRules,
    Draft,
    OperationRequest,
    Shared,
    commit,
    cut_operations,
    may_teach,
)
from langgraph_learning._engine.learning.messages import TrajectoryStep, TurnMessage, clip_middle, shorten_trajectory
from langgraph_learning._engine.learning.operation_schema import answer_schema
from langgraph_learning._engine.learning.provenance import ThreadWords, read_turn
from langgraph_learning._engine.learning.structured_output import OutputMethods, ask_for_operations
from langgraph_learning._engine.learning.turn import Turn, TurnInput, commit_id, derived_id, join_turns
from langgraph_learning._engine.learning.withdraw import digest_messages, withdraw_edited
from langgraph_learning._engine.recall.ranking import rank_records
from langgraph_learning._engine.repository import ScopeSnapshot, find_commit, scoped_to
from langgraph_learning.masking import Mask, mask_secrets
from langgraph_learning.records import ACTIVE, Commit, Record, Refusal, Scope, Source, Usage
from langgraph_learning.stores import Entry, LearningStore
from langgraph_learning.text import fold, tokens

SHOWN_TOKENS = 4_000
"""How much of what is known already an extraction is shown, in tokens."""
LONGEST_QUERY = 4_000
"""How much of what the user said is looked for among the older records, in characters."""
LONGEST_TURN = 64_000
"""How much an extraction is shown in all, in characters: the newest part of a long backlog."""


@dataclass(frozen=True)
class Extraction:
    """One call: the model, the learning stores that share it, and the way it answers."""

    model: BaseChatModel
    stores: Sequence[LearningStore]
    methods: OutputMethods
    tools: bool = False
    """Whether it is shown what tools returned, because its learning stores are configured to take it."""
    trajectory: bool = False
    """Whether it is shown the agent's tool calls, because its learning stores read them."""


def extract(
    works: Sequence[Extraction],
    heard: TurnInput,
    limits: Mapping[str, int],
    mask: Mask = mask_secrets,
    *,
    shared: Shared = "propose",
    thread: ThreadWords | None = None,
    capturing: Sequence[LearningStore] = (),
    current: Sequence[TurnMessage] | None = None,
) -> Flow[Commit | None]:
    """Learn from a turn and return its commit; the one it already has, without a model call; None if nobody spoke.

    Args:
        works: The calls to make, one per model; what they answer becomes one commit.
        heard: The turn.
        limits: How many changes each learning store may make.
        mask: Takes secrets out of what is stored.
        shared: What becomes of a change to what others taught in a shared namespace.
        thread: Who has said what in the thread so far; by default only this turn is known.
        capturing: The learning stores that keep messages: in the same commit, and where a call fails, in their own.
        current: The messages of the thread, as they stand now.

    Raises:
        ExtractionError: A model's answer cannot be used; nothing is learned.
        StoreError: The store failed; an unread store is not an empty one, so nothing is written.
    """
    turn, identity = heard.turn, heard.identity
    reached = _stores(works, capturing, heard)
    stores = [(store, scope) for store, scope in reached if may_teach(store, scope, identity, shared)]
    if not stores or not (turn.human or (capturing and turn.messages)):
        return None
    key = _commit_id(stores, heard)
    query = "\n".join(message.text for message in turn.human)[:LONGEST_QUERY]
    captured = read_capture(heard, key, mask, current) if capturing else None
    made, known, earlier = yield from load_turn(stores, identity, key, query, captured.session if captured else None)
    if made is not None:
        return made
    cited_by = (yield from find_citing(str(identity.user_id), captured, known)) if captured else []
    withdrawn = yield from withdraw_edited([each for each in known if not each.store.captures], turn, identity)
    read, known = known, [each.without(change.id for change in withdrawn) for each in known]
    spoken = read_turn(turn)
    draft = Draft(
        CommitKind.TURN,
        key,
        identity,
        heard.at,
        CommitRules(limits, mask, shared),
        provenance=heard.provenance,
        shown_ids={each.store.name: each.short_ids for each in known},
        query=query,
        thread=ThreadWords((*spoken.spoken, *thread.spoken)) if thread else spoken,
        captured=captured,
        cited_by=tuple(cited_by),
    )
    try:
        requests, refused, usage = yield from _ask_models(works if turn.human else (), known, heard, limits)
    except Exception:  # whatever a provider raises: what was said is kept, then it goes on to whoever decides
        if captured is not None:
            kept = replace(draft, id=derived_id("said", key, heard.at.isoformat()))
            yield from commit(kept, [each for each in read if each.store.captures])
        raise
    asked = replace(draft, requests=tuple(requests), refused=tuple(refused), usage=usage)
    return (yield from commit(asked, read, earlier, withdrawn))


def _ask_models(
    works: Sequence[Extraction], known: Sequence[ScopeSnapshot], heard: TurnInput, limits: Mapping[str, int]
) -> Flow[tuple[list[OperationRequest], list[Refusal], Usage]]:
    """Return what the models ask for, what of it is too much, and what that cost."""
    turn = heard.turn
    source = Source(thread_id=heard.identity.thread_id, checkpoint_id=heard.checkpoint_id)
    requests: list[OperationRequest] = []
    refused: list[Refusal] = []
    usage = Usage()
    for work in works:
        if mine := [each for each in known if each.store in work.stores]:
            schema = answer_schema(kind for each in mine for kind in each.store.operations)
            answer = yield from ask_for_operations(
                work.model, schema, build_prompt(mine, heard, work.tools, work.trajectory), work.methods
            )
            asked, cut = cut_operations(answer.operations, [each.store for each in mine], limits)
            requests += [read_request(item, turn, source, work.tools, work.trajectory) for item in asked]
            refused += cut
            usage += answer.usage
    return requests, refused, usage


def _stores(
    works: Sequence[Extraction], capturing: Sequence[LearningStore], heard: TurnInput
) -> list[tuple[LearningStore, Scope]]:
    return scoped_to([*(store for work in works for store in work.stores), *capturing], heard.identity)


def drop_learned(
    works: Sequence[Extraction], turns: Sequence[TurnInput], capturing: Sequence[LearningStore] = ()
) -> Flow[list[TurnInput]]:
    """Return which of a user's turns in a row are not learned yet, without those that a commit has already.

    A process may die after the commit of some turns and before its graph has written down that they are learned.
    """
    stores = _stores(works, capturing, turns[-1])
    beginnings = [join_turns(turns[:count]) for count in range(1, len(turns))]
    reads = [find_commit(each.identity, _commit_id(stores, each)) for each in beginnings]
    found = (yield from batch(*reads)) if reads else []
    learned = max((count for count, item in enumerate(found, 1) if item is not None), default=0)
    return list(turns[learned:])


def _commit_id(stores: Sequence[tuple[LearningStore, Scope]], heard: TurnInput) -> str:
    # Two agents that hear one turn learn it once, unless something they learn is an agent's own.
    owned = any(scope.agent for _, scope in stores)
    whose = heard.identity if owned else heard.identity.model_copy(update={"agent": None})
    names = (_store_key(store, scope) for store, scope in stores)
    if heard.turn.human:
        return commit_id(heard.turn, whose, names, heard.run)
    said = [[message.id or f"#{message.position}", message.text] for message in heard.turn.messages]
    return derived_id("unasked", whose.user_id, whose.thread_id, whose.agent, sorted(names), said)


def _store_key(store: LearningStore, scope: Scope) -> str:
    """What tells a learning store from one of another machine that is called the same and lies elsewhere."""
    return store.name if scope.namespace is None else f"{scope.tag}/{store.name}"


def build_prompt(
    known: Sequence[ScopeSnapshot], heard: TurnInput, tools: bool = False, trajectory: bool = False
) -> list[BaseMessage]:
    """Return what the model is asked: what to look for, what is known, and the turn, all of it as data."""
    spoken = heard.turn.with_tools if tools else heard.turn.messages
    text, zone = "\n".join(message.text for message in spoken), ZoneInfo(heard.identity.timezone)
    system = prompts.render(
        "extraction",
        today=_day(heard.said_at, zone),
        timezone=heard.identity.timezone,
        stores="\n\n".join(_section(each, text) for each in known),
    )
    lines = [(message.position, _message_line(message, heard.said_at, zone)) for message in spoken]
    if trajectory:
        lines += [(step.position, _call_line(step)) for step in shorten_trajectory(heard.turn.trajectory)]
    ordered = [line for _, line in sorted(lines, key=lambda line: line[0])]
    return [SystemMessage(system), HumanMessage(prompts.render("turn", turn="\n".join(newest_lines(ordered))))]


def _day(at: datetime, zone: ZoneInfo) -> str:
    return at.astimezone(zone).strftime("%A, %d %B %Y")


def _message_line(message: TurnMessage, today: datetime, zone: ZoneInfo) -> str:
    """Return one message as data; one of an earlier day says so: its "yesterday" is another."""
    day = _day(message.said_at or today, zone)
    said = f' said="{day}"' if day != _day(today, zone) else ""
    return f'<message from="{message.role}"{said}>{prompts.escape(clip_middle(message.text))}</message>'


def _call_line(step: TrajectoryStep) -> str:
    """Return one tool call of the agent as data, with how it ended."""
    ended = "error" if step.failed else "ok" if step.result else "never"
    arguments, result = prompts.escape(step.arguments), prompts.escape(step.result)
    return f'<call tool="{prompts.escape(step.name)}" ended="{ended}">{arguments}\n<result>{result}</result></call>'


def newest_lines(lines: Iterable[str]) -> list[str]:
    """Return the last lines that fit into `LONGEST_TURN`; a backlog after a failure may be long."""
    kept: list[str] = []
    for line in reversed(list(lines)):
        if kept and sum(map(len, kept)) + len(line) > LONGEST_TURN:
            break
        kept.insert(0, line)
    return kept


def _section(known: ScopeSnapshot, text: str) -> str:
    """One learning store: what to capture, what is stored, under short ids."""
    labels = {record.id: label for label, record in known.labels.items()} if known.store.named_by_id else {}
    current = [record for record in known.records if record.status == ACTIVE]
    shown = _within_budget(known.entries(rank_records(current, text), text), known.records)
    lines = [_stored_line(entry, labels) for entry in shown]
    seen = {each.record.id for entry in shown for each in entry.ranked}
    if hidden := len(current) - len(seen):
        lines.append(f"(and {hidden} more that are not shown)")
    stored = "\n".join(lines) or "(nothing yet)"
    names = ", ".join(kind.__name__ for kind in known.store.operations)
    return f"## {names}\n{known.store.extraction_instructions}\n<stored>\n{stored}\n</stored>"


def _stored_line(entry: Entry, labels: Mapping[str, str]) -> str:
    label = labels.get(entry.ranked[0].record.id) if len(entry.ranked) == 1 else None
    # On one line: a line break in a stored text could begin a line with a short id, and so forge one.
    text = prompts.escape(entry.text)
    return f"{label}: {' '.join(text.split())}" if label else text.replace("\n", "\n  ")


def _within_budget(best: Sequence[Entry], records: Sequence[Record]) -> list[Entry]:
    """Return the best that fit, in the order they came to be."""
    left, kept = SHOWN_TOKENS, []
    for entry in best:
        if entry.brief and tokens(entry.text) > left:
            entry = replace(entry, text=entry.brief)
        left -= tokens(entry.text) + 4
        if left < 0:
            break
        kept.append(entry)
    age = {record.id: place for place, record in enumerate(records)}
    return sorted(kept, key=lambda each: -1 if each.first or not each.ranked else age[each.ranked[0].record.id])


def read_request(
    item: JsonValue, turn: Turn, source: Source, tools: bool = False, trajectory: bool = False
) -> OperationRequest:
    """Read one item of the answer; its quote is believed only if it stands in the turn."""
    if not isinstance(item, dict):
        return OperationRequest(operation=f"{item!r:.40}", arguments={})
    arguments = {key: value for key, value in item.items() if key not in ("operation", "quote")}
    calls = _as_messages(turn.trajectory) if trajectory else ()
    spoken = (*(turn.with_tools if tools else turn.messages), *calls)
    sure = verify_quote(item.get("quote"), spoken, turn, source)
    said = [message.said_at for message in turn.messages if message.id in sure.message_ids and message.said_at]
    return OperationRequest(item.get("operation"), arguments, sure, said_at=max(said, default=None))


def _as_messages(trajectory: Iterable[TrajectoryStep]) -> list[TurnMessage]:
    """Return the agent's calls as its words, and their results as those of tools."""
    calls = [TurnMessage("agent", f"{step.name} {step.arguments}") for step in trajectory]
    return [*calls, *(TurnMessage("tool", step.result) for step in trajectory)]


def verify_quote(quote: JsonValue, spoken: Sequence[TurnMessage], turn: Turn, source: Source) -> Source:
    """Return the source with the quote and who said it; without a true quote the statement is inferred."""
    wanted = _normalize_quote(quote) if isinstance(quote, str) else ""
    by_user_first = sorted(spoken, key=lambda said: said.role != "user")
    said = next((said for said in by_user_first if wanted and wanted in _normalize_quote(said.text)), None)
    if said is None:
        human = [message for message in turn.human if message.id]
        ids = tuple(message.id for message in human if message.id)
        return source.model_copy(
            update={"actor": "assistant", "message_ids": ids, "digest": digest_messages(human) if ids else None}
        )
    heard = {"message_ids": (said.id,), "digest": digest_messages([said])} if said.id else {}
    return source.model_copy(update={"actor": said.role, "quote": str(quote).strip(), **heard})


def _normalize_quote(text: str) -> str:
    """Words in one spelling: models copy with other spaces, quotation marks and escapes."""
    return " ".join(fold(html.unescape(text)).strip(" \"'“”„»«.…").split())
