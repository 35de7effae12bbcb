"""The cost of a model call for each learning store that shared it."""

from collections import Counter
from collections.abc import Iterable, Mapping

from pydantic import JsonValue

from langgraph_learning.records import Usage
from langgraph_learning.stores import LearningStore


def share_usage(
    usage: Usage, shown: Mapping[str, int], asked: Iterable[JsonValue], stores: Iterable[LearningStore]
) -> dict[str, int]:
    """Return the tokens of one call by learning store; they add up to all tokens of the call.

    Input tokens are shared by the length of each learning store's part of the prompt, output tokens by the operations
    on it. The rules and the words of the turn serve all of them, and are shared in the same proportion.

    Args:
        usage: The usage of the call.
        shown: The tokens of each learning store's part of the prompt.
        asked: The operations of the answer.
        stores: The learning stores that shared the call.
    """
    store_of = {kind.__name__: store.name for store in stores for kind in store.operations}
    names = [store_of.get(str(item.get("operation"))) for item in asked if isinstance(item, dict)]
    answered = Counter(name for name in names if name is not None and name in shown)
    read, written = _split(usage.input_tokens, shown), _split(usage.output_tokens, answered or shown)
    return {name: read.get(name, 0) + written.get(name, 0) for name in shown}


def _split(total: int, weights: Mapping[str, int]) -> dict[str, int]:
    """Return whole shares of `total` that add up to it; the last share takes the rounding difference."""
    everything = sum(weights.values())
    if not everything:
        return {}
    shares = {name: total * weight // everything for name, weight in weights.items()}
    shares[next(reversed(shares))] += total - sum(shares.values())
    return shares
