"""What the real client of each provider sends for an extraction, and that its answers are read at the first call."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from langgraph.store.memory import InMemoryStore
from providers.clients import ANTHROPIC, BEDROCK, GEMINI, PROVIDERS, THINKING, Provider
from providers.recorder import Json, Recorder, find_schema, recorder

from langgraph_learning import LearnedKnowledgeConfig, LearningMachine, LearningMode, SessionContextConfig
from langgraph_learning.errors import ExtractionError
from langgraph_learning.json_schema import unions
from langgraph_learning.records import Commit
from langgraph_learning.scoped import Scoped
from langgraph_learning.testing import op

TEA = op("add_memory", content="Likes tea", quote="I like tea")
ANSWER = json.dumps({"operations": [TEA]})
OFFERED = {
    "update_user_profile",
    "add_memory",
    "update_session_context",
    "remember_about",
    "link_entities",
    "save_learning",
}
SHAPES = {
    "text": ANSWER,
    "prose": f"Here is what I learned:\n{ANSWER}\nAnything else?",
    "thoughts": f"<think>They said {{tea}}.</think>\n{ANSWER}",
    "fence": f"```json\n{ANSWER}\n```",
}
every = pytest.mark.parametrize("provider", PROVIDERS, ids=lambda provider: provider.name)


@pytest.fixture
def server() -> Iterator[Recorder]:
    with recorder() as running:
        yield running


def machine(provider: Provider, server: Recorder) -> Scoped:
    """A machine with all learning stores that extract, and the provider's model."""
    learning = LearningMachine(
        model=provider.model(server.url),
        user_profile=True,
        user_memory=True,
        session_context=SessionContextConfig(enable_planning=True),
        entity_memory=True,
        learned_knowledge=LearnedKnowledgeConfig(mode=LearningMode.ALWAYS),
        store=InMemoryStore(),
    )
    return learning.scoped(user_id="ada", thread_id="t1")


def texts(commit: Commit | None) -> list[str]:
    assert commit is not None
    return [change.text for change in commit.changes]


@every
def test_a_request_asks_by_json_schema_for_all_operations_without_unions(provider: Provider, server: Recorder) -> None:
    server.replies = [provider.text(ANSWER, provider.ends[0])]
    commit = machine(provider, server).learn([("user", "I like tea")])
    assert texts(commit) == ["Likes tea"]
    assert commit is not None
    assert (commit.usage.calls, commit.usage.input_tokens, commit.usage.output_tokens) == (1, 11, 7)
    [request] = server.requests
    assert provider.method(request) == "json_schema"
    assert provider.strict is None or provider.strict(request) is True
    assert provider.limit(request) == (9_000 if provider is THINKING else 8_000)
    kinds: list[dict[str, Any]] = find_schema(request)["properties"]["operations"]["items"]["anyOf"]
    assert {name for kind in kinds for name in kind["properties"]["operation"]["enum"]} == OFFERED
    assert sum(map(unions, kinds)) == 0
    for kind in kinds:
        assert set(kind["required"]) == set(kind["properties"])
        assert "quote" in kind["properties"]


@every
@pytest.mark.parametrize("shape", SHAPES)
def test_an_answer_is_read_at_the_first_call_whatever_stands_around_it(
    provider: Provider, server: Recorder, shape: str
) -> None:
    server.replies = [provider.text(SHAPES[shape], provider.ends[0])]
    assert texts(machine(provider, server).learn([("user", "I like tea")])) == ["Likes tea"]
    assert len(server.requests) == 1


@every
def test_thoughts_in_a_block_of_their_own_are_not_the_answer(provider: Provider, server: Recorder) -> None:
    if provider.thought is None:
        pytest.skip("this API has no block of thoughts")
    server.replies = [provider.thought(ANSWER)]
    assert texts(machine(provider, server).learn([("user", "I like tea")])) == ["Likes tea"]


@every
def test_an_answer_that_the_api_calls_cut_off_teaches_what_is_complete(provider: Provider, server: Recorder) -> None:
    server.replies = [provider.text(ANSWER[:-2] + ', {"operation": "add_mem', provider.ends[1])]
    commit = machine(provider, server).learn([("user", "I like tea")])
    assert texts(commit) == ["Likes tea"]
    assert commit is not None
    assert [refusal.operation for refusal in commit.refused] == ["answer"]


@every
def test_a_server_that_refuses_the_schema_is_recognised_and_asked_another_way(
    provider: Provider, server: Recorder
) -> None:
    forced = provider.name not in ("anthropic thinking", "ollama")  # a tool that is only offered is no way to ask
    answer = provider.call(ANSWER) if forced else provider.text(f"Sure: {ANSWER}", provider.ends[0])
    server.replies = [(400, provider.error), answer]
    assert texts(machine(provider, server).learn([("user", "I like tea")])) == ["Likes tea"]
    second = server.requests[1]
    assert bool(second.get("tools") or second.get("toolConfig")) is forced
    if provider is GEMINI:
        return  # its client turns a tool's choices into a schema of its own; the prompt holds the signatures
    if forced:
        schema = find_schema(second)
        kinds = schema["properties"]["operations"]["items"]["anyOf"]
        assert {name for kind in kinds for name in kind["properties"]["operation"]["enum"]} == OFFERED
    else:
        assert "update_user_profile" in json.dumps(second["messages"][-1])


@every
def test_a_failure_that_is_no_refusal_is_not_asked_again(provider: Provider, server: Recorder) -> None:
    server.replies = [(401, provider.error)]
    with pytest.raises(Exception, match=r"."):
        machine(provider, server).learn([("user", "I like tea")])
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("provider", "reply"),
    [
        pytest.param(provider, reply, id=f"{provider.name} {number}")
        for provider in PROVIDERS
        for number, reply in enumerate(provider.refusals)
    ],
)
def test_a_refusal_is_asked_about_once_more_and_told_as_one(
    provider: Provider, server: Recorder, reply: Json | tuple[int, Json]
) -> None:
    server.replies = [reply, reply]
    with pytest.raises(ExtractionError, match="the model refused: "):
        machine(provider, server).learn([("user", "I like tea")])
    assert len(server.requests) == 2
    server.replies = [reply, provider.text(ANSWER, provider.ends[0])]
    assert texts(machine(provider, server).learn([("user", "I like tea")])) == ["Likes tea"]


@every
def test_an_empty_answer_is_no_answer(provider: Provider, server: Recorder) -> None:
    server.replies = [provider.text("", provider.ends[0])] * 2
    with pytest.raises(ExtractionError, match="empty"):
        machine(provider, server).learn([("user", "I like tea")])


def test_claude_is_told_what_of_the_prompt_never_changes(server: Recorder) -> None:
    server.replies = [ANTHROPIC.text(ANSWER, "end_turn"), ANTHROPIC.text(json.dumps({"operations": []}), "end_turn")]
    scoped = machine(ANTHROPIC, server)
    scoped.learn([("user", "I like tea")])
    scoped.learn([("user", "Bye")])
    for request in server.requests:
        [rules] = request["system"]
        assert rules["cache_control"] == {"type": "ephemeral"}
        assert "Likes tea" not in rules["text"]


def test_bedrock_is_never_asked_to_fill_in_what_was_not_given(server: Recorder) -> None:
    """Converse strips null branches and leaves the fields required: none has such a branch."""
    server.replies = [(400, BEDROCK.error), BEDROCK.call(ANSWER)]
    machine(BEDROCK, server).learn([("user", "I like tea")])
    assert '"null"' not in json.dumps(find_schema(server.requests[1]))
