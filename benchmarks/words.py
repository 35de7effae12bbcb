"""How long it takes to turn text into words, and that twice the text takes twice the time.

`python -m benchmarks.words`: milliseconds of the processor for a text of 20,000 characters, and the ratio of 80,000 to
20,000 characters, which is near 4 where the analysis is linear. The last rows are attacks: marks that Unicode would
sort, and words without end.
"""

import time
from collections.abc import Callable

from langgraph_learning.words import fold, query_terms, terms

TEXTS = {
    "English": "She adopted two puppies and lives in a house near the river. ",
    "German": "Meine Großmutter wohnt in einer schönen Wohnung am Fluss. ",
    "Russian": "Моя собака живёт в Москве с моей бабушкой. ",
    "Arabic": "عندي قطة سوداء في البيت الجديد. ",
    "Korean": "저는 서울에서 강아지를 키워요. ",
    "Thai": "ฉันชอบดื่มกาแฟเย็น",
    "Japanese": "東京の寿司が好きです。",
    "emoji": "🍕👩‍💻👍🏽 ",
    "alternating marks": "\u0301\u0323",
    "marks of Thai": "\u0e38\u0e48",
    "letters under twenty marks": "a" + "\u0301\u0323" * 10,
    "one long word": "x",
    "one long accented word": "é",
}
ANALYSES: dict[str, Callable[[str], object]] = {
    "fold": fold,
    "terms": terms,
    "query_terms": query_terms,
}


def milliseconds(analyse: Callable[[str], object], unit: str, size: int) -> float:
    """Return the best of three, each of another text: what was analysed before is remembered."""
    best = float("inf")
    for number in range(3):
        text = f"{number} " + unit * (size // len(unit))
        start = time.process_time()
        analyse(text)
        best = min(best, time.process_time() - start)
    return 1_000 * best


def main() -> None:
    print(f"| text of 20,000 characters | {' | '.join(f'{name}, ms (x for 4 times as much)' for name in ANALYSES)} |")
    print(f"|{'---|' * (len(ANALYSES) + 1)}")
    for name, unit in TEXTS.items():
        cells = []
        for analyse in ANALYSES.values():
            one, four = (milliseconds(analyse, unit, size) for size in (20_000, 80_000))
            cells.append(f"{one:.1f} ({four / max(one, 0.01):.1f})")
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
