"""A whole backup of many records, SQLite to Postgres and back: peak of memory, time, and whether all is there.

`python -m benchmarks.whole_backup [--records 100000] [--dsn postgresql://...]`. Each step is a process of its own, so
that its peak is its own; a first round with a tenth of the records says whether the peak grows with them.
"""

import argparse
import hashlib
import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.databases import postgres
from langgraph_learning import backup, connect

AT = "2026-05-01T00:00:00+00:00"
WORDS = "bees keeps a garden near the river and sells honey on Fridays in winter".split()


def made(count: int) -> Iterator[dict[str, Any]]:
    """Yield memories of a hundred users, each of a dozen words."""
    for number in range(count):
        text = " ".join([str(number), *(WORDS[(number * 7 + place) % len(WORDS)] for place in range(11))])
        yield {
            "id": f"m{number}",
            "store": "user_memory",
            "scope": {"user_id": f"u{number % 100}"},
            "content": {"content": text},
            "text": text,
            "created_at": AT,
            "updated_at": AT,
        }


def load(url: str, source: Path) -> dict[str, Any]:
    """Take a file in."""
    with connect(url) as db, source.open(encoding="utf-8") as lines:
        restored = backup.load(db.store, map(json.loads, lines))
    return {"rows": restored.written}


def export(url: str, target: Path) -> dict[str, Any]:
    """Write a file, and say what is in it."""
    digest, rows = hashlib.sha256(), 0
    with connect(url) as db, target.open("w", encoding="utf-8") as out:
        for row in backup.export(db.store):
            line = json.dumps(row, sort_keys=True, ensure_ascii=False)
            out.write(f"{line}\n")
            digest.update(line.encode())
            rows += 1
    return {"rows": rows, "digest": digest.hexdigest()[:16]}


def step(name: str, url: str, file: Path) -> dict[str, Any]:
    """Run one step in a process of its own, and print what it took."""
    command = [sys.executable, "-m", "benchmarks.whole_backup", "--step", name, url, str(file)]
    figures: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    place = url.partition(":")[0]
    print(
        f"  {name:<7}{place:<11}{figures['seconds']:7.1f} s {figures['peak']:6.0f} MB  {figures['rows']:>7} rows",
        flush=True,
    )
    return figures


def main() -> None:
    """Measure, or run one step."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--dsn")
    parser.add_argument("--step", nargs=3)
    given = parser.parse_args()
    if given.step:
        name, url, file = given.step
        began = time.perf_counter()
        step_of = {"load": load, "export": export}[name](url, Path(file))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({**step_of, "seconds": time.perf_counter() - began, "peak": peak}))
        return
    for count in (given.records // 10, given.records):
        print(f"{count} records")
        with TemporaryDirectory() as folder, postgres(given.dsn) as dsn:
            home = Path(folder)
            home.joinpath("made").write_text("".join(f"{json.dumps(row)}\n" for row in made(count)), encoding="utf-8")
            first, second = f"sqlite:///{home}/first.db", f"sqlite:///{home}/second.db"
            step("load", first, home / "made")
            digests = [step("export", first, home / "1")["digest"]]
            step("load", dsn, home / "1")
            digests.append(step("export", dsn, home / "2")["digest"])
            step("load", second, home / "2")
            digests.append(step("export", second, home / "3")["digest"])
            print(f"  digests {'equal' if len(set(digests)) == 1 else 'DIFFER'}: {digests[0]}", flush=True)


if __name__ == "__main__":
    main()
