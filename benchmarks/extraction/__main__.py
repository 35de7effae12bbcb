"""How well a model extracts: `python -m benchmarks.extraction [--variant NAME ...] [--answers FILE]`.

64 labelled turns in five languages (`turns.jsonl`): what each teaches as words that a change must hold (`a|b`: one of
them), which of the stored memories it changes, or that it teaches nothing. Half of them are held out: the prompt was
not tuned on them, they have a row of their own, and `--show` never shows what became of them.

The model is the one that the environment names:
  OPENAI_API_KEY=... [LEARNING_MODEL=openai:gpt-5.2]           OpenAI
  LEARNING_MODEL=provider:name                                 any other, with that provider's own key
  OPENAI_BASE_URL=http://127.0.0.1:8080/v1 LEARNING_MODEL=name a local server
Without one nothing is measured. A run that was interrupted goes on when it is started again with the same --answers.
"""

import argparse
import json
import re
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast
from unittest.mock import patch

from langchain_core.callbacks import get_usage_metadata_callback
from langchain_core.language_models import BaseChatModel
from langgraph.store.memory import InMemoryStore

from benchmarks.extraction.answers import AnswerFile
from langgraph_learning import LearningMachine, prompts
from langgraph_learning._engine.learning import examples, extraction_prompt, operation_schema
from langgraph_learning.errors import LearningError
from langgraph_learning.records import SUPERSEDED, Change, Commit, Record
from langgraph_learning.testing import ScriptedChatModel, model_or_script, op

TURNS = Path(__file__).parent / "turns.jsonl"
STORES: dict[str, Any] = {"user_profile": True, "user_memory": True}
TODAY = datetime(2026, 11, 30, 12, tzinfo=UTC)
"""When the turns are said: another day would be another prompt."""
VARIANTS = ("default", "bare", "quote-last", "no-examples", "no-signatures")
_load, _operation_schema = prompts.load, operation_schema.operation_schema
_QUOTE_FIRST = {
    "`quote` comes before the claim: the user's words": "`quote` comes after the claim: the user's words",
    "then `quote`, then its fields.": "then its fields, then `quote`.",
}


@dataclass
class Score:
    """What came of some turns."""

    turns: int = 0
    wanted: int = 0
    found: int = 0
    junk: int = 0
    changes: int = 0
    corrections: int = 0
    corrected: int = 0
    clean_wanted: int = 0
    clean: int = 0
    unquoted: int = 0
    refused: int = 0
    cut_off: int = 0
    failed: int = 0
    input_tokens: int = 0
    output_tokens: int = 0

    def __add__(self, other: "Score") -> "Score":
        return Score(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(self)))

    @property
    def row(self) -> list[str]:
        """The cells of a table."""
        right = self.changes - self.junk
        return [
            str(self.turns),
            _share(right, self.changes),
            _share(self.found, self.wanted),
            str(self.junk),
            _share(self.corrected, self.corrections),
            _share(self.clean, self.clean_wanted),
            str(self.unquoted),
            str(self.refused),
            str(self.cut_off),
            str(self.failed),
            f"{self.input_tokens / max(1, self.turns):.0f} / {self.output_tokens / max(1, self.turns):.0f}",
        ]


HEAD = (
    "turns|precision|recall|junk|corrections|left clean|unquoted|refused|cut off|failed|tokens in / out a turn".split(
        "|"
    )
)


def _share(part: int, whole: int) -> str:
    return f"{part}/{whole} ({100 * part / whole:.0f} %)" if whole else "-"


@dataclass
class Turn:
    """One labelled turn."""

    id: str
    set: str
    lang: str
    kind: str
    stored: list[str]
    turn: list[tuple[str, str]]
    expect: list[list[str]] = field(default_factory=list)
    changed: list[int] = field(default_factory=list)


def _names_only(operations: Any) -> str:
    return ", ".join(kind.__name__ for kind in operations)


def _quote_last(kind: Any, quoted: bool = True) -> Any:
    schema = _operation_schema(kind, quoted)
    fields: dict[str, Any] = dict(cast("dict[str, Any]", schema["properties"]))
    quote = fields.pop("quote", None)
    properties = {**fields, **({"quote": quote} if quote else {})}
    return {**schema, "properties": properties, "required": list(properties)}


def _load_quote_last(name: str) -> str:
    text = _load(name)
    for first, last in _QUOTE_FIRST.items() if name == "extraction" else ():
        if first not in text:
            raise ValueError(f"the prompt no longer says {first!r}: this variant has to follow it")
        text = text.replace(first, last)
    return text


@contextmanager
def variant(name: str) -> Iterator[None]:
    """Take a part of the prompt away, to see what it is worth."""
    with ExitStack() as stack:
        if name in ("no-examples", "bare"):
            stack.enter_context(patch.object(extraction_prompt, "render_examples", lambda offered: "(none)"))
        if name in ("no-signatures", "bare"):
            stack.enter_context(patch.object(extraction_prompt, "signatures", _names_only))
        if name == "quote-last":
            # Schema, examples and words: all three say where the quote stands.
            stack.enter_context(patch.object(operation_schema, "operation_schema", _quote_last))
            stack.enter_context(patch.object(examples, "operation_schema", _quote_last))
            stack.enter_context(patch.object(prompts, "load", _load_quote_last))
        yield


