"""Runs in the environment of the peers: the turns of each, a JSON line per row."""

import argparse
import json
import os
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

os.environ.update({"MEM0_TELEMETRY": "False", "AGNO_TELEMETRY": "false", "LANGSMITH_TRACING": "false"})

from benchmarks.peers.server import Script, serve
from benchmarks.peers.systems import SYSTEMS, UPDATING, System

AT_ONCE = 16
CHARACTERS_PER_TOKEN = 4
Make = Callable[[str, str, ExitStack], System]


def measure_turn(system: System, script: Script, name: str) -> dict[str, float]:
    """Return what one turn costs, from the message to what is learned of it."""
    script.calls.clear()
    first, began = None, time.monotonic()
    for _ in system.turn(f"I own another bicycle, {name}.", name):
        first = first or time.monotonic() - began
    ended = time.monotonic() - began
    system.settle()
    learned = time.monotonic() - began
    sizes = [call.characters // CHARACTERS_PER_TOKEN for call in script.calls]
    # A call that runs while the reply is being written does not keep anybody waiting until the reply has ended.
    before = sum(call.at - began < ended for call in script.calls)
    return {
        "first_token": first or 0.0, "end_of_reply": ended, "learned": learned, "calls": len(sizes),
        "calls_before_end": before, "tokens_sent": sum(sizes), "longest_prompt_tokens": max(sizes),
    }  # fmt: skip


def rows(make: Make, script: Script, memories: int, turns: int) -> dict[str, Any]:
    """Return the median of some turns of one system."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as closing:
        system = make(script.url, folder, closing)
        system.seed(memories)
        measure_turn(system, script, "warm")
        measured = [measure_turn(system, script, f"t{number}") for number in range(turns)]
        median = {key: round(statistics.median(row[key] for row in measured), 3) for key in measured[0]}
        return {"system": system.name, "memories": memories, **median}


def kept_at_once(make: Make, script: Script, memories: int) -> dict[str, Any]:
    """Return how many of the turns that one user has at once are kept, beside so many memories."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as closing:
        system = make(script.url, folder, closing)
        system.seed(memories)
        measure_turn(system, script, "warm")
        before, failed = system.known(), 0
        with ThreadPoolExecutor(AT_ONCE) as threads:
            futures = [threads.submit(lambda n: list(system.turn(f"Bicycle {n}.", f"c{n}")), n) for n in range(AT_ONCE)]
            failed = sum(future.exception() is not None for future in futures)
        system.settle()
        stored = system.known() - before
        return {"system": system.name, "memories": memories, "at_once": AT_ONCE, "kept": stored, "failed": failed}


def main() -> None:
    """Measure all systems."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--memories", type=int, nargs="+", default=[0, 100, 1_000, 2_000])
    parser.add_argument("--takes", type=float, default=2.0, help="seconds that each answer of the model takes")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--only", nargs="+", default=[])
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    systems = [make for make in SYSTEMS if not given.only or getattr(make, "__name__", "") in given.only]
    with serve(given.takes) as script:
        for make in systems:
            for memories in given.memories:
                print(json.dumps(rows(make, script, memories, given.turns)), flush=True)
            script.delay = min(given.takes, 0.2)
            for memories in dict.fromkeys((given.memories[0], given.memories[-1])):
                print(json.dumps(kept_at_once(make, script, memories)), flush=True)
            script.delay = given.takes
        script.delay = min(given.takes, 0.2)
        for make in UPDATING:
            print(json.dumps(kept_at_once(make, script, 0)), flush=True)


if __name__ == "__main__":
    main()
