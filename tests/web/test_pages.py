"""What the pages show and do, without a browser."""

import asyncio
from typing import Any, Literal

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import ASGIApp
from web.world import ALEX, SAM, app_for, browser, form_token, links

from langgraph_learning import LearningMachine
from langgraph_learning.errors import StoreError
from langgraph_learning.web import rendering
from langgraph_learning.web.service import Memory

World = tuple[LearningMachine, Any]
TABS = (
    "/user",
    "/recall",
    "/timeline",
    "/entities",
    "/conversations",
    "/queue",
    "/pending",
    "/figures",
    "/curate",
    "/forget",
)


def test_who_may_see_everybody_finds_users_namespaces_and_what_waits(app: ASGIApp) -> None:
    ops = browser(app, "ops")
    people = ops.get("/").text
    assert ALEX in people
    assert "sam/о&#39;nil" in people
    assert "/namespace?name=global" in people
    assert "Platform team" in ops.get("/namespace", params={"name": "global"}).text
    assert "Drinks no coffee" in ops.get("/queue").text


@pytest.mark.parametrize("user", [ALEX, SAM, "nobody", "..", "ünï/../x?y&z"])
@pytest.mark.parametrize("path", TABS)
def test_every_page_of_any_user_answers(app: ASGIApp, path: str, user: str) -> None:
    assert browser(app, "ops").get(path, params={"user": user}).status_code == 200


def test_the_figures_say_what_was_learned_and_proposed_and_what_it_cost(app: ASGIApp) -> None:
    page = browser(app, "alex").get("/figures", params={"user": ALEX}).text
    memory = page.split("<h2>user memory</h2>")[1].split("<h2>")[0]
    assert [(line.split("<")[0], line.split("<b>")[1].split("<")[0]) for line in memory.split("<dt>")[1:]][:2] == [
        ("learned", "1"),
        ("proposed", "2"),
    ]
    assert "<dt>tokens</dt>" in memory
    ops = browser(app, "ops")
    assert "<h2>user profile</h2>" in ops.get("/figures").text
    assert browser(app, "alex").get("/figures").status_code == 404
    assert ops.get("/api/users/nobody/figures").json() == {}


def test_a_record_is_shown_with_its_words_its_history_and_what_can_be_done(app: ASGIApp) -> None:
    alex = browser(app, "alex")
    [page] = [
        alex.get(link).text
        for link in links(alex.get("/user", params={"user": ALEX}).text)
        if "&id=" in link and "user_memory" in link
    ]
    assert "I prefer short answers" in page
    assert "What it was" in page
    assert {"update_memory", "delete_memory"} <= {
        link.split("name=")[1].split("&")[0] for link in links(page) if "/operation" in link
    }


def test_a_memory_is_changed_by_its_form_and_put_back_by_the_timeline(app: ASGIApp) -> None:
    alex = browser(app, "alex")
    [record] = [
        link for link in links(alex.get("/user", params={"user": ALEX}).text) if "store=user_memory&id=" in link
    ]
    [form] = [link for link in links(alex.get(record).text) if "name=update_memory" in link]
    shown = alex.get(form).text
    assert "Prefers short answers</textarea>" in shown
    alex.post(form, data={"form_token": form_token(shown), "content": "Prefers long answers"})
    assert "Prefers long answers" in alex.get("/user", params={"user": ALEX}).text
    timeline = alex.get("/timeline", params={"user": ALEX}).text
    commit = timeline.split('name="commit" value="')[1].split('"')[0]  # the newest first
    alex.post("/timeline", params={"user": ALEX}, data={"form_token": form_token(timeline), "commit": commit})
    assert "Prefers short answers" in alex.get("/user", params={"user": ALEX}).text


def test_a_profile_field_is_cleared_by_its_form(app: ASGIApp) -> None:
    alex = browser(app, "alex")
    [record] = [
        link for link in links(alex.get("/user", params={"user": ALEX}).text) if "store=user_profile&id=" in link
    ]
    [form] = [link for link in links(alex.get(record).text) if "name=clear_user_profile_field" in link]
    shown = alex.get(form).text
    assert ">name</textarea>" in shown
    alex.post(form, data={"form_token": form_token(shown), "field": "name"})
    assert "name: Alex" not in alex.get("/user", params={"user": ALEX}).text


def test_a_form_with_what_cannot_be_says_so_and_keeps_what_was_typed(app: ASGIApp) -> None:
    alex = browser(app, "alex")
    where = {"user": ALEX, "name": "remember_about"}
    token = form_token(alex.get("/operation", params=where).text)
    typed = {"form_token": token, "entity": "Dagster", "entity_type": "tool", "properties": "no json"}
    answer = alex.post("/operation", params=where, data=typed)
    assert answer.status_code == 422
    assert "properties:" in answer.text
    assert "Dagster</textarea>" in answer.text


def test_a_search_shows_what_fits_and_a_question_what_would_be_told(app: ASGIApp) -> None:
    alex = browser(app, "alex")
    assert "Prefers short answers" in alex.get("/user", params={"user": ALEX, "q": "answers"}).text
    told = alex.get("/recall", params={"user": ALEX, "q": "Who leads the platform team?"}).text
    assert "&lt;learning_context&gt;" in told
    assert 'class="bar"' in told


@pytest.mark.parametrize(
    ("answer", "kept"), [("approve", "Works from Lisbon on Fridays"), ("edit", "Works from Porto"), ("reject", "")]
)
def test_what_waits_is_approved_edited_or_rejected(app: ASGIApp, answer: str, kept: str) -> None:
    ops = browser(app, "ops")
    page = ops.get("/queue").text
    key = page.split('name="proposal" value="')[1].split('"')[0]
    sent = {"form_token": form_token(page), "proposal": key, "answer": answer, "content": "Works from Porto"}
    assert f'value="{key}"' not in ops.post("/queue", data=sent).text
    known = ops.get("/user", params={"user": ALEX}).text
    assert kept in known
    assert ("from Lisbon" in known) == (answer == "approve")


