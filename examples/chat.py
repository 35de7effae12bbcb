"""Talk to an agent that learns: each turn shows what was recalled for it and what it taught.

With `--propose` nothing is stored before you say yes, at the terminal.
"""

import argparse
import os
from typing import Any
from uuid import uuid4

from langgraph.types import Command
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table
from rich.text import Text

from examples.model import stand_in_extraction, stand_in_reply
from examples.terminal import ask, turn
from langgraph_learning import (
    LearningMachine,
    LearningMode,
    Scoped,
    UserMemoryConfig,
    UserProfileConfig,
    connect,
    create_learning_agent,
)
from langgraph_learning.testing import ScriptedChatModel, model_or_script

HELP = "/new begins a conversation, /why shows what was recalled last and why, an empty line ends."


def main() -> None:
    options = argparse.ArgumentParser(prog="python -m examples.chat", description="Talk to an agent that learns.")
    options.add_argument("--propose", action="store_true", help="store nothing before you say yes")
    mode = LearningMode.PROPOSE if options.parse_args().propose else LearningMode.ALWAYS
    console = Console(highlight=False)
    model, model_note = model_or_script([stand_in_reply], [stand_in_extraction], repeat=True)
    console.print(model_note)
    url = os.environ.get("DATABASE_URL") or "sqlite:///learning.db"
    user = os.environ.get("USER") or "me"
    console.print(f"You are {user!r}; what you teach stays in {url}.")
    console.print(HELP)
    if isinstance(model, ScriptedChatModel):
        console.print("The script learns from sentences about you, such as: My name is Ada. I like green tea.")
    learning = LearningMachine(user_profile=UserProfileConfig(mode=mode), user_memory=UserMemoryConfig(mode=mode))
    with connect(url) as db:
        agent = create_learning_agent(model, learning=learning, db=db)
        thread, receipt = str(uuid4()), None
        while text := _asked(console):
            if text == "/new":
                thread = str(uuid4())
                console.print("[dim]a new conversation: only what was learned is left[/]")
            elif text == "/why":
                console.print(_why(receipt, learning.scoped(user_id=user, store=db.store)))
            elif text.startswith("/"):
                console.print(f"There is no {text.split()[0]}. {HELP}", markup=False)
            else:
                events = turn(agent, user, thread, text, console)
                receipt = next((event["receipt"] for event in events if event["learning"] == "recalled"), receipt)
                _decide(agent, user, thread, console)


def _asked(console: Console) -> str:
    try:
        return console.input("\n[bold]> [/]").strip()
    except (EOFError, KeyboardInterrupt):
        return ""


def _decide(agent: Any, user: str, thread: str, console: Console) -> None:
    """Answer the interrupt of the turn, if there is one, with a decision per request."""
    for waiting in agent.get_state({"configurable": {"thread_id": thread}}).interrupts:
        requests = waiting.value["action_requests"]
        answers = [ask(request["name"], request["args"], request["description"], console) for request in requests]
        if None in answers:
            hint = f"`langgraph-learning proposals -d URL -u {user}` and `decide` find it"
            console.print(f"  it waits: {hint}", markup=False, style="dim")
            return
        try:
            turn(agent, user, thread, Command(resume={"decisions": answers}), console)
        except ValidationError as error:  # nothing was stored, and all of it still waits
            console.print(f"  {error.errors()[0]['msg']}", markup=False, style="red")
            _decide(agent, user, thread, console)


def _why(receipt: dict[str, Any] | None, mine: Scoped) -> Table:
    """Return what the last recall showed the model; the receipt has no texts, they may be forgotten meanwhile."""
    texts = {record.id: record.text for record in mine.records()}
    table = Table("learning store", "record", "why", "score", "tokens", title="Recalled for your last message")
    for entry in receipt["shown"] if receipt else ():
        text, score = Text(texts.get(entry["id"], "(gone)")), f"{entry['score']:.2f}"
        table.add_row(entry["store"], text, Text(entry["reason"]), score, str(entry["tokens"]))
    return table


if __name__ == "__main__":
    main()
