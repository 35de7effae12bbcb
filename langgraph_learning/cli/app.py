"""All commands under one name."""

import typer

from langgraph_learning.cli import database, doctor, importing, mutations, queries, worker

app = typer.Typer(
    name="langgraph-learning",
    help="Look into what a learning machine has learned, mend it, move it.\n\n"
    "Give the database by --db, LANGGRAPH_LEARNING_DB or DATABASE_URL. Exit codes: 0 done, 1 refused or failed (one"
    " line on stderr says why), 2 wrong usage.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="rich",
)
for part in (queries, mutations, importing, database, doctor, worker):
    part.register(app)
