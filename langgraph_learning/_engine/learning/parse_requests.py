"""Reading the items of an answer as requests: the source of each, and the record it means.

Items with words of the prompt's own examples are refused here, because no plan can tell them from the user's
statements.
"""

import html
import json
import logging
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from pydantic import JsonValue

from langgraph_learning._engine.learning.commit_draft import OperationRequest
from langgraph_learning._engine.learning.edited_messages import digest_messages
from langgraph_learning._engine.learning.examples import copied_words
from langgraph_learning._engine.learning.messages import TrajectoryStep, TurnMessage
from langgraph_learning._engine.learning.turn import Turn
from langgraph_learning._engine.repository import ScopeSnapshot
from langgraph_learning.records import ACTIVE, Record, Refusal, Source
from langgraph_learning.stores import LearningStore
from langgraph_learning.words import fold, same_statement, terms

log = logging.getLogger(__name__)
TRIED = 10
"""The number of operations that are read for each change the limit allows: some change nothing, or are refused."""
_LABEL = re.compile(r"^\s*\[?(?P<label>[a-z]-?\w+)\]?(?P<rest>\s*[:.)]\s+.*|\s*)$", flags=re.S | re.I)
_NOT_CLAIMS = frozenset({"operation", "quote", "id", "field", "item"})


def cut_operations(
    asked: Iterable[JsonValue], stores: Sequence[LearningStore], limits: Mapping[str, int]
) -> tuple[list[JsonValue], list[Refusal]]:
    """Return the operations that are worth reading, each once, and one refusal for the others of each learning store.

    An answer may hold a hundred thousand operations where ten are allowed; reading, checking and planning each of them
    would block the process for minutes. A model in a loop repeats the same one until it is cut off.
    """
    store_of = {kind.__name__: store.name for store in stores for kind in store.operations}
    worth_reading: list[JsonValue] = []
    counted, dropped = Counter[str](), Counter[str]()
    for item in {json.dumps(item, sort_keys=True): item for item in asked}.values():
        name = item.get("operation") if isinstance(item, dict) else None
        store = store_of.get(name, "") if isinstance(name, str) else ""
        counted[store] += 1
        if counted[store] <= limits.get(store, 10) * TRIED:
            worth_reading.append(item)
        else:
            dropped[store] += 1
    refused = [
        Refusal(operation=store or "?", reason=f"{count} more operations were not looked at: too many for one turn")
        for store, count in dropped.items()
    ]
    if refused:
        log.warning("%d operations were not looked at: too many for one turn", sum(dropped.values()))
    return worth_reading, refused


def read_requests(
    items: Iterable[JsonValue],
    turn: Turn,
    source: Source,
    snapshots: Sequence[ScopeSnapshot],
    tools: bool = False,
    trajectory: bool = False,
) -> tuple[list[OperationRequest], list[Refusal]]:
    """Return the requests of an answer, and the items refused before planning; a quote counts only if it is true."""
    requests: list[OperationRequest] = []
    refused: list[Refusal] = []
    calls = _as_messages(turn.trajectory)
    spoken = (*(turn.with_tools if tools else turn.messages), *(calls if trajectory else ()))
    seen = [part.text for part in (*turn.with_tools, *calls)]
    snapshot_of = {kind.__name__: snapshot for snapshot in snapshots for kind in snapshot.store.operations}
    for item in items:
        if not isinstance(item, dict):
            requests.append(OperationRequest(operation=f"{item!r:.40}", arguments={}))
            continue
        if (snapshot := snapshot_of.get(str(item.get("operation")))) is not None:
            item = _name_record(_without_labels(item, snapshot), snapshot)
        arguments = {key: value for key, value in item.items() if key not in ("operation", "quote")}
        if copied := copied_words(list(_claims(arguments)), seen):
            reason = f"{copied[0]!r} stands in an example of the prompt, and not in the turn: not learned"
            refused.append(Refusal(operation=str(item.get("operation")), reason=reason))
            continue
        quoted = verify_quote(item.get("quote"), spoken, turn, source)
        times = [message.said_at for message in turn.messages if message.id in quoted.message_ids and message.said_at]
        # Messages without ids cannot be told apart: then the whole turn says when it was said.
        times = times or [message.said_at for message in turn.human if message.said_at]
        requests.append(OperationRequest(item.get("operation"), arguments, quoted, said_at=max(times, default=None)))
    return requests, refused


