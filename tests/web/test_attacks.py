"""What the web tries: another user's pages, forged forms, scripts in memories, paths, sizes, names that lie."""

from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp
from web.world import ALEX, SAM, SCRIPT, app_for, browser, form_token

from langgraph_learning import LearningMachine
from langgraph_learning.errors import ConfigurationError
from langgraph_learning.web import create_app

World = tuple[LearningMachine, Any]
PAGES = ("/user", "/recall", "/timeline", "/entities", "/conversations", "/queue", "/pending", "/forget", "/operation")
SECRET = "Secretly likes"


def test_a_memory_that_says_script_is_text_on_every_page(app: ASGIApp) -> None:
    ops = browser(app, "ops")
    for path in PAGES[:-1]:
        for query in ("", "secretly"):
            page = ops.get(path, params={"user": SAM, "q": query})
            assert SCRIPT not in page.text
            assert "<script" not in page.text
            drawn = page.text.count('<img src="data:image/svg+xml;base64,')
            assert page.text.count("<img") == drawn, "only our own pictures are images"
    assert "&lt;script&gt;" in ops.get("/user", params={"user": SAM}).text


@pytest.mark.parametrize(
    "where", ["/user?user={}", "/user?user=a&q={}", "/?q={}", "/namespace?name={}", "/recall?user=a&q={}&thread={}"]
)
def test_what_an_address_says_is_text(app: ASGIApp, where: str) -> None:
    page = browser(app, "ops").get(where.replace("{}", "%22%3E%3Cscript%3Ealert(1)%3C/script%3E"))
    assert "<script" not in page.text


def test_no_page_lets_script_or_foreign_style_run(app: ASGIApp) -> None:
    page = browser(app, "ops").get("/")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    shown = [browser(app, "ops").get(path, params={"user": ALEX, "q": "answers"}).text for path in PAGES[:-1]]
    assert not any("<style" in text or " style=" in text for text in shown)


@pytest.mark.parametrize("path", PAGES)
def test_a_user_sees_no_page_of_another(app: ASGIApp, path: str) -> None:
    alex = browser(app, "alex")
    query = {"user": SAM, "q": "secretly", "name": "add_memory"}
    assert alex.get(path, params=query).status_code == 404
    assert SECRET not in alex.get(path, params=query).text


@pytest.mark.parametrize(
    "path",
    [
        "/api/users/sam%2F%D0%BE'nil/records",
        "/api/users/sam%2F%D0%BE'nil/search?q=secretly",
        "/api/users/sam%2F%D0%BE'nil/recall?q=secretly",
        "/api/users/sam%2F%D0%BE'nil/commits",
    ],
)
def test_a_users_token_reads_nothing_of_another_by_rest(app: ASGIApp, path: str) -> None:
    assert SECRET in browser(app, "ops").get(path).text or "commits" in path
    answer = browser(app, "alex").get(path)
    assert answer.status_code == 404
    assert SECRET not in answer.text


def test_a_users_token_changes_nothing_of_another(app: ASGIApp) -> None:
    alex, sam = browser(app, "alex"), browser(app, "sam")
    token = form_token(alex.get("/forget", params={"user": ALEX}).text)
    assert alex.post("/forget", params={"user": SAM}, data={"form_token": token, "typed": SAM}).status_code == 404
    assert alex.delete("/api/users/sam%2F%D0%BE'nil").status_code == 404
    added = {"operation": "add_memory", "arguments": {"content": "Was here"}}
    assert alex.post("/api/users/sam%2F%D0%BE'nil/operations", json=added).status_code == 404
    [proposal, _] = browser(app, "ops").get("/api/proposals").json()
    assert sam.post(f"/api/proposals/{proposal['id']}/decision", json={"decision": "approve"}).status_code == 404
    assert sam.get("/api/proposals").json() == []
    assert SECRET in sam.get("/user", params={"user": SAM}).text


