"""What is shipped: wheel and sdist are built, and the wheel is used from an environment without anything else of ours.

The environment is a fresh one with the wheel alone. Its dependencies are links to those that are installed here, all
but this package, so nothing is downloaded and nothing of the working tree is found.
"""

import json
import os
import re
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from dataclasses import dataclass
from email import message_from_string
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "langgraph_learning"
OURS = "langgraph_learning"
USE = """
import json, sys
import langgraph_learning
from langgraph_learning import LearningMachine, connect, views
import checkpointers, nodes
assert checkpointers.__all__ and nodes.FlowNode is langgraph_learning.nodes.FlowNode
drivers = [name for name in ("psycopg", "psycopg_pool", "sqlite3", "openai") if name in sys.modules]
from langgraph_learning.testing import ScriptedChatModel, op
model = ScriptedChatModel(extractions=[[op("add_memory", content="Keeps bees", quote="I keep bees")]])
with connect("sqlite:///learning.db") as db:
    alex = LearningMachine(model=model, user_memory=True).scoped(user_id="alex", store=db.store)
    alex.learn([("user", "I keep bees.")])
    shown = str(views.table(alex.records())._repr_html_())
    told = {"drivers": drivers, "recalled": alex.recall("bees").text, "shown": shown, "at": langgraph_learning.__file__}
print(json.dumps(told))
"""


@dataclass(frozen=True)
class Shipped:
    """What was built, and an environment with it."""

    wheel: Path
    sdist: Path
    environment: Path

    def run(self, program: str, *words: str) -> str:
        """Run a program of the environment, which sees nothing of this one."""
        command = [str(self.environment / "bin" / program), *words]
        home = self.environment.parent
        environment = {"PATH": "/usr/bin:/bin", "HOME": str(home)}
        done = subprocess.run(command, capture_output=True, text=True, cwd=home, env=environment, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


def built(source: Path, out: Path, *targets: str, **more: str) -> list[Path]:
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(out), *targets]
    subprocess.run(command, cwd=source, env={**os.environ, **more}, check=True, capture_output=True)
    return sorted(out.iterdir())


def contents(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def dependencies(out: Path) -> Path:
    """Link all that is installed here but this package."""
    out.mkdir()
    for installed in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}:
        for entry in Path(installed).iterdir():
            if OURS not in entry.name and entry.suffix != ".pth":
                (out / entry.name).symlink_to(entry)
    return out


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Shipped:
    home = tmp_path_factory.mktemp("shipped")
    wheel, sdist = built(ROOT, home / "dist")
    environment = home / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
    python = str(environment / "bin" / "python")
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index", str(wheel)]
    subprocess.run(pip, check=True, capture_output=True)
    [site] = environment.glob("lib/python*/site-packages")
    (site / "dependencies.pth").write_text(str(dependencies(home / "dependencies")))
    return Shipped(wheel, sdist, environment)


def test_the_wheel_holds_every_file_of_the_package_and_nothing_else(shipped: Shipped) -> None:
    packages = [PACKAGE, ROOT / "nodes", ROOT / "checkpointers"]
    files = [path for package in packages for path in package.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    here = {str(path.relative_to(ROOT)) for path in files}
    with zipfile.ZipFile(shipped.wheel) as wheel:
        names = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert names == here
    assert {Path(name).suffix for name in names} >= {".py", ".sql", ".md", ".css", ".typed"}


def test_its_metadata_name_the_pythons_the_extras_and_the_readme(shipped: Shipped) -> None:
    with zipfile.ZipFile(shipped.wheel) as wheel:
        [name] = [name for name in wheel.namelist() if name.endswith("/METADATA")]
        metadata = message_from_string(wheel.read(name).decode())
        scripts = wheel.read(name.replace("METADATA", "entry_points.txt")).decode()
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert {"openai", "postgres", "local", "studio", "cli", "all"} <= set(metadata.get_all("Provides-Extra", []))
    assert "langgraph-learning = langgraph_learning.cli:main" in scripts


def test_with_a_home_the_metadata_have_its_urls_and_links_that_an_index_can_follow(tmp_path: Path) -> None:
    home = "https://example.org/us/langgraph-learning"
    [wheel] = built(ROOT, tmp_path, "-t", "wheel", PROJECT_HOME=f"{home}/")
    with zipfile.ZipFile(wheel) as archive:
        [name] = [name for name in archive.namelist() if name.endswith("/METADATA")]
        metadata = message_from_string(archive.read(name).decode())
    urls = dict(url.split(", ", 1) for url in metadata.get_all("Project-URL", []))
    assert urls["Source"] == home
    assert set(urls) == {"Source", "Documentation", "Changelog", "Issues"}
    shown = str(metadata.get_payload())
    targets = re.findall(r"\]\(([^)]+)\)", shown)
    assert targets
    assert [to for to in targets if not to.startswith((f"{home}/", "http"))] == []
    assert f"]({home}/raw/v{metadata['Version']}/docs/images/memories.png)" in shown
    assert f"]({home}/blob/v{metadata['Version']}/docs/how-to/browse.md)" in shown


def test_a_wheel_made_of_the_sdist_is_the_same(shipped: Shipped, tmp_path: Path) -> None:
    with tarfile.open(shipped.sdist) as sdist:
        sdist.extractall(tmp_path, filter="data")
    [source] = tmp_path.iterdir()
    assert {"tests", "docs", "examples", "nodes", "checkpointers", "Makefile", "README.md"} <= {
        path.name for path in source.iterdir()
    }
    [again] = built(source, tmp_path / "dist", "-t", "wheel")
    assert contents(again) == contents(shipped.wheel)


def test_the_wheel_learns_and_recalls_and_imports_no_driver_before_it_needs_one(shipped: Shipped) -> None:
    told = json.loads(shipped.run("python", "-W", "error", "-c", USE))
    assert told["at"].startswith(str(shipped.environment))
    assert told["drivers"] == []
    assert "- Keeps bees" in told["recalled"]
    assert "Keeps bees" in told["shown"]


def test_the_command_line_of_the_wheel_finds_the_set_up_sound(shipped: Shipped) -> None:
    shipped.run("langgraph-learning", "migrate", "--db", "sqlite:///doctor.db")
    checks = shipped.run("langgraph-learning", "doctor", "--db", "sqlite:///doctor.db", "--json")
    states = {json.loads(line)["check"]: json.loads(line)["state"] for line in checks.splitlines()}
    assert states == dict.fromkeys(("python", "package", "database", "migrations"), "ok")