def learn(model: BaseChatModel, turn: Turn, options: argparse.Namespace) -> tuple[list[Record], Commit | None]:
    """Return what was stored before the turn, and what the turn came to."""
    store = InMemoryStore()
    seeds = [op("add_memory", content=text) for text in turn.stored]
    seed = LearningMachine(model=ScriptedChatModel(extractions=[seeds]), user_memory=True, store=store)
    before = seed.scoped(user_id="u", thread_id="seed")
    if seeds:
        before.learn([("user", "; ".join(turn.stored))], at=TODAY)
    stored = before.records()
    machine = LearningMachine(
        model=model,
        store=store,
        extraction_timeout=options.timeout,
        extraction_max_tokens=options.max_tokens,
        **STORES,
    )
    messages = [(who, text) for who, text in turn.turn]
    return stored, machine.scoped(user_id="u", thread_id="t").learn(messages, at=TODAY)


def score(turn: Turn, stored: list[Record], commit: Commit | None) -> Score:
    """Compare what a turn came to with what it should have."""
    changes = _stated(commit)
    usage, refused = (commit.usage, commit.refused) if commit else (None, ())
    ids = [stored[place].id for place in turn.changed]
    fitting = [change for change in changes if any(_holds(change.text, words) for words in turn.expect)]
    # A memory that is rewritten without what the turn says is not corrected.
    mended = [
        change
        for change in changes
        if change.id in ids and (change.kind == "remove" or change in fitting or not turn.expect)
    ]
    right = [change for change in changes if change in fitting or change in mended]
    hits = sum(any(_holds(change.text, words) for change in changes) for words in turn.expect)
    clean_wanted = turn.kind in ("nothing", "trap")
    return Score(
        turns=1,
        wanted=len(turn.expect),
        found=hits,
        junk=len(changes) - len(right),
        changes=len(changes),
        corrections=len(ids),
        corrected=len({change.id for change in mended}),
        clean_wanted=clean_wanted,
        clean=clean_wanted and not changes,
        unquoted=sum(change.kind != "remove" and change.source.quote is None for change in changes),
        refused=sum(refusal.operation != "answer" for refusal in refused),
        cut_off=any(refusal.operation == "answer" for refusal in refused),
        input_tokens=usage.input_tokens if usage else 0,
        output_tokens=usage.output_tokens if usage else 0,
    )


def _stated(commit: Commit | None) -> list[Change]:
    """Return the changes that say something new: what a memory said before is kept by the engine, not by the model."""
    changes: Sequence[Change] = commit.changes if commit else ()
    return [change for change in changes if not (change.kind == "add" and change.status == SUPERSEDED)]


def _holds(text: str, words: list[str]) -> bool:
    return all(re.search(word, text, flags=re.I) for word in words)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", choices=("tuned", "held", "all"), default="all")
    parser.add_argument("--variant", choices=VARIANTS, action="append", help="more than one: one after the other")
    parser.add_argument("--answers", type=Path, help="keep the answers in this file, and go on from it")
    parser.add_argument("--every", type=int, default=1, help="only every n-th turn of each half and kind")
    parser.add_argument("--timeout", type=float, default=600.0, help="seconds for one extraction")
    parser.add_argument("--max-tokens", type=int, default=8_000, help="how long an answer may be")
    parser.add_argument("--show", action="store_true", help="also what each turn of the tuned half came to")
    given = parser.parse_args()
    model, line = model_or_script([])
    if isinstance(model, ScriptedChatModel):
        sys.exit(
            "No model: set OPENAI_API_KEY, LEARNING_MODEL or OPENAI_BASE_URL. A script's words are no measurement."
        )
    if given.answers:
        model.cache = AnswerFile(given.answers)
    print(line)
    rows = [Turn(**json.loads(row)) for row in TURNS.read_text(encoding="utf-8").splitlines()]
    # With stored memories there are other operations, so another beginning of the prompt: a server's cache keeps one.
    groups: dict[tuple[str, str], list[Turn]] = {}
    for turn in rows:
        groups.setdefault((turn.set, turn.kind), []).append(turn)
    chosen = [turn for group in groups.values() for turn in group[:: given.every] if given.set in ("all", turn.set)]
    turns = sorted(chosen, key=lambda turn: bool(turn.stored))
    print(f"| variant | half | {' | '.join(HEAD)} |\n|{'---|' * (len(HEAD) + 2)}")
    for name in given.variant or ["default"]:
        start = time.monotonic()
        with variant(name):
            totals = run(model, turns, given)
        for half, total in sorted(totals.items(), reverse=True):
            print(f"| {name} | {half} | {' | '.join(total.row)} |", flush=True)
        print(f"  {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)


def run(model: BaseChatModel, turns: list[Turn], options: argparse.Namespace) -> dict[str, Score]:
    """Return the score of each half."""
    totals: dict[str, Score] = {}
    for turn in turns:
        try:
            with get_usage_metadata_callback() as used:
                stored, commit = learn(model, turn, options)
        except LearningError as error:
            result = Score(turns=1, failed=1, wanted=len(turn.expect), corrections=len(turn.changed))
            line = f"failed: {error}"
        else:
            result, line = score(turn, stored, commit), _describe(commit)
            if commit is None:  # a turn that taught nothing leaves no commit, and was paid for, too
                for usage in used.usage_metadata.values():
                    result += Score(input_tokens=usage["input_tokens"], output_tokens=usage["output_tokens"])
        totals[turn.set] = totals.get(turn.set, Score()) + result
        if options.show and turn.set == "tuned":
            print(f"  {turn.id} {turn.turn[0][1]!r}: {line}", file=sys.stderr, flush=True)
    return totals


def _describe(commit: Commit | None) -> str:
    changes = [f"{change.kind} {change.text!r}" for change in _stated(commit)]
    return f"{changes} {[refusal.reason for refusal in commit.refused] if commit and commit.refused else ''}"


if __name__ == "__main__":
    main()
