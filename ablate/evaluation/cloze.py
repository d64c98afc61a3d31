"""Cloze (Taylor 1953): does the model's first guess restore the whole missing word of a sentence?

One word of each held-out sentence is hidden: each of its pieces becomes [MASK]. The model guesses all pieces at once, each on
its own. It is right if its most probable token is right at every piece.

    accuracy = sentences with all pieces right / sentences

The word is drawn uniformly from the words of the sentence (`ablate.data.words`) that consist of letters and their marks,
whether or not the tokenizer keeps them whole. Words of a single token would mostly be function words. The number of [MASK]
tokens reveals the number of pieces, as in any whole-word masking. `majority word` is the best accuracy of one constant answer:
the share of the most frequent missing word.

Error: the binomial standard error is sqrt(a (1 - a) / items), 0.009 at accuracy 0.2 and the default 2,000 sentences. The error
of a difference between two arms is smaller, because both read the same sentences.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np

from ablate.config import require
from ablate.data import words
from ablate.data.text import Text
from ablate.data.tokenizer import MASK
from ablate.evaluation import framing, held_out
from ablate.evaluation.reading import Reading, UnanswerableError, check_capability, noise, undisturbed
from ablate.objectives.base import FillsMasks
from ablate.records import Row

SAMPLES = 6


class Item(NamedTuple):
    """A sentence, and where its missing word starts and ends."""

    ids: np.ndarray
    start: int
    end: int


@dataclass(frozen=True, kw_only=True)
class Cloze:
    name: ClassVar[str] = "cloze"
    VERSION: ClassVar[int] = 2
    needs: ClassVar[type] = FillsMasks
    smoke: ClassVar[dict[str, Any]] = {"sentences": 20}
    on_curve: ClassVar[bool] = False

    sentences: int = 2000
    """Sentences of the test split, evenly spaced over it; all of them if it has fewer."""
    shortest: int = 6
    """Tokens in the shortest sentence."""
    longest: int = 32
    """Tokens in the longest sentence."""

    def __post_init__(self) -> None:
        require(self.sentences >= 1, "cloze sentences", self.sentences, "at least 1")
        require(1 <= self.shortest <= self.longest, "cloze shortest", self.shortest, f"from 1 to longest = {self.longest}")

    def check(self, model: Any, text: Text) -> None:
        check_capability(self, model)
        framing.check_fits(model, self.longest, self.name)
        self._items(text)

    def measure(self, model: Any, text: Text) -> Reading:
        """Return the accuracy, that of the majority word, and a few sentences with the model's guesses."""
        check_capability(self, model)
        framing.check_fits(model, self.longest, self.name)
        items = self._items(text)
        right = np.zeros(len(items), dtype=bool)
        guesses: list[np.ndarray] = [np.empty(0)] * len(items)
        largest = min(framing.TOKENS_AT_ONCE, framing.LOGITS_AT_ONCE // text.vocabulary.size)
        with undisturbed(model) as device:
            for batch in framing.same_length([len(item.ids) for item in items], largest):
                tokens_BT, first = framing.frame(model, np.stack([items[i].ids for i in batch]))
                positions_M2 = np.array(
                    [(row, first + t) for row, i in enumerate(batch) for t in range(items[i].start, items[i].end)]
                )
                truth_M = tokens_BT[positions_M2[:, 0], positions_M2[:, 1]]
                tokens_BT[positions_M2[:, 0], positions_M2[:, 1]] = MASK
                guess_M = framing.fill(model, device, tokens_BT, positions_M2).argmax(-1).cpu().numpy()
                wrong_B = np.bincount(positions_M2[:, 0], weights=guess_M != truth_M, minlength=len(batch))
                right[batch] = wrong_B == 0
                for row, i in enumerate(batch):
                    guesses[i] = guess_M[positions_M2[:, 0] == row]
        missing = Counter(tuple(item.ids[item.start : item.end].tolist()) for item in items)
        majority = missing.most_common(1)[0][1] / len(items)
        return Reading(
            rows=tuple(
                Row(
                    evaluation=self.name,
                    metric="accuracy",
                    condition=condition,
                    value=value,
                    unit="share",
                    better=better,
                    items=len(items),
                )
                for condition, value, better in (("word", float(right.mean()), "higher"), ("majority word", majority, "none"))
            ),
            samples=tuple(_sample(items[i], guesses[i], text) for i in held_out.spread(len(items), SAMPLES).tolist()),
        )

    def _items(self, text: Text) -> list[Item]:
        items = []
        for number, ids in held_out.sentences(text.split("test"), self.sentences, self.shortest, self.longest).items():
            candidates = [
                (s, e)
                for s, e in held_out.word_spans(ids, text.vocabulary)
                if words.of_letters(text.tokenizer.decode(ids[s:e].tolist()).strip())
            ]
            if candidates:
                items.append(Item(ids, *candidates[int(noise("cloze", number).integers(len(candidates)))]))
        if not items:
            raise UnanswerableError(
                f"the test split has no sentence of {self.shortest} to {self.longest} tokens for {self.name}; use more text"
            )
        return items


def _sample(item: Item, guess_M: np.ndarray, text: Text) -> dict[str, Any]:
    ids, filled = item.ids, item.ids.copy()
    missing = np.zeros(len(ids), dtype=bool)
    missing[item.start : item.end] = True
    filled[missing] = guess_M
    return {
        "kind": "cloze",
        "input": held_out.show(ids, text.tokenizer, missing, "▢"),
        "output": held_out.show(filled, text.tokenizer, missing, "⟨{}⟩"),
        "truth": held_out.show(ids, text.tokenizer, missing, "⟨{}⟩"),
    }
