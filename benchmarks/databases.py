"""The databases the benchmarks run on: a file that is thrown away, and a Postgres given or started here."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from postgres_server import any_postgres


@contextmanager
def postgres(dsn: str | None) -> Iterator[str]:
    """Yield `dsn`, or the DSN of the server the tests would use."""
    if dsn:
        yield dsn
    else:
        with any_postgres() as started:
            yield started
