"""Indexing the words of a database again, after the analysis of words has changed.

A search finds nothing by a stem that the index does not hold. So this runs once, when the store is opened, in short
transactions: other writers wait for one batch at most. If the process dies, the next opening starts again.
"""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence

from langgraph_learning.checkpointers._store.codec import Json, read_json
from langgraph_learning.checkpointers._store.dialect import Dialect, Row, Session
from langgraph_learning.checkpointers._store.writing import analyze, words_row
from langgraph_learning.words import analysis_version

log = logging.getLogger("langgraph_learning")

BATCH = 500
"""The number of items in one transaction."""
_FIRST: Row = (0, "", 0)


def settle_analysis(dialect: Dialect, fields: Sequence[str]) -> None:
    """Bring the index up to date with `text.terms`; `fields` are indexed unless a put names others."""
    current = analysis_version()
    with dialect.reading() as session:
        if _is_settled(session, current):
            return
    with dialect.writing(unhurried=True) as session:
        # Looked at again: of many that open an empty database at once, one may have settled it and written already.
        if _is_settled(session, current):
            return
        if not session.rows("indexed_items", {"after": 0, "limit": 1}) and not _versions_after(session, _FIRST, 1):
            session.run("set_fact", {"name": "analysis", "value": current})
            return
    _reindex(dialect, fields)
    with dialect.writing(unhurried=True) as session:
        session.run("set_fact", {"name": "analysis", "value": current})


def _is_settled(session: Session, current: str) -> bool:
    kept = session.rows("get_fact", {"name": "analysis"})
    return bool(kept) and kept[0][0] == current


def _versions_after(session: Session, place: Row, limit: int) -> list[Row]:
    after = dict(zip(("ns", "key", "version"), place, strict=True))
    return session.rows("indexed_versions", {**after, "limit": limit})


def _reindex(dialect: Dialect, fields: Sequence[str]) -> None:
    count, last = 0, 0
    while True:
        with dialect.writing(unhurried=True) as session:
            rows = session.rows("indexed_items", {"after": last, "limit": BATCH})
            if rows and not count:
                log.warning("indexing the words of this database again: an older version indexed them")
            _rewrite_items(session, rows, fields)
        if not rows:
            break
        count, last = count + len(rows), int(rows[-1][0])
    place = _FIRST
    while True:
        with dialect.writing(unhurried=True) as session:
            rows = _versions_after(session, place, BATCH)
            changed = [
                {"ns": ns, "key": key, "version": version, "terms": " ".join(indexed)}
                for ns, key, version, value, stored in rows
                if (indexed := _terms(read_json(value), stored.split(), fields)) != stored.split()
            ]
            session.many("put_version_terms", changed)
        if not rows:
            break
        place = rows[-1][:3]
    if count:
        log.warning("indexed %d items again", count)


def _rewrite_items(session: Session, rows: Sequence[Row], fields: Sequence[str]) -> None:
    gone, added, lengths = [], [], Counter[int]()
    for item, ns, value, stored in rows:
        old = stored.split()
        new = _terms(read_json(value), old, fields)
        if new == old:
            continue
        lengths[ns] += len(new) - len(old)
        gone.append(words_row(ns, item, old))
        added.append(words_row(ns, item, new))
    session.many("delete_words", gone)
    session.many("put_words", added)
    session.many("add_to_counts", [{"id": ns, "items": 0, "length": length} for ns, length in lengths.items()])


def _terms(value: Json, stored: Sequence[str], fields: Sequence[str]) -> list[str]:
    """Return the terms that the present analysis gives for the indexed part of `value`."""
    if not isinstance(value, Mapping):
        return list(stored)
    return analyze(value, indexed_fields(value, stored, fields))


def indexed_fields(value: Mapping[str, Json], stored: Sequence[str], fields: Sequence[str]) -> Sequence[str]:
    """Return the fields of `value` that were most likely indexed, judged by its stored terms.

    The database does not record which fields were indexed. So the candidates are the store's own fields, a record's
    text, and each field alone; the one whose terms begin most like the stored terms is taken.
    """
    candidates: list[Sequence[str]] = [fields, ["text"], ["text", "keys.*"], *([name] for name in value)]
    return max(candidates, key=lambda chosen: _likeness(analyze(value, chosen), stored))


def _likeness(terms: Sequence[str], stored: Sequence[str]) -> float:
    """Return from 0 to 1 how many terms begin alike; a new analysis changes only the ends of words."""
    counted, counted_stored = (Counter(term[:2] for term in listed) for listed in (terms, stored))
    return 2 * (counted & counted_stored).total() / max(len(terms) + len(stored), 1)
