"""The rows of the cookbook's session context pages."""

from acceptance.driver import Home
from pydantic import JsonValue

from langgraph_learning import LearningMachine, SessionContextConfig
from langgraph_learning.testing import op


def test_03_01_summary_answers_from_a_fresh_process_what_was_being_debugged(home: Home) -> None:
    facts = ["memory grows without traffic", "file handles are ruled out", "Pydantic is suspected"]
    said = [
        "My FastAPI service leaks: memory grows without traffic.",
        "Not file handles, I checked.",
        "I suspect Pydantic.",
    ]
    agent = home.agent(
        LearningMachine(session_context=True),
        history=False,
        replies=["Let us look at file handles.", "Then models.", "Likely: models made per request."],
        extractions=[
            [op("update_session_context", summary=f"FastAPI leak: {', '.join(facts[: n + 1])}.")] for n in range(3)
        ],
    )
    for text in said:
        agent.say(text, thread="debugging")
    # each extraction is shown the summary so far, so nothing is lost by rewriting it
    assert "FastAPI leak: memory grows without traffic, file handles are ruled out." in agent.model.prompt("extraction")
    home.restart()
    later = home.agent(
        LearningMachine(session_context=True), history=False, replies=["The FastAPI leak."], extractions=[[]]
    )
    later.say("What were we debugging?", thread="debugging")
    prompt = later.model.prompt("reply")
    assert all(fact in prompt for fact in facts)
    assert not any(text in prompt for text in said)


def test_03_02_planning_recalls_the_first_step_that_is_not_done(home: Home) -> None:
    plan: list[JsonValue] = ["Write the Dockerfile", "Push to ECR", "Create the ECS service"]
    update = "update_session_context"
    agent = home.agent(
        LearningMachine(session_context=SessionContextConfig(enable_planning=True)),
        history=False,
        replies=["Dockerfile, ECR, ECS.", "Good.", "Good.", "Create the ECS service."],
        extractions=[
            [op(update, summary="AWS.", goal="AWS deployment", plan=plan)],
            [op(update, summary="Dockerfile done.", progress=["Write the Dockerfile"])],
            [op(update, summary="In ECR.", progress=["Push to ECR"])],
            [op(update, summary="ECS is next.")],
        ],
    )
    for text in ("Plan an AWS deployment.", "The Dockerfile is done.", "Pushed to ECR.", "What is next?"):
        agent.say(text)
    [record] = agent.records("session_context", thread="c1")
    assert record.content == {
        "summary": "ECS is next.",
        "goal": "AWS deployment",
        "plan": plan,
        "progress": ["Write the Dockerfile", "Push to ECR"],
    }
    steps = [line.strip() for line in agent.model.prompt("reply").splitlines() if "Step" in line]
    assert steps == [
        "Step 1 (done): Write the Dockerfile",
        "Step 2 (done): Push to ECR",
        "Step 3: Create the ECS service",
    ]
    assert "Goal: AWS deployment" in agent.model.prompt("reply")
