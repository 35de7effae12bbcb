"""Analyse a database anew whose words were indexed by another version of the analysis.

Search finds nothing by a stem that the index does not hold, so this happens when the store is opened, once, in short
transactions: writers wait for one batch at most. A process that dies in between begins again at the next opening.
"""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence

from langgraph_learning.checkpointers._store.codec import Json, read_json
from langgraph_learning.checkpointers._store.dialect import Dialect, Row, Session
from langgraph_learning.checkpointers._store.writing import analyze
from langgraph_learning.text import analysis_version

log = logging.getLogger("langgraph_learning")

BATCH = 500
"""Items in one transaction."""


def settle_analysis(dialect: Dialect, fields: Sequence[str]) -> None:
    """Bring the index up to date with `text.terms`; `fields` are what this store indexes unless a put names others."""
    current = analysis_version()
    with dialect.reading() as session:
        kept = session.rows("get_fact", {"name": "analysis"})
        if kept and kept[0][0] == current:
            return
    _reindex(dialect, fields)
    with dialect.writing(unhurried=True) as session:
        session.run("set_fact", {"name": "analysis", "value": current})


def _reindex(dialect: Dialect, fields: Sequence[str]) -> None:
    count, last = 0, 0
    while True:
        with dialect.writing(unhurried=True) as session:
            rows = session.rows("indexed_items", {"after": last, "limit": BATCH})
            if rows and not count:
                log.warning("indexing the words of this database anew: it was indexed by an older version")
            _rewrite_items(session, rows, fields)
        if not rows:
            break
        count, last = count + len(rows), int(rows[-1][0])
    place: Row = (0, "", 0)
    while True:
        with dialect.writing(unhurried=True) as session:
            after = dict(zip(("ns", "key", "version"), place, strict=True))
            rows = session.rows("indexed_versions", {**after, "limit": BATCH})
            changed = [
                {"ns": ns, "key": key, "version": version, "terms": " ".join(found)}
                for ns, key, version, value, stored in rows
                if (found := _terms(read_json(value), stored.split(), fields)) != stored.split()
            ]
            session.many("put_version_terms", changed)
        if not rows:
            break
        place = rows[-1][:3]
    if count:
        log.warning("indexed %d items anew", count)


def _rewrite_items(session: Session, rows: Sequence[Row], fields: Sequence[str]) -> None:
    items, gone, added, lengths = [], [], [], Counter[int]()
    for item, ns, value, stored in rows:
        old = stored.split()
        new = _terms(read_json(value), old, fields)
        if new == old:
            continue
        lengths[ns] += len(new) - len(old)
        items.append({"id": item, "terms": " ".join(new), "length": len(new)})
        gone += [{"ns": ns, "term": term, "item": item} for term in dict.fromkeys(old)]
        added += [
            {"ns": ns, "term": term, "item": item, "tf": times, "length": len(new)}
            for term, times in Counter(new).items()
        ]
    session.many("put_item_terms", items)
    session.many("delete_postings", gone)
    session.many("put_postings", added)
    session.many("add_to_counts", [{"id": ns, "items": 0, "length": length} for ns, length in lengths.items()])


def _terms(value: Json, stored: Sequence[str], fields: Sequence[str]) -> list[str]:
    """Return the terms of what was indexed of `value`.

    Which fields those were is not kept: of the store's own, of a record's text and of each field alone, the ones whose
    terms begin most like those that stand there.
    """
    if not isinstance(value, Mapping):
        return list(stored)
    found = [analyze(value, chosen) for chosen in (fields, ["text"], ["text", "keys.*"], *([name] for name in value))]
    return max(found, key=lambda terms: _likeness(terms, stored))


def _likeness(terms: Sequence[str], stored: Sequence[str]) -> float:
    """Return from 0 to 1 how many terms begin alike: an analysis changes the ends of words."""
    one, other = (Counter(term[:2] for term in each) for each in (terms, stored))
    return 2 * (one & other).total() / max(len(terms) + len(stored), 1)
