"""The command that learns from earlier conversations."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from langgraph_learning.cli.command import command
from langgraph_learning.cli.output import notice, progress, say, write_json
from langgraph_learning.cli.target import Target
from langgraph_learning.errors import ConfigurationError

if TYPE_CHECKING:
    from langgraph_learning.records import Commit

Message: TypeAlias = dict[str, object]
"""A message as JSON."""
USERS_ROLES = ("user", "human")
"""The roles of a user's message, in the formats of OpenAI and of LangChain."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, learn)


def learn(
    at: Target,
    source: Annotated[
        Path | None,
        typer.Argument(metavar="[FILE]", help="JSON or JSON lines: the messages of one thread, or several threads."),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(metavar="PROVIDER:NAME", help="The model that extracts; by default that of your --machine."),
    ] = None,
    threads: Annotated[
        bool, typer.Option("--threads", help="Learn from the threads of the checkpointer in the database.")
    ] = False,
) -> None:
    """Learn from earlier conversations, turn by turn; no turn is learned from twice.

    FILE has one thread, as a list of messages ({"role": "user", "content": "..."}), or several threads, one per line
    or list entry: {"thread_id": "t1", "messages": [...]}. With --threads, the command reads the threads that
    LangGraph's checkpointer keeps in the database instead; each is learned for the user that its runs named, or else
    for --user. Without --model and --machine, --threads calls no model: it stores the messages, so that a search finds
    them. Run an interrupted command again, and it continues.

    Example: langgraph-learning learn threads.jsonl -d sqlite:///learning.db -u alex@example.com --model openai:gpt-5.2

    Example: langgraph-learning learn --threads -d postgresql://localhost/app --machine app.agent:learning
    """
    if threads == (source is not None):
        raise typer.BadParameter("give a FILE of conversations, or --threads to read the checkpointer")
    if source is None:
        learn_threads(at, model)
    else:
        learn_file(at, source, model)


def learn_file(at: Target, source: Path, model: str | None) -> None:
    """Learn from the threads of a file."""
    if model is None and at.machine is None:
        raise ConfigurationError("there is no model to learn with: give --model provider:name, or your own --machine")
    user = at.whose
    threads = [(thread or at.thread, turn) for thread, messages in _threads(source) for turn in _turns(messages)]
    report = _Report(turns=len(threads))
    with at.open(make=True) as opened, progress("Learning", len(threads)) as done:
        for thread, turn in threads:
            report.add(opened.scoped_for(user, thread, model=model).learn(turn))
            done(1)
    report.write(at)


def learn_threads(at: Target, model: str | None) -> None:
    """Learn from the threads of the checkpointer in the database."""
    from langgraph_learning.importing import read_thread
    from langgraph_learning.machine import LearningMachine

    report = _Report()
    with at.open(make=True) as opened:
        # Without a model nothing can be extracted: only the messages are kept.
        keeping = LearningMachine(conversations=True) if model is None and at.machine is None else None
        saver: Any = opened.checkpointer.saver
        ids = [thread for thread in saver.thread_ids() if at.thread in (None, thread)]
        with progress("Learning", len(ids)) as done:
            for thread_id in ids:
                machine = keeping or opened.machine(at.user, model)
                stored_thread = read_thread(saver, thread_id, machine.messages_key)
                user = stored_thread.user_id or at.user
                if user is None or at.user not in (None, user) or not stored_thread.turns:
                    report.leave_out(thread_id, user, at.user, bool(stored_thread.turns))
                else:
                    scoped = machine.scoped(user_id=user, thread_id=thread_id, store=opened.store)
                    for turn in stored_thread.turns:
                        report.turns += 1
                        report.add(scoped.learn(turn.messages, at=turn.said_at))
                done(1)
    report.write(at)


@dataclass
class _Report:
    """The counts of turns, commits and changes, and the threads that were left out."""

    turns: int = 0
    commits: int = 0
    changes: int = 0
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    left_out: dict[str, str] = field(default_factory=dict)

    def add(self, commit: "Commit | None") -> None:
        """Count the commit of a turn, unless an earlier call made it: `learn` returns that one again."""
        if commit is not None and commit.at >= self.started:
            self.commits, self.changes = self.commits + 1, self.changes + len(commit.changes)
            for refusal in commit.refused:
                notice(f"not {refusal.operation}: {refusal.reason}")

    def leave_out(self, thread: str, user: str | None, wanted_user: str | None, has_messages: bool) -> None:
        """Note why nothing is learned from a thread."""
        if not has_messages:
            why = "it has no messages"
        elif user is None:
            why = "its runs named no user: give --user"
        else:
            why = f"it belongs to another user than {wanted_user}"
        self.left_out[thread] = why

    def write(self, at: Target) -> None:
        """Print the result."""
        for thread, why in self.left_out.items():
            notice(f"left out thread {thread}: {why}")
        if at.as_json:
            left_out = {"left_out": self.left_out} if self.left_out else {}
            write_json({"turns": self.turns, "commits": self.commits, "changes": self.changes, **left_out})
        else:
            say(f"{self.changes} changes from {self.commits} of {self.turns} turns; `history` lists them")


def _threads(source: Path) -> Iterator[tuple[str | None, list[Message]]]:
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
        raise ConfigurationError(f"{source.name} is neither JSON nor JSON lines: {error}") from error
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


def _turns(messages: Sequence[Message]) -> Iterator[list[Message]]:
    """Yield each turn: messages of the user, and the messages that follow until the user's next one."""
    turn: list[Message] = []
    for message in messages:
        begins = (message.get("role") or message.get("type")) in USERS_ROLES
        if begins and any((earlier.get("role") or earlier.get("type")) not in USERS_ROLES for earlier in turn):
            yield turn
            turn = []
        turn.append(message)
    if turn:
        yield turn
