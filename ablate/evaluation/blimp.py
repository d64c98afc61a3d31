"""BLiMP: 67 paradigms of minimal pairs made from templates, and the share on which a model agrees with people.

    accuracy = 1/P sum over the P paradigms of  1/n sum over its n pairs of  [score(good) > score(bad)]
    [.]      = 1, 0, or 1/2 for a tie
    standard error = 1/P sqrt( sum over paradigms of  (1 - n/N) s^2 / n ),   s^2 the variance of [.] over the pairs read

Warstadt et al. 2020 (arXiv:1912.00582): the pairs, and the forced choice by the probability of the whole sentence. Scores come
from `sentence_scores`. Each model chooses by its own score, so accuracies compare across estimators though scores do not.

Ties. The paper counts a pair as right if the good sentence is strictly likelier, so a tie is wrong. The row `overall, ties
wrong` follows the paper. Here a tie counts one half, so chance is 0.5 however many ties there are. A tokenizer that knows
neither of two words turns their pair into the same tokens twice; `overall, same tokens` counts such pairs. Scores closer than
`sentence_scores.TIE` nats are a tie.

Length. A model that knows nothing gives every token about the same probability, so it prefers the shorter sentence. The
sentences of a pair have about the same number of words, but not of tokens. The row `overall, fewer tokens` is the accuracy of
always choosing the sentence with fewer tokens. With the 1,024 pieces of a quick tier it is 0.542, which is what random
initialisations score; with whole words it is 0.511.

Subsample. Each model reads the same `pairs` of the N pairs of each paradigm; a larger `pairs` contains a smaller one. The
standard error is the distance to be expected from the figure on the whole set. It is 0 when all pairs are read. Two arms read
the same pairs, so the error of their difference is smaller.

Long sentences. A pair with a sentence of more than `longest` tokens is left out for every model, and counted. The limit belongs
to the evaluation and not to the model's context.

Speed. The default reads 268 of the 134,000 sentences. All of them take 26 s with GPT and 256 s with BERT at the size of a quick
tier (vocabulary 1,024, two cores). Both times are extrapolated from a tenth and a twentieth of each paradigm.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np

from ablate.collators.pseudo_likelihood import Hiding
from ablate.config import ConfigError, require
from ablate.data.text import Text
from ablate.evaluation import framing, held_out, paradigms
from ablate.evaluation.reading import Reading, check_capability, noise
from ablate.evaluation.sentence_scores import PSEUDO, TIE, check_hiding, score
from ablate.objectives.base import Scores
from ablate.records import Row

SAMPLES = 6


class EncodedParadigm(NamedTuple):
    """The pairs of one paradigm that are read."""

    name: str
    phenomenon: str
    pairs: list[tuple[list[int], list[int]]]
    """Token ids of (good, bad), special tokens excluded."""
    size: int
    """Number of its pairs, without those left out."""
    left_out: int
    """Pairs left out as too long, among those considered."""


@dataclass(frozen=True, kw_only=True)
class Blimp:
    name: ClassVar[str] = "blimp"
    VERSION: ClassVar[int] = 1
    needs: ClassVar[type] = Scores
    smoke: ClassVar[dict[str, Any]] = {"pairs": 3}
    on_curve: ClassVar[bool] = False

    source: str = "hub:nyu-mll/blimp"
    """A folder of paradigms, or `hub:NAME`: `ablate.evaluation.paradigms`."""
    pairs: int = 2
    """Pairs read of each paradigm; 0 for all. The default has a standard error of 0.04 at accuracy 0.6; 8 pairs halve it. The
    default is small, so that evaluation takes less than a quarter of a quick tier's time."""
    longest: int = 60
    """Tokens in the longest sentence, special ones excluded."""
    hidings: tuple[Hiding, ...] = ("token",)
    """What a pseudo-likelihood hides with each token, the first for the plain rows: `ablate.collators.pseudo_likelihood`."""

    def __post_init__(self) -> None:
        require(self.pairs == 0 or self.pairs >= 2, "blimp pairs", self.pairs, "at least 2 a paradigm, or 0 for all")
        require(self.longest >= 1, "blimp longest", self.longest, "at least 1 token")
        require(bool(self.hidings), "blimp hidings", self.hidings, "at least one")

    @classmethod
    def smoke_items(cls, folder: Path) -> dict[str, Any]:
        """Two paradigms of four pairs."""
        for verb in ("is", "are"):
            pair = {"sentence_good": f"the man {verb} old .", "sentence_bad": f"the man old {verb} .", "linguistics_term": verb}
            (folder / f"{verb}.jsonl").write_text("\n".join([json.dumps(pair)] * 4))
        return {"source": str(folder)}

    def fingerprints(self) -> dict[str, str]:
        return {"source": paradigms.fingerprint(self.source)}

    def estimators(self, model: Any) -> dict[str, str]:
        """Every model chooses by its own score."""
        return {self.name: model.estimator}

    def check(self, model: Any, text: Text) -> None:
        self._for_model(model, text)

    def measure(self, model: Any, text: Text) -> Reading:
        """Return accuracy overall and by phenomenon, its standard error, and the numbers of ties and of pairs left out."""
        encoded = self._for_model(model, text)
        sentences = [ids for paradigm in encoded for pair in paradigm.pairs for ids in pair]
        rows: list[Row] = []
        samples: list[dict[str, Any]] = []
        for number, hiding in enumerate(self.hidings if model.estimator == PSEUDO else self.hidings[:1]):
            nats = score(model, sentences, self.name, hiding)
            margins = np.split(nats[0::2] - nats[1::2], np.cumsum([len(paradigm.pairs) for paradigm in encoded])[:-1])
            rows += self._rows(encoded, margins, f", {hiding}" if number else "")
            if not number:
                samples = _samples(encoded, np.concatenate(margins), text, model.estimator)
        items = sum(len(paradigm.pairs) for paradigm in encoded)
        same = sum(good == bad for paradigm in encoded for good, bad in paradigm.pairs)
        out = sum(paradigm.left_out for paradigm in encoded)
        longer = [np.array([np.sign(len(bad) - len(good)) for good, bad in paradigm.pairs]) for paradigm in encoded]
        shorter = _mean([0.5 + 0.5 * sign for sign in longer])
        rows.append(self._row("accuracy", "overall, fewer tokens", shorter, "share", items))
        rows.append(self._row("ties", "overall, same tokens", float(same), "pairs", items))
        rows.append(self._row("left_out", "overall", float(out), "pairs", items + out))
        return Reading(rows=tuple(rows), samples=tuple(samples))

    def _rows(self, encoded: list[EncodedParadigm], margins: list[np.ndarray], kind: str) -> list[Row]:
        tied = [np.abs(margin) < TIE for margin in margins]
        right = [np.where(tie, 0.5, margin > 0) for tie, margin in zip(tied, margins, strict=True)]
        strict = [np.where(tie, 0.0, margin > 0) for tie, margin in zip(tied, margins, strict=True)]
        items = sum(map(len, right))
        error = standard_error(right, [paradigm.size for paradigm in encoded])
        rows = [
            self._row("accuracy", f"overall{kind}", _mean(right), "share", items, "higher"),
            self._row("accuracy", f"overall, ties wrong{kind}", _mean(strict), "share", items),
            self._row("standard_error", f"overall{kind}", error, "share", items),
            self._row("ties", f"overall{kind}", float(sum(tie.sum() for tie in tied)), "pairs", items),
        ]
        for phenomenon in dict.fromkeys(paradigm.phenomenon for paradigm in encoded):
            of = [place for place, paradigm in enumerate(encoded) if paradigm.phenomenon == phenomenon]
            here, items = [right[place] for place in of], sum(len(right[place]) for place in of)
            error = standard_error(here, [encoded[place].size for place in of])
            ties = float(sum(tied[place].sum() for place in of))
            rows += [
                self._row("accuracy", f"{phenomenon}{kind}", _mean(here), "share", items, "higher"),
                self._row("standard_error", f"{phenomenon}{kind}", error, "share", items),
                self._row("ties", f"{phenomenon}{kind}", ties, "pairs", items),
            ]
        return rows

    def _row(self, metric: str, condition: str, value: float, unit: str, items: int, better: str = "none") -> Row:
        return Row(evaluation=self.name, metric=metric, condition=condition, value=value, unit=unit, items=items, better=better)

    def _for_model(self, model: Any, text: Text) -> list[EncodedParadigm]:
        check_capability(self, model)
        for hiding in self.hidings:
            check_hiding(model, hiding, self.name)
        encoded = self.make(text)
        framing.check_fits(model, max(len(ids) for p in encoded for pair in p.pairs for ids in pair), self.name)
        return encoded

    def make(self, text: Text) -> list[EncodedParadigm]:
        """Return the pairs as token ids: a function of the source, the tokenizer and this evaluation's fields.

        Raises `ConfigError` when no pair is short enough.
        """
        encoded = [self._encoded(paradigm, text) for paradigm in paradigms.paradigms(self.source)]
        kept = [paradigm for paradigm in encoded if paradigm.pairs]
        if not kept:
            raise ConfigError(f"blimp source = {self.source!r} has no pair of sentences of at most {self.longest} tokens")
        return kept

    def _encoded(self, paradigm: paradigms.Paradigm, text: Text) -> EncodedParadigm:
        count = self.pairs or len(paradigm.pairs)
        pairs: list[tuple[list[int], list[int]]] = []
        left_out = 0
        for place in noise(f"blimp/{paradigm.name}").permutation(len(paradigm.pairs)).tolist():
            good, bad = (text.tokenizer.encode(sentence) for sentence in paradigm.pairs[place])
            if min(len(good), len(bad)) >= 1 and max(len(good), len(bad)) <= self.longest:
                pairs.append((good, bad))
            else:
                left_out += 1
            if len(pairs) == count:
                break
        looked_at = len(pairs) + left_out
        size = round(len(paradigm.pairs) * len(pairs) / looked_at)
        return EncodedParadigm(paradigm.name, paradigm.phenomenon, pairs, size, left_out)


