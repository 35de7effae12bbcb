"""LangGraph's dev server end to end, as Studio uses it: forms, runs, time travel, approval, the store."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from pages.test_reference import without_places
from studio.server import PATIENCE, ROOT, Studio, attempts, complaints, environment, require_server, studio_server

from docs.draw import studio_picture
from langgraph_learning.namespace_labels import label

LEARNING = {"assistant": "learning.before_agent", "composed": "recall", "waiting": "recall"}
"""The graphs that learn unasked, and the step with which each begins."""
NODES = {
    "assistant": {"learning.before_agent", "model", "learning.after_agent"},
    "composed": {"recall", "agent", "tools", "extract", "review"},
    "support_agent": {"recall", "support:model", "support:tools", "extract", "review"},
    "inbox": {"collect", "review"},
}


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """One server for all tests of this module, which has nothing to complain of in the end."""
    require_server()
    home = tmp_path_factory.mktemp("studio")
    with studio_server(home, waiting="studio.waiting:graph", behind="studio.behind:graph") as running:
        yield running
    assert complaints(running.log()) == []
    assert attempts(home) == []


@pytest.fixture
def user(request: pytest.FixtureRequest) -> str:
    """Somebody of this test's own; a name that no namespace takes as it is."""
    return f"{request.node.name}@mail.example.com"


@dataclass
class Turn:
    """What a run streamed."""

    events: list[dict[str, Any]]
    state: dict[str, Any]

    @property
    def reply(self) -> str:
        return str(self.state["messages"][-1]["content"])

    @property
    def recalled(self) -> list[list[str]]:
        """The labels that each recall of the run has shown."""
        receipts = [event["receipt"] for event in self.events if event["learning"] == "recalled"]
        return [[each["label"] for each in receipt["shown"]] for receipt in receipts]

    @property
    def kinds(self) -> list[str]:
        return [event["learning"] for event in self.events]


def new_thread(studio: Studio) -> str:
    return str(studio.client.threads.create()["thread_id"])


def run(studio: Studio, graph: str, thread: str, given: Any, user: str | None = None, **options: Any) -> Turn:
    """Run a graph and collect what it streams."""
    context = {"context": {"user_id": user}} if user else {}
    parts = list(
        studio.client.runs.stream(thread, graph, input=given, stream_mode=["custom", "values"], **context, **options)
    )
    assert [part for part in parts if part.event == "error"] == []
    states = [part.data for part in parts if part.event == "values"]
    return Turn([part.data for part in parts if part.event == "custom"], states[-1] if states else {})


def say(studio: Studio, graph: str, thread: str, text: str, user: str | None = None, **options: Any) -> Turn:
    return run(studio, graph, thread, {"messages": [{"role": "user", "content": text}]}, user, **options)


def namespaces(studio: Studio, user: str) -> list[list[str]]:
    """Return the namespaces of a user's records."""
    prefix = ["learning", "user", label(user)]
    return [list(each) for each in studio.client.store.list_namespaces(prefix=prefix, limit=100)["namespaces"]]


def texts(studio: Studio, user: str, kind: str) -> list[str]:
    """Return the texts of a user's records of one kind, as Studio's store page reads them."""
    wanted = [each for each in namespaces(studio, user) if each[-1] == kind]
    found = [item for each in wanted for item in studio.client.store.search_items(each, limit=100)["items"]]
    return [str(item["value"]["text"]) for item in found]


def at_once(step: Callable[[str], object], given: Iterable[str]) -> None:
    """Take a step for each of `given` at the same time: the server looks for a new run twice a second."""
    with ThreadPoolExecutor() as threads:
        list(threads.map(step, given))


def eventually(condition: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.02)


def start(studio: Studio, thread: str, step: str) -> dict[str, Any]:
    """Return the oldest checkpoint of a thread before `step`."""
    history = studio.client.threads.get_history(thread, limit=100)
    return dict([state["checkpoint"] for state in history if list(state["next"]) == [step]][-1])


@pytest.mark.parametrize("graph", NODES)
def test_forms_ask_for_messages_and_who_it_is_and_nodes_have_names(studio: Studio, graph: str) -> None:
    schemas: Any = studio.client.assistants.get_schemas(studio.ids[graph])
    assert set(schemas["input_schema"].get("properties", {})) == (set() if graph == "inbox" else {"messages"})
    assert set(schemas["context_schema"]["properties"]) == {"user_id", "timezone"}
    del schemas["state_schema"]  # LangGraph lists the private keys of any node there; it is no form
    assert [name for name, schema in schemas.items() if "learning_" in json.dumps(schema)] == []
    drawn = studio.client.assistants.get_graph(studio.ids[graph], xray=True)
    assert {str(node["id"]) for node in drawn["nodes"]} >= NODES[graph]


