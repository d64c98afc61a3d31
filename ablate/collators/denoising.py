"""The corruptions of T5 by name: which tokens of a window are hidden, and the examples that its texts become.

| kind | input | target | Raffel et al. 2020 |
| --- | --- | --- | --- |
| spans | text, each hidden span a sentinel | sentinels and spans | section 3.3.4, table 7 |
| iid | the same with single tokens; neighbours share a sentinel | | section 3.1.4, table 5 |
| bert | text, hidden tokens 90 % MASK and 10 % random | text | section 3.3.1, table 4 |
| mass | text, hidden tokens MASK | text | section 3.3.2, table 5 |
| prefix | the beginning | the rest | section 3.3.1, table 4 |
| deshuffling | text in random order | text | section 3.3.1, table 4 |

Tokens are hidden in the window as a whole, so their number is exact, however short its texts are. A run across the border of
two texts is one span in each. Sentinels are additional types behind the V of the vocabulary; each text counts them from 0.

Shape letters: T position, V vocabulary.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

from ablate.collators import deshuffling, masking, prefix, spans
from ablate.collators.text_to_text import Example
from ablate.data.tokenizer import MASK

Kind = Literal["spans", "iid", "bert", "mass", "prefix", "deshuffling"]

MASK_AND_RANDOM_SHARE = {"iid": (1.0, 0.0), "bert": (0.9, 0.1), "mass": (1.0, 0.0)}


class Corruption(NamedTuple):
    """A kind of corruption and its parameters."""

    kind: Kind
    rate: float
    """Share of hidden tokens, for the first four kinds."""
    mean_span_length: float

    def raw_length(self, context: int) -> int:
        """Raw tokens of a window whose input, as one text, fits into `context`."""
        return spans.raw_length(context, self.rate, self.mean_span_length) if self.kind == "spans" else context - 1

    def sentinels(self, context: int) -> int:
        """The largest number of sentinels that a window can need."""
        raw = self.raw_length(context)
        if self.kind == "spans":
            return spans.counts(raw, self.rate, self.mean_span_length)[1]
        hidden = max(1, round(raw * self.rate))
        return min(hidden, raw - hidden + 1) if self.kind == "iid" else 0

    def longest_target(self, context: int) -> int:
        """The largest number of decoder tokens for one text of a window, the end of the text included."""
        if self.kind in ("spans", "iid"):
            raw = self.raw_length(context)
            return max(1, round(raw * self.rate)) + self.sentinels(context) + 1
        return context

    def corrupt(
        self, texts: list[np.ndarray], generator: np.random.Generator, vocabulary: int, context: int
    ) -> tuple[list[Example], int]:
        """Return an example of each text, and how many tokens from the front of the texts they cover."""
        length = sum(map(len, texts))
        if self.kind == "prefix":
            return [prefix.split(text, generator) for text in texts], length
        if self.kind == "deshuffling":
            return [deshuffling.shuffle(text, generator) for text in texts], length
        joined_T, borders = np.concatenate(texts), np.cumsum([len(text) for text in texts])[:-1]
        if self.kind == "spans":
            hidden_T = spans.random_spans(length, self.rate, self.mean_span_length, generator)
        else:
            masked = self._mask(joined_T, generator, vocabulary)
            if self.kind != "iid":
                inputs = np.split(masked.inputs[0], borders)
                return [Example(corrupted, text) for corrupted, text in zip(inputs, texts, strict=True)], length
            hidden_T = masked.corrupted[0]
        used = spans.fitting(texts, hidden_T, context)
        pieces = zip(np.split(joined_T[:used], borders), np.split(hidden_T[:used], borders), strict=True)
        return [spans.replace(text, hidden, vocabulary) for text, hidden in pieces if len(text)], used

    def _mask(self, text_T: np.ndarray, generator: np.random.Generator, vocabulary: int) -> masking.Masked:
        text_1T = text_T[None]
        uniforms = masking.draw_noise([generator], len(text_T))
        eligible = np.ones_like(text_1T, dtype=bool)
        mask_share, random_share = MASK_AND_RANDOM_SHARE[self.kind]
        return masking.mask(
            text_1T,
            masking.places(text_1T, eligible, np.zeros_like, uniforms, "uniform", 1.0),
            uniforms,
            mask_rate=self.rate,
            prediction_rate=self.rate,
            mask_share=mask_share,
            random_share=random_share,
            mask_token=MASK,
            first_ordinary=MASK + 1,
            vocabulary=vocabulary,
        )