def test_forgetting_asks_for_the_id_first(app: ASGIApp) -> None:
    alex = browser(app, "alex")
    token = form_token(alex.get("/forget", params={"user": ALEX}).text)
    wrong = alex.post("/forget", params={"user": ALEX}, data={"form_token": token, "typed": "alex"})
    assert wrong.status_code == 422
    assert "Prefers short answers" in alex.get("/user", params={"user": ALEX}).text
    assert "Forgotten" in alex.post("/forget", params={"user": ALEX}, data={"form_token": token, "typed": ALEX}).text
    assert "Prefers short answers" not in alex.get("/user", params={"user": ALEX}).text


def test_mounted_under_a_path_every_link_stays_there(world: World) -> None:
    ops = browser(Starlette(routes=[Mount("/memory", app_for(*world))]), "ops")
    page = ops.get("/memory/user", params={"user": ALEX})
    assert page.status_code == 200
    assert [link for link in links(page.text) if not link.startswith(("/memory/", "#"))] == []
    assert all(ops.get(link).status_code == 200 for link in links(page.text) if link.startswith("/"))


def test_a_store_without_history_still_shows_its_records() -> None:
    from langgraph.store.memory import InMemoryStore

    learning, store = LearningMachine(user_memory=True), InMemoryStore()
    learning.scoped(user_id=ALEX, store=store).apply("add_memory", content="Drinks tea")
    alex = browser(app_for(learning, store), "alex")
    [record] = [link for link in links(alex.get("/user", params={"user": ALEX}).text) if "&id=" in link]
    assert "Drinks tea" in alex.get(record).text


AGAIN = "The user prefers short answers."


@pytest.fixture
def said_twice(world: World) -> ASGIApp:
    learning, store = world
    alex = learning.scoped(user_id=ALEX, store=store)
    [known] = [row for row in alex.export() if row["text"] == "Prefers short answers"]
    alex.load([{**known, "id": "again", "text": AGAIN, "content": {"content": AGAIN}}])
    return app_for(learning, store)


def test_tidying_up_looks_first_and_then_is_one_commit_that_the_timeline_takes_back(said_twice: ASGIApp) -> None:
    ops, where = browser(said_twice, "ops"), {"user": ALEX}
    token = form_token(ops.get("/curate", params=where).text)
    looked = ops.post("/curate", params=where, data={"form_token": token, "answer": "look"}).text
    assert AGAIN in looked
    assert "to be made" in looked
    assert 'class="memory aside"' not in ops.get("/user", params=where).text
    done = ops.post("/curate", params=where, data={"form_token": token, "answer": "apply"}).text
    assert "made, commit" in done
    assert 'class="memory aside"' in ops.get("/user", params=where).text
    commit = ops.get("/timeline", params=where).text.split('name="commit" value="')[1].split('"')[0]
    ops.post("/timeline", params=where, data={"form_token": token, "commit": commit})
    assert 'class="memory aside"' not in ops.get("/user", params=where).text


def test_tidying_up_reaches_what_is_shared_so_one_user_does_not(app: ASGIApp) -> None:
    alex = browser(app, "alex")
    token = form_token(alex.get("/forget", params={"user": ALEX}).text)
    assert "/curate" not in alex.get("/user", params={"user": ALEX}).text
    assert alex.get("/curate", params={"user": ALEX}).status_code == 404
    assert alex.post("/curate", params={"user": ALEX}, data={"form_token": token}).status_code == 404


@pytest.mark.parametrize("days", ["-1", "1e3", "many", "0", "123456", "٣"])
def test_tidying_up_takes_whole_days_only(app: ASGIApp, days: str) -> None:
    ops = browser(app, "ops")
    token = form_token(ops.get("/curate", params={"user": ALEX}).text)
    answer = ops.post("/curate", params={"user": ALEX}, data={"form_token": token, "days": days})
    assert answer.status_code == 422


@pytest.mark.parametrize("ends", ["well", "badly"])
def test_long_work_says_so_until_its_page_is_there(
    app: ASGIApp, monkeypatch: pytest.MonkeyPatch, ends: Literal["well", "badly"]
) -> None:
    """The page is one document in pieces: who waits sees the work, then how it ended."""
    forget = Memory.forget

    async def forget_slowly(memory: Memory, user: str) -> dict[str, int]:
        for _ in range(20):  # more rounds of the loop than the page waits for
            await asyncio.sleep(0)
        if ends == "badly":
            raise StoreError("the disk of <host> is full")
        return await forget(memory, user)

    monkeypatch.setattr(Memory, "forget", forget_slowly)
    monkeypatch.setattr(rendering, "PATIENCE", 0)
    monkeypatch.setattr(rendering, "TICK", 0)
    alex = browser(app, "alex")
    token = form_token(alex.get("/forget", params={"user": ALEX}).text)
    page = alex.post("/forget", params={"user": ALEX}, data={"form_token": token, "typed": ALEX}).text
    worked, _, ended = page.rpartition('<p class="working"')
    assert 'class="working"' in worked
    assert page.count("<main") == page.count("</main>") == page.count("</html>") == 1
    assert ("Forgotten" if ends == "well" else "That did not work") in ended
    assert "of <host>" not in page
    assert ("Prefers short answers" in alex.get("/user", params={"user": ALEX}).text) == (ends == "badly")