def test_what_one_thread_teaches_another_one_recalls(studio: Studio, user: str) -> None:
    def learned(graph: str) -> None:
        mine = f"{graph}_{user}"
        said = {"messages": [{"role": "user", "content": "I like green tea."}]}
        taught: Any = studio.client.runs.wait(new_thread(studio), graph, input=said, context={"user_id": mine})
        assert taught["messages"][-1]["type"] == "ai"
        assert [key for key in taught if key.startswith("learning")] == []
        asked = say(studio, graph, new_thread(studio), "What do I like?", mine)
        assert [len(labels) for labels in asked.recalled] == [1]
        if graph != "waiting":
            assert asked.reply.startswith("[scripted]")
            assert asked.reply.endswith("- I like green tea.")

    at_once(learned, LEARNING)


def test_events_say_what_is_recalled_and_learned_around_the_tools_of_the_graph(studio: Studio, user: str) -> None:
    text = "My name is Ada. I keep bees. How long is it from 2026-01-01 to 2026-02-01?"
    turn = say(studio, "composed", new_thread(studio), text, user)
    assert turn.kinds == ["recalled", "learned"]
    changes = turn.events[-1]["commit"]["changes"]
    assert [(each["store"], each["text"]) for each in changes[:2]] == [
        ("user_profile", "name: Ada"),
        ("user_memory", "I keep bees."),
    ]
    assert [message["type"] for message in turn.state["messages"]] == ["human", "ai", "tool", "ai"]
    assert turn.reply == "[scripted] The tool days_between says: 31"


def test_a_run_that_learns_behind_the_reply_does_so_in_a_thread_of_ours_and_never_on_the_event_loop(
    studio: Studio, user: str
) -> None:
    turn = say(studio, "behind", new_thread(studio), "I like green tea.", user)
    assert turn.kinds == ["recalled", "scheduled"]
    assert turn.reply == "Noted."
    eventually(lambda: texts(studio, user, "user_memory") == ["I like green tea."], "it is not learned")
    eventually(lambda: "pending" not in {each[-1] for each in namespaces(studio, user)}, "it waits, though learned")
    told = (studio.home / "learned-in").read_text()
    assert told.startswith("learning")
    assert told.endswith(" on no loop")
    asked = say(studio, "behind", new_thread(studio), "What do I like?", user)
    assert [len(labels) for labels in asked.recalled] == [1]


def test_a_replay_recalls_what_was_known_then(studio: Studio, user: str) -> None:
    def replayed(graph: str) -> None:
        mine, thread = f"{graph}_{user}", new_thread(studio)
        assert say(studio, graph, thread, "I like green tea.", mine).recalled == [[]]
        assert "m1" in say(studio, graph, thread, "What do I like?", mine).recalled[0]
        checkpoint = start(studio, thread, LEARNING[graph])
        again = run(studio, graph, thread, None, mine, checkpoint_id=checkpoint["checkpoint_id"])
        assert again.recalled == [[]]
        assert "learned" not in again.kinds  # the turn was learned from already

    at_once(replayed, LEARNING)


def test_a_fork_recalls_what_was_known_where_it_branches_off(studio: Studio, user: str) -> None:
    thread = new_thread(studio)
    say(studio, "composed", thread, "I like green tea.", user)
    checkpoint = start(studio, thread, "recall")
    was: Any = studio.client.threads.get_state(thread, checkpoint_id=checkpoint["checkpoint_id"])
    [question] = was["values"]["messages"]
    edited = {"messages": [{**question, "content": "What is known of me?"}]}
    forked = studio.client.threads.update_state(thread, edited, checkpoint=checkpoint)
    turn = run(studio, "composed", thread, None, user, checkpoint_id=forked["checkpoint"]["checkpoint_id"])
    assert turn.recalled == [[]]
    assert turn.reply.endswith("(nothing yet)")
    assert texts(studio, user, "user_memory") == []  # the message was edited: what its old text taught is taken back


def test_the_store_is_browsed_by_namespaces_and_keys(studio: Studio, user: str) -> None:
    say(studio, "assistant", new_thread(studio), "My name is Ada. I keep bees.", user)
    mine = namespaces(studio, user)
    assert [each[3:] for each in mine] == [["commits"], ["user_memory"], ["user_profile"]]
    assert [label for each in mine for label in each if "." in label] == []
    [memory] = studio.client.store.search_items(mine[1], limit=10)["items"]
    assert studio.client.store.get_item(mine[1], memory["key"])["value"] == memory["value"]
    assert memory["value"]["text"] == "I keep bees."
    assert memory["value"]["source"]["quote"] == "I keep bees."
    [found] = studio.client.store.search_items(mine[1], query="bees", limit=10)["items"]
    assert found["key"] == memory["key"]


