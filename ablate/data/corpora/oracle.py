"""Sentences of a random LSTM, the oracle. Text GANs are tested on them, because the oracle can score what they write.

    oracle      x(t) ~ softmax(h(t) U + b),   h(t), c(t) = LSTM(e(x(t-1)), h(t-1), c(t-1)),   every weight from N(0, 1)
    NLL_oracle  - 1/N  sum over tokens that a model wrote of  log p_oracle(token | those before it)   [nats per token]
    NLL_gen     the same with the two exchanged: the model's, on held-out text of the oracle          [nats per token]

NLL_oracle rewards quality alone: a model that repeats one good sentence has a low one. NLL_gen shows what a model never writes.

`oracle`, `oracle:LENGTH`, `oracle:LENGTH:WORDS` or `oracle:LENGTH:WORDS:NUMBER`: sentences of LENGTH words (20) out of WORDS
types (5000) by oracle NUMBER (0). A document is one sentence, `w17 w4211 ...`, so that `tokenizer = "word"` recovers the words;
the published protocol has LENGTH 20 or 40, 5000 words, width 32 and 10,000 training sentences. The own NLL of oracles 0
to 5 at length 20 is 5.87, 5.72, 5.81, 5.97, 5.94, 5.70 nats per token; that of the one that the papers used is 5.75.

Sources: Yu et al. 2017, section 4 and released code (the oracle, its sizes, NLL_oracle); Zhu et al. 2018, section 2 (NLL_gen);
Nie et al. 2019, section 4.1, table 1 (lengths 20 and 40).

Shape letters: B sentence, T position, D width, V word types.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cached_property, lru_cache
from typing import NamedTuple

import numpy as np

from ablate.config import ConfigError, Data, require
from ablate.data.document import Document
from ablate.measure import digest
from ablate.seeds import generator
from ablate.sources import source_digest

WIDTH = 32
"""Of embedding and state. Yu et al. 2017, section 4.1."""
SENTENCES = {"train": 10_000, "validation": 2_000, "test": 2_000}
"""10,000 for training: Yu et al. 2017, section 4.1."""
DIGITS = re.compile(r"[0-9]{1,18}")
AT_ONCE = 50
"""Sentences in one step: their probabilities stay in the processor's cache."""


class State(NamedTuple):
    """What the LSTM remembers, each [B, D]."""

    h: np.ndarray
    c: np.ndarray


class Oracle:
    """See the module's docstring."""

    name = "oracle"

    def __init__(self, length: int = 20, words: int = 5000, number: int = 0) -> None:
        require(1 <= length <= 1000, "data.corpus, LENGTH of oracle:LENGTH:WORDS:NUMBER", length, "between 1 and 1000 words")
        require(2 <= words <= 100_000, "data.corpus, WORDS of oracle:LENGTH:WORDS:NUMBER", words, "between 2 and 100000 types")
        require(number >= 0, "data.corpus, NUMBER of oracle:LENGTH:WORDS:NUMBER", number, "at least 0")
        self.length, self.words, self.number = length, words, number

    def fingerprint(self) -> str:
        """Digest of the three numbers, the sizes and the code."""
        code = source_digest("ablate.data.corpora.oracle", "ablate.seeds")
        return digest(self.name, self.length, self.words, self.number, SENTENCES, np.__version__.split(".")[0], code)

    def describe(self) -> dict[str, str]:
        """Size and own NLL."""
        return {
            "text": f"{sum(SENTENCES.values()):,} sentences of {self.length} words by random LSTM {self.number}",
            "words": f"{self.words:,} types, width {WIDTH}",
            "entropy": f"{self.entropy:.4f} nats per word: the oracle's own NLL on what it wrote",
            "labels": "none",
        }

    @cached_property
    def entropy(self) -> float:
        """Nats per token: the oracle's NLL on its own test split; a sample mean and no closed form."""
        return self.nll_of_words(_text(self.length, self.words, self.number, "test"))

    def documents(self) -> Iterator[Document]:
        """One sentence each, split by split."""
        for split in SENTENCES:
            for row in _text(self.length, self.words, self.number, split).tolist():
                yield Document((" ".join(f"w{word}" for word in row),), split=split)

    def nll(self, sentences: Sequence[str]) -> float:
        """NLL_oracle of the sentences, nats per token. A sentence is read up to `length` words or its first unknown word.

        nan when nothing is left.
        """
        return self.nll_of_words([self.ids(sentence) for sentence in sentences])

    def ids(self, sentence: str) -> list[int]:
        """The word numbers of a sentence, as far as the oracle reads it."""
        found: list[int] = []
        for word in sentence.split()[: self.length]:
            number = word[1:]
            if word[0] != "w" or not (number.isascii() and number.isdigit()) or int(number) >= self.words:
                break
            found.append(int(number))
        return found

    def nll_of_words(self, rows: Sequence[Sequence[int]] | np.ndarray) -> float:
        """`nll` of sentences given as word numbers."""
        nats, tokens = 0.0, 0
        weights = _weights(self.words, self.number)
        for first in range(0, len(rows), AT_ONCE):
            chunk = rows[first : first + AT_ONCE]
            length_B = np.array([len(row) for row in chunk])
            words_BT = np.zeros((len(chunk), max(1, int(length_B.max()))), np.int64)
            for row, words in zip(words_BT, chunk, strict=True):
                row[: len(words)] = words
            inside_BT = np.arange(words_BT.shape[1]) < length_B[:, None]
            nats += float(weights.nll(words_BT)[inside_BT].sum())
            tokens += int(length_B.sum())
        return nats / tokens if tokens else float("nan")


