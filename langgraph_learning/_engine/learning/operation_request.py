"""From the items of an answer to operations: what each rests on, which record it means, and what is not to be believed.

Refused here is what no plan can tell from a statement of the user: words of the prompt's own examples, and words that
only the assistant has said.
"""

import html
import json
import re
from collections.abc import Iterable, Mapping, Sequence

from pydantic import JsonValue

from langgraph_learning._engine.learning.commit import OperationRequest
from langgraph_learning._engine.learning.examples import copied_words
from langgraph_learning._engine.learning.provenance import tool_only_terms
from langgraph_learning._engine.learning.turn import Turn, TurnMessage
from langgraph_learning._engine.repository import ScopeSnapshot
from langgraph_learning.records import ACTIVE, Record, Refusal, Source
from langgraph_learning.stores import LearningStore
from langgraph_learning.text import fold, same_statement, terms, words

_LABEL = re.compile(r"^\s*\[?(?P<label>[a-z]-?\w+)\]?(?P<rest>\s*[:.)]\s+.*|\s*)$", flags=re.S | re.I)
# How a user says yes to what the assistant has said, at the beginning of a message.
_YES = frozenset(
    "yes yeah yep yup sure ok okay right correct exactly agreed perfect absolutely indeed true"
    " ja jep genau richtig stimmt klar gern gerne passt einverstanden"
    " si claro exacto vale correcto oui ouais exact exactement accord parfait"
    " sim isso certo evet tak da да верно точно はい うん ええ そう 是 是的 对 對 好 好的 嗯 نعم".split()
)
_NOT_CLAIMS = frozenset({"operation", "quote", "id", "field", "item"})


def read_requests(
    items: Iterable[JsonValue], turn: Turn, source: Source, known: Sequence[ScopeSnapshot], tools: bool = False
) -> tuple[list[OperationRequest], list[Refusal]]:
    """Return what an answer asks for, each operation once, and what of it is refused unplanned."""
    requests: list[OperationRequest] = []
    refused: list[Refusal] = []
    for item in _distinct(items):
        snapshot = _snapshot_of(item, known)
        if isinstance(item, dict) and snapshot is not None:
            item = _name_record(_without_labels(item, snapshot), snapshot)
        request = read_request(item, turn, source, tools)
        if reason := _objection(request, turn, snapshot.store if snapshot else None):
            refused.append(Refusal(operation=str(request.operation), reason=reason))
        else:
            requests.append(request)
    return requests, refused


def _distinct(items: Iterable[JsonValue]) -> list[JsonValue]:
    """Return each item once: a model that runs away says the same again until it is cut off."""
    return list({json.dumps(item, sort_keys=True): item for item in items}.values())


def _snapshot_of(item: JsonValue, known: Sequence[ScopeSnapshot]) -> ScopeSnapshot | None:
    name = item.get("operation") if isinstance(item, dict) else None
    return next((each for each in known if any(kind.__name__ == name for kind in each.store.operations)), None)


def _without_labels(item: dict[str, JsonValue], snapshot: ScopeSnapshot) -> dict[str, JsonValue]:
    """Take short ids off that were copied along with a note: "m1: Likes tea" is "Likes tea"."""

    def cleaned(value: JsonValue) -> JsonValue:
        match = _LABEL.match(value) if isinstance(value, str) else None
        copied = match is not None and match["rest"].strip() and match["label"].lower() in snapshot.labels
        return match["rest"].lstrip(" :.)\n") if match is not None and copied else value

    return {key: value if key in _NOT_CLAIMS else cleaned(value) for key, value in item.items()}


def _name_record(item: dict[str, JsonValue], snapshot: ScopeSnapshot) -> dict[str, JsonValue]:
    """Return an operation on a record under the id that was shown; one that was never shown means the one that fits."""
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
    """Return whether an operation is about a record: by its words, or by those of what it says instead."""
    if same_statement(str(item["id"]), record.text):
        return True
    told, own = set(terms(" ".join(_texts(item, ("content", "quote"))))), set(terms(record.text))
    return bool(own) and len(told & own) * 2 >= len(own)