def standard_error(right: list[np.ndarray], sizes: list[int]) -> float:
    """Standard error of a mean over strata of each stratum's mean, from samples without replacement (Cochran 1977, chapter 5).

    A stratum with one item takes the pooled variance of all items.
    """
    pooled = float(np.concatenate(right).var())
    variances = [float(part.var(ddof=1)) if len(part) > 1 else pooled for part in right]
    terms = [(1 - len(part) / size) * s2 / len(part) for part, size, s2 in zip(right, sizes, variances, strict=True)]
    return math.sqrt(max(0.0, sum(terms))) / len(right)


def _mean(right: list[np.ndarray]) -> float:
    return float(np.mean([part.mean() for part in right]))


def _samples(encoded: list[EncodedParadigm], margins: np.ndarray, text: Text, estimator: str) -> list[dict[str, Any]]:
    pairs = [(paradigm, pair) for paradigm in encoded for pair in paradigm.pairs]
    return [
        {
            "kind": "pair",
            "phenomenon": pairs[i][0].phenomenon,
            "input": text.tokenizer.decode(pairs[i][1][0]),
            "output": text.tokenizer.decode(pairs[i][1][1]),
            "margin_nats": float(margins[i]),
            "estimator": estimator,
        }
        for i in held_out.spread(len(pairs), SAMPLES).tolist()
    ]
