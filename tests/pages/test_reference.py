"""The reference pages name all there is, and nothing else."""

import inspect
import re
import shutil
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import typer
from pages.running import ROOT
from pydantic import BaseModel

import langgraph_learning
from docs.draw import DRAWN, PICTURES
from langgraph_learning import LearningMachine, SessionContextConfig, config, connect
from langgraph_learning.cli.app import app
from langgraph_learning.config import StoreConfig
from langgraph_learning.stores.resolve_stores import SLOTS

REFERENCE = ROOT / "docs" / "reference"


def table(page: str, heading: str) -> list[list[str]]:
    """Return the rows of the first table whose head begins with `heading`."""
    lines = (REFERENCE / page).read_text(encoding="utf-8").splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(f"| {heading}"))
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
    return rows


def section(title: str) -> dict[str, str]:
    """Return options and defaults of a section of the configuration page."""
    page = (REFERENCE / "configuration.md").read_text(encoding="utf-8")
    part = page.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    return dict(re.findall(r"^\| `(\w+)` \| (?:`([^|]+)`)? ?\|", part, flags=re.M))


def defaults(call: Any) -> dict[str, str]:
    def spelled(default: Any) -> str:
        if default is inspect.Parameter.empty:
            return ""
        return default.__name__ if callable(default) else repr(default).replace("'", '"')

    parameters = inspect.signature(call).parameters.values()
    return {each.name: spelled(each.default) for each in parameters if each.name != "self"}


def test_the_options_of_the_machine_are_all_there_with_their_defaults() -> None:
    assert section("LearningMachine") == defaults(LearningMachine.__init__)


def test_the_options_of_every_learning_store_are_all_there_with_their_defaults() -> None:
    found = {
        field.name: field.default.name if field.name == "mode" else repr(field.default) for field in fields(StoreConfig)
    }
    assert section("Every learning store") == found


def test_the_options_of_connect_are_all_there_with_their_defaults() -> None:
    assert section("connect") == defaults(connect)


def test_each_learning_store_has_its_row_with_its_own_options_schema_and_modes() -> None:
    rows = {row[0].strip("`"): row for row in table("configuration.md", "learning store | its own")}
    assert list(rows) == list(SLOTS)
    for slot, store in SLOTS.items():
        kind = store.config_class
        own = {each.name: repr(each.default) for each in fields(kind) if each.name not in StoreConfig.__annotations__}
        _, options, schema, _, modes = rows[slot]
        assert dict(re.findall(r"`(\w+)=([^`]+)`", options)) == own, slot
        assert schema.strip("`") == ("" if kind.base is BaseModel else kind.base.__name__)
        offered = {mode.name for mode in config.LearningMode if mode in kind.modes}
        assert set(modes.replace("*", "").split(", ")) == offered
        assert f"**{kind().mode.name}**" in modes or (kind().mode.name == "ALWAYS" and "*" not in modes)


def test_all_operations_and_searches_are_there_with_their_arguments() -> None:
    told = {(row[0].strip("`"), row[1].strip("`")): row[2] for row in table("operations.md", "learning store")}
    machine = LearningMachine(
        **{**dict.fromkeys(SLOTS, True), "session_context": SessionContextConfig(enable_planning=True)}  # type: ignore[arg-type]
    )
    there = {
        (store.name, each.__name__): each for store in machine.stores for each in (*store.operations, *store.searches)
    }
    assert set(told) == set(there)
    for key, kind in there.items():
        if key == ("user_profile", "update_user_profile"):
            continue
        wanted = [name if field.is_required() else f"{name}?" for name, field in kind.model_fields.items()]
        assert re.findall(r"`([\w?]+)`", told[key].partition(";")[0]) == wanted, key


def test_all_events_of_the_custom_stream_are_there() -> None:
    sources = (path.read_text(encoding="utf-8") for path in (ROOT / "langgraph_learning").rglob("*.py"))
    emitted = {kind for source in sources for kind in re.findall(r'\.emit\(\s*"(\w+)"', source)}
    assert {row[0].strip("`") for row in table("events.md", "kind")} == emitted


