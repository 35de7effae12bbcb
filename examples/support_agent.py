"""A support agent: what solved one ticket is ready for the next customer's, once a person has said yes to it.

Solutions are everybody's and proposed, so nothing reaches another customer unseen. Products and offices are entities
of the organisation that is served. Who a customer is stays with that customer.
"""

from typing import Any

from rich.console import Console

from examples.database import database
from examples.model import stand_in_reply
from examples.terminal import ask, turn
from langgraph_learning import (
    EntityMemoryConfig,
    LearnedKnowledgeConfig,
    LearningMachine,
    LearningMode,
    Scoped,
    connect,
    create_learning_agent,
)
from langgraph_learning.testing import model_or_script, op

LEAD = "support lead"
TICKETS = [
    ("carla", "ticket-1", "I'm Carla from the Lisbon office. The billing portal shows a blank page."),
    ("carla", "ticket-1", "I cleared the browser's cache as you said: that solved the blank page."),
    ("dan", "ticket-2", "My page in the billing portal is blank."),
]
REPLIES = ["Please clear the browser's cache and reload the page.", "Glad to hear that!", stand_in_reply]
SOLUTION = "A blank page in the billing portal goes away when the browser's cache is cleared"
EXTRACTIONS: list[list[dict[str, Any]]] = [
    [
        op("update_user_profile", name="Carla", quote="I'm Carla"),
        op(
            "remember_about",
            entity="Billing portal",
            entity_type="product",
            facts=["Has shown a blank page"],
            quote="The billing portal shows a blank page",
        ),
        op("update_session_context", summary="The billing portal is blank; clearing the cache was advised."),
    ],
    [
        op(
            "save_learning",
            title="Blank page in the billing portal",
            learning=SOLUTION,
            quote="that solved the blank page",
        ),
        op("update_session_context", summary="Clearing the cache solved it."),
    ],
    [op("update_session_context", summary="Another blank page in the billing portal.")],
]


def learning_for(organisation: str) -> LearningMachine:
    """Return the machine that serves one organisation; which one it is, your authentication says."""
    return LearningMachine(
        user_profile=True,
        session_context=True,
        learned_knowledge=LearnedKnowledgeConfig(mode=LearningMode.PROPOSE),
        entity_memory=EntityMemoryConfig(namespace=f"org:{organisation}:support"),
    )


def main() -> None:
    console = Console(highlight=False)
    model, model_note = model_or_script(REPLIES, EXTRACTIONS)
    console.print(model_note)
    learning = learning_for("acme")
    with database() as url, connect(url) as db:
        agent = create_learning_agent(model, learning=learning, db=db)
        for customer, ticket, text in TICKETS:
            mine = learning.scoped(user_id=customer, thread_id=ticket, store=db.store)
            console.print(f"\n[bold]{customer}[/] in {ticket!r}: {text}")
            turn(agent, customer, ticket, text, console)
            _decide(mine, console)
        console.print("\n[bold]What the model was shown for the last one[/]")
        console.print(mine.recall(text).text, markup=False, style="dim")


def _decide(mine: Scoped, console: Console) -> None:
    """Let the lead decide, not the customer: so by the data API, and the ticket's own interrupt stays unanswered."""
    for proposal in mine.proposals():
        answer = ask(proposal.name, proposal.args, proposal.description, console)
        if answer is None:
            console.print("[dim]  it waits for another look[/]")
            continue
        edit = answer["edited_action"]["args"] if answer["type"] == "edit" else None
        outcome = mine.decide(proposal.id, "reject" if answer["type"] == "reject" else "approve", edit=edit, by=LEAD)
        console.print(f"[green]  {outcome.result} by the {LEAD}[/]")


if __name__ == "__main__":
    main()
