"""Display of values in a notebook, without an import of the views.

The package's `__init__` names the module with the views; it is imported when a notebook first shows a value. So the
data types know no HTML, and importing them costs nothing.
"""

from importlib import import_module

_drawing: list[str] = []


class Displayed:
    """A value that a notebook shows as more than its repr, if the views know its type."""

    def _repr_html_(self) -> str | None:
        drawn: str | None = import_module(_drawing[-1]).html(self) if _drawing else None
        return drawn


def register_views(module: str) -> None:
    """Set the module whose `html(value)` draws a value; it is imported on first use."""
    _drawing[:] = [module]
