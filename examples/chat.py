"""Talk to an agent that learns: each turn shows what was recalled for it and what it taught."""

import os
from typing import Any
from uuid import uuid4

from langchain_core.messages import HumanMessage
from rich.console import Console

from examples.model import stand_in_extraction, stand_in_reply
from langgraph_learning import LearningMachine, connect, create_learning_agent
from langgraph_learning.testing import model_or_script


def main() -> None:
    console = Console(highlight=False)
    model, told = model_or_script([stand_in_reply], [stand_in_extraction], repeat=True)
    console.print(told)
    url = os.environ.get("DATABASE_URL", "sqlite:///learning.db")
    user = os.environ.get("USER") or "me"
    console.print(f"You are {user!r}; what you teach stays in {url}. /new begins a conversation, an empty line ends.")
    with connect(url) as db:
        agent = create_learning_agent(model, learning=LearningMachine(user_profile=True, user_memory=True), db=db)
        thread = str(uuid4())
        while text := _asked(console):
            if text == "/new":
                thread = str(uuid4())
                console.print("[dim]a new conversation: only what was learned is left[/]")
            else:
                _turn(agent, user, thread, text, console)


def _asked(console: Console) -> str:
    try:
        return console.input("\n[bold]> [/]").strip()
    except (EOFError, KeyboardInterrupt):
        return ""


def _turn(agent: Any, user: str, thread: str, text: str, console: Console) -> None:
    stream = agent.stream(
        {"messages": [HumanMessage(text)]},
        {"configurable": {"thread_id": thread}},
        context={"user_id": user},
        stream_mode=["messages", "custom"],
    )
    for mode, part in stream:
        if mode == "messages":
            console.print(part[0].text, end="", markup=False)
        elif part["learning"] == "recalled":
            console.print(f"[dim]recalled {len(part['receipt']['shown'])} records[/]")
        elif part["learning"] == "learned":
            _show(part["commit"], console)
        else:
            console.print(f"\n[red]learning failed: {part.get('error')}[/]")


def _show(commit: dict[str, Any], console: Console) -> None:
    console.print()
    for change in commit["changes"]:
        console.print(f"[green]  {change['kind']:<7}{change['store']}: [/]", end="")
        console.print(change["text"], markup=False)
    for refusal in commit["refused"]:
        console.print(f"  refused {refusal['operation']}: {refusal['reason']}", markup=False)
    if not commit["changes"]:
        console.print("[dim]  this turn taught nothing[/]")


if __name__ == "__main__":
    main()
