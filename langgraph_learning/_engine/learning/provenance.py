"""Whose words a statement is made of: a fetched page that gives orders must not become a memory of the user.

An extraction is not shown what tools return, but the assistant's answer may repeat it, and an agent with tools reads
it. So the words of each statement are looked up: what a tool alone can have said is told from what a user said.
"""

import re
from collections.abc import Iterable, Mapping, Sequence

from pydantic import JsonValue

from langgraph_learning._engine.learning.messages import TurnMessage
from langgraph_learning._engine.learning.turn import Turn
from langgraph_learning.text import query_terms, terms

# A word with a capital inside or a digit is a name or a number; one with a capital in front, unless a sentence starts.
_NAME = re.compile(r"\b\w+[A-Z]\w*|\b\w*\d\w*|(?<![.!?:] )(?<!^)\b[A-Z]\w*")


def tool_only_terms(
    arguments: Mapping[str, JsonValue], turn: Turn, *, vouched: bool, agents: Sequence[str] = ()
) -> tuple[str, ...]:
    """Return the words of a statement that give it away as a tool's; nothing if it can be the user's.

    Args:
        arguments: What the statement says.
        turn: What was said and returned in the turn.
        vouched: Whether a quote of the user's stands behind it: then only a name or number of the tool's counts, else
            also words most of which only a tool has used.
        agents: What the agent wrote itself, in its calls: these words are no tool's.
    """
    if not turn.tools:
        return ()
    texts = [text for value in arguments.values() for text in _texts(value)]
    spoken, returned = _terms(turn.human), _terms(turn.tools)
    spoken |= {term for text in agents for term in terms(text)}
    names = [name for text in texts for name in _NAME.findall(text)]
    theirs = [name for name in names if _is_tool_only(name, spoken, returned)]
    stated = [term for text in texts for term in terms(text)]
    unsaid = [term for term in stated if term in returned and term not in spoken]
    if theirs or vouched or len(unsaid) * 2 <= len(stated):
        return tuple(dict.fromkeys(theirs))
    return tuple(dict.fromkeys(unsaid))


def _is_tool_only(name: str, spoken: set[str], returned: set[str]) -> bool:
    found = {each.term for each in query_terms(name)}
    return not found.isdisjoint(returned) and found.isdisjoint(spoken)


def _terms(said: Iterable[TurnMessage]) -> set[str]:
    return {term for each in said for term in terms(each.text)}


def _texts(value: JsonValue) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        return [text for part in value.values() for text in _texts(part)]
    return [text for part in value for text in _texts(part)] if isinstance(value, list) else []
