"""Windows on a split: example i under seed k is a pure function of (k, split, i), in any process and any order.

Packed windows tile the token stream  d0 SEP d1 SEP d2 ...  in pieces of one length, so no position is ever padding.
Example i belongs to epoch i // W of the W windows; each epoch has its own permutation, drawn from the stream
`<split>/order`, which all arms of a study share. Segment pairs, for next-sentence prediction, follow the same rules.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ablate.config import ConfigError
from ablate.data.token_store import TokenStore
from ablate.data.tokenizer import SEP
from ablate.seeds import generator


class Window(NamedTuple):
    """`length` consecutive positions of the stream."""

    index: int  # type: ignore[assignment]  # hides tuple.index, which nobody asks of an example
    """The number of the example: i in `draw(i)`, j in `[j]`. Its noise is derived from it."""
    tokens_T: np.ndarray
    """int64"""
    documents_T: np.ndarray
    """int32: running number of the document each position belongs to; a SEP belongs to the document it ends."""
    place: int = 0
    """Which window in corpus order: the same in every epoch."""


class Pair(NamedTuple):
    """A segment, the text that follows it and a text that does not, int64. `first` and either of the others have at most
    `length` tokens together."""

    index: int  # type: ignore[assignment]  # hides tuple.index, which nobody asks of an example
    """Which example, as in `Window`."""
    first: np.ndarray
    following: np.ndarray
    elsewhere: np.ndarray
    """A segment of another document, cut like `following`, so its length reveals nothing."""
    place: int = 0
    """Which pair in corpus order: the same in every epoch."""


class Order:
    """The shuffled order of `count` items, epoch after epoch."""

    REMEMBERED = 4
    """Epoch permutations kept, 8 bytes an item each."""

    def __init__(self, count: int, split: str) -> None:
        self.count, self.split = count, split
        self._permutations: dict[tuple[int, int], np.ndarray] = {}

    def place(self, seed: int, index: int) -> int:
        """Return the item that is example `index` under `seed`."""
        epoch, position = divmod(index, self.count)
        key = (seed, epoch)
        if key not in self._permutations:
            while len(self._permutations) >= self.REMEMBERED:
                self._permutations.pop(next(iter(self._permutations)))
            self._permutations[key] = generator(seed, f"{self.split}/order", epoch).permutation(self.count)
        return int(self._permutations[key][position])

    def __getstate__(self) -> dict[str, object]:
        return {"count": self.count, "split": self.split, "_permutations": {}}


class PackedWindows:
    """The windows of one split. Each also has the `before` positions that precede it, so neighbours overlap by that many. A SEP
    precedes the first document, as it separates any two. Raises `ConfigError` when the split has no whole window.
    """

    def __init__(self, store: TokenStore, length: int, before: int = 0) -> None:
        self.store, self.length, self.before = store, length, before
        starts = np.asarray(store.sentence_starts)[store.document_starts]
        # Each earlier document brought its tokens and one SEP.
        self._starts = starts + np.arange(len(starts))
        stream = int(self._starts[-1]) if store.documents else 0
        if stream < length:
            has = f"the {store.split} split has {stream} tokens"
            raise ConfigError(f"{has}, but one window needs {length}: use a larger corpus or a smaller data.context")
        self._order = Order(stream // length, store.split)
        self.tokens_per_example = float(length)

    def __len__(self) -> int:
        """Windows in an epoch; a last incomplete one is left out."""
        return self._order.count

    def __getitem__(self, place: int) -> Window:
        """Window `place` in corpus order, for evaluation."""
        if not 0 <= place < len(self):
            raise IndexError(f"window {place} of {len(self)}")
        return self._window(place, place)

    def draw(self, seed: int, index: int) -> Window:
        """Example `index` of the training sequence under `seed`."""
        return self._window(self._order.place(seed, index), index)

    def _window(self, place: int, index: int) -> Window:
        positions_T = np.arange(place * self.length - self.before, (place + 1) * self.length)
        outside = int((positions_T < 0).sum())
        if outside:
            tokens_T, documents_T = self._read(positions_T[outside:])
            return Window(index, np.pad(tokens_T, (outside, 0), constant_values=SEP), np.pad(documents_T, (outside, 0)), place)
        return Window(index, *self._read(positions_T), place)

    def _read(self, positions_T: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        documents_T = np.searchsorted(self._starts, positions_T, side="right") - 1
        ends_document_T = positions_T == self._starts[documents_T + 1] - 1
        sources_T = positions_T - documents_T
        first = int(sources_T[0])
        held = self.store.tokens[first : int(sources_T[-1]) + 1]
        tokens_T = np.full(len(positions_T), SEP)
        tokens_T[~ends_document_T] = held[sources_T[~ends_document_T] - first]
        return tokens_T, documents_T.astype(np.int32)


class Sentences:
    """The sentences of one split, each one example, cut after `length` tokens. Text autoencoders and GANs read them (Bowman et
    al. 2016, section 4). Raises `ConfigError` when the split has none.
    """

    def __init__(self, store: TokenStore, length: int) -> None:
        self.store, self.length = store, length
        if not len(store.sentence_starts) > 1:
            raise ConfigError(f"the {store.split} split has no sentences: use a larger corpus")
        self._order = Order(len(store.sentence_starts) - 1, store.split)
        self.tokens_per_example = float(np.minimum(np.diff(store.sentence_starts), length).mean())

    def __len__(self) -> int:
        """Sentences in an epoch."""
        return self._order.count

    def __getitem__(self, place: int) -> Window:
        """Sentence `place` in corpus order, for evaluation."""
        if not 0 <= place < len(self):
            raise IndexError(f"sentence {place} of {len(self)}")
        return self._sentence(place, place)

    def draw(self, seed: int, index: int) -> Window:
        """Example `index` of the training sequence under `seed`."""
        return self._sentence(self._order.place(seed, index), index)

    def _sentence(self, place: int, index: int) -> Window:
        begin, end = int(self.store.sentence_starts[place]), int(self.store.sentence_starts[place + 1])
        tokens_T = self.store.tokens[begin : min(end, begin + self.length)].astype(np.int64)
        return Window(index, tokens_T, np.zeros(len(tokens_T), np.int32), place)


class SegmentPairs:
    """Pairs of segments: whole sentences of one document up to `length` tokens, cut in two between sentences at random.

    After Devlin et al. 2019, sec. 3.1 and app. A.2. Every document of two sentences or more is tiled by chunks of at least two
    sentences. A last sentence that is alone is joined by the one before it, which is then read twice an epoch. A chunk that is
    too long loses the beginning of `first`, down to half the length, then the end of the other: the seam stays. With `most` a
    chunk has no more sentences than that: 2 makes pairs of single sentences (Liu et al. 2019, section 4.2). Raises
    `ConfigError` when fewer than two documents have two sentences.
    """

    CORPUS_ORDER_SEED = 0
    """The seed for the cuts and other segments of `[j]`, which is the same for every replicate."""

    def __init__(self, store: TokenStore, length: int, most: int | None = None) -> None:
        self.store, self.length = store, length
        starts = np.asarray(store.sentence_starts), np.asarray(store.document_starts)
        self._firsts, self._ends = _chunks(*starts, length, most or len(starts[0]))
        documents = np.searchsorted(store.document_starts, self._firsts, side="right") - 1
        if not len(documents) or documents[0] == documents[-1]:
            raise ConfigError(
                f"next-sentence pairs need two documents of two sentences or more, but the {store.split} split has"
                f" {len(np.unique(documents))} of them among its {store.documents} documents"
            )
        # Pairs of one document stand together, so "another document" is everything outside one run of places.
        self._own_first = np.searchsorted(documents, documents, side="left")
        self._own_end = np.searchsorted(documents, documents, side="right")
        self._order = Order(len(documents), store.split)
        sizes = store.sentence_starts[self._ends] - store.sentence_starts[self._firsts]
        self.tokens_per_example = float(np.minimum(sizes, length).mean())

    def __len__(self) -> int:
        """Pairs in an epoch."""
        return self._order.count

    def __getitem__(self, place: int) -> Pair:
        """Pair `place` in corpus order, for evaluation."""
        if not 0 <= place < len(self):
            raise IndexError(f"pair {place} of {len(self)}")
        return self._pair(place, place, generator(self.CORPUS_ORDER_SEED, f"{self.store.split}/pairs in corpus order", place))

    def draw(self, seed: int, index: int) -> Pair:
        """Example `index` of the training sequence under `seed`."""
        return self._pair(self._order.place(seed, index), index, generator(seed, f"{self.store.split}/pairs", index))

    def _pair(self, place: int, index: int, rng: np.random.Generator) -> Pair:
        other = int(rng.integers(len(self) - (self._own_end[place] - self._own_first[place])))
        if other >= self._own_first[place]:
            other += int(self._own_end[place] - self._own_first[place])
        first, following = self._cut(place, rng)
        _, elsewhere = self._cut(other, rng)
        room = self.length - min(len(following), self.length // 2)
        first = first[max(0, len(first) - room) :]
        room = self.length - len(first)
        return Pair(index, first, following[:room], elsewhere[:room], place)

    def _cut(self, place: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        begin, end = int(self._firsts[place]), int(self._ends[place])
        seam = int(rng.integers(begin + 1, end))
        at = [int(self.store.sentence_starts[sentence]) for sentence in (begin, seam, end)]
        return self.store.tokens[at[0] : at[1]].astype(np.int64), self.store.tokens[at[1] : at[2]].astype(np.int64)


def _chunks(sentence_starts: np.ndarray, document_starts: np.ndarray, length: int, most: int) -> tuple[np.ndarray, np.ndarray]:
    """First and one-past-last sentence of every chunk, in corpus order; all documents are tiled side by side."""
    begins, limits = document_starts[:-1], document_starts[1:]
    many = limits - begins >= 2
    begins, limits = begins[many], limits[many]
    firsts, ends = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    while len(begins):
        first = np.minimum(begins, limits - 2)
        end = np.searchsorted(sentence_starts, sentence_starts[first] + length, side="right") - 1
        end = np.clip(end, first + 2, np.minimum(limits, first + most))
        firsts.append(first)
        ends.append(end)
        begins, limits = end[end < limits], limits[end < limits]
    order = np.argsort(np.concatenate(firsts), kind="stable")
    return np.concatenate(firsts)[order], np.concatenate(ends)[order]