def test_a_run_that_is_rolled_back_leaves_nothing(studio: Studio, user: str) -> None:
    thread = new_thread(studio)
    client = studio.client
    context = {"user_id": user}
    said = {"messages": [{"role": "user", "content": "I like to wait."}]}
    first = client.runs.create(thread, "waiting", input=said, context=context)
    eventually(lambda: client.threads.get_state(thread)["next"] == ["agent"], "the first run never got to its agent")
    said = {"messages": [{"role": "user", "content": "I like tea."}]}
    client.runs.wait(thread, "waiting", input=said, context=context, multitask_strategy="rollback")
    history = client.threads.get_history(thread, limit=100)
    assert {state["metadata"]["run_id"] for state in history}.isdisjoint({first["run_id"]})
    assert "I like to wait" not in json.dumps(history)
    assert texts(studio, user, "user_memory") == ["I like tea."]


def test_a_deleted_thread_takes_its_session_and_leaves_the_memories(studio: Studio, user: str) -> None:
    thread, other = new_thread(studio), new_thread(studio)
    at_once(lambda each: say(studio, "composed", each, f"I keep bees in {each}.", user), (thread, other))
    assert len(texts(studio, user, "session_context")) == 2
    studio.client.threads.delete(thread)
    [left] = texts(studio, user, "session_context")
    assert other in left
    assert len(texts(studio, user, "user_memory")) == 2


def test_each_user_has_their_own_also_in_one_thread(studio: Studio, user: str) -> None:
    thread, other = new_thread(studio), f"other_{user}"
    say(studio, "assistant", thread, "I keep bees.", user)
    assert say(studio, "assistant", thread, "I keep goats.", other).reply.endswith("(nothing yet)")
    assert texts(studio, user, "user_memory") == ["I keep bees."]
    assert texts(studio, other, "user_memory") == ["I keep goats."]


def test_nobody_is_answered_learns_nothing_and_that_is_said(studio: Studio) -> None:
    before = studio.client.store.list_namespaces(limit=1000)
    turn = say(studio, "assistant", new_thread(studio), "I keep bees.")
    assert turn.reply.endswith("(nothing yet)")
    assert turn.kinds == ["nobody", "recalled"]
    assert turn.events[0]["stores"] == ["user_profile", "user_memory"]
    assert studio.client.store.list_namespaces(limit=1000) == before
    assert [each for each in studio.log() if "no user_id in this run" in str(each["event"])]


def test_a_chat_ui_that_sends_no_user_is_given_an_assistant_of_one_and_pages_show_what_it_learned(
    studio: Studio, user: str
) -> None:
    mine = studio.client.assistants.create("assistant", context={"user_id": user})["assistant_id"]
    said = {"messages": [{"role": "user", "content": "I keep bees."}]}
    studio.client.runs.wait(new_thread(studio), mine, input=said)
    assert texts(studio, user, "user_memory") == ["I keep bees."]
    page = httpx.get(f"{studio.url}/memory/user", params={"user": user})
    assert (page.status_code, "I keep bees." in page.text) == (200, True)
    refused = httpx.get(f"{studio.url}/memory/user", params={"user": user}, headers={"x-forwarded-for": "192.0.2.1"})
    assert (refused.status_code, "bees" in refused.text) == (403, False)


def test_a_proposal_is_answered_as_agent_chat_ui_does(studio: Studio, user: str) -> None:
    """It resumes the thread's assistant with a list of decisions, and sends neither user nor context."""
    mine = studio.client.assistants.create("support_agent", context={"user_id": user})["assistant_id"]
    thread, solution = new_thread(studio), "I restarted the printer twice: that solved the paper jam."
    said = {"messages": [{"role": "user", "content": solution}]}
    studio.client.runs.wait(thread, mine, input=said)
    [request] = asked(studio, thread)["action_requests"]
    words = "A paper jam is solved by restarting the printer twice"
    edited = {"name": request["name"], "args": {**request["args"], "learning": words}}
    resume = {"decisions": [{"type": "edit", "edited_action": edited}]}
    studio.client.runs.wait(thread, mine, command={"resume": resume})
    assert words in shared(studio)
    assert studio.client.threads.get_state(thread)["interrupts"] == []


