"""What the model says in notebooks: written by hand, played where no model is named."""

from langgraph_learning.testing import call, op
from notebooks.cookbook import Script


def compose_into_your_graph() -> Script:
    """Return what the model says in `08_compose_into_your_graph.ipynb`."""
    hello = [
        op(
            "add_memory",
            content="Is moving from Airflow to Dagster",
            quote="from Airflow to Dagster",
        )
    ]
    return Script(
        replies=[
            "Good move!",
            "You are moving to Dagster.",
            "Dagster, is it not?",
            "Still Dagster.",
        ],
        extractions=[hello, [], [], []],
    )


def time_travel_and_undo() -> Script:
    """Return what the model says in `09_time_travel_and_undo.ipynb`."""
    return Script(
        replies=["Tea, noted.", "Coffee, then!", "You like green tea."],
        extractions=[
            [op("add_memory", content="Likes green tea", quote="I like green tea")],
            [
                op("update_memory", id="m1", content="Likes coffee", quote="I drink coffee now"),
                op("add_memory", content="Gets up at five", quote="I get up at five"),
            ],
            [],
        ],
    )


def custom_store() -> Script:
    """Return what the model says in `10_custom_store.ipynb`."""
    return Script(
        replies=["I noted both.", "One done, one to go.", "Book the train, by Friday."],
        extractions=[
            [
                op("add_todo", task="Renew the passport", quote="renew my passport"),
                op(
                    "add_todo",
                    task="Book the train",
                    due="2026-05-08",
                    quote="book the train by Friday",
                ),
            ],
            [op("finish_todo", id="t1", quote="The passport is done")],
            [],
        ],
    )


def bring_your_vector_store() -> Script:
    """Return what the model says in `11_bring_your_vector_store.ipynb`."""
    return Script(
        replies=[
            call(
                "save_learning",
                title="Rollbacks",
                learning="Roll back first, then look for the cause",
                call_id="1",
            ),
            call(
                "save_learning",
                title="Photographs",
                learning="Photographs of documents are scanned for text",
                call_id="2",
            ),
            "Both saved.",
            "They are scanned for text.",
            call("delete_learning", id="k1"),
            "Taken out.",
        ],
        extractions=[
            [
                op(
                    "save_learning",
                    title="Photographs",
                    learning="Photographs are scanned for text",
                    quote="photographs are scanned for text",
                )
            ]
        ],
    )


def what_was_said() -> Script:
    """Return what the model says in `12_what_was_said.ipynb`."""
    return Script(
        replies=[
            "How nice! What will you do there?",
            "A pilot at sea, congratulations.",
            "You will be a pilot at the harbour.",
            call("search_conversations", query="Lisbon"),
            "On Monday you told me that you move to Lisbon in March.",
        ],
    )
