"""What waits for a person: proposals, and the decision about one."""

import json
from typing import Annotated, Any, Literal

import typer

from langgraph_learning.cli.output import day, jsonable, notice, show, write_json
from langgraph_learning.cli.target import Target
from langgraph_learning.errors import ConfigurationError
from langgraph_learning.scoped import Scoped


def method(scoped: Scoped, name: str) -> Any:
    """Return a method of the data API.

    Raises:
        ConfigurationError: This version has none.
    """
    found = getattr(scoped, name, None)
    if found is None:
        raise ConfigurationError(f"this version of langgraph-learning has no {name}(): upgrade it")
    return found


def proposals(at: Target) -> None:
    """List the changes of a user that wait for a decision.

    Example: langgraph-learning proposals -d sqlite:///learning.db -u alex@example.com
    """
    with at.open() as opened:
        found = method(opened.scoped(at.whose), "proposals")()
    show(found, PROPOSALS, as_json=at.as_json, none="nothing waits")


PROPOSALS = {
    "id": lambda proposal: proposal.id,
    "at": lambda proposal: day(proposal.at),
    "proposal": lambda proposal: proposal.description,
}


def decide(
    at: Target,
    proposal: Annotated[str, typer.Argument(help="The id of a proposal.")],
    answer: Annotated[Literal["approve", "reject"], typer.Argument(help="approve or reject.")],
    edit: Annotated[
        str | None, typer.Option(metavar="JSON", help="With approve: other arguments, as a JSON object.")
    ] = None,
) -> None:
    """Approve a proposal, as it is or edited, or reject it.

    Example: langgraph-learning decide -d sqlite:///learning.db -u alex@example.com 7f3c... approve
    """
    changed = _object(edit)
    if changed is not None and answer == "reject":
        raise typer.BadParameter("--edit goes with approve")
    with at.open() as opened:
        made = method(opened.scoped(at.whose), "decide")(proposal, answer, edit=changed)
    if at.as_json:
        write_json({"proposal": proposal, "decision": answer, "result": jsonable(made)})
    else:
        notice(f"{answer}{'d' if answer.endswith('e') else 'ed'}: {proposal}")


def _object(text: str | None) -> dict[str, Any] | None:
    if text is None:
        return None
    try:
        found = json.loads(text)
    except ValueError as error:
        raise typer.BadParameter(f"--edit is no JSON: {error}") from None
    if not isinstance(found, dict):
        raise typer.BadParameter('--edit is a JSON object, such as {"content": "..."}')
    return found
