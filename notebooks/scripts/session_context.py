"""What the model says in notebooks: written by hand, played where no model is named."""

from pydantic import JsonValue

from langgraph_learning.testing import op
from notebooks.cookbook import Script


def summary() -> Script:
    """Return what the model says in `03_session_context/01_summary.ipynb`."""
    facts = [
        "memory grows without traffic",
        "file handles are ruled out",
        "Pydantic models are suspected",
    ]
    return Script(
        replies=[
            "Look at file handles first.",
            "Then at models.",
            "Likely models made per request.",
            "Your FastAPI leak.",
        ],
        extractions=[
            *(
                [op("update_session_context", summary=f"FastAPI leak: {', '.join(facts[:n])}.")]
                for n in (1, 2, 3)
            ),
            [],
        ],
    )


def planning() -> Script:
    """Return what the model says in `03_session_context/02_planning.ipynb`."""
    update = "update_session_context"
    plan: list[JsonValue] = ["Write the Dockerfile", "Push to ECR", "Create the ECS service"]
    return Script(
        replies=["Dockerfile, ECR, ECS.", "Good.", "Good.", "Create the ECS service."],
        extractions=[
            [
                op(
                    update,
                    summary="A deployment to AWS was planned.",
                    goal="AWS deployment",
                    plan=plan,
                )
            ],
            [op(update, summary="The Dockerfile is written.", progress=["Write the Dockerfile"])],
            [op(update, summary="The image is in ECR.", progress=["Push to ECR"])],
            [op(update, summary="The ECS service is next.")],
        ],
    )
