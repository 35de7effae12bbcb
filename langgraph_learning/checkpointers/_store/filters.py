"""The filters of a search, compiled to one SQL condition.

A plain value means equality. A dictionary without operators compares inside the value, and so does a dotted key.
Numbers compare as numbers, and text (ISO dates too) by code point. Values of different types are unequal and never
greater or smaller. A missing key equals None and nothing else, and is never greater or smaller than anything.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from functools import reduce

from langgraph_learning.checkpointers._store.codec import Json, write_json
from langgraph_learning.checkpointers._store.dialect import Session

_COMPARED = {"$gt": ">", "$gte": ">=", "$lt": "<", "$lte": "<="}
Keys = tuple[str, ...]


class Condition:
    """A filter compiled for one session: `text` in SQL and its `params`."""

    def __init__(self, session: Session, conditions: Mapping[str, Json] | None) -> None:
        self._session = session
        self._operators: dict[str, Callable[[Keys, Json], str]] = {
            "$eq": self._equal,
            "$ne": lambda keys, x: f"not {self._equal(keys, x)}",
            "$in": self._is_in,
            "$nin": lambda keys, x: f"not {self._is_in(keys, x)}",
            "$exists": self._exists,
            "$contains": self._contains,
            "$not": lambda keys, x: f"not {self._for_key(keys, x)}",
            **{name: self._comparison(sign) for name, sign in _COMPARED.items()},
        }
        self.params: dict[str, object] = {}
        self.text = self._all_of((), conditions or {})

    def _all_of(self, keys: Keys, conditions: Mapping[str, Json]) -> str:
        """Return the condition for a dictionary of names, or of `$and`, `$or`, `$not`."""
        return self._join("and", [self._for_name(keys, name, x) for name, x in conditions.items()], "true")

    def _for_name(self, keys: Keys, name: str, x: Json) -> str:
        if name in ("$and", "$or"):
            parts = [self._all_of(keys, part) for part in _as_list(name, x)]
            return self._join(name[1:], parts, "true" if name == "$and" else "false")
        if name == "$not":
            return f"not {self._all_of(keys, x)}"
        if name.startswith("$"):
            raise ValueError(f"{name} needs a key: {{'key': {{{name!r}: ...}}}}")
        return self._for_key((*keys, *name.split(".")), x)

    def _for_key(self, keys: Keys, x: Json) -> str:
        """Return the condition on one position of the value."""
        if '"' in "".join(keys):  # a path of SQLite cannot contain it
            raise ValueError(f"a filter cannot use a key with a quotation mark: {'.'.join(keys)!r}")
        if not isinstance(x, Mapping) or not x:
            return self._equal(keys, x)
        if not any(str(name).startswith("$") for name in x):
            return self._all_of(keys, x)
        if unknown := [name for name in x if name not in self._operators]:
            raise ValueError(f"unknown filter operator {unknown[0]!r}; there are {', '.join(sorted(self._operators))}")
        return self._join("and", [self._operators[name](keys, operand) for name, operand in x.items()], "true")

    def _join(self, word: str, parts: Sequence[str], empty: str) -> str:
        return f"({f' {word} '.join(parts)})" if parts else empty

    def _test(self, name: str, keys: Keys, *operand: Json, **parts: str) -> str:
        number = len(self.params)
        p, x, w = f"p{number}", f"x{number}", f"w{number}"
        self.params[p] = self._session.path(keys)
        for value in map(_iso, operand):
            self.params |= {
                x: write_json(value),
                w: write_json(reduce(lambda inner, key: {key: inner}, keys[::-1], value)),
            }
        return self._session.fragment(name, p=p, x=x, w=w, **parts)

    def _equal(self, keys: Keys, x: Json) -> str:
        if x is None:
            return self._test("filter_null", keys)
        name = "filter_word" if isinstance(x, bool | str | date) else "filter_amount"
        return self._test(name if isinstance(x, bool | str | date | int | float) else "filter_equal", keys, x)

    def _is_in(self, keys: Keys, x: Json) -> str:
        return self._test("filter_among", keys, [_iso(element) for element in _as_list("$in", x)])

    def _exists(self, keys: Keys, x: Json) -> str:
        exists = self._test("filter_exists", keys)
        return exists if x else f"not {exists}"

    def _contains(self, keys: Keys, x: Json) -> str:
        element = self._test("filter_element", keys, x)
        return f"({element} or {self._test('filter_part', keys, x)})" if isinstance(x, str) else element

    def _comparison(self, sign: str) -> Callable[[Keys, Json], str]:
        def compare(keys: Keys, x: Json) -> str:
            if isinstance(x, bool) or not isinstance(x, int | float | str | date):
                raise ValueError(f"{sign} compares numbers and text (ISO dates), not {x!r}")
            return self._test("filter_number" if isinstance(x, int | float) else "filter_text", keys, x, operator=sign)

        return compare


def _as_list(name: str, x: Json) -> Sequence[Json]:
    if isinstance(x, str | bytes | Mapping) or not hasattr(x, "__iter__"):
        raise ValueError(f"{name} takes a list, not {x!r}")
    return list(x)


def _iso(x: Json) -> Json:
    return x.isoformat() if isinstance(x, date) else x
