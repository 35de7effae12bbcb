"""The prompt of an extraction: first what never changes, then the stored records and the turn, as data.

This order serves prompt caches: rules, signatures and examples are the same first part for all turns of a machine.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
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
from langgraph_learning.words import tokens

SHOWN_TOKENS = 4_000
"""The number of tokens of stored records that an extraction is shown."""
LONGEST_TURN = 64_000
"""The number of characters that an extraction is shown in all; of a long backlog, the newest part."""


@dataclass(frozen=True)
class ExtractionPrompt:
    """The prompt of an extraction."""

    messages: list[BaseMessage]
    shares: dict[str, int]
    """The tokens about each learning store: its instructions and its records."""


def offered_operations(snapshots: Sequence[ScopeSnapshot]) -> list[type[Operation]]:
    """Return the operations that an extraction may ask for, given the records."""
    return [kind for snapshot in snapshots for kind in snapshot.store.offered_operations(_active(snapshot))]


def build_prompt(
    snapshots: Sequence[ScopeSnapshot],
    turn_input: TurnInput,
    tools: bool = False,
    trajectory: bool = False,
    model: BaseChatModel | None = None,
) -> ExtractionPrompt:
    """Return the messages of the prompt, and the tokens about each learning store.

    Args:
        snapshots: The learning stores and their records.
        turn_input: The turn.
        tools: Whether to show the results of tools.
        trajectory: Whether to show the agent's tool calls.
        model: The model; if its integration takes cache marks, the part that never changes gets one.
    """
    spoken = turn_input.turn.with_tools if tools else turn_input.turn.messages
    text, zone = "\n".join(message.text for message in spoken), ZoneInfo(turn_input.identity.timezone)
    described = [describe_store(snapshot) for snapshot in snapshots]
    stored = [list_stored(snapshot, text) for snapshot in snapshots]
    rules = prompts.render(
        "extraction",
        stores="\n\n".join(described),
        examples=render_examples(offered_operations(snapshots)),
    )
    lines = [(message.position, _message_line(message, turn_input.said_at, zone)) for message in spoken]
    if trajectory:
        lines += [(step.position, _call_line(step)) for step in shorten_trajectory(turn_input.turn.trajectory)]
    ordered = [line for _, line in sorted(lines, key=lambda line: line[0])]
    turn = prompts.render(
        "extraction_input",
        today=_day(turn_input.said_at, zone),
        timezone=turn_input.identity.timezone,
        stored="\n".join(stored),
        turn="\n".join(newest_lines(ordered)),
    )
    shares = {
        snapshot.store.name: tokens(rule) + tokens(held)
        for snapshot, rule, held in zip(snapshots, described, stored, strict=True)
    }
    return ExtractionPrompt([_rules_message(rules, model), HumanMessage(turn)], shares)


def _day(at: datetime, zone: ZoneInfo) -> str:
    return at.astimezone(zone).strftime("%A, %d %B %Y")


def _message_line(message: TurnMessage, today: datetime, zone: ZoneInfo) -> str:
    """Return one message as data; a message of an earlier day has its date, because its "yesterday" is another day."""
    day = _day(message.said_at or today, zone)
    said_on = f' said="{day}"' if day != _day(today, zone) else ""
    return f'<message from="{message.role}"{said_on}>{prompts.escape(clip_middle(message.text))}</message>'


def _call_line(step: TrajectoryStep) -> str:
    """Return one tool call of the agent as data, with its outcome."""
    ended = "error" if step.failed else "ok" if step.result else "never"
    arguments, result = prompts.escape(step.arguments), prompts.escape(step.result)
    return f'<call tool="{prompts.escape(step.name)}" ended="{ended}">{arguments}\n<result>{result}</result></call>'


def _rules_message(rules: str, model: BaseChatModel | None) -> SystemMessage:
    if model is None or model._llm_type != "anthropic-chat":
        return SystemMessage(rules)
    # Claude caches what stands before a mark; other providers with a cache find the common beginning themselves.
    return SystemMessage([{"type": "text", "text": rules, "cache_control": {"type": "ephemeral"}}])


def _active(snapshot: ScopeSnapshot) -> list[Record]:
    return [record for record in snapshot.records if record.status == ACTIVE]


def describe_store(snapshot: ScopeSnapshot) -> str:
    """Return what a learning store captures, and its operations with their fields."""
    store = snapshot.store
    listed = signatures(store.offered_operations(_active(snapshot)))
    return f"## {store.name}\n{store.extraction_instructions}\n{listed}"


def list_stored(snapshot: ScopeSnapshot, text: str) -> str:
    """Return the records of a learning store, under short ids if its operations name records by id."""
    named = snapshot.store.named_by_id
    labels = {record.id: label for label, record in snapshot.labels.items()} if named else {}
    current = _active(snapshot)
    shown = _within_budget(snapshot.entries(rank_records(current, text), text), snapshot.records)
    lines = [_stored_line(entry, labels) for entry in shown]
    shown_ids = {ranked.record.id for entry in shown for ranked in entry.ranked}
    if hidden := len(current) - len(shown_ids):
        lines.append(f"(and {hidden} more that are not shown)")
    stored = "\n".join(lines) or "(nothing yet)"
    return f'<stored in="{snapshot.store.name}">\n{stored}\n</stored>'


def _stored_line(entry: Entry, labels: Mapping[str, str]) -> str:
    label = labels.get(entry.ranked[0].record.id) if len(entry.ranked) == 1 else None
    # On one line: a line break in a stored text could forge a line with a short id.
    text = prompts.escape(entry.text)
    return f"{label}: {' '.join(text.split())}" if label else text.replace("\n", "\n  ")


def _within_budget(best: Sequence[Entry], records: Sequence[Record]) -> list[Entry]:
    """Return the best entries that fit, oldest first."""
    tokens_left = SHOWN_TOKENS
    fitting: list[Entry] = []
    for entry in best:
        if entry.brief and tokens(entry.text) > tokens_left:
            entry = replace(entry, text=entry.brief)
        tokens_left -= tokens(entry.text) + 4
        if tokens_left < 0:
            break
        fitting.append(entry)
    age = {record.id: place for place, record in enumerate(records)}
    return sorted(fitting, key=lambda entry: -1 if entry.first or not entry.ranked else age[entry.ranked[0].record.id])


def newest_lines(lines: Iterable[str]) -> list[str]:
    """Return the last lines that fit into `LONGEST_TURN`; a backlog after a failure may be long."""
    newest: list[str] = []
    for line in reversed(list(lines)):
        if newest and sum(map(len, newest)) + len(line) > LONGEST_TURN:
            break
        newest.insert(0, line)
    return newest
