"""Roles as administrators give them: a schema that is there, tables that are there, and no right to make any."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from postgres.world import FACT, memories, talk, talk_at_once

from langgraph_learning import LearningMachine, connect
from langgraph_learning.errors import StoreError

GRANTS = (
    "grant usage on schema ours to limited",
    "grant select, insert, update, delete on all tables in schema ours to limited",
)


@pytest.fixture
def limited_url(postgres_server: str, postgres_url: str) -> Iterator[str]:
    """The URL of a role that may only connect."""
    with psycopg.connect(postgres_server, autocommit=True) as admin:
        admin.execute("drop role if exists limited")
        admin.execute("create role limited login")
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute("revoke create on schema public from public")
    yield postgres_url.replace("//postgres@", "//limited@")
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        admin.execute("drop owned by limited")
    with psycopg.connect(postgres_server, autocommit=True) as admin:
        admin.execute("drop role limited")


def _as_admin(url: str, *statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as admin:
        for statement in statements:
            admin.execute(statement.encode())


def test_a_schema_that_an_administrator_made_is_used(limited_url: str, postgres_url: str) -> None:
    _as_admin(postgres_url, "create schema ours authorization limited")
    with connect(limited_url, schema="ours") as db:
        talk(db, "ada", "t")
        assert memories(db, "ada") == [FACT]


def test_a_role_that_may_only_read_and_write_works_after_an_administrator_has_migrated(
    limited_url: str, postgres_url: str
) -> None:
    with connect(postgres_url, schema="ours"):
        pass
    _as_admin(postgres_url, *GRANTS)
    for _ in range(2):
        with connect(limited_url, schema="ours") as db:
            talk(db, "ada", "t")
            db.checkpointer.copy_thread("t", "copy")
            db.checkpointer.prune(["copy"])
            db.checkpointer.delete_thread("copy", learned=True)
            assert memories(db, "ada") == [FACT]


def test_a_role_searches_where_functions_are_nobodys_by_default(limited_url: str, postgres_url: str) -> None:
    _as_admin(postgres_url, "alter default privileges revoke execute on functions from public")
    try:
        with connect(postgres_url, schema="ours"):
            pass
        _as_admin(postgres_url, *GRANTS)
        with connect(limited_url, schema="ours") as db:
            talk(db, "ada", "t")
            assert memories(db, "ada") == [FACT]
    finally:
        _as_admin(postgres_url, "alter default privileges grant execute on functions to public")


def test_what_is_missing_is_said(limited_url: str) -> None:
    with pytest.raises(StoreError, match="permission denied"), connect(limited_url, schema="ours"):
        pass


@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
def test_turns_at_once_are_kept_whatever_the_default_isolation(postgres_url: str, level: str) -> None:
    name = postgres_url.rpartition("/")[2]
    _as_admin(postgres_url, f"alter database {name} set default_transaction_isolation = '{level}'")
    with connect(postgres_url) as db, psycopg.connect(postgres_url) as check:
        assert check.execute("show transaction_isolation").fetchone() == (level,)
        users = [f"user {number}" for number in range(8)]
        assert talk_at_once(db, users) == ["Hello"] * 8
        assert [memories(db, user) for user in users] == [[FACT]] * 8


@pytest.mark.parametrize(
    "setting",
    [
        "client_encoding = 'LATIN1'",
        "DateStyle = 'SQL, DMY'",
        "TimeZone = 'Asia/Kathmandu'",
        "bytea_output = 'escape'",
        "standard_conforming_strings = off",
        "extra_float_digits = -15",
        "lock_timeout = '1ms'",
        "idle_session_timeout = '50ms'",
        "plan_cache_mode = 'force_generic_plan'",
        "default_transaction_deferrable = on",
    ],
)
def test_turns_are_kept_whatever_an_administrator_has_set_for_the_database(postgres_url: str, setting: str) -> None:
    with connect(postgres_url):
        pass
    _as_admin(postgres_url, f"alter database {postgres_url.rpartition('/')[2]} set {setting}")
    with connect(postgres_url) as db:
        for turn in range(2):
            assert talk(db, "Łucja 日本 🍵", f"t{turn}") == "Hello"
            time.sleep(0.1)  # longer than a session may be idle
        assert memories(db, "Łucja 日本 🍵") == [FACT]
        found = LearningMachine(user_memory=True).scoped(user_id="Łucja 日本 🍵", store=db.store).records()
        assert abs(datetime.now(UTC) - found[0].created_at) < timedelta(hours=1)


@pytest.mark.parametrize("schema", ["x'||(select pg_sleep(60))::text||'", "a%s$schema", 'q"; drop schema public; --'])
def test_a_schema_name_is_a_name_and_no_statement(postgres_url: str, schema: str) -> None:
    with connect(postgres_url, schema=schema) as db:
        talk(db, "ada", "t")
        db.checkpointer.copy_thread("t", "copy")
        assert memories(db, "ada") == [FACT]
    with psycopg.connect(postgres_url) as check:
        found = check.execute("select distinct schemaname from pg_tables where schemaname !~ '^(pg_|information)'")
        assert found.fetchall() == [(schema,)]
