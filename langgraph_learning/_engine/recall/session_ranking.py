"""Ranking of records that belong to sessions, such as the messages of threads.

A message often answers a question without using its words, while the messages around it use them. So the score of a
record includes the scores of its neighbours and of the best record of its session:

    .6 z(words and neighbours) + .4 z(meaning and neighbours) + .3 z(session)

z divides by the standard deviation over the candidates. It measures from the lowest value instead of the mean: the
order is the same, and no part is negative. Similarities of vectors are close together and far from zero, so they are
standardised before those of the neighbours are added: otherwise a message would gain from having neighbours at all.
`parts` of the result has the terms under their names. The weights were not tuned here: they come from other people's
experiments on conversations (LoCoMo).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import fmean, pstdev
from typing import TypeAlias

Place: TypeAlias = tuple[str, int]
"""A session and a position in it."""

WORDS, MEANING, SESSION = 0.6, 0.4, 0.3
AROUND = ((1, 0.5), (2, 0.25))
"""Pairs of a distance and the weight of a neighbour at that distance."""
CANDIDATES = 50
"""How many places are candidates: this many of the best by words, and as many of the best by meaning."""


@dataclass(frozen=True, slots=True)
class Signals:
    """The scores of a search for one record: by its words, and by its meaning if there are vectors."""

    words: float = 0.0
    meaning: float = 0.0


@dataclass(frozen=True, slots=True)
class Ranking:
    """A place, the score of the record there, and the parts that add up to the score."""

    place: Place
    score: float
    parts: Mapping[str, float]


def rank_sessions(signals_by_place: Mapping[Place, Signals]) -> list[Ranking]:
    """Return the best places, the best first.

    A place that the search did not find can be among them, because its neighbours fit well.
    """
    words = {place: signals.words for place, signals in signals_by_place.items() if signals.words}
    around = _neighbours(words)
    fitting = {place: words.get(place, 0.0) + around.get(place, 0.0) for place in {**words, **around}}
    meaning = _blend_meaning(signals_by_place)
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
    return sorted(ranked, key=lambda ranking: (-ranking.score, ranking.place))


def _blend_meaning(signals_by_place: Mapping[Place, Signals]) -> dict[Place, float]:
    """Return the score by meaning of each place, with those of its neighbours; empty if the scores are all equal."""
    given = [signals.meaning for signals in signals_by_place.values()]
    if not given or max(given) - min(given) <= 1e-9:
        return {}
    mean, scale = fmean(given), _scale(given)
    own = {place: (signals.meaning - mean) / scale for place, signals in signals_by_place.items()}
    around = _neighbours(own)
    return {place: own.get(place, 0.0) + around.get(place, 0.0) for place in {**own, **around}}


def neighbours(places: Iterable[Place], distance: int = 1) -> list[Place]:
    """Return the places up to `distance` away from `places`, without `places` themselves."""
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
