"""Registration of commands: it adds the common options, passes them as one `Target`, and handles errors."""

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any, Concatenate, ParamSpec

import typer

from langgraph_learning.cli.output import complain
from langgraph_learning.cli.target import Target
from langgraph_learning.errors import LearningError

P = ParamSpec("P")
Step = Callable[Concatenate[Target, P], None]

DATABASE: dict[str, tuple[object, object]] = {
    "url": (
        Annotated[
            str | None,
            typer.Option(
                "--db",
                "-d",
                envvar=["LANGGRAPH_LEARNING_DB", "DATABASE_URL"],
                metavar="URL",
                help="sqlite:///file.db or postgresql://user@host/database.",
            ),
        ],
        None,
    ),
    "schema": (Annotated[str | None, typer.Option(metavar="NAME", help="The schema in a Postgres database.")], None),
    "embed": (
        Annotated[
            str | None,
            typer.Option(metavar="NAME", help="The embedder, for search by meaning: 'local' or 'provider:model'."),
        ],
        None,
    ),
    "as_json": (Annotated[bool, typer.Option("--json", help="Write JSON, one object per line.")], False),
}
SCOPE: dict[str, tuple[object, object]] = {
    "user": (Annotated[str | None, typer.Option("--user", "-u", metavar="ID", help="The id of the user.")], None),
    "thread": (
        Annotated[
            str | None,
            typer.Option(
                "--thread", "-t", metavar="ID", help="The id of the thread; only session contexts belong to one thread."
            ),
        ],
        None,
    ),
    "namespace": (
        Annotated[str, typer.Option(metavar="NAME", help="The namespace of shared records.")],
        "global",
    ),
    "machine": (
        Annotated[
            str | None,
            typer.Option(
                metavar="MODULE:NAME",
                help="Your own LearningMachine, e.g. app.agent:learning; by default one with every learning store.",
            ),
        ],
        None,
    ),
}


def command(app: typer.Typer, step: Step[...], *, name: str | None = None, scoped: bool = True) -> None:
    """Add `step` to the commands of `app`.

    Args:
        app: The typer application.
        step: The function of the command: it takes a `Target`, then its own options. If it raises a `LearningError`,
            the command prints the message and exits with code 1.
        name: The name of the command, if it differs from the name of `step`.
        scoped: Whether the command also takes the options of `SCOPE`.
    """
    shared = DATABASE | (SCOPE if scoped else {})

    @wraps(step)
    def run(**values: Any) -> None:
        target = Target(**{option: values.pop(option) for option in shared})
        try:
            step(target, **values)
        except LearningError as error:
            # Any option may have a password in it, such as the URL of the source of an import.
            texts = [option for option in values.values() if isinstance(option, str)]
            complain(target.without_secrets(str(error), *texts))
            raise typer.Exit(1) from None

    own = list(inspect.signature(step, eval_str=True).parameters.values())[1:]
    added = [
        inspect.Parameter(option, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
        for option, (annotation, default) in shared.items()
    ]
    parameters = [*(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own), *added]
    del run.__wrapped__  # otherwise typer reads the signature of `step`
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    app.command(name)(run)