def decide(studio: Studio, graph: str, thread: str, *decisions: dict[str, Any]) -> Any:
    """Answer what a thread asks; like Studio, without a context."""
    return studio.client.runs.wait(thread, graph, command={"resume": {"decisions": list(decisions)}})


def asked(studio: Studio, thread: str) -> dict[str, Any]:
    """Return what a thread waits to be answered."""
    [interrupt] = studio.client.threads.get_state(thread)["interrupts"]
    return dict(interrupt["value"])


def shared(studio: Studio) -> list[str]:
    """Return what everybody's learned knowledge says."""
    found = studio.client.store.search_items(["learning", "namespace", "global", "learned_knowledge"], limit=100)
    return [str(item["value"]["content"]["learning"]) for item in found["items"]]


def test_a_proposal_is_shown_edited_and_only_then_known_to_others(studio: Studio, user: str) -> None:
    thread, solution = new_thread(studio), "I cleared the cache: that solved the blank page."
    turn = say(studio, "support_agent", thread, f"I like green tea. {solution}", user)
    assert turn.kinds[-1] == "proposed"
    [request] = asked(studio, thread)["action_requests"]
    assert (request["name"], request["args"]["learning"]) == ("save_learning", solution)
    assert texts(studio, user, "user_memory") == ["I like green tea."]
    assert solution not in shared(studio)
    better = {"name": "save_learning", "args": {"title": "Blank page", "learning": "Clear the cache"}}
    decide(studio, "support_agent", thread, {"type": "edit", "edited_action": better})
    assert studio.client.threads.get_state(thread)["next"] == []
    assert [each for each in shared(studio) if "cache" in each] == ["Clear the cache"]
    other = say(studio, "support_agent", new_thread(studio), "Why is my page blank?", f"other_{user}")
    assert "- Blank page: Clear the cache" in other.reply
    assert "green tea" not in other.reply


def test_the_inbox_shows_what_any_thread_left_waiting(studio: Studio, user: str) -> None:
    said = ["I paid again: that solved the reminder.", "I asked my bank: that solved the refund."]
    at_once(lambda text: say(studio, "support_agent", new_thread(studio), text, user), said)
    inbox = new_thread(studio)
    run(studio, "inbox", inbox, {}, user)
    first, second = (each["args"]["learning"] for each in asked(studio, inbox)["action_requests"])
    assert {first, second} == set(said)
    done = decide(studio, "inbox", inbox, {"type": "reject", "message": "no"}, {"type": "approve"})
    assert [each["result"] for each in done["decided"]] == ["rejected", "approved"]
    assert [each for each in shared(studio) if each in said] == [second]


def test_everything_lies_in_the_working_directory(studio: Studio) -> None:
    assert {".langgraph_api", "studio.db"} <= {path.name for path in studio.home.iterdir()}


@pytest.mark.parametrize(
    ("script", "attempt"),
    [
        ("import socket; socket.socket().connect(('192.0.2.1', 80))", "socket.connect 192.0.2.1"),
        ("import urllib.request as u; u.urlopen('http://a.example')", "socket.getaddrinfo a.example"),
        (
            "import asyncio as a, uvloop; uvloop.run(a.open_connection('192.0.2.1', 80))",
            "uvloop.create_connection 192.0.2.1",
        ),
    ],
)
def test_an_attempt_to_leave_the_machine_is_refused_and_noticed(script: str, attempt: str, tmp_path: Path) -> None:
    require_server()  # it brings uvloop
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, env=environment(tmp_path), capture_output=True, text=True, check=False, timeout=60)
    assert "may not leave the machine" in done.stderr
    assert attempts(tmp_path) == [attempt]


def test_a_log_with_an_error_is_complained_of() -> None:
    fine = {"level": "info", "event": "GET /ok"}
    wrong = [
        {"level": "error", "event": "it failed"},
        {"level": "warning", "event": "Blocking call", "exception": "BlockingError: sqlite3.connect"},
        {"level": "text", "event": "Traceback (most recent call last):"},
    ]
    assert complaints([fine, *wrong]) == [each["event"] for each in wrong]


@pytest.mark.parametrize("graph", NODES)
def test_the_page_draws_the_graphs_as_they_are(graph: str) -> None:
    picture = f"pictures/studio-{graph}.svg"
    kept = (ROOT / "docs" / picture).read_text(encoding="utf-8")
    assert without_places(kept) == without_places(studio_picture(graph)), "python -m docs.draw"
    assert f"](../{picture})" in (ROOT / "docs" / "how-to" / "studio.md").read_text(encoding="utf-8")
