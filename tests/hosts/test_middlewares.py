"""`create_agent` with each middleware that LangChain ships: what it does is the same with learning among them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from graphs.world import ADA, BOB, COLOURS, Colour, invoked, memories, said, thread
from hosts.compare import FACT, MODES, a_machine, compare_streams, knows, plain, taught
from hosts.shapes import BEES, weather
from langchain.agents import create_agent, middleware
from langchain_core.messages import AIMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.store.memory import InMemoryStore
from langgraph.types import Command

from langgraph_learning import LearningMachine
from langgraph_learning.testing import ScriptedChatModel, call, op

# LangChain's router calls itself beta, and its shell leaves the pipes to the garbage collector.
pytestmark = [
    pytest.mark.filterwarnings("ignore:The middleware .* is in beta"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


@tool
def broken(city: str) -> str:
    """Fail."""
    raise ValueError(f"no {city}")


class ByOpenAI(ScriptedChatModel):
    """A scripted model whose provider has a search for tools."""

    def _get_ls_params(self, stop: Any = None, **options: Any) -> Any:
        return {**super()._get_ls_params(stop, **options), "ls_provider": "openai"}


@dataclass
class Models:
    """The models of an agent: its own, one that answers in its place, and one that is asked about something else."""

    own: ScriptedChatModel
    other: ScriptedChatModel = field(default_factory=lambda: ScriptedChatModel(replies=["Other."], repeat=True))
    helper: ScriptedChatModel = field(default_factory=lambda: ScriptedChatModel(replies=["Help."], repeat=True))

    @property
    def calls(self) -> list[int]:
        return [model.calls["reply"] for model in (self.own, self.other, self.helper)]

    @property
    def prompts(self) -> list[Any]:
        return [*self.own.prompts["reply"], *self.other.prompts["reply"]]


@dataclass(frozen=True)
class Case:
    """A middleware, and a turn in which it has something to do."""

    name: str
    make: Callable[[Models, Path], Sequence[Any]]
    turn: Sequence[Any] = (call("weather", city="Oslo"), "Sunny.")
    tools: Sequence[Any] = (weather,)
    model: type[ScriptedChatModel] = ScriptedChatModel

    def __str__(self) -> str:
        return self.name


def deciding() -> Any:
    """Return a model of decisions that finds everything risky, and chooses the first of what there is."""
    from langchain_core.decisions import BaseDecisionModel, ChoiceAnswer, ClassifierResponse, NoulAnswer

    class Deciding(BaseDecisionModel):
        model: str = "deciding"

        @property
        def _provider(self) -> str:
            return "tests"

        def _classify(self, state: Any, questions: Any) -> ClassifierResponse:
            return ClassifierResponse(model=self.model, answers={key: _answer(each) for key, each in questions.items()})

    def _answer(question: Any) -> Any:
        if question.type == "noul":
            return NoulAnswer(type="noul", noul=0.9)
        first = next(iter(question.criteria))
        return ChoiceAnswer(type="choice", choice=first, probabilities={first: 1.0}, confidence=1.0)

    return Deciding()


def file_search(_: Models, root: Path) -> list[Any]:
    (root / "bees.txt").write_text("honey")
    return [middleware.FilesystemFileSearchMiddleware(root_path=str(root), use_ripgrep=False)]


def shell(_: Models, root: Path) -> list[Any]:
    return [middleware.ShellToolMiddleware(workspace_root=root)]


def summarization(models: Models, _: Path) -> list[Any]:
    return [middleware.SummarizationMiddleware(models.helper, trigger=("messages", 3), keep=("messages", 2))]


def refusal(models: Models, _: Path) -> list[Any]:
    return [middleware.ModelFallbackMiddleware(models.other), middleware.ModelRefusalMiddleware()]


def router(models: Models, _: Path) -> list[Any]:
    choices = {"other": middleware.ModelChoice(model=models.other, criteria="Anything.")}
    return [middleware.ModelRouterMiddleware(choices=choices, instructions="Choose.", classifier=deciding())]


def selector(models: Models, _: Path) -> list[Any]:
    models.helper.replies = ['{"tools": ["weather"]}']
    return [middleware.LLMToolSelectorMiddleware(model=models.helper, max_tools=1)]


def polite(_: Models, __: Path) -> list[Any]:
    @middleware.dynamic_prompt
    def prompt(request: Any) -> str:
        return "Be polite."

    return [prompt]


TODOS: list[Any] = [{"content": "look", "status": "in_progress"}]
TODO = call("write_todos", todos=TODOS)
RETRY: dict[str, Any] = {"max_retries": 1, "initial_delay": 0.0, "backoff_factor": 0.0, "jitter": False}
REFUSED = AIMessage([{"type": "refusal", "refusal": "No."}])
FAILED = call("broken", city="Oslo")
TWICE = [call("weather", call_id="c1", city="Oslo"), call("weather", call_id="c2", city="Rome"), "Sunny."]

CASES = {
    "": Case("none", lambda models, root: []),
    "dynamic_prompt": Case("dynamic prompt", polite),
    "AutoModeMiddleware": Case(
        "auto mode",
        lambda models, root: [middleware.AutoModeMiddleware(tools=["weather"], classifier=deciding())],
    ),
    "ContextEditingMiddleware": Case(
        "context editing",
        lambda models, root: [
            middleware.ContextEditingMiddleware(edits=[middleware.ClearToolUsesEdit(trigger=1, keep=0)])
        ],
    ),
    "FilesystemFileSearchMiddleware": Case("file search", file_search, (call("glob_search", pattern="*.txt"), "One.")),
    "HumanInTheLoopMiddleware": Case(
        "human in the loop", lambda models, root: [middleware.HumanInTheLoopMiddleware({"weather": True})]
    ),
    "LLMToolEmulator": Case(
        "tool emulator", lambda models, root: [middleware.LLMToolEmulator(tools=["weather"], model=models.helper)]
    ),
    "LLMToolSelectorMiddleware": Case("tool selector", selector),
    "ModelCallLimitMiddleware": Case(
        "model call limit", lambda models, root: [middleware.ModelCallLimitMiddleware(run_limit=1)], TWICE[:1]
    ),
    "ModelFallbackMiddleware": Case(
        "model fallback",
        lambda models, root: [middleware.ModelFallbackMiddleware(models.other)],
        (call("weather", city="Oslo"), RuntimeError("down")),
    ),
    "ModelRefusalMiddleware": Case("model refusal", refusal, (call("weather", city="Oslo"), REFUSED)),
    "ModelRetryMiddleware": Case(
        "model retry",
        lambda models, root: [middleware.ModelRetryMiddleware(**RETRY)],
        (RuntimeError("down"), call("weather", city="Oslo"), "Sunny."),
    ),
    "ModelRouterMiddleware": Case("model router", router, ()),
    "PIIMiddleware": Case("pii", lambda models, root: [middleware.PIIMiddleware("email", strategy="redact")]),
    "ProviderToolSearchMiddleware": Case(
        "provider tool search",
        lambda models, root: [middleware.ProviderToolSearchMiddleware(searchable_tools=["weather"])],
        model=ByOpenAI,
    ),
    "ShellToolMiddleware": Case("shell", shell, (call("shell", command="echo honey"), "Honey.")),
    "SummarizationMiddleware": Case("summarization", summarization),
    "TodoListMiddleware": Case("todo list", lambda models, root: [middleware.TodoListMiddleware()], (TODO, "Done.")),
    "ToolCallLimitMiddleware": Case(
        "tool call limit", lambda models, root: [middleware.ToolCallLimitMiddleware(run_limit=1)], TWICE
    ),
    "ToolErrorMiddleware": Case(
        "tool error",
        lambda models, root: [middleware.ToolErrorMiddleware(lambda error, request: "It failed.")],
        (FAILED, "Sorry."),
        (broken,),
    ),
    "ToolRetryMiddleware": Case(
        "tool retry", lambda models, root: [middleware.ToolRetryMiddleware(**RETRY)], (FAILED, "Sorry."), (broken,)
    ),
}
SHIPPED = {
    name
    for name in middleware.__all__
    if isinstance(getattr(middleware, name), type)
    and issubclass(getattr(middleware, name), middleware.AgentMiddleware)
    and name != "AgentMiddleware"
}
INSTALLED = [case for name, case in CASES.items() if not name or hasattr(middleware, name)]


def build(case: Case, root: Path, store: InMemoryStore, learning: LearningMachine | None = None) -> tuple[Any, Models]:
    """Return an agent with the middleware, and with learning's before it if there is any; and its models."""
    models = Models(case.model(replies=[*case.turn] * 6))
    ours = learning.middleware() if learning else []
    parts = [*ours, *case.make(models, root)]
    return create_agent(models.own, [*case.tools], middleware=parts, checkpointer=InMemorySaver(), store=store), models


