"""What an extraction is asked: what never changes first, then what is stored and the turn, all of it as data.

The order serves prompt caches: rules, signatures and examples are one unchanged beginning for all turns of a machine.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage, HumanMessage, SystemMessage

from langgraph_learning import prompts
from langgraph_learning._engine.learning.examples import render_examples
from langgraph_learning._engine.learning.messages import TrajectoryStep, TurnMessage, clip_middle, shorten_trajectory
from langgraph_learning._engine.learning.operation_schema import signatures
from langgraph_learning._engine.learning.turn import TurnInput
from langgraph_learning._engine.recall.ranking import rank_records
from langgraph_learning._engine.repository import ScopeSnapshot
from langgraph_learning.records import ACTIVE, Record
from langgraph_learning.stores import Entry, Operation
from langgraph_learning.text import tokens

SHOWN_TOKENS = 4_000
"""How much of what is known already an extraction is shown, in tokens."""
LONGEST_TURN = 64_000
"""How much an extraction is shown in all, in characters: the newest part of a long backlog."""


def offered_operations(known: Sequence[ScopeSnapshot]) -> list[type[Operation]]:
    """Return the operations that an extraction may ask for, given what is known."""
    return [kind for snapshot in known for kind in snapshot.store.offered_operations(_active(snapshot))]


def build_prompt(
    known: Sequence[ScopeSnapshot],
    heard: TurnInput,
    tools: bool = False,
    trajectory: bool = False,
    model: BaseChatModel | None = None,
) -> list[BaseMessage]:
    """Return what the model is asked.

    Args:
        known: The learning stores and their records.
        heard: The turn.
        tools: Whether what tools returned is shown, too.
        trajectory: Whether the agent's tool calls are shown, too.
        model: The model; what never changes is marked for its cache, where its integration takes such marks.
    """
    spoken = heard.turn.with_tools if tools else heard.turn.messages
    text, zone = "\n".join(message.text for message in spoken), ZoneInfo(heard.identity.timezone)
    rules = prompts.render(
        "extraction",
        stores="\n\n".join(_instructions(snapshot) for snapshot in known),
        examples=render_examples(offered_operations(known)),
    )
    lines = [(message.position, _message_line(message, heard.said_at, zone)) for message in spoken]
    if trajectory:
        lines += [(step.position, _call_line(step)) for step in shorten_trajectory(heard.turn.trajectory)]
    ordered = [line for _, line in sorted(lines, key=lambda line: line[0])]
    turn = prompts.render(
        "turn",
        today=_day(heard.said_at, zone),
        timezone=heard.identity.timezone,
        stored="\n".join(_stored(snapshot, text) for snapshot in known),
        turn="\n".join(newest_lines(ordered)),
    )
    return [_rules_message(rules, model), HumanMessage(turn)]


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


def _rules_message(rules: str, model: BaseChatModel | None) -> SystemMessage:
    if model is None or model._llm_type != "anthropic-chat":
        return SystemMessage(rules)
    # Claude caches what stands before a mark; the other providers that cache find the common beginning themselves.
    return SystemMessage([{"type": "text", "text": rules, "cache_control": {"type": "ephemeral"}}])


def _active(snapshot: ScopeSnapshot) -> list[Record]:
    return [record for record in snapshot.records if record.status == ACTIVE]


def _instructions(snapshot: ScopeSnapshot) -> str:
    """Return what a learning store captures, and its operations with their fields."""
    store = snapshot.store
    listed = signatures(store.offered_operations(_active(snapshot)))
    return f"## {store.name}\n{store.extraction_instructions}\n{listed}"


def _stored(snapshot: ScopeSnapshot, text: str) -> str:
    """Return what a learning store holds, under short ids where its operations name records by them."""
    named = snapshot.store.named_by_id
    labels = {record.id: label for label, record in snapshot.labels.items()} if named else {}
    current = _active(snapshot)
    shown = _within_budget(snapshot.entries(rank_records(current, text), text), snapshot.records)
    lines = [_stored_line(entry, labels) for entry in shown]
    seen = {ranked.record.id for entry in shown for ranked in entry.ranked}
    if hidden := len(current) - len(seen):
        lines.append(f"(and {hidden} more that are not shown)")
    stored = "\n".join(lines) or "(nothing yet)"
    return f'<stored in="{snapshot.store.name}">\n{stored}\n</stored>'


def _stored_line(entry: Entry, labels: Mapping[str, str]) -> str:
    label = labels.get(entry.ranked[0].record.id) if len(entry.ranked) == 1 else None
    # On one line: a line break in a stored text could begin a line with a short id, and so forge one.
    text = prompts.escape(entry.text)
    return f"{label}: {' '.join(text.split())}" if label else text.replace("\n", "\n  ")


def _within_budget(best: Sequence[Entry], records: Sequence[Record]) -> list[Entry]:
    """Return the best that fit, in the order they came to be."""
    left = SHOWN_TOKENS
    kept: list[Entry] = []
    for entry in best:
        if entry.brief and tokens(entry.text) > left:
            entry = replace(entry, text=entry.brief)
        left -= tokens(entry.text) + 4
        if left < 0:
            break
        kept.append(entry)
    age = {record.id: place for place, record in enumerate(records)}
    return sorted(kept, key=lambda entry: -1 if entry.first or not entry.ranked else age[entry.ranked[0].record.id])


def newest_lines(lines: Iterable[str]) -> list[str]:
    """Return the last lines that fit into `LONGEST_TURN`; a backlog after a failure may be long."""
    kept: list[str] = []
    for line in reversed(list(lines)):
        if kept and sum(map(len, kept)) + len(line) > LONGEST_TURN:
            break
        kept.insert(0, line)
    return kept
