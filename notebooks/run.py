"""Execute notebooks, each in a kernel of its own: `python -m notebooks.run [notebook ...]`."""

import asyncio
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from nbclient import NotebookClient
from nbconvert import HTMLExporter
from nbformat import NotebookNode, read, write

HERE = Path(__file__).parent
EXECUTED = HERE.parent / "build" / "notebooks"
AT_ONCE = 2
TIMEOUT = 300
"""How long one cell may take, in seconds; a real model takes its time."""
QUIET = ["--IPKernelApp.log_level=40"]  # a kernel warns that it listens, on this machine alone


def every() -> list[Path]:
    """Return all notebooks, in reading order."""
    return sorted(path for path in HERE.rglob("*.ipynb") if ".ipynb_checkpoints" not in path.parts)


async def executed(paths: Iterable[Path]) -> list[NotebookNode]:
    """Return the notebooks as they are after all their cells ran.

    Raises:
        CellExecutionError: A cell failed; the error shows it.
    """
    turn = asyncio.Semaphore(AT_ONCE)

    async def one(path: Path) -> NotebookNode:
        async with turn:
            began = time.perf_counter()
            done = await _executed(path)
            print(f"{time.perf_counter() - began:6.1f} s  {path.relative_to(HERE)}", flush=True)
        return done

    return await asyncio.gather(*(one(path) for path in paths))


async def _executed(path: Path) -> NotebookNode:
    notebook: NotebookNode = read(path, as_version=4)
    where = {"metadata": {"path": str(path.parent)}}
    client = NotebookClient(notebook, timeout=TIMEOUT, resources=where, extra_arguments=QUIET)
    await client.async_execute()
    return notebook


def main() -> None:
    """Execute what the command line names, or all; notebooks and pages go to build/notebooks."""
    paths = [Path(name).resolve() for name in sys.argv[1:]] or every()
    began = time.perf_counter()
    for path, notebook in zip(paths, asyncio.run(executed(paths)), strict=True):
        page, _ = HTMLExporter().from_notebook_node(notebook)
        kept = EXECUTED / path.relative_to(HERE)
        kept.parent.mkdir(parents=True, exist_ok=True)
        write(notebook, kept)
        kept.with_suffix(".html").write_text(page, encoding="utf-8")
    took = time.perf_counter() - began
    print(
        f"{took:6.1f} s  {len(paths)} notebooks; pages are in {EXECUTED.relative_to(HERE.parent)}"
    )


if __name__ == "__main__":
    main()
