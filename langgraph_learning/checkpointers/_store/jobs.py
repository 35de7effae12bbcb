"""Jobs in the database of a Postgres store, which wake workers in other processes (procrastinate, extra `worker`)."""

import asyncio
import itertools
import json
import logging
import signal
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import procrastinate
from procrastinate.exceptions import AlreadyEnqueued, ConnectorException
from procrastinate.jobs import Job, Status
from procrastinate.schema import SchemaManager
from psycopg import AsyncConnection, Connection
from psycopg_pool import AsyncConnectionPool

from langgraph_learning.errors import StoreError

if TYPE_CHECKING:
    from langgraph_learning.checkpointers._store.postgres import PostgresDialect

log = logging.getLogger("langgraph_learning")

TASK = "langgraph_learning.learn"
LOOK = 10.0
"""The seconds between two searches for jobs of dead workers."""
LOOKS = 6
"""The number of such searches for each search for turns without a job, which reads the turns of all users."""
HEARTBEAT, DEAD_AFTER = 5.0, 15.0
"""The seconds between two heartbeats of a worker, and the silence after which its jobs go to other workers."""
GRACE = 60.0
"""The seconds that a worker waits for running calls before it ends."""
Namespace = tuple[str, ...]
Step = Callable[[Namespace], datetime | None]
Find = Callable[[], Iterable[Namespace]]


