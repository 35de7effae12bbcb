"""Dependencies point one way: schemas, records <- stores <- engine <- nodes, tools, scoped, ... <- machine <- cli."""

import ast
from collections.abc import Iterator
from pathlib import Path

import langgraph_learning

PACKAGE = Path(langgraph_learning.__file__).parent
RANKS = {
    **dict.fromkeys(("languages", "stemming", "masking_patterns"), -1),
    **dict.fromkeys(
        (
            "display",
            "errors",
            "namespace_labels",
            "words",
            "masking",
            "langgraph_private",
            "versioned_store",
            "scoring",
        ),
        0,
    ),
    **dict.fromkeys(("schemas", "prompts", "json_schema", "option_checks"), 1),
    "mentions": 0.5,
    "scope": 1.4,
    "validity": 1.5,
    "source": 1.5,
    **dict.fromkeys(("records", "config"), 2),
    "reports": 2.5,
    "stores": 3,
    "_engine": 4,
    "evals": 4.5,
    **dict.fromkeys(("nodes", "views"), 5),
    **dict.fromkeys(("_all_users", "backup", "middleware", "tools", "scoped", "importing"), 6),
    "scoped_flows": 5.5,
    "machine": 7,
    **dict.fromkeys(("_worker", "agent", "web", "mcp"), 8),
    "cli": 9,
    "__init__": 10,
}
ENGINE_USERS = {
    "nodes": "the steps of a graph run flows",
    "middleware": "the same steps in an agent",
    "tools": "a tool call is a flow",
    "scoped": "each call of the data API is a flow",
    "scoped_flows": "those flows",
    "machine": "it holds the settings that flows read",
    "agent": "it checks a model and a store as the machine does",
    "backup": "reading and writing a whole store are flows",
    "_all_users": "what the command line and the web pages read of a whole store",
    "_worker": "what the command `worker` runs",
    "evals": "it pins the revision that recall reads",
}
"""The layers that may import `_engine`, and what for; all others use the data API."""
STORE_USERS = {"cli": "`doctor` and `stats` look at a database without opening it; the type of an open store"}
"""The layers that may import the private packages of `checkpointers`, and what for."""
APART = {"checkpointers", "testing"}
MODULES = sorted(PACKAGE.rglob("*.py"))


def layer(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_names(path: Path) -> Iterator[str]:
    """The names of this package that a module imports, at its top or inside functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        yield from (name for name in names if name.startswith("langgraph_learning."))


def imported(path: Path) -> Iterator[str]:
    """The layers that a module imports."""
    return (name.split(".")[1] for name in imported_names(path))


def test_every_module_has_a_layer() -> None:
    assert {layer(path) for path in MODULES} <= set(RANKS) | APART


def misplaced_imports(path: Path) -> set[str]:
    """The layers that a module imports and may not."""
    own, found = layer(path), set(imported(path))
    if own == "checkpointers":
        return found - {
            "checkpointers",
            "errors",
            "namespace_labels",
            "mentions",
            "langgraph_private",
            "words",
            "versioned_store",
            "scoring",
        }
    if own == "testing":
        return found - {"words"}
    if own in ("agent", "cli", "__init__"):
        found -= {"checkpointers"}
        return {name for name in found if name in APART or RANKS[name] > RANKS[own]}
    return {name for name in found if name in APART or (name != own and RANKS[name] >= RANKS[own])}


def test_a_module_imports_from_its_own_layer_or_below() -> None:
    assert {path: found for path in MODULES if (found := misplaced_imports(path))} == {}


def layers_that_import(package: str) -> set[str]:
    importing = {layer(path) for path in MODULES for name in imported_names(path) if f"{name}.".startswith(package)}
    return importing - {package.split(".")[1]}


def test_only_named_layers_reach_into_private_packages() -> None:
    assert layers_that_import("langgraph_learning._engine.") == set(ENGINE_USERS)
    stores = {"langgraph_learning.checkpointers._store.", "langgraph_learning.checkpointers._saver."}
    assert set.union(*map(layers_that_import, stores)) == set(STORE_USERS)


def test_learning_stores_do_no_io() -> None:
    for path in MODULES:
        if layer(path) == "stores":
            source = path.read_text(encoding="utf-8")
            assert "langgraph.store" not in source, path
            assert "async " not in source, path
