from collections.abc import Iterator

import pytest
from acceptance.driver import Colour
from postgres.pooler import run_pgbouncer, through


@pytest.fixture(scope="session")
def transaction_pooler(postgres_server: str) -> Iterator[str]:
    with run_pgbouncer(postgres_server, "transaction") as pooler:
        yield pooler


@pytest.fixture(scope="session")
def session_pooler(postgres_server: str) -> Iterator[str]:
    with run_pgbouncer(postgres_server, "session") as pooler:
        yield pooler


@pytest.fixture(params=["transaction", "session"])
def pooled_url(request: pytest.FixtureRequest, postgres_url: str) -> str:
    """The URL of an empty database behind a pooler."""
    return through(request.getfixturevalue(f"{request.param}_pooler"), postgres_url)


@pytest.fixture
def transaction_url(transaction_pooler: str, postgres_url: str) -> str:
    """The URL of an empty database behind a pooler that gives each transaction any session."""
    return through(transaction_pooler, postgres_url)


@pytest.fixture(params=["sync", "async"])
def colour(request: pytest.FixtureRequest) -> Colour:
    return "sync" if request.param == "sync" else "async"