class JobQueue:
    """The jobs of one machine: at most one waits for each user, and the jobs of a user run one after the other."""

    def __init__(self, dialect: "PostgresDialect", machine: str) -> None:
        self._dialect, self._queue = dialect, f"learning:{machine}"
        self._app = procrastinate.App(connector=procrastinate.SyncPsycopgConnector())

    def setup(self) -> None:
        """Create the missing tables of the queue, under the lock of the store's migrations."""
        with self._dialect.writing() as session:
            connection: Connection[Any] = session.connection  # type: ignore[assignment]
            self._enter_schema(connection)
            row = connection.execute("select to_regclass('procrastinate_jobs') is not null as made").fetchone()
            if not next(iter(row.values() if isinstance(row, dict) else row or ())):
                connection.execute(SchemaManager.get_schema(), prepare=False)

    def _enter_schema(self, connection: Connection[Any]) -> None:
        connection.execute("select set_config('search_path', %s, true)", (self._search_path,))

    @property
    def _search_path(self) -> str:
        quoted = self._dialect.schema_name.replace('"', '""')
        return f'"{quoted}", public'

    def defer(self, connection: object, namespace: Namespace, due_at: datetime) -> None:
        """Add a job on a connection of the store, in its transaction; a job that already waits is enough.

        A worker may fetch that waiting job before the turn is committed, and then does not see the turn. The workers
        also look for turns without a job, so it is not lost.
        """
        assert isinstance(connection, Connection)
        self._enter_schema(connection)
        try:
            with connection.transaction():  # a refused job must not roll back the turn
                self._configure(self._app, namespace, due_at, connection=connection).defer(namespace=list(namespace))
        except AlreadyEnqueued:
            pass
        except ConnectorException as error:
            raise StoreError(
                f"the job that learns from the turn could not be added to the queue: {error.__cause__ or error}"
            ) from error

    def _configure(self, app: procrastinate.App, namespace: Namespace, due_at: datetime, **options: Any) -> Any:
        user = json.dumps(namespace)
        return app.configure_task(
            TASK,
            queue=self._queue,
            lock=f"{self._queue} {user}",
            queueing_lock=f"{self._queue} {user}",
            schedule_at=max(due_at, datetime.now(UTC)),
            **options,
        )

    def work(self, step: Step, find: Find, *, concurrency: int) -> None:
        """Run a worker until the process gets a signal to end.

        Args:
            step: Learns from the due turns of one user, and returns the time of the next visit.
            find: Lists the users whose turns wait.
            concurrency: The number of users to learn from at the same time.
        """
        self.setup()
        asyncio.run(self._work(step, find, concurrency))

    async def _work(self, step: Step, find: Find, concurrency: int) -> None:
        with ThreadPoolExecutor(concurrency + 1, thread_name_prefix="learning") as threads:
            async with self._open(concurrency) as app:
                self._add_task(app, step, threads)
                await self._run(app, find, concurrency, threads)

    @asynccontextmanager
    async def _open(self, concurrency: int) -> AsyncIterator[procrastinate.App]:
        async def configure(connection: AsyncConnection[Any]) -> None:
            await connection.execute("select set_config('search_path', %s, false)", (self._search_path,))
            await connection.commit()

        app = procrastinate.App(connector=procrastinate.PsycopgConnector())
        pool = AsyncConnectionPool(
            self._dialect.conninfo,
            min_size=1,
            # One listens, one sends the heartbeat; jobs need further ones only between calls.
            max_size=min(concurrency, 8) + 3,
            configure=configure,
            kwargs={"client_encoding": "utf8"},
            open=False,
            check=AsyncConnectionPool.check_connection,
        )
        async with pool, app.open_async(pool):
            yield app

    def _add_task(self, app: procrastinate.App, step: Step, threads: ThreadPoolExecutor) -> None:
        @app.task(name=TASK, queue=self._queue, retry=procrastinate.RetryStrategy(wait=10))
        async def learn(namespace: Sequence[str]) -> None:
            place = tuple(namespace)
            next_at = await asyncio.get_running_loop().run_in_executor(threads, step, place)
            if next_at is not None:
                await self._defer(app, place, next_at)

    async def _defer(self, app: procrastinate.App, namespace: Namespace, due_at: datetime) -> None:
        with suppress(AlreadyEnqueued):
            await self._configure(app, namespace, due_at).defer_async(namespace=list(namespace))

    async def _run(self, app: procrastinate.App, find: Find, concurrency: int, threads: ThreadPoolExecutor) -> None:
        ended = _asked_to_end()
        looking = asyncio.create_task(self._look(app, find, threads))
        try:
            while not ended.is_set():
                try:
                    await self._run_until(ended, app, concurrency)
                except ConnectorException:  # the database restarts; the waiting jobs are still there afterwards
                    log.exception("the worker lost its database; it tries again")
                    with suppress(TimeoutError):
                        await asyncio.wait_for(ended.wait(), 5)
        finally:
            looking.cancel()

    async def _run_until(self, ended: asyncio.Event, app: procrastinate.App, concurrency: int) -> None:
        """Run the worker until `ended` is set, then let it finish the running jobs."""
        working = asyncio.create_task(
            app.run_worker_async(
                queues=[self._queue],
                concurrency=concurrency,
                delete_jobs="successful",
                update_heartbeat_interval=HEARTBEAT,
                stalled_worker_timeout=DEAD_AFTER,
                shutdown_graceful_timeout=GRACE,
                install_signal_handlers=False,
            )
        )
        ending = asyncio.create_task(ended.wait())
        await asyncio.wait({working, ending}, return_when=asyncio.FIRST_COMPLETED)
        ending.cancel()
        if ended.is_set():
            working.cancel()
        with suppress(asyncio.CancelledError):
            await working

    async def _look(self, app: procrastinate.App, find: Find, threads: ThreadPoolExecutor) -> None:
        for look in itertools.count():
            try:
                await self._give_back_stalled(app)
                if look % LOOKS == 0:
                    await self._enter_missing(app, find, threads)
            except (ConnectorException, StoreError):
                log.warning("could not look for turns that wait; trying again", exc_info=True)
            await asyncio.sleep(LOOK)

    async def _give_back_stalled(self, app: procrastinate.App) -> None:
        stalled = await app.job_manager.get_stalled_jobs(
            queue=self._queue, task_name=TASK, seconds_since_heartbeat=DEAD_AFTER
        )
        for job in stalled:
            await self._give_back(app, job)

    async def _enter_missing(self, app: procrastinate.App, find: Find, threads: ThreadPoolExecutor) -> None:
        for namespace in await asyncio.get_running_loop().run_in_executor(threads, find):
            await self._defer(app, namespace, datetime.now(UTC))

    async def _give_back(self, app: procrastinate.App, job: Job) -> None:
        """Return the job of a dead worker to the queue, unless another job already waits for the user."""
        try:
            await app.job_manager.retry_job(job)
        except ConnectorException:
            await app.job_manager.finish_job(job, status=Status.FAILED, delete_job=True)


def _asked_to_end() -> asyncio.Event:
    """Return an event that SIGTERM and ctrl+c set."""
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        with suppress(NotImplementedError):  # on Windows ctrl+c ends the process by itself
            asyncio.get_running_loop().add_signal_handler(number, ended.set)
    return ended
