"""Ranking where records stand in sessions, such as the messages of threads.

A message often answers in words that the question does not hold; the messages around it do. So a record counts with its
neighbours, and with the best record of its session:

    .6 z(words and neighbours) + .4 z(meaning and neighbours) + .3 z(session)

z is counted over the candidates, from the lowest instead of the mean, which changes no order and keeps every part from
zero upwards. Similarities lie close together and far from zero, so they are standardised before those of neighbours are
added: else a message would count for having neighbours at all. `parts` of the result name the terms; the weights were
chosen by others on conversations (LoCoMo).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import fmean, pstdev
from typing import TypeAlias

Place: TypeAlias = tuple[str, int]
"""A session and a place in it."""

WORDS, MEANING, SESSION = 0.6, 0.4, 0.3
AROUND = ((1, 0.5), (2, 0.25))
"""How much a neighbour counts, by its distance."""
CANDIDATES = 50
"""How many of the best by words, and by meaning, are compared."""


@dataclass(frozen=True, slots=True)
class Signals:
    """What a search said of one record: how well its words fit, and its meaning where there are vectors."""

    words: float = 0.0
    meaning: float = 0.0


@dataclass(frozen=True, slots=True)
class Ranking:
    """A place, how well what stands there fits, and what that is the sum of."""

    place: Place
    score: float
    parts: Mapping[str, float]


def rank_sessions(found: Mapping[Place, Signals]) -> list[Ranking]:
    """Return the best places, the best first: also some between those that were found, for their neighbours' sake."""
    words = {place: signals.words for place, signals in found.items() if signals.words}
    around = _neighbours(words)
    fitting = {place: words.get(place, 0.0) + around.get(place, 0.0) for place in {**words, **around}}
    meaning = _blend_meaning(found)
    best: dict[str, float] = {}
    for (session, _), score in words.items():
        best[session] = max(best.get(session, 0.0), score)
    chosen = list(dict.fromkeys([*_best(fitting), *_best(meaning)]))
    scale_words = _scale(fitting.get(place, 0.0) for place in chosen)
    scale_meaning = _scale(meaning.get(place, 0.0) for place in chosen)
    scale_session = _scale(best.get(place[0], 0.0) for place in chosen)
    lowest = min((meaning.get(place, 0.0) for place in chosen), default=0.0)
    ranked = []
    for place in chosen:
        parts = {
            "words": WORDS * words.get(place, 0.0) / scale_words,
            "meaning": MEANING * (meaning.get(place, 0.0) - lowest) / scale_meaning,
            "neighbours": WORDS * around.get(place, 0.0) / scale_words,
            "session": SESSION * best.get(place[0], 0.0) / scale_session,
        }
        ranked.append(Ranking(place, round(sum(parts.values()), 9), parts))
    return sorted(ranked, key=lambda each: (-each.score, each.place))


def _blend_meaning(found: Mapping[Place, Signals]) -> dict[Place, float]:
    """Return how well the meaning of each place and of those around it fits; nothing where nobody has compared it."""
    given = [signals.meaning for signals in found.values()]
    if not given or max(given) - min(given) <= 1e-9:
        return {}
    mean, scale = fmean(given), _scale(given)
    own = {place: (signals.meaning - mean) / scale for place, signals in found.items()}
    around = _neighbours(own)
    return {place: own.get(place, 0.0) + around.get(place, 0.0) for place in {**own, **around}}


def neighbours(places: Iterable[Place], distance: int = 1) -> list[Place]:
    """Return the places around `places`, up to `distance` away, that are none of them."""
    given = dict.fromkeys(places)
    around = dict.fromkeys(
        (session, place + step)
        for session, place in given
        for step in range(-distance, distance + 1)
        if step and place + step >= 0
    )
    return [place for place in around if place not in given]


def _neighbours(scores: Mapping[Place, float]) -> dict[Place, float]:
    around: dict[Place, float] = {}
    for (session, place), score in scores.items():
        for distance, weight in AROUND:
            for step in (-distance, distance):
                if place + step >= 0:
                    there = (session, place + step)
                    around[there] = around.get(there, 0.0) + weight * score
    return around


def _best(scores: Mapping[Place, float]) -> list[Place]:
    return sorted(scores, key=lambda place: (-scores[place], place))[:CANDIDATES]


def _scale(values: Iterable[float]) -> float:
    spread = pstdev(numbers) if len(numbers := list(values)) > 1 else 0.0
    return spread if spread > 1e-9 else 1.0
