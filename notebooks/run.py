"""Execute notebooks, two at a time: `python -m notebooks.run [notebook ...]`.

`--save` writes the outputs into the notebooks, as they are kept; without it they go to
`build/notebooks`.
"""

import argparse
import asyncio
import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from nbclient import NotebookClient
from nbconvert import HTMLExporter
from nbformat import NotebookNode, read, write
from nbformat.v4 import new_code_cell, new_notebook

from notebooks.outputs import settle_outputs

HERE = Path(__file__).parent
EXECUTED = HERE.parent / "build" / "notebooks"
AT_ONCE = 2
TIMEOUT = 300
"""How long one cell may take, in seconds; a real model takes its time."""
EMPTY = "get_ipython().reset()"
"""What a kernel is told between two notebooks: no name of one is there in the next."""
OF_ONES_OWN = ("LEARNING_MODEL", "OPENAI_API_KEY", "OPENAI_BASE_URL", "DATABASE_URL")
QUIET = ["--IPKernelApp.log_level=40"]  # a kernel warns that it listens, on this machine alone


def every() -> list[Path]:
    """Return all notebooks, in reading order."""
    return sorted(path for path in HERE.rglob("*.ipynb") if ".ipynb_checkpoints" not in path.parts)


async def executed(paths: Iterable[Path]) -> list[NotebookNode]:
    """Return the notebooks as they are after all their cells ran.

    Raises:
        CellExecutionError: A cell failed; the error shows it.
    """
    notebooks = {path: read(path, as_version=4) for path in paths}
    waiting = iter(notebooks.items())
    await asyncio.gather(*(_execute(waiting) for _ in range(min(AT_ONCE, len(notebooks)))))
    return list(notebooks.values())


async def _execute(waiting: Iterator[tuple[Path, NotebookNode]]) -> None:
    """Execute what waits in one kernel: to start one and to import takes longer than a notebook."""
    client = NotebookClient(new_notebook(), timeout=TIMEOUT, extra_arguments=QUIET)
    async with client.async_setup_kernel():
        for path, notebook in waiting:
            began = time.perf_counter()
            for client.nb in (notebook, new_notebook(cells=[new_code_cell(EMPTY)])):
                await client.async_execute(cleanup_kc=False)
            took = time.perf_counter() - began
            print(f"{took:6.1f} s  {os.path.relpath(path, HERE)}", flush=True)


def main() -> None:
    """Execute what the command line names, or all; notebooks and pages go to build/notebooks."""
    about = "Execute notebooks, two at a time; notebooks and pages go to build/notebooks."
    parser = argparse.ArgumentParser(prog="python -m notebooks.run", description=about)
    parser.add_argument("notebook", nargs="*", type=Path, help="a notebook; by default all of them")
    keep = (
        "write the outputs into the notebooks, the same from every run; only of the scripted model"
    )
    parser.add_argument("--save", action="store_true", help=keep)
    given = parser.parse_args()
    named: list[Path] = given.notebook
    for missing in (path for path in named if not path.is_file()):
        parser.error(f"there is no notebook {str(missing)!r}")
    if given.save and (found := [name for name in OF_ONES_OWN if os.environ.get(name)]):
        parser.error(f"--save keeps what everybody gets: unset {', '.join(found)}")
    paths = [path.resolve() for path in named] or every()
    began = time.perf_counter()
    for path, notebook in zip(paths, asyncio.run(executed(paths)), strict=True):
        if given.save:
            write(settle_outputs(notebook), path)
        else:
            _write_page(path, notebook)
    where = "the notebooks" if given.save else EXECUTED.relative_to(HERE.parent)
    print(f"{time.perf_counter() - began:6.1f} s  {len(paths)} notebooks; results are in {where}")


def _write_page(path: Path, notebook: NotebookNode) -> None:
    page, _ = HTMLExporter().from_notebook_node(notebook)
    kept = EXECUTED / path.relative_to(HERE)
    kept.parent.mkdir(parents=True, exist_ok=True)
    write(notebook, kept)
    kept.with_suffix(".html").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
