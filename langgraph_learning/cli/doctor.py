"""The command that finds errors in a set-up and says how to fix them. Its only connection is to the database."""

import os
import sys
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal
from urllib.parse import urlsplit

import typer

from langgraph_learning.cli.command import command
from langgraph_learning.cli.output import say, write_json
from langgraph_learning.cli.target import Target
from langgraph_learning.errors import ConfigurationError, LearningError

if TYPE_CHECKING:
    from langgraph_learning.checkpointers._store.inspect import DatabaseState

PACKAGE = "langgraph-learning"
KEYS = {
    "anthropic": "ANTHROPIC_API_KEY",
    "azure_openai": "AZURE_OPENAI_API_KEY",
    "google_genai": "GOOGLE_API_KEY",
    "ollama": "",
    "huggingface": "",
    "bedrock": "",
    "bedrock_converse": "",
    "google_vertexai": "",
}
"""The environment variable of a provider's key, if it is not `<PROVIDER>_API_KEY`; empty if there is none to check."""
PACKAGES = {
    "azure_openai": "langchain-openai",
    "bedrock": "langchain-aws",
    "bedrock_converse": "langchain-aws",
    "google_genai": "langchain-google-genai",
    "google_vertexai": "langchain-google-vertexai",
}


@dataclass(frozen=True)
class Check:
    """The result of one check, and how to fix what is wrong."""

    check: str
    state: Literal["ok", "warning", "error"]
    told: str
    mend: str = ""


def register(app: typer.Typer) -> None:
    """Add the command."""
    command(app, doctor, scoped=False)


def doctor(
    at: Target,
    model: Annotated[
        str | None, typer.Option(metavar="PROVIDER:NAME", help="A chat model to check, without calling it.")
    ] = None,
) -> None:
    """Check Python, packages, database, embedder and model, and say how to fix what is wrong.

    Example: langgraph-learning doctor -d postgresql://localhost/app --embed local --model openai:gpt-5.2
    """
    failed = False
    for check in _checks(at, model):
        failed = failed or check.state == "error"
        if at.as_json:
            write_json(check)
            continue
        say(f"{check.state:<8} {check.check}: {at.without_secrets(check.told)}")
        if check.mend:
            say(f"{'':<8} -> {at.without_secrets(check.mend)}")
    if failed:
        raise typer.Exit(1)


def _checks(at: Target, model: str | None) -> Iterator[Check]:
    yield Check("python", "ok", sys.version.split()[0])
    yield from _packages()
    state = yield from _database(at)
    if at.embed is not None:
        yield _embedder(at.embed, state)
    if model is not None:
        yield _provider("model", model)


def _packages() -> Iterator[Check]:
    from packaging.requirements import Requirement

    try:
        requirements = [Requirement(line) for line in requires(PACKAGE) or ()]
        yield Check("package", "ok", f"{PACKAGE} {version(PACKAGE)}")
    except PackageNotFoundError:
        yield Check("package", "warning", f"{PACKAGE} is not installed", f"pip install {PACKAGE}")
        return
    for requirement in requirements:
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue  # for an extra, or for another platform
        mend = f"pip install '{requirement.name}{requirement.specifier}'"
        try:
            installed = version(requirement.name)
        except PackageNotFoundError:
            yield Check("package", "error", f"{requirement.name} is not installed", mend)
            continue
        if requirement.specifier.contains(installed, prereleases=True):
            yield Check("package", "ok", f"{requirement.name} {installed}")
        else:
            yield Check(
                "package", "error", f"{requirement.name} is {installed}, and {requirement.specifier} is needed", mend
            )


def _database(at: Target) -> "Generator[Check, None, DatabaseState | None]":
    """Check the database and return its state, without opening it for use: that would create tables and migrate."""
    if not at.url:
        mend = "give --db sqlite:///learning.db, or set LANGGRAPH_LEARNING_DB"
        yield Check("database", "error", "no database is named", mend)
        return None
    try:
        state = at.state()
    except LearningError as error:
        down = "is it the right file?" if at.url.startswith("sqlite:") else "is it running, and is the URL right?"
        mend = "correct the URL" if isinstance(error, ConfigurationError) else down
        yield Check("database", "error", f"{redact_url(at.url)}: {' '.join(str(error).split())}", mend)
        return None
    if state is None:
        mend = "the first use creates it, or `langgraph-learning migrate`"
        yield Check("database", "warning", f"{redact_url(at.url)} does not exist yet", mend)
        return None
    yield Check("database", "ok", f"{redact_url(at.url)}, {state.server}")
    yield from _file(at.url)
    yield _migrations(state)
    if state.turns:
        yield _turns(state)
    if not at.url.startswith("sqlite:"):
        yield _pgvector(state, wanted=at.embed is not None or state.dims is not None)
    return state


