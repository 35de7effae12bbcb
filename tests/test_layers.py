"""Dependencies point one way: schemas, records <- stores <- engine <- nodes, tools, scoped, ... <- machine <- cli."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import langgraph_learning

PACKAGE = Path(langgraph_learning.__file__).parent
RANKS = {
    "masking_patterns": -1,
    **dict.fromkeys(("display", "errors", "labels", "text", "masking", "langgraph_private"), 0),
    **dict.fromkeys(("schemas", "prompts"), 1),
    **dict.fromkeys(("records", "config"), 2),
    "stores": 3,
    "engine": 4,
    **dict.fromkeys(("nodes", "views"), 5),
    **dict.fromkeys(("middleware", "tools", "scoped", "importing"), 6),
    "machine": 7,
    **dict.fromkeys(("agent", "cli"), 8),
    "__init__": 9,
}
APART = {"checkpointers", "testing"}
MODULES = sorted(PACKAGE.rglob("*.py"))


def layer(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path: Path) -> Iterator[str]:
    """The layers that a module imports, at its top or inside functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        yield from (name.split(".")[1] for name in names if name.startswith("langgraph_learning."))


def test_every_module_has_a_layer() -> None:
    assert {layer(path) for path in MODULES} <= set(RANKS) | APART


@pytest.mark.parametrize("path", MODULES, ids=[str(path.relative_to(PACKAGE)) for path in MODULES])
def test_a_module_imports_from_its_own_layer_or_below(path: Path) -> None:
    own, found = layer(path), set(imported(path))
    if own == "checkpointers":
        assert found <= {"checkpointers", "errors", "labels", "langgraph_private", "text"}
    elif own == "testing":
        assert found <= {"text"}
    elif own in ("agent", "cli", "__init__"):
        assert {RANKS[name] <= RANKS[own] for name in found - APART} <= {True}
        assert found & APART <= {"checkpointers"}
    else:
        assert not found & APART
        assert [name for name in found if name != own and RANKS[name] >= RANKS[own]] == []


@pytest.mark.parametrize("path", [path for path in MODULES if layer(path) == "stores"], ids=lambda path: path.stem)
def test_learning_stores_do_no_io(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert "langgraph.store" not in source
    assert "async " not in source