def test_all_commands_and_options_are_there() -> None:
    group = typer.main.get_command(app)
    page = (REFERENCE / "command-line.md").read_text(encoding="utf-8")
    rows = {row[0].strip("`").split()[0]: row for row in table("command-line.md", "command")}
    shared = set(re.findall(r"^\| `(--\w+)`", page, flags=re.M)) | {"--help"}
    commands: dict[str, Any] = group.commands  # type: ignore[attr-defined]
    assert set(rows) == set(commands)
    for name, each in commands.items():
        options = {max(option.opts, key=len) for option in each.params if option.param_type_name == "option"}
        assert options - shared == set(re.findall(r"--[\w-]+", rows[name][2])), name


def test_every_public_name_has_a_place_in_the_reference() -> None:
    told = {
        name
        for page in (REFERENCE / "api").glob("*.md")
        for name in re.findall(r"^::: langgraph_learning\.([\w.]+)", page.read_text(encoding="utf-8"), flags=re.M)
    }
    assert set(langgraph_learning.__all__) <= {name.rpartition(".")[2] for name in told}


def test_every_page_is_in_the_navigation() -> None:
    told = re.findall(r'"([\w/-]+\.md)"', (ROOT / "zensical.toml").read_text(encoding="utf-8"))
    assert sorted(told) == sorted(str(page.relative_to(ROOT / "docs")) for page in (ROOT / "docs").rglob("*.md"))


def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "docs", tmp_path / "docs")  # it builds beside its settings, and takes no links
    settings = (ROOT / "zensical.toml").read_text(encoding="utf-8")
    (tmp_path / "zensical.toml").write_text(settings.replace('paths = ["."]', f'paths = ["{ROOT}"]'), encoding="utf-8")
    command = [sys.executable, "-m", "zensical", "build", "--strict"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=120)
    assert (done.returncode, "griffe: " in done.stdout + done.stderr) == (0, False), done.stdout + done.stderr
    assert "recall_node" in (tmp_path / "build" / "site" / "reference" / "api" / "machine.html").read_text(
        encoding="utf-8"
    )


def test_the_list_for_models_names_every_page_of_the_site() -> None:
    docs = REFERENCE.parent
    listed = re.findall(r"^- \[(.+)\]\((.+)\)$", (docs / "llms.txt").read_text(encoding="utf-8"), flags=re.M)
    nav = (docs.parent / "zensical.toml").read_text(encoding="utf-8")
    assert listed == re.findall(r'^ *\{ "(.+)" = "(.+\.md)" \},?$', nav, flags=re.M)
    assert all((docs / page).is_file() for _, page in listed)


def without_places(svg: str) -> str:
    """Return a picture without its numbers: another processor may place a box a little elsewhere."""
    return re.sub(r"-?\d+(?:\.\d+)?", "#", svg)


@pytest.mark.parametrize("name", ["entities", "around"])  # the dev server's tests compare those of its graphs
def test_the_pictures_are_those_that_the_views_draw(name: str) -> None:
    kept = (PICTURES / f"{name}.svg").read_text(encoding="utf-8")
    assert without_places(kept) == without_places(DRAWN[name]()), "draw them again: python -m docs.draw"


def test_pages_and_readme_show_pictures_that_are_there_and_need_no_network() -> None:
    docs = REFERENCE.parent
    for page in (docs.parent / "README.md", *docs.rglob("*.md")):
        text = page.read_text(encoding="utf-8")
        assert "```mermaid" not in text, f"{page.name}: a page from the disk draws no diagram"
        pictures = re.findall(r"!\[([^]]*)\]\(([^)]+)\)", text)
        assert [to for _, to in pictures if not (page.parent / to).is_file()] == []
        assert [to for told, to in pictures if len(told) < 20] == [], "words for those who cannot see it"
