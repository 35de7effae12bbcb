"""The commands that list proposals and decide on one."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from langgraph_learning.cli.command import command
from langgraph_learning.cli.output import Column, day, say, show, write_json
from langgraph_learning.cli.short_ids import find_by_prefix
from langgraph_learning.cli.target import Target
from langgraph_learning.errors import ConfigurationError

if TYPE_CHECKING:
    from langgraph_learning.cli.open_target import OpenTarget
    from langgraph_learning.records import Proposal
    from langgraph_learning.scoped import Scoped


def register(app: typer.Typer) -> None:
    """Add the commands."""
    command(app, proposals)
    command(app, decide)


def proposals(
    at: Target,
    everybody: Annotated[
        bool, typer.Option("--all", help="The proposals of all users, and of runs without a user.")
    ] = False,
) -> None:
    """List the proposals that wait for a decision, oldest first: of one user, or with --all of everybody.

    Example: langgraph-learning proposals -d sqlite:///learning.db --all
    """
    with at.open() as opened:
        if everybody:
            waiting = queue_of_all(opened)
        else:
            whose = at.whose
            opened.check_user()
            waiting = opened.scoped_for(whose).proposals()
    columns = (*PROPOSALS[:1], Column("of", _owner_of, "name"), *PROPOSALS[1:]) if everybody else PROPOSALS
    show(waiting, columns, as_json=at.as_json, none="nothing waits")


def queue_of_all(opened: "OpenTarget") -> "list[Proposal]":
    """Return the waiting proposals of all users, oldest first; each user's are read with a machine for that user."""
    queue = opened.scoped_for().review_queue()
    owners = dict.fromkeys((proposal.identity.user_id, proposal.identity.thread_id) for proposal in queue)
    looked_at = (opened.scoped_for(user, thread).proposals() for user, thread in owners)
    each_once = {proposal.id: proposal for proposals in looked_at for proposal in proposals}
    return sorted(each_once.values(), key=lambda proposal: proposal.age)


def _owner_of(proposal: "Proposal") -> str:
    where = f" in {proposal.namespace}" if proposal.namespace else ""
    return f"{proposal.identity.user_id or 'an unknown user'}{where}"


PROPOSALS = (
    Column("proposal", lambda proposal: proposal.description),
    Column("at", lambda proposal: day(proposal.at), "time"),
    Column("id", lambda proposal: proposal.id, "id"),
)


def decide(
    at: Target,
    proposal: Annotated[str, typer.Argument(help="The id of a proposal, or its beginning.")],
    answer: Annotated[Literal["approve", "reject"], typer.Argument(help="approve or reject.")],
    edit: Annotated[
        str | None, typer.Option(metavar="JSON", help="With approve: the arguments to change, as a JSON object.")
    ] = None,
    by: Annotated[str | None, typer.Option(metavar="NAME", help="The person who decides; by default the user.")] = None,
    message: Annotated[
        str | None, typer.Option("--message", "-m", help="The reason; it is stored with the proposal.")
    ] = None,
) -> None:
    """Approve a proposal, unchanged or edited, or reject it.

    Without --user it may be a proposal of any user, as `proposals --all` lists them.

    Example: langgraph-learning decide -d sqlite:///learning.db 7f3c... approve --by bo
    """
    changed = _object(edit)
    if changed is not None and answer == "reject":
        raise typer.BadParameter("--edit goes with approve")
    with at.open() as opened:
        scoped = opened.scoped_for(at.user) if at.user is not None else _scoped_for_owner(opened, proposal)
        waiting = scoped.proposals()
        key = _full_id(proposal, waiting)
        if answer == "approve":
            _check_known(scoped, [item for item in waiting if item.id == key])
        outcome = scoped.decide(key, answer, edit=changed, by=by, message=message)
    if at.as_json:
        write_json(outcome)
    else:
        say(f"{outcome.result}{f' by commit {outcome.commit}' if outcome.commit else ''}")


def _full_id(prefix: str, waiting: "Sequence[Proposal]") -> str:
    """Return the id of the waiting proposal that begins with `prefix`.

    If none does, return `prefix` itself: it may be decided already, and then `decide` returns that outcome.
    """
    ids = [proposal.id for proposal in waiting]
    waits = any(key.startswith(prefix) for key in ids)
    return find_by_prefix(prefix, ids, "proposal", "proposals") if waits else prefix


def _scoped_for_owner(opened: "OpenTarget", prefix: str) -> "Scoped":
    queue = {proposal.id: proposal.identity for proposal in opened.scoped_for().review_queue()}
    if not any(key.startswith(prefix) for key in queue):
        raise ConfigurationError(f"no proposal {prefix!r} waits; `proposals --all` lists them")
    owner = queue[find_by_prefix(prefix, queue, "proposal", "proposals --all")]
    return opened.scoped_for(owner.user_id, owner.thread_id)


def _check_known(scoped: "Scoped", waiting: "Sequence[Proposal]") -> None:
    """Check that this machine knows the operation and all its arguments; otherwise an approval would lose some.

    Raises:
        ConfigurationError: It does not; the proposal comes from a machine of the user's own.
    """
    for proposal in waiting:
        operations = [kind for store in scoped.stores if store.name == proposal.store for kind in store.operations]
        arguments = {name for name, value in proposal.args.items() if value is not None}
        if not any(kind.__name__ == proposal.name and arguments <= kind.model_fields.keys() for kind in operations):
            raise ConfigurationError(
                f"{proposal.name}({', '.join(sorted(arguments))}) is of a schema or learning store of your own:"
                " name your machine by --machine module:name"
            )


def _object(text: str | None) -> dict[str, object] | None:
    if text is None:
        return None
    try:
        value = json.loads(text)
    except ValueError as error:
        raise typer.BadParameter(f"--edit is no JSON: {error}") from None
    if not isinstance(value, dict):
        raise typer.BadParameter('--edit is a JSON object, such as {"content": "..."}')
    return value
