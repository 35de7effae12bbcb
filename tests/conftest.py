from collections.abc import Iterator

import pytest
from hypothesis import settings
from postgres_server import a_database, any_postgres

# The same examples every time: a failure that comes and goes helps nobody who did not cause it.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The DSN of a server to make databases on."""
    with any_postgres() as dsn:
        yield dsn


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """The URL of an empty database of this test's own, gone afterwards."""
    with a_database(postgres_server) as url:
        yield url
