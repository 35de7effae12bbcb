"""The command that learns from conversations that were held before."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from langgraph_learning.cli.command import command
from langgraph_learning.cli.output import notice, progress, say, write_json
from langgraph_learning.cli.target import Target
from langgraph_learning.errors import ConfigurationError

USERS_ROLES = ("user", "human")


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, learn)


def learn(
    at: Target,
    source: Annotated[Path, typer.Argument(metavar="FILE", help="JSON or JSON lines: messages, or threads of them.")],
    model: Annotated[
        str | None, typer.Option(metavar="PROVIDER:NAME", help="What extracts; by default your --machine's model.")
    ] = None,
) -> None:
    """Learn from old conversations, turn by turn; a turn that was learned from before teaches nothing twice.

    FILE holds one thread as a list of messages ({"role": "user", "content": "..."}), or each thread as a line or entry
    of its own: {"thread_id": "t1", "messages": [...]}.

    Example: langgraph-learning learn threads.jsonl -d sqlite:///learning.db -u alex@example.com --model openai:gpt-5.2
    """
    if model is None and at.machine is None:
        raise ConfigurationError("there is no model to learn with: give --model provider:name, or your own --machine")
    user = at.whose
    threads = [(thread or at.thread, turn) for thread, messages in _threads(source) for turn in _turns(messages)]
    learned = changes = 0
    with at.open(make=True) as opened, progress("Learning", len(threads)) as done:
        for thread, turn in threads:
            commit = opened.scoped_for(user, thread, model=model).learn(turn)
            done(1)
            if commit is not None:
                learned, changes = learned + 1, changes + len(commit.changes)
                for refusal in commit.refused:
                    notice(f"not {refusal.operation}: {refusal.reason}")
    if at.as_json:
        write_json({"turns": len(threads), "commits": learned, "changes": changes})
    else:
        say(f"{changes} changes from {learned} of {len(threads)} turns; `history` lists them")


def _threads(source: Path) -> Iterator[tuple[str | None, list[dict[str, Any]]]]:
    try:
        text = source.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"cannot read {str(source)!r}: {error}") from error
    try:
        entries = (
            json.loads(text)
            if text.lstrip().startswith("[")
            else [*map(json.loads, filter(str.strip, text.split("\n")))]
        )
    except ValueError as error:
        raise ConfigurationError(f"{source.name} holds neither JSON nor JSON lines: {error}") from error
    if all(_is_message(entry) for entry in entries):
        yield None, entries
        return
    for number, entry in enumerate(entries, 1):
        messages = entry.get("messages") if isinstance(entry, dict) else entry
        if not isinstance(messages, list) or not all(_is_message(message) for message in messages):
            raise ConfigurationError(
                f'entry {number} of {source.name} is no thread: write {{"thread_id": "...", "messages": [{{"role":'
                ' "user", "content": "..."}]}'
            )
        thread = entry.get("thread_id") if isinstance(entry, dict) else None
        yield None if thread is None else str(thread), messages


def _is_message(entry: object) -> bool:
    return isinstance(entry, dict) and isinstance(entry.get("role") or entry.get("type"), str) and "content" in entry


def _turns(messages: Sequence[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Yield each turn: a message of the user, and what follows until the next one."""
    turn: list[dict[str, Any]] = []
    for message in messages:
        begins = (message.get("role") or message.get("type")) in USERS_ROLES
        if begins and any((said.get("role") or said.get("type")) not in USERS_ROLES for said in turn):
            yield turn
            turn = []
        turn.append(message)
    if turn:
        yield turn
