"""How a value shows itself in a notebook: it asks here, and what draws it stands far above it.

The package's top says once which module draws; that module is imported when a notebook first shows something. So the
nouns know no HTML, and importing them costs nothing.
"""

from importlib import import_module

_drawing: list[str] = []


class Displayed:
    """A value that a notebook shows as more than its repr, if `html` of the drawing module knows its kind."""

    def _repr_html_(self) -> str | None:
        drawn: str | None = import_module(_drawing[-1]).html(self) if _drawing else None
        return drawn


def register_views(module: str) -> None:
    """Name the module whose `html(value)` draws; imported when it is needed."""
    _drawing[:] = [module]
