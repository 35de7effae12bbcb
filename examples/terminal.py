"""How the examples talk to a person: a turn with what was learned around it, and a question about a proposal."""

from collections.abc import Mapping
from typing import Any

from langchain_core.messages import AIMessageChunk, HumanMessage
from langgraph.types import Command
from rich.console import Console

ANSWERS = {"approve": ("approve", "a", "yes", "y"), "edit": ("edit", "e"), "reject": ("reject", "r", "no", "n")}


def turn(agent: Any, user: str, thread: str, answer: str | Command[Any], console: Console) -> list[dict[str, Any]]:
    """Stream one turn to the terminal; return what the machine reported meanwhile."""
    inputs = {"messages": [HumanMessage(answer)]} if isinstance(answer, str) else answer
    config = {"configurable": {"thread_id": thread}}
    events = []
    for mode, part in agent.stream(inputs, config, context={"user_id": user}, stream_mode=["messages", "custom"]):
        if mode == "custom":
            _show(part, console)
            events.append(part)
        elif isinstance(part[0], AIMessageChunk):
            console.print(part[0].text, end="", markup=False)
    return events


def ask(name: str, args: Mapping[str, Any], description: str, console: Console) -> dict[str, Any] | None:
    """Ask about one proposal; return the answer as a graph takes it on resume, None where the person gives none."""
    console.print(f"  {description}", markup=False, style="yellow")
    try:
        while not (answer := _meant(line := console.input("  approve, edit, reject, or nothing: later? "))):
            if not line.strip():
                return None
        if answer != "edit":
            return {"type": answer}
        texts = {key: value for key, value in args.items() if isinstance(value, str)}
        new = {
            key: console.input(f"  {key}, in the place of {value!r}: ", markup=False) for key, value in texts.items()
        }
    except (EOFError, KeyboardInterrupt):
        return None
    return {"type": "edit", "edited_action": {"name": name, "args": {**args, **{k: v for k, v in new.items() if v}}}}


def _meant(line: str) -> str:
    return next((answer for answer, forms in ANSWERS.items() if line.strip().lower() in forms), "")


def _show(event: dict[str, Any], console: Console) -> None:
    if event["learning"] == "recalled":
        console.print(f"[dim]recalled {len(event['receipt']['shown'])} records[/]")
    elif event["learning"] == "learned":
        _show_commit(event["commit"], console)
    elif event["learning"] == "proposed":
        console.print(f"\n[yellow]  proposed: {len(event['proposals'])}, stored when a person says yes[/]")
    elif event["learning"] == "decided":
        for outcome in event["outcomes"]:
            console.print(f"[green]  {outcome['result']}[/] {outcome['reason']}".rstrip())
    else:
        console.print(f"\n[red]learning failed: {event.get('error')}[/]")


def _show_commit(commit: dict[str, Any], console: Console) -> None:
    console.print()
    for change in commit["changes"]:
        console.print(f"[green]  {change['kind']:<7}{change['store']}: [/]", end="")
        console.print(change["text"], markup=False)
    for refusal in commit["refused"]:
        console.print(f"  refused {refusal['operation']}: {refusal['reason']}", markup=False)
    if not commit["changes"] and not commit["proposed"]:
        console.print("[dim]  this turn taught nothing[/]")
