"""The queue of jobs on Postgres: written with the turn, one that waits a user, given back when a worker dies."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from background.test_background import graph_of, learning_machine
from graphs.world import ADA, said, thread

from langgraph_learning import Background, connect
from langgraph_learning.checkpointers._store.jobs import JobQueue

ELSEWHERE = Background(delay=60, in_process=False)


def jobs_of(url: str, schema: str = "public") -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        query = f"select status::text, queue_name, lock, scheduled_at from {schema}.procrastinate_jobs"  # noqa: S608
        return connection.execute(query.encode()).fetchall()


@pytest.mark.parametrize("schema", [None, "Learning of mine"])
def test_a_users_turns_that_wait_have_one_job_which_is_due_with_the_first(
    postgres_url: str, schema: str | None
) -> None:
    machine, _ = learning_machine(background=ELSEWHERE)
    with connect(postgres_url, schema=schema) as db:
        graph = graph_of(machine, db.store)
        for number in range(3):
            graph.invoke(said("I like tea.", f"m{number}"), thread(f"t{number}"), context=ADA)
        graph.invoke(said("I like tea.", "m9"), thread("theirs"), context={"user_id": "bob"})
        assert len(machine.scoped(user_id="ada", store=db.store).pending()) == 3
    jobs = jobs_of(postgres_url, f'"{schema}"' if schema else "public")
    assert [(status, queue) for status, queue, _, _ in jobs] == [("todo", "learning:learning")] * 2
    assert len({lock for _, _, lock, _ in jobs}) == 2
    assert all(timedelta() < due - datetime.now(UTC) < timedelta(seconds=61) for *_, due in jobs)


def test_turn_and_job_are_written_together_or_not_at_all(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    machine, _ = learning_machine(background=ELSEWHERE)
    with connect(postgres_url) as db:
        graph = graph_of(machine, db.store)
        db.store.jobs(machine.name)  # type: ignore[attr-defined]  # its tables are made
        defer = JobQueue.defer

        def fails_after(*arguments: Any) -> None:
            defer(*arguments)
            raise ConnectionError("the connection is lost")

        monkeypatch.setattr(JobQueue, "defer", fails_after)
        graph.invoke(said("I like tea.", "m1"), thread(), context=ADA)
        assert machine.scoped(user_id="ada", store=db.store).pending() == []
        assert jobs_of(postgres_url) == []
        monkeypatch.undo()
        graph.invoke(said("I like tea.", "m1"), thread(), context=ADA)
        assert len(machine.scoped(user_id="ada", store=db.store).pending()) == len(jobs_of(postgres_url)) == 1


async def give_back_stalled(queue: JobQueue) -> None:
    """Do what a worker does every few seconds."""
    async with queue._open(1) as app:
        await queue._give_back_stalled(app)


def test_the_job_of_a_worker_that_died_is_given_back(postgres_url: str) -> None:
    machine, _ = learning_machine(background=ELSEWHERE)
    with connect(postgres_url) as db:
        graph_of(machine, db.store).invoke(said("I like tea.", "m1"), thread(), context=ADA)
        queue: JobQueue = db.store.jobs(machine.name)  # type: ignore[attr-defined]
        died = "update procrastinate_jobs set status = 'doing', scheduled_at = now() - interval '1 hour'"
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            connection.execute(died)
        asyncio.run(give_back_stalled(queue))
        assert [status for status, *_ in jobs_of(postgres_url)] == ["todo"]
