"""Other memories for agents beside this package: the same turns, in one run, over one server with a fixed delay.

`python -m benchmarks.turn --peers` makes an environment in `build/peers` with the releases named in `REQUIREMENTS`, and
runs `benchmarks.peers.run` in it.
"""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
PLACE = ROOT / "build" / "peers"
REQUIREMENTS = ("agno==3.1.10", "langmem==0.0.30", "mem0ai==2.2.1", "openai", "sqlalchemy[asyncio]", "langchain-openai")


def run_beside_peers(arguments: Sequence[str]) -> int:
    """Make the environment where it is missing, run the comparison in it, and return how that ended."""
    python = PLACE / "bin" / "python"
    if not (PLACE / "complete").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(PLACE)], check=True)
        install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*install, f"{ROOT}[openai]", *REQUIREMENTS], check=True)
        (PLACE / "complete").touch()
    return subprocess.run([str(python), "-m", "benchmarks.peers.run", *arguments], cwd=ROOT, check=False).returncode
