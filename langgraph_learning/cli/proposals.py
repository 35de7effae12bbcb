"""What waits for a person: proposals, and the decision about one."""

import json
from typing import Annotated, Any, Literal

import typer

from langgraph_learning.cli.output import day, say, show, write_json
from langgraph_learning.cli.target import OpenTarget, Target
from langgraph_learning.errors import ConfigurationError
from langgraph_learning.records import Proposal
from langgraph_learning.scoped import Scoped


def proposals(
    at: Target,
    everybody: Annotated[
        bool, typer.Option("--all", help="Of all users, and of unknown ones: the reviewers' queue.")
    ] = False,
) -> None:
    """List the changes that wait for a decision, the oldest first: of a user, or of all.

    Example: langgraph-learning proposals -d sqlite:///learning.db --all
    """
    with at.open() as opened:
        waiting = queue_of_all(opened) if everybody else opened.scoped_for(at.whose).proposals()
    columns = {**PROPOSALS, **({"of": _owner_of} if everybody else {})}
    show(waiting, columns, as_json=at.as_json, none="nothing waits")


def queue_of_all(opened: OpenTarget) -> list[Proposal]:
    """Return what waits of all, each looked at by a machine that has its user's learning stores."""
    found = opened.scoped_for().review_queue()
    owners = dict.fromkeys((proposal.identity.user_id, proposal.identity.thread_id) for proposal in found)
    looked_at = (opened.scoped_for(user, thread).proposals() for user, thread in owners)
    each_once = {proposal.id: proposal for proposals in looked_at for proposal in proposals}
    return sorted(each_once.values(), key=lambda proposal: proposal.age)


def _owner_of(proposal: Proposal) -> str:
    where = f" in {proposal.namespace}" if proposal.namespace else ""
    return f"{proposal.identity.user_id or 'an unknown user'}{where}"


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
        str | None, typer.Option(metavar="JSON", help="With approve: arguments to change, as a JSON object.")
    ] = None,
    by: Annotated[str | None, typer.Option(metavar="NAME", help="Who decides; by default the user.")] = None,
    message: Annotated[str | None, typer.Option("--message", "-m", help="Why; kept with the proposal.")] = None,
) -> None:
    """Approve a proposal, as it is or edited, or reject it.

    Without --user it may be anybody's, as `proposals --all` lists them.

    Example: langgraph-learning decide -d sqlite:///learning.db 7f3c... approve --by bo
    """
    changed = _object(edit)
    if changed is not None and answer == "reject":
        raise typer.BadParameter("--edit goes with approve")
    with at.open() as opened:
        scoped = opened.scoped_for(at.user) if at.user is not None else _scoped_for_owner(opened, proposal)
        if answer == "approve":
            _check_known(scoped, proposal)
        outcome = scoped.decide(proposal, answer, edit=changed, by=by, message=message)
    if at.as_json:
        write_json(outcome)
    else:
        say(f"{outcome.result}{f' by commit {outcome.commit}' if outcome.commit else ''}")


def _scoped_for_owner(opened: OpenTarget, wanted: str) -> Scoped:
    owner = next((found.identity for found in opened.scoped_for().review_queue() if found.id == wanted), None)
    if owner is None:
        raise ConfigurationError(f"no proposal {wanted!r} waits; `proposals --all` lists them")
    return opened.scoped_for(owner.user_id, owner.thread_id)


def _check_known(scoped: Scoped, wanted: str) -> None:
    """Refuse to approve what this machine would read differently: it would leave out fields it does not know."""
    for proposal in scoped.proposals():
        known = [
            operation
            for store in scoped.settings.stores
            if store.name == proposal.store
            for operation in store.operations
            if operation.__name__ == proposal.name
        ]
        given = {name for name, value in proposal.args.items() if value is not None}
        if proposal.id == wanted and not any(given <= operation.model_fields.keys() for operation in known):
            raise ConfigurationError(
                f"{proposal.name}({', '.join(sorted(given))}) is of a schema or learning store of your own: name your"
                " machine by --machine module:name"
            )


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