async def talk(agent: Any, colour: Colour, text: str, name: str, user: dict[str, str]) -> Any:
    result = await invoked(agent, colour, said(text, "h1"), thread(name), context=user)
    if "__interrupt__" in result:
        answer: Command[Any] = Command(resume={"decisions": [{"type": "approve"}]})
        result = await invoked(agent, colour, answer, thread(name), context=user)
    return plain(result)


def state(agent: Any, name: str) -> Any:
    """Return what a thread holds, without the last jump: it lives until the next step, and learning is one."""
    return {key: value for key, value in plain(agent.get_state(thread(name)).values).items() if key != "jump_to"}


def test_each_middleware_of_the_installed_version_is_here() -> None:
    assert SHIPPED - {name for name in CASES if name} == set()


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("case", INSTALLED, ids=str)
async def test_an_agent_does_what_it_did_and_its_second_conversation_knows(
    case: Case, colour: Colour, tmp_path: Path
) -> None:
    learning, store = a_machine([op("add_memory", content=FACT, quote=BEES)]), InMemoryStore()
    learns, models = build(case, tmp_path, store, learning)
    alone, models_alone = build(case, tmp_path, InMemoryStore())
    asks = f"{BEES}, ada@example.com" if case.name == "pii" else BEES

    for thread_id, user, text in [("t1", ADA, asks), ("t2", ADA, "Where are my bees?"), ("t3", BOB, "Where are bees?")]:
        shown = len(models.own.prompts["reply"]), len(models.other.prompts["reply"])
        expected = await talk(alone, colour, text, thread_id, user)
        assert await talk(learns, colour, text, thread_id, user) == expected
        assert state(learns, thread_id) == state(alone, thread_id)
        prompts = [*models.own.prompts["reply"][shown[0] :], *models.other.prompts["reply"][shown[1] :]]
        assert knows(prompts) == [thread_id == "t2"] * len(prompts), "in each call of the turn"
        assert prompts
        assert models.calls == models_alone.calls

    assert memories(store) == [FACT]
    assert memories(store, "bob") == []


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("case", INSTALLED, ids=str)
async def test_its_streams_are_what_they_were(case: Case, mode: Any, tmp_path: Path) -> None:
    store = InMemoryStore()
    taught(store, [op("add_memory", content=FACT)])
    learns, models = build(case, tmp_path, store, a_machine())
    alone, _ = build(case, tmp_path, InMemoryStore())

    for colour in COLOURS:
        inputs: list[Any] = [said("Where?", f"h{colour}")]
        if case.name == "human in the loop":
            inputs += [Command(resume={"decisions": [{"type": "approve"}]})]
        await compare_streams(learns, alone, inputs, mode, colour, ADA)

    assert all(knows(models.prompts))


@pytest.mark.parametrize("colour", COLOURS)
async def test_a_compiled_agent_of_somebody_elses_learns_by_its_builder(colour: Colour) -> None:
    learning, store = a_machine([op("add_memory", content=FACT, quote=BEES)]), InMemoryStore()
    model, model_alone = (ScriptedChatModel(replies=[call("weather", city="Oslo"), "Sunny."] * 2) for _ in range(2))
    alone = create_agent(model_alone, [weather], system_prompt="Be kind.", checkpointer=InMemorySaver())
    theirs = create_agent(model, [weather], system_prompt="Be kind.")
    learns = learning.into(theirs.builder, models=["model"]).compile(store=store, checkpointer=InMemorySaver())

    for name, text in [("t1", BEES), ("t2", "Where are my bees?")]:
        shown = len(model.prompts["reply"])
        expected = await talk(alone, colour, text, name, ADA)
        assert await talk(learns, colour, text, name, ADA) == expected
        assert knows(model.prompts["reply"][shown:]) == [name == "t2"] * 2

    assert memories(store) == [FACT]
