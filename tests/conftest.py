from collections.abc import Iterator

import pytest
from hypothesis import settings
from postgres import any_postgres

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
    import uuid

    import psycopg
    from psycopg.conninfo import conninfo_to_dict
    from psycopg.sql import SQL, Identifier

    name = f"t{uuid.uuid4().hex[:12]}"
    with psycopg.connect(postgres_server, autocommit=True) as admin:
        admin.execute(SQL("create database {}").format(Identifier(name)))
        try:
            parts = conninfo_to_dict(postgres_server)
            secret = f":{parts['password']}" if parts.get("password") else ""
            yield f"postgresql://{parts['user']}{secret}@{parts['host']}:{parts['port']}/{name}"
        finally:
            admin.execute(SQL("drop database {} with (force)").format(Identifier(name)))