def _file(url: str) -> Iterator[Check]:
    from langgraph_learning.checkpointers.database import sqlite_path

    path = Path(sqlite_path(url.partition("://")[2])) if url.startswith("sqlite:") else None
    if path is not None and not (os.access(path, os.W_OK) and os.access(path.resolve().parent, os.W_OK)):
        yield Check("file", "error", "this process may not write it", f"chmod u+w {path} {path.resolve().parent}")


def _migrations(state: "DatabaseState") -> Check:
    if state.unknown:
        finding = f"the tables are of a newer version (migration {state.unknown[-1]})"
        return Check("migrations", "error", finding, f"pip install -U {PACKAGE}")
    if not state.made:
        return Check("migrations", "warning", "there are no tables yet", "langgraph-learning migrate, or the first use")
    if state.pending:
        finding = f"{len(state.pending)} to be applied: {', '.join(state.pending)}"
        return Check("migrations", "warning", finding, "langgraph-learning migrate, or the next use")
    return Check("migrations", "ok", f"{len(state.applied)} applied, none to do")


def _turns(state: "DatabaseState") -> Check:
    failed, waiting = state.turns.get("failed", 0), state.turns.get("waiting", 0)
    if failed:
        mend = "langgraph-learning pending shows them with their errors; --retry makes them wait again"
        return Check("turns", "warning", f"{failed} failed turns, and {waiting} wait to be learned from", mend)
    return Check("turns", "ok", f"{waiting} wait to be learned from")


def _pgvector(state: "DatabaseState", *, wanted: bool) -> Check:
    if state.extension is not None:
        return Check("pgvector", "ok", state.extension)
    if state.available is not None:
        finding = f"{state.available} can be installed in this database"
        mend = "create extension vector; (opening the database with an embedder does so, if the role may)"
        return Check("pgvector", "warning" if wanted else "ok", finding, mend if wanted else "")
    mend = "install pgvector on the server (https://github.com/pgvector/pgvector), or use the image pgvector/pgvector"
    if wanted:
        return Check("pgvector", "error", "this server does not have it, and --embed needs it", mend)
    return Check("pgvector", "warning", "this server does not have it: search uses words only", mend)


def _embedder(embed: str, state: "DatabaseState | None") -> Check:
    """Check an embedder; only the local one, which needs no network, is also run."""
    if embed != "local":
        return _provider("embedder", embed)
    from langgraph_learning.checkpointers._store.embedding import Embedder

    try:
        dims = Embedder(embed, None).probe()
    except LearningError as error:
        return Check("embedder", "error", str(error), "pip install 'langgraph-learning[local]'")
    if state is not None and state.dims not in (None, dims):
        finding = f"'local' gives vectors of {dims} dimensions, this database keeps {state.dims}"
        return Check(
            "embedder",
            "error",
            finding,
            "use the embedder of this database, or export and load into another schema or file",
        )
    return Check("embedder", "ok", f"'local', {dims} dimensions")


def _provider(what: str, model: str) -> Check:
    """Check that a provider's package is installed and its key is set; the key itself is not tested."""
    provider, colon, name = model.partition(":")
    if not (provider and colon and name):
        return Check(what, "error", f"{model!r} names no provider", "write provider:name, e.g. openai:gpt-5.2")
    package = PACKAGES.get(provider, f"langchain-{provider.replace('_', '-')}")
    if find_spec(package.replace("-", "_")) is None:
        return Check(what, "error", f"{model} needs the package {package}", f"pip install {package}")
    key = KEYS.get(provider, f"{provider.upper()}_API_KEY")
    if key and not os.environ.get(key):
        return Check(what, "error", f"{model} needs a key, and {key} is not set", f"export {key}=...")
    return Check(what, "ok", f"{model}: {package} {version(package)}{f', {key} is set' if key else ''}")


def redact_url(url: str) -> str:
    """Return a URL that is safe to print, without password and options."""
    try:
        parts = urlsplit(url)
        if parts.scheme.startswith("postgres"):
            user = f"{parts.username}@" if parts.username else ""
            port = f":{parts.port}" if parts.port else ""
            return f"{parts.scheme}://{user}{parts.hostname or ''}{port}{parts.path}"
    except ValueError:
        return f"{url.partition('://')[0]}://..."
    return url if parts.scheme == "sqlite" else f"{parts.scheme}://..."
