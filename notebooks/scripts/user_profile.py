"""What the model says in notebooks: written by hand, played where no model is named."""

from langgraph_learning.testing import call, op
from notebooks.cookbook import Script


def always() -> Script:
    """Return what the model says in `02_user_profile/01_always.ipynb`."""
    return Script(
        replies=["Hello Marcus.", "Noted.", "Here is the code.", "Marc it is."],
        extractions=[
            [op("update_user_profile", name="Marcus", quote="I'm Marcus")],
            [],
            [],
            [op("update_user_profile", preferred_name="Marc", quote="Call me Marc")],
        ],
    )


def agentic() -> Script:
    """Return what the model says in `02_user_profile/02_agentic.ipynb`."""
    return Script(
        replies=[
            call("update_user_profile", name="Jordan Chen", preferred_name="JC"),
            "Hello JC.",
            "You are Jordan Chen, JC for short.",
            call("update_user_profile", preferred_name="Jordan"),
            "Jordan it is.",
        ]
    )


def custom_schema() -> Script:
    """Return what the model says in `02_user_profile/03_custom_schema.ipynb`."""
    return Script(
        replies=[
            "Twelve years, impressive.",
            "Rust is a good choice.",
            "You know Python, Go and Rust.",
        ],
        extractions=[
            [
                op(
                    "update_user_profile",
                    company="Stripe",
                    languages=["Python", "Go"],
                    experience_years=12,
                    hobby="chess",  # no such field
                    quote="12 years, at Stripe, in Python and Go",
                )
            ],
            [
                op(
                    "update_user_profile",
                    languages=["Rust"],
                    experience_years="many",
                    quote="I have learned Rust",
                )
            ],
            [],
        ],
    )