@pytest.mark.parametrize("token", [None, "wrong"])
@pytest.mark.parametrize(
    "path", ["/", "/user?user=alex@example.com", "/queue", "/api/users", "/api/openapi.json", "/style.css", "/nothing"]
)
def test_who_is_not_known_is_answered_401_everywhere(app: ASGIApp, path: str, token: str | None) -> None:
    assert browser(app, token).get(path).status_code == 401


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("/forget?user=alex@example.com", {"typed": ALEX}),
        ("/operation?user=alex@example.com&name=add_memory", {"content": "Was forged"}),
        ("/timeline?user=alex@example.com", {"commit": "x"}),
        ("/queue", {"proposal": "x", "answer": "approve"}),
    ],
)
def test_a_form_without_its_token_is_refused(app: ASGIApp, path: str, data: dict[str, str]) -> None:
    alex, sam = browser(app, "alex"), browser(app, "sam")
    foreign = form_token(sam.get("/forget", params={"user": SAM}).text)
    alex.get("/forget", params={"user": ALEX})
    for token in ({}, {"form_token": ""}, {"form_token": "é"}, {"form_token": foreign}):
        assert alex.post(path, data={**data, **token}).status_code == 403
    known = alex.get("/user", params={"user": ALEX}).text
    assert "Was forged" not in known
    assert "Prefers short answers" in known


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_what_another_site_sends_is_refused(app: ASGIApp, headers: dict[str, str]) -> None:
    alex = browser(app, "alex")
    token = form_token(alex.get("/forget", params={"user": ALEX}).text)
    sent = alex.post("/forget", params={"user": ALEX}, data={"form_token": token, "typed": ALEX}, headers=headers)
    assert sent.status_code == 403
    assert alex.delete(f"/api/users/{ALEX}", headers=headers).status_code == 403
    assert "Prefers short answers" in alex.get("/user", params={"user": ALEX}).text


def test_rest_takes_json_alone_so_that_no_form_can_write(app: ASGIApp) -> None:
    body = '{"operation": "add_memory", "arguments": {"content": "Was forged"}}'
    alex = browser(app, "alex")
    for kind in ("text/plain", "application/x-www-form-urlencoded"):
        answer = alex.post(f"/api/users/{ALEX}/operations", content=body, headers={"content-type": kind})
        assert answer.status_code == 415
    assert "Was forged" not in alex.get("/user", params={"user": ALEX}).text


def test_what_is_too_large_is_refused_whatever_its_header_says(app: ASGIApp) -> None:
    alex = browser(app, "alex")
    large = b"x" * 300_000
    assert alex.post("/queue", content=large).status_code == 413
    assert alex.post("/queue", content=iter([large[:150_000], large[:150_000]])).status_code == 413
    assert alex.get("/user", params={"user": ALEX, "q": "x" * 9_000}).status_code == 414


@pytest.mark.parametrize(
    "path",
    [
        "/../pyproject.toml",
        "/..%2f..%2fpyproject.toml",
        "/style.css/../app.py",
        "/%2e%2e/etc/passwd",
        "/static/style.css",
        "/templates/base.html",
    ],
)
def test_no_path_leads_to_a_file(app: ASGIApp, path: str) -> None:
    assert browser(app, "ops").get(path).status_code in (400, 404)


@pytest.mark.parametrize(
    ("host", "peer", "headers"),
    [
        ("evil.example", "127.0.0.1", {}),  # a name of theirs that leads here
        ("localhost", "203.0.113.7", {}),
        ("localhost", "127.0.0.1", {"x-forwarded-for": "203.0.113.7"}),
        ("localhost", "127.0.0.1", {"forwarded": "for=203.0.113.7"}),
        ("localhost.evil.example", "127.0.0.1", {}),
    ],
)
def test_without_authentication_only_this_machine_is_answered(
    world: World, host: str, peer: str, headers: dict[str, str]
) -> None:
    app = create_app(*world, authenticate=None)
    assert browser(app).get("/").status_code == 200
    assert browser(app, host=host, peer=peer).get("/", headers=headers).status_code == 403


def test_authenticate_may_be_async_and_may_send_to_a_login(world: World) -> None:
    async def login(request: Request) -> RedirectResponse:
        return RedirectResponse("/login")

    assert browser(app_for(*world, authenticate=login)).get("/", follow_redirects=False).status_code == 307


def test_an_answer_of_authenticate_that_names_nobody_lets_nobody_in(world: World) -> None:
    assert browser(app_for(*world, authenticate=lambda request: "")).get("/").status_code == 401
    with pytest.raises(ConfigurationError, match="give a Visitor"):
        browser(app_for(*world, authenticate=lambda request: True)).get("/")