def named(argument: str, data: Data) -> Oracle:
    """The oracle of up to three numbers, separated by colons."""
    numbers = argument.split(":") if ":" in data.corpus else []
    if len(numbers) > 3 or not all(DIGITS.fullmatch(number) for number in numbers):
        wanted = "oracle:LENGTH or oracle:LENGTH:WORDS:NUMBER, whole numbers, e.g. oracle:20:5000:0"
        raise ConfigError(f"data.corpus = {data.corpus!r}, but must be {wanted}")
    return Oracle(*map(int, numbers))


class Weights(NamedTuple):
    """An LSTM with gates in the order input, forget, output, candidate."""

    embedding_VD: np.ndarray
    """The last row stands before the first word."""
    inputs_D4D: np.ndarray
    recurrent_D4D: np.ndarray
    gates_4D: np.ndarray
    output_DV: np.ndarray
    bias_V: np.ndarray

    def begin(self, count: int) -> tuple[np.ndarray, State]:
        """What is read before the first word, and the state then."""
        return np.full(count, len(self.bias_V)), State(np.zeros((count, WIDTH)), np.zeros((count, WIDTH)))

    def step(self, word_B: np.ndarray, state: State) -> tuple[np.ndarray, State]:
        """Logits [B, V] of the next word, and the state after `word_B`."""
        gates = self.embedding_VD[word_B] @ self.inputs_D4D + state.h @ self.recurrent_D4D + self.gates_4D
        enter, forget, leave = (1 / (1 + np.exp(-gate)) for gate in np.split(gates[:, : 3 * WIDTH], 3, axis=1))
        c = forget * state.c + enter * np.tanh(gates[:, 3 * WIDTH :])
        h = leave * np.tanh(c)
        return h @ self.output_DV + self.bias_V, State(h, c)

    def nll(self, words_BT: np.ndarray) -> np.ndarray:
        """-log p of each word given those before it, nats [B, T]."""
        before_B, state = self.begin(len(words_BT))
        nats_BT = np.empty(words_BT.shape)
        rows = np.arange(len(words_BT))
        for position, word_B in enumerate(words_BT.T):
            logits_BV, state = self.step(before_B, state)
            top_B = logits_BV.max(axis=1)
            nats_BT[:, position] = np.log(np.exp(logits_BV - top_B[:, None]).sum(axis=1)) + top_B - logits_BV[rows, word_B]
            before_B = word_B
        return nats_BT

    def draw(self, uniform_BT: np.ndarray) -> np.ndarray:
        """Sentences, int64 [B, T]: each uniform picks the first word whose cumulative probability exceeds it."""
        before_B, state = self.begin(len(uniform_BT))
        words_BT = np.empty(uniform_BT.shape, np.int64)
        for position, uniform_B in enumerate(uniform_BT.T):
            logits_BV, state = self.step(before_B, state)
            heights_BV = np.cumsum(np.exp(logits_BV - logits_BV.max(axis=1, keepdims=True)), axis=1)
            picked = [np.searchsorted(row, u * row[-1], side="right") for row, u in zip(heights_BV, uniform_B, strict=True)]
            before_B = words_BT[:, position] = np.minimum(picked, len(self.bias_V) - 1)
        return words_BT


@lru_cache(maxsize=4)
def _weights(words: int, number: int) -> Weights:
    rng = generator(number, "oracle/weights", words)
    shapes = ((words + 1, WIDTH), (WIDTH, 4 * WIDTH), (WIDTH, 4 * WIDTH), (4 * WIDTH,), (WIDTH, words), (words,))
    return Weights(*(rng.standard_normal(shape) for shape in shapes))


@lru_cache(maxsize=12)
def _text(length: int, words: int, number: int, split: str) -> np.ndarray:
    """Word numbers [B, T]; in float64, so that machines agree on every word."""
    uniform_BT = generator(number, f"oracle/{split}", words).random((SENTENCES[split], length))
    weights = _weights(words, number)
    blocks = np.split(uniform_BT, range(AT_ONCE, len(uniform_BT), AT_ONCE))
    return np.concatenate([weights.draw(block) for block in blocks])
