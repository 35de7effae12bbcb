"""Rows of the acceptance suite again, behind a pooler in transaction mode."""

from collections.abc import Callable, Iterator

import pytest
from acceptance import test_basics, test_propose, test_session_context
from acceptance.driver import Colour, Home
from postgres.pooler import through
from postgres_server import a_database, empty_database

for module in (test_basics, test_propose, test_session_context):
    rows = {name: row for name, row in vars(module).items() if name.startswith("test_")}
    globals().update(rows)


@pytest.fixture(scope="module")
def emptied(postgres_server: str, transaction_pooler: str) -> Iterator[Callable[[], str]]:
    """One database for all rows; called, it is empty, and says its URL through the pooler."""
    with a_database(postgres_server) as url:

        def empty() -> str:
            empty_database(url)
            return through(transaction_pooler, url)

        yield empty


@pytest.fixture
def home(colour: Colour, emptied: Callable[[], str]) -> Iterator[Home]:
    with Home(colour, emptied()) as opened:
        yield opened
