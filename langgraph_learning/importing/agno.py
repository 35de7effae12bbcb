"""Import from Agno: its table of learnings (one JSON value for each user), and its older table of memories."""

from collections.abc import Callable, Iterable, Iterator, Mapping

from langgraph_learning.importing.build_row import Found, Skipped, build_row, parse_json, to_text
from langgraph_learning.records import derived_id
from langgraph_learning.stores.json_values import spell
from langgraph_learning.versioned_store import Json

COLUMNS = frozenset({"learning_id", "learning_type", "content", "user_id"})
"""The columns of a table of learnings, whatever its name."""
MEMORIES = frozenset({"memory_id", "memory", "user_id"})
"""The columns of a table of Agno's memory manager, which has one memory in each row."""
AUDIT = frozenset({"id", "user_id", "session_id", "agent_id", "team_id", "created_at", "updated_at"})
"""The keys that Agno adds to the content in the same value."""
Learning = Mapping[str, Json]
Content = Mapping[str, Json]


def rows(learnings: Iterable[Learning]) -> Iterator[Found]:
    """Yield a record for each profile field, memory, session and decision."""
    for learning in learnings:
        if learning.keys() >= MEMORIES:
            yield _memory_row(learning)
            continue
        content, kind = parse_json(learning.get("content")), str(learning.get("learning_type"))
        if not isinstance(content, Mapping):
            yield Skipped(_location(learning), "its content is no JSON object")
        elif (make := _MAKERS.get(kind)) is None:
            yield Skipped(_location(learning), _WHY_NOT.get(kind, f"{kind!r} is no kind of learning this import knows"))
        else:
            yield from make(learning, content)


def _memory_row(memory: Learning) -> Found:
    parsed = parse_json(memory.get("memory"))
    text = to_text(parsed.get("memory") if isinstance(parsed, Mapping) else parsed)
    if not text:
        return Skipped(f"memory {memory.get('memory_id')}", "it has no text")
    topics = parse_json(memory.get("topics"))
    content = {"content": text, **({"topics": topics} if topics else {})}
    key = derived_id("agno", "memory", str(memory.get("memory_id")))
    return _row(memory, {}, "user_memory", key, content, text)


def _profile(learning: Learning, content: Content) -> Iterator[Found]:
    fields = _known_fields(content)
    if not fields:
        yield Skipped(_location(learning), "the profile is empty")
    for name, value in fields.items():
        yield _row(learning, content, "user_profile", f"user_profile:{name}", {name: value}, f"{name}: {spell(value)}")


def _memories(learning: Learning, content: Content) -> Iterator[Found]:
    memories = content.get("memories")
    if not isinstance(memories, list):
        yield Skipped(_location(learning), "it has no list of memories")
        return
    for number, memory in enumerate(memories, 1):
        entry = memory if isinstance(memory, Mapping) else {"content": memory}
        text = to_text(entry.get("content"))
        if not text:
            yield Skipped(f"{_location(learning)}, memory {entry.get('id', number)}", "it has no text")
            continue
        key = derived_id("agno", str(learning.get("learning_id")), str(entry.get("id") or text))
        yield _row(learning, content, "user_memory", key, {"content": text}, text, dated=entry)


def _session(learning: Learning, content: Content) -> Iterator[Found]:
    fields, thread = _known_fields(content), learning.get("session_id") or content.get("session_id")
    if not to_text(fields.get("summary")) or not thread:
        yield Skipped(_location(learning), "the session has no summary, or no id")
        return
    yield _row(
        learning, content, "session_context", "session_context", fields, to_text(fields["summary"]), thread=thread
    )


def _decision(learning: Learning, content: Content) -> Iterator[Found]:
    fields = _known_fields(content)
    text = to_text(fields.get("decision"))
    if not text:
        yield Skipped(_location(learning), "the decision has no text")
        return
    key = derived_id("agno", str(learning.get("learning_id")))
    agent = learning.get("agent_id") or content.get("agent_id") or "agent"
    thread = learning.get("session_id") or content.get("session_id")
    whole = _decision_text(text, fields)
    yield _row(learning, content, "decision_log", key, fields, whole, thread=thread, agent=str(agent), dated=content)


def _decision_text(text: str, fields: Mapping[str, Json]) -> str:
    """Return the text of a decision: the decision, its other fields, and its outcome."""
    details = {name: value for name, value in fields.items() if name not in ("decision", "outcome", "outcome_quality")}
    lines = [text, *(f"{name}: {spell(value)}" for name, value in details.items())]
    quality = f" ({fields['outcome_quality']})" if fields.get("outcome_quality") else ""
    return "\n".join([*lines, *([f"outcome{quality}: {fields['outcome']}"] if fields.get("outcome") else [])])


def _row(
    learning: Learning,
    content: Content,
    store: str,
    id: str,
    kept: Content,
    text: str,
    *,
    thread: object = None,
    agent: str | None = None,
    dated: Mapping[str, Json] | None = None,
) -> Found:
    dates = dated if dated and dated.get("created_at") else learning
    return build_row(
        store,
        id,
        kept,
        text,
        user=learning.get("user_id") or content.get("user_id"),
        thread=thread,
        agent=agent,
        created=dates.get("created_at"),
        updated=dates.get("updated_at"),
    )


def _known_fields(content: Content) -> dict[str, Json]:
    return {name: value for name, value in content.items() if name not in AUDIT and value not in (None, "", [], {})}


def _location(learning: Learning) -> str:
    return f"learning {learning.get('learning_id')}"


_MAKERS: dict[str, Callable[[Learning, Content], Iterator[Found]]] = {
    "user_profile": _profile,
    "user_memory": _memories,
    "memories": _memories,
    "session_context": _session,
    "decision_log": _decision,
}
_WHY_NOT = {"entity_memory": "entities are shared by a namespace; this import takes what belongs to a user"}