def _without_labels(item: dict[str, JsonValue], snapshot: ScopeSnapshot) -> dict[str, JsonValue]:
    """Remove short ids that were copied along with a statement: "m1: Likes tea" becomes "Likes tea"."""

    def clean(value: JsonValue) -> JsonValue:
        match = _LABEL.match(value) if isinstance(value, str) else None
        copied = match is not None and match["rest"].strip() and match["label"].lower() in snapshot.labels
        return match["rest"].lstrip(" :.)\n") if match is not None and copied else value

    return {key: value if key in _NOT_CLAIMS else clean(value) for key, value in item.items()}


def _name_record(item: dict[str, JsonValue], snapshot: ScopeSnapshot) -> dict[str, JsonValue]:
    """Return an operation with a short id that was shown; an unknown id is replaced if exactly one record fits."""
    given = item.get("id")
    if given is None or str(given) in snapshot.labels:
        return item
    match = _LABEL.match(str(given))
    written = match["label"].lower() if match else f"{snapshot.store.label}{given}"
    if written in snapshot.labels:
        return {**item, "id": written}
    fitting = [label for label, record in snapshot.labels.items() if record.status == ACTIVE and _fits(item, record)]
    return {**item, "id": fitting[0]} if len(fitting) == 1 else item


def _fits(item: Mapping[str, JsonValue], record: Record) -> bool:
    """Return whether an operation is about a record: by its words, or by those of what it replaces."""
    if same_statement(str(item["id"]), record.text):
        return True
    stated, own = set(terms(" ".join(_texts(item, ("content", "quote"))))), set(terms(record.text))
    return bool(own) and len(stated & own) * 2 >= len(own)


def _texts(item: Mapping[str, JsonValue], keys: Iterable[str]) -> list[str]:
    return [str(item[key]) for key in keys if isinstance(item.get(key), str)]


def _as_messages(trajectory: Iterable[TrajectoryStep]) -> list[TurnMessage]:
    """Return the agent's calls as messages: the calls as the agent's words, the results as those of tools."""
    calls = [TurnMessage("agent", f"{step.name} {step.arguments}") for step in trajectory]
    return [*calls, *(TurnMessage("tool", step.result) for step in trajectory)]


def _claims(arguments: Mapping[str, JsonValue]) -> Iterable[str]:
    """Yield the texts of an operation's statement."""
    for key, value in arguments.items():
        if key not in _NOT_CLAIMS:
            yield from _texts_in(value)


def _texts_in(value: JsonValue) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for part in parts:
        yield from _texts_in(part)


def verify_quote(quote: JsonValue, spoken: Sequence[TurnMessage], turn: Turn, source: Source) -> Source:
    """Return the source with the quote and its speaker; without a true quote, the statement is inferred."""
    wanted = normalize_quote(quote) if isinstance(quote, str) else ""
    by_user_first = sorted(spoken, key=lambda message: message.role != "user")
    speaker = next((message for message in by_user_first if wanted and wanted in normalize_quote(message.text)), None)
    if speaker is None:
        human = [message for message in turn.human if message.id]
        ids = tuple(message.id for message in human if message.id)
        return source.model_copy(
            update={"actor": "assistant", "message_ids": ids, "digest": digest_messages(human) if ids else None}
        )
    rests_on = {"message_ids": (speaker.id,), "digest": digest_messages([speaker])} if speaker.id else {}
    return source.model_copy(update={"actor": speaker.role, "quote": str(quote).strip(), **rests_on})


def normalize_quote(text: str) -> str:
    """Return text in one spelling: models copy with other spaces, quotation marks and escapes."""
    return " ".join(fold(html.unescape(text)).strip(" \"'“”„»«.…").split())
