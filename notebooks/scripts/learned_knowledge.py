"""What the model says in notebooks: written by hand, played where no model is named."""

from langchain_core.messages import AIMessage
from pydantic import JsonValue

from langgraph_learning.testing import call, op
from notebooks.cookbook import Script


def agentic() -> Script:
    """Return what the model says in `05_learned_knowledge/01_agentic.ipynb`."""

    def save(title: str, learning: str, number: int) -> AIMessage:
        return call("save_learning", title=title, learning=learning, call_id=f"s{number}")

    return Script(
        replies=[
            save("Egress costs", "Compare egress costs before choosing a cloud provider", 1),
            "Saved.",
            save("Rollback rule", "Roll back first, then look for the cause", 2),
            "Saved.",
            call("search_learnings", query="cloud provider for Postgres"),
            "Any of them runs Postgres; compare what egress costs.",
            save("Egress costs", "Egress is free within our new contract; compare latency", 3),
            "Corrected.",
            call("delete_learning", id="k2"),
            "Taken out.",
        ]
    )


def propose() -> Script:
    """Return what the model says in `05_learned_knowledge/02_propose.ipynb`."""

    def learned(title: str, learning: str, quote: str) -> list[dict[str, JsonValue]]:
        return [op("save_learning", title=title, learning=learning, quote=quote)]

    DOCKER = "On a Mac, containers reach the host by host.docker.internal"
    REBOOT = learned("Reboots", "Rebooting on a Tuesday helps", "rebooted on a Tuesday")
    return Script(
        replies=["Good to know.", "I see.", "How odd.", "I noted it.", "Noted for review."],
        extractions=[
            learned("Docker on a Mac", DOCKER, "host.docker.internal"),
            learned("Staging", "The staging database is reset at night", "reset every night"),
            REBOOT,
            REBOOT,
            learned("Releases", "No release on a Friday", "never release on a Friday"),
        ],
    )