def _texts(item: Mapping[str, JsonValue], keys: Iterable[str]) -> list[str]:
    return [str(item[key]) for key in keys if isinstance(item.get(key), str)]


def read_request(item: JsonValue, turn: Turn, source: Source, tools: bool = False) -> OperationRequest:
    """Read one item of the answer; its quote is believed only if it stands in the turn."""
    if not isinstance(item, dict):
        return OperationRequest(operation=f"{item!r:.40}", arguments={})
    arguments = {key: value for key, value in item.items() if key not in ("operation", "quote")}
    quoted = verify_quote(item.get("quote"), turn.with_tools if tools else turn.messages, turn, source)
    by_user = quoted.actor == "user" and quoted.quote is not None
    return OperationRequest(
        item.get("operation"), arguments, quoted, () if tools else tool_only_terms(arguments, turn, vouched=by_user)
    )


def _objection(request: OperationRequest, turn: Turn, store: LearningStore | None) -> str | None:
    """Return why an operation is refused before it is planned; None if it is not."""
    texts = list(_claims(request.arguments))
    if copied := copied_words(texts, (message.text for message in turn.with_tools)):
        return f"{copied[0]!r} stands in an example of the prompt, and not in the turn: not learned"
    if store is not None and store.rejects_assistant_claims and is_assistant_claim(texts, request.source, turn):
        return "only the assistant has said so, and the user did not say yes to it: not learned"
    return None


def _claims(arguments: Mapping[str, JsonValue]) -> Iterable[str]:
    """Return the texts of what an operation says."""
    for key, value in arguments.items():
        if key not in _NOT_CLAIMS:
            yield from _texts_in(value)


def _texts_in(value: JsonValue) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for part in parts:
        yield from _texts_in(part)


def is_assistant_claim(texts: Iterable[str], source: Source, turn: Turn) -> bool:
    """Return whether a statement about the user is made of words that only the assistant has said.

    Behind a quote of the user's it is believed, unless the quote is a word or two ("thanks") and nothing of the
    statement is theirs. A yes of the user's lets the assistant's words count.
    """
    spoken = _terms(message.text for message in turn.human)
    heard = _terms(message.text for message in turn.messages if message.role == "assistant")
    stated = [term for text in texts for term in terms(text)]
    unsaid = [term for term in stated if term in heard and term not in spoken]
    if not unsaid or any(_says_yes(message) for message in turn.human):
        return False
    if source.actor == "user" and source.quote is not None:
        return len(unsaid) == len(stated) and len(words(source.quote)) < 3
    return len(unsaid) * 2 >= len(stated)


def _says_yes(message: TurnMessage) -> bool:
    opening = re.match(r"\W*(\w+)", fold(message.text))
    return opening is not None and opening[1] in _YES


def _terms(texts: Iterable[str]) -> set[str]:
    return {term for text in texts for term in terms(text)}


def verify_quote(quote: JsonValue, spoken: Sequence[TurnMessage], turn: Turn, source: Source) -> Source:
    """Return the source with the quote and who said it; without a true quote the statement is inferred."""
    wanted = _normalize_quote(quote) if isinstance(quote, str) else ""
    by_user_first = sorted(spoken, key=lambda message: message.role != "user")
    speaker = next((each for each in by_user_first if wanted and wanted in _normalize_quote(each.text)), None)
    if speaker is None:
        ids = tuple(message.id for message in turn.human if message.id)
        return source.model_copy(update={"actor": "assistant", "message_ids": ids})
    ids = (speaker.id,) if speaker.id else ()
    return source.model_copy(update={"actor": speaker.role, "message_ids": ids, "quote": str(quote).strip()})


def _normalize_quote(text: str) -> str:
    """Return words in one spelling: models copy with other spaces, quotation marks and escapes."""
    return " ".join(fold(html.unescape(text)).strip(" \"'“”„»«.…").split())
