"""The examples do what they say: scripted where no model is named, and with the real client against a server here."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from openai_stub import Stub, openai_stub

from examples import chat, personal_assistant, service, support_agent
from langgraph_learning import LearningMachine, Record, connect
from langgraph_learning.testing import op

EXAMPLES = Path(chat.__file__).parent
Run = Callable[..., str]


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of the database that the examples use in this test; no model is named."""
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "LEARNING_MODEL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("USER", "ada")
    monkeypatch.setenv("DATABASE_URL", found := f"sqlite:///{tmp_path / 'learning.db'}")
    return found


@pytest.fixture
def run(url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs an example as at a terminal, with these lines typed; returns what it printed, without line breaks."""

    def ran(main: Callable[[], None], *typed: str, options: Sequence[str] = ()) -> str:
        lines = iter(typed)

        def answer(_: object = "") -> str:
            try:
                return next(lines)
            except StopIteration:
                raise EOFError from None

        monkeypatch.setattr("builtins.input", answer)
        monkeypatch.setattr("sys.argv", ["example", *options])
        main()
        assert list(lines) == [], "the example did not ask for all that was typed"
        return " ".join(capsys.readouterr().out.split())

    return ran


@pytest.fixture
def server(url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stub]:
    """A server that the examples take for OpenAI's."""
    with openai_stub() as stub:
        monkeypatch.setenv("OPENAI_BASE_URL", stub.url)
        monkeypatch.setenv("OPENAI_API_KEY", "none")
        yield stub


def records(url: str, learning: LearningMachine, user: str, thread: str | None = None) -> list[Record]:
    with connect(url) as db:
        return learning.scoped(user_id=user, thread_id=thread, store=db.store).records()


def texts(url: str, learning: LearningMachine, user: str, thread: str | None = None) -> list[str]:
    return [record.text for record in records(url, learning, user, thread)]


def replies(server: Stub) -> list[str]:
    """Return what the agent's model was sent, one text a request."""
    return [json.dumps(request["messages"]) for request in server.requests if request not in server.asked]


def test_every_new_example_is_short() -> None:
    names = ("chat", "personal_assistant", "support_agent", "service")
    assert [name for name in names if len((EXAMPLES / f"{name}.py").read_text().splitlines()) > 110] == []


# personal assistant


def test_a_personal_assistant_recalls_in_a_new_process_and_keeps_people_to_their_user(run: Run, url: str) -> None:
    printed = run(personal_assistant.main)
    assert "scripted" in printed.split(".")[0]
    _, tuesday = printed.split("alex in 'tuesday'")
    tuesday, visit = tuesday.split("alex in 'visit'", 1)
    for known in ("name: Alex Chen", "Visits next month", "sister"):
        assert known in tuesday
    last, hello = visit.split("sam in 'hello'", 1)
    assert "Likes hiking" in last
    assert "recalled 0 records" in hello
    alex = personal_assistant.learning_of("alex")
    assert "Sarah: Likes hiking" in texts(url, alex, "alex")
    [session] = [each for each in records(url, alex, "alex", "visit") if each.store == "session_context"]
    goal, plan, progress = (session.content[name] for name in ("goal", "plan", "progress"))
    assert (goal, plan, progress) == ("Plan Sarah's visit", personal_assistant.PLAN, personal_assistant.PLAN[:1])
    assert texts(url, personal_assistant.learning_of("sam"), "sam") == []


def test_a_personal_assistant_runs_with_the_real_client(run: Run, server: Stub) -> None:
    server.replies = ["How nice.", "You are Alex.", "A plan.", "A table.", "I do not know."]
    server.extractions = list(personal_assistant.EXTRACTIONS)
    assert "The model is openai:" in run(personal_assistant.main)
    assert server.replies == server.extractions == []
    sent = replies(server)
    assert "Visits next month" not in sent[0]
    assert "Visits next month" in sent[1]
    assert "Likes hiking" in sent[3]
    assert "Visits next month" not in sent[4]


# support agent


def test_a_solution_that_the_lead_approved_is_shown_for_the_next_customer_alone_of_the_first_ones(
    run: Run, server: Stub, url: str
) -> None:
    server.replies = ["Clear the cache.", "Glad to hear that!", "Clear the cache, Dan."]
    server.extractions = list(support_agent.EXTRACTIONS)
    printed = run(support_agent.main, "approve")
    assert "approved by the support lead" in printed
    first, _, third = replies(server)
    assert support_agent.SOLUTION not in first
    assert support_agent.SOLUTION in third
    assert "Carla" not in third
    assert "Billing portal" in third
    acme = support_agent.learning_for("acme")
    [learned] = [each for each in records(url, acme, "dan") if each.store == "learned_knowledge"]
    assert learned.source.approved_by == support_agent.LEAD
    assert [each.store for each in records(url, support_agent.learning_for("bolt"), "eve")] == ["learned_knowledge"]


@pytest.mark.parametrize(
    ("typed", "shared"),
    [
        (["reject"], None),
        ([], None),
        (["edit", "Blank page", "Clear the cache"], "Blank page: Clear the cache"),
    ],
    ids=["rejected", "nobody there", "edited"],
)
def test_nothing_but_what_the_lead_said_reaches_the_next_customer(
    run: Run, url: str, typed: list[str], shared: str | None
) -> None:
    printed = run(support_agent.main, *typed)
    after = printed.split("What the model was shown for the last one")[1]
    assert support_agent.SOLUTION not in after
    assert (shared or "Billing portal") in after
    kept = [
        each.text for each in records(url, support_agent.learning_for("acme"), "dan") if each.store != "entity_memory"
    ]
    assert kept == ([shared] if shared else [])


# chat


def test_the_chat_stores_what_was_approved_or_edited_and_says_why_it_recalls_it(run: Run, url: str) -> None:
    printed = run(
        chat.main,
        "I like green tea. My name is Ada. I keep bees.",
        *("edit", "Likes [oolong] tea.", "approve", "reject"),
        "/new",
        "What tea do I like?",
        "/why",
        "",
        options=["--propose"],
    )
    assert "proposed: 3" in printed
    assert printed.count("approved") == 2
    assert printed.count("rejected") == 1
    assert texts(url, LearningMachine(user_profile=True, user_memory=True), "ada") == [
        "name: Ada",
        "Likes [oolong] tea.",
    ]
    why = printed.split("Recalled for your last message")[1]
    assert "Likes [oolong] tea." in why
    assert "matches" in why


def test_what_the_chat_gets_no_answer_to_waits(run: Run, url: str) -> None:
    assert "it waits" in run(chat.main, "I like green tea.", "", "", options=["--propose"])
    learning = LearningMachine(user_memory=True)
    assert texts(url, learning, "ada") == []
    with connect(url) as db:
        [proposal] = learning.scoped(user_id="ada", store=db.store).proposals()
    assert proposal.args["content"] == "I like green tea."


@pytest.mark.parametrize(("typed", "stored"), [("y", ["I like green tea."]), ("No", []), ("e", ["I like oolong."])])
def test_a_short_answer_is_one_too(run: Run, url: str, typed: str, stored: list[str]) -> None:
    edit = ["I like oolong."] if typed == "e" else []
    run(chat.main, "I like green tea.", typed, *edit, "", options=["--propose"])
    assert texts(url, LearningMachine(user_memory=True), "ada") == stored


def test_what_the_chat_does_not_know_is_told_and_teaches_nothing(run: Run, url: str) -> None:
    printed = run(chat.main, "/wyh", "")
    assert "There is no /wyh. /new begins" in printed
    assert "recalled" not in printed.split("There is no")[1].replace("recalled last", "")
    with pytest.raises(SystemExit):
        run(chat.main, options=["--propse"])


def test_the_chat_says_what_its_script_understands(run: Run, url: str) -> None:
    said = run(chat.main, "").split("such as: ")[1].split(">")[0].strip()
    assert said.startswith("My name is Ada.")
    run(chat.main, "My name is Ada. I like green tea.", "")
    assert texts(url, LearningMachine(user_profile=True, user_memory=True), "ada") == ["name: Ada", "I like green tea."]


def test_a_wrong_edit_in_the_chat_is_refused_and_asked_again(run: Run, url: str) -> None:
    printed = run(chat.main, "I like green tea.", "edit", " ", "approve", "", options=["--propose"])
    assert "Field required" in printed
    assert texts(url, LearningMachine(user_memory=True), "ada") == ["I like green tea."]


# service

Event = tuple[str, Any]


@asynccontextmanager
async def served(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Callable[[str | None], httpx.AsyncClient]]:
    """Run the service in this event loop, and hand out clients by token."""
    monkeypatch.setenv("SERVICE_TOKENS", json.dumps({"token-a": "alex", "token-s": "sam"}))
    async with service.app.router.lifespan_context(service.app):
        transport = httpx.ASGITransport(service.app)

        def client(token: str | None) -> httpx.AsyncClient:
            headers = {"authorization": f"Bearer {token}"} if token else {}
            return httpx.AsyncClient(transport=transport, base_url="http://service", headers=headers)

        yield client


async def say(client: httpx.AsyncClient, text: str, **body: str) -> list[Event]:
    """Return the events of one turn, in the order they were sent."""
    answer = await client.post("/chat", json={"text": text, **body})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = []
    for block in answer.text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if fields:
            events.append((fields["event"], json.loads(fields.get("data", "null"))))
    return events


def kinds(events: list[Event]) -> list[str]:
    """Return the kinds of events in order, tokens in a row as one."""
    names = [name for name, _ in events]
    return [name for place, name in enumerate(names) if place == 0 or name != names[place - 1]]


def reply(events: list[Event]) -> str:
    return "".join(data for name, data in events if name == "token")


def thread_of(events: list[Event]) -> str:
    return str(next(data for name, data in events if name == "thread"))


async def listed(client: httpx.AsyncClient, what: str) -> Any:
    return (await client.get(f"/{what}")).json()


async def test_two_users_at_once_stream_learn_and_decide_apart(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async with served(monkeypatch) as client, client("token-a") as alex, client("token-s") as sam:
        turns = await asyncio.gather(
            say(alex, "My name is Alex. I like tea."), say(sam, "My name is Sam. I like beer.")
        )
        for events in turns:
            assert kinds(events) == ["thread", "recalled", "token", "learned", "proposed", "done"]
            assert "(nothing yet)" in reply(events)
        assert [each["text"] for each in await listed(alex, "memories")] == ["name: Alex"]
        assert [each["text"] for each in await listed(sam, "memories")] == ["name: Sam"]
        [mine], [theirs] = await asyncio.gather(listed(alex, "proposals"), listed(sam, "proposals"))
        assert (mine["args"], theirs["args"]) == ({"content": "I like tea."}, {"content": "I like beer."})
        foreign = await alex.post(f"/proposals/{theirs['id']}/decide", json={"decision": "approve"})
        assert foreign.status_code == 404
        assert [each["id"] for each in await listed(sam, "proposals")] == [theirs["id"]]
        wrong = {"decision": "approve", "edit": {"content": 7}}
        assert (await alex.post(f"/proposals/{mine['id']}/decide", json=wrong)).status_code == 409
        done = await alex.post(f"/proposals/{mine['id']}/decide", json={"decision": "approve"})
        assert (done.status_code, done.json()["result"]) == (200, "approved")
        again = await alex.post(f"/proposals/{mine['id']}/decide", json={"decision": "approve"})
        assert again.status_code == 404
        asked = await asyncio.gather(say(alex, "What do I like?"), say(sam, "What do I like?"))
        assert ["I like tea." in reply(events) for events in asked] == [True, False]
        assert ["Sam" in reply(events) for events in asked] == [False, True]


@pytest.mark.parametrize("token", [None, "token-x", ""])
async def test_without_a_token_that_is_known_nothing_is_said_or_shown(
    url: str, monkeypatch: pytest.MonkeyPatch, token: str | None
) -> None:
    async with served(monkeypatch) as client, client(token) as nobody:
        for method, path in (
            ("POST", "/chat"),
            ("GET", "/memories"),
            ("GET", "/proposals"),
            ("POST", "/proposals/p1/decide"),
            ("DELETE", "/me"),
        ):
            body = {"json": {"text": "I like tea.", "decision": "approve"}} if method == "POST" else {}
            answer = await nobody.request(method, path, **body)  # type: ignore[arg-type]
            assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")


async def test_the_body_says_neither_who_it_is_nor_whose_conversation_goes_on(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with served(monkeypatch) as client, client("token-a") as alex, client("token-s") as sam:
        first = await say(alex, "My name is Alex.")
        thread = thread_of(first)
        await say(sam, "My name is Sam.", thread=thread, user_id="alex")
        assert [each["text"] for each in await listed(alex, "memories")] == ["name: Alex"]
        assert [each["text"] for each in await listed(sam, "memories")] == ["name: Sam"]
        saver = service.app.state.db.checkpointer
        ids = [f"{user}/{thread}" for user in ("alex", "sam")]
        states = [await saver.aget({"configurable": {"thread_id": each}}) for each in ids]
        said = [[each.text for each in state["channel_values"]["messages"] if each.type == "human"] for state in states]
        assert said == [["My name is Alex."], ["My name is Sam."]]
        refused = await alex.post("/chat", json={"text": "Hi", "thread": "sam/x"})
        assert refused.status_code == 422


async def test_forgetting_erases_one_user_with_what_they_said_and_nobody_else(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with served(monkeypatch) as client, client("token-a") as alex, client("token-s") as sam:
        thread = thread_of(await say(alex, "My name is Alex. I like tea."))
        await say(alex, "I keep bees.", thread=thread)
        await say(sam, "My name is Sam.")
        counts = (await alex.delete("/me")).json()
        assert counts["threads"] == 1
        assert counts["items"] > 0
        assert await listed(alex, "memories") == await listed(alex, "proposals") == []
        assert [each["text"] for each in await listed(sam, "memories")] == ["name: Sam"]
        saver = service.app.state.db.checkpointer
        left = {each.config["configurable"]["thread_id"].split("/")[0] async for each in saver.alist(None)}
        assert left == {"sam"}


async def test_the_service_streams_the_real_client_word_by_word(
    server: Stub, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.replies, server.extractions = ["Hello there, Alex."], [[op("update_user_profile", name="Alex")]]
    async with served(monkeypatch) as client, client("token-a") as alex:
        events = await say(alex, "My name is Alex.")
    assert [data.strip() for name, data in events if name == "token"] == ["Hello", "there,", "Alex."]
    assert kinds(events) == ["thread", "recalled", "token", "learned", "done"]
