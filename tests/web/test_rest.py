"""The REST interface: the same as the pages, and a document that says so."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from starlette.types import ASGIApp
from web.world import ALEX, browser, serving

from langgraph_learning import LearningMachine
from langgraph_learning.web import create_app

SCHEMATHESIS = os.environ.get("SCHEMATHESIS") or shutil.which("schemathesis")
USER = f"/api/users/{ALEX}"


def test_a_record_is_added_found_changed_and_taken_back(app: ASGIApp) -> None:
    alex = browser(app, "alex")
    add = {"operation": "add_memory", "arguments": {"content": "Cycles to work"}}
    commit = alex.post(f"{USER}/operations", json=add).json()
    [found, *_] = alex.get(f"{USER}/search", params={"q": "cycles"}).json()
    assert found["text"] == "Cycles to work"
    change = {"operation": "update_memory", "arguments": {"id": found["id"], "content": "Walks to work"}}
    assert alex.post(f"{USER}/operations", json=change).status_code == 200
    history = alex.get(f"{USER}/records/user_memory/{found['id']}/history").json()
    assert [one["record"]["text"] for one in history] == ["Cycles to work", "Walks to work"]
    undo = f"{USER}/commits/{commit['id']}/undo"
    assert alex.post(undo, json={}).status_code == 409  # it was changed since
    newest = alex.get(f"{USER}/commits", params={"limit": 1}).json()[0]
    assert alex.post(f"{USER}/commits/{newest['id']}/undo", json={}).status_code == 200
    assert "Cycles to work" in alex.get(f"{USER}/recall", params={"q": "How do I get to work?"}).json()["text"]


def test_a_proposal_is_approved_as_edited(app: ASGIApp) -> None:
    alex = browser(app, "alex")
    first, second = alex.get("/api/proposals").json()
    where = f"/api/proposals/{first['id']}/decision"
    assert alex.post(where, json={"decision": "reject", "edit": {"content": "x"}}).status_code == 422
    edited = alex.post(where, json={"decision": "approve", "edit": {"content": "Works from Porto"}})
    assert edited.json()["result"] == "approved"
    assert alex.post(where, json={"decision": "approve"}).status_code == 404
    assert [one["id"] for one in alex.get("/api/proposals").json()] == [second["id"]]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"operation": "no_such"}, 422),
        ({"operation": "update_memory", "arguments": {"id": "nobody", "content": "x"}}, 422),
        ({"operation": "add_memory", "arguments": {}}, 422),
        ({"operation": "add_memory", "scope": {"user_id": "sam"}}, 422),
        ([], 422),
    ],
)
def test_what_cannot_be_done_says_why(app: ASGIApp, body: Any, status: int) -> None:
    answer = browser(app, "alex").post(f"{USER}/operations", json=body)
    assert answer.status_code == status
    assert answer.json()["detail"]


def test_forgetting_leaves_nothing(app: ASGIApp) -> None:
    alex = browser(app, "alex")
    assert alex.delete(USER).json()
    assert alex.get(f"{USER}/records").json() == []


def test_the_document_names_every_route_once(app: ASGIApp) -> None:
    document = browser(app, "alex").get("/api/openapi.json").json()
    operations = [method["operationId"] for path in document["paths"].values() for method in path.values()]
    assert len(operations) == len(set(operations)) >= 11
    assert all("401" in method["responses"] for path in document["paths"].values() for method in path.values())


@pytest.mark.fuzz
@pytest.mark.skipif(
    SCHEMATHESIS is None, reason="there is no schemathesis: `make fuzz` brings one in a place of its own"
)
def test_no_request_that_the_document_allows_makes_the_server_fail(
    world: tuple[LearningMachine, Any], tmp_path: Path
) -> None:
    app = create_app(*world, authenticate=lambda request: ALEX)
    # Not the content type: schemathesis sends paths that are shortened on the way, and a page answers those.
    checks = "not_a_server_error,status_code_conformance,response_schema_conformance"
    with serving(app) as address:
        command = [
            str(Path(str(SCHEMATHESIS)).absolute()),
            "run",
            f"{address}/api/openapi.json",
            "--url",
            f"{address}/api",
        ]
        options = ["--checks", checks, "--max-examples", "25", "--seed", "1", "--generation-database", "none"]
        ended = subprocess.run(
            [*command, *options], capture_output=True, text=True, timeout=570, check=False, cwd=tmp_path
        )
    assert ended.returncode == 0, ended.stdout[-6_000:] + ended.stderr[-2_000:]
