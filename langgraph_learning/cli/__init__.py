"""The command line `langgraph-learning`; its dependencies come with the extra `cli`."""

import sys

EXTRA = "the command line needs its extra: pip install 'langgraph-learning[cli]'"


def main() -> None:
    """Run the command line."""
    try:
        import typer
    except ImportError as missing:
        sys.exit(f"error: {EXTRA} ({missing})")
    del typer  # it was imported only to check that the extra is installed
    from langgraph_learning.cli.app import app

    app()
