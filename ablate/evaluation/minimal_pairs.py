"""Minimal pairs: does the model score an attested sentence higher than the same sentence broken in one place?

    accuracy = pairs with score(good) > score(bad), a tie counting one half / pairs

A forced choice needs no labels and compares probabilities inside one model only. It is therefore the same question for every
objective that can score a text (Linzen et al. 2016; Warstadt et al. 2020). The score depends on the objective
(`sentence_scores`), and samples name it. It is the log-likelihood, a bound on it, or the pseudo-log-likelihood of Salazar et
al. 2020, section 2, which masks each token in turn.

Pairs come from `corpus.minimal_pairs` if the corpus can write its own, else from English or Chinese test sentences
(`attested_pairs`). The row
`overall, unigram` is the accuracy of counting words alone. For attested pairs it is 0.5 by construction.

Error: the binomial standard error is sqrt(a (1 - a) / items), 0.023 overall at accuracy 0.7 and the default 3 x 128 pairs. For
one phenomenon it is 0.041. The error of a difference between two arms is smaller, because both read the same pairs. Ties have a
row of their own: a model that cannot tell the sentences apart scores 0.5 with as many ties as pairs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ablate.config import require
from ablate.data.text import Text
from ablate.evaluation import framing, held_out
from ablate.evaluation.attested_pairs import EncodedPair, attested_pairs, favours
from ablate.evaluation.reading import Reading, UnanswerableError, check_capability
from ablate.evaluation.sentence_scores import TIE, score
from ablate.evaluation.unigram import log_unigram
from ablate.objectives.base import Scores
from ablate.records import Row

SAMPLES = 6


@dataclass(frozen=True, kw_only=True)
class MinimalPairs:
    name: ClassVar[str] = "minimal-pairs"
    VERSION: ClassVar[int] = 1
    needs: ClassVar[type] = Scores
    smoke: ClassVar[dict[str, Any]] = {"pairs": 6}

    pairs: int = 128
    """Pairs of each phenomenon; fewer if the split has fewer sentences for it. A corpus that writes its own pairs writes three
    times as many in all, whatever its phenomena."""
    shortest: int = 5
    """Tokens in the shortest attested sentence."""
    longest: int = 20
    """Tokens in the longest sentence: the cost of a pseudo-log-likelihood is quadratic."""
    on_curve: bool = False
    """Measure along the learning curve too, in runs trained from then on. A study that ranks by this column compares arms at
    equal budgets. A run that is measured again later has the last value alone."""

    def __post_init__(self) -> None:
        require(self.pairs >= 1, "minimal-pairs pairs", self.pairs, "at least 1")
        require(
            1 <= self.shortest <= self.longest, "minimal-pairs shortest", self.shortest, f"from 1 to longest = {self.longest}"
        )

    def check(self, model: Any, text: Text) -> None:
        self._for_model(model, text)

    def measure(self, model: Any, text: Text) -> Reading:
        """Return accuracy overall and by phenomenon, that of the unigram, the number of ties, and a few scored pairs."""
        pairs = self._for_model(model, text)
        log_p_V = log_unigram(text.unigram_counts())
        nats = score(model, [ids for pair in pairs for ids in (pair.good, pair.bad)], self.name)
        margin = nats[0::2] - nats[1::2]
        tied = np.abs(margin) < TIE
        correct = np.where(tied, 0.5, margin > 0)
        counted = 0.5 + 0.5 * np.array([favours(log_p_V, pair.good, pair.bad) for pair in pairs])
        phenomena = np.array([pair.phenomenon for pair in pairs])
        rows = [_row("overall", correct, "higher"), _row("overall, unigram", counted, "none")]
        for phenomenon in dict.fromkeys(phenomena.tolist()):
            rows.append(_row(phenomenon, correct[phenomena == phenomenon], "higher"))
        ties = Row(
            evaluation=self.name, metric="ties", condition="overall", value=float(tied.sum()), unit="pairs", items=len(pairs)
        )
        samples = tuple(
            {
                "kind": "pair",
                "phenomenon": pairs[i].phenomenon,
                "input": text.tokenizer.decode(pairs[i].good),
                "output": text.tokenizer.decode(pairs[i].bad),
                "margin_nats": float(margin[i]),
                "estimator": model.estimator,
            }
            for i in held_out.spread(len(pairs), SAMPLES).tolist()
        )
        return Reading(rows=(*rows, ties), samples=samples)

    def estimators(self, model: Any) -> dict[str, str]:
        """Every model chooses by its own score."""
        return {self.name: model.estimator}

    def _for_model(self, model: Any, text: Text) -> list[EncodedPair]:
        check_capability(self, model)
        pairs = self.make(text)
        framing.check_fits(model, max(len(ids) for pair in pairs for ids in (pair.good, pair.bad)), self.name)
        return pairs

    def make(self, text: Text) -> list[EncodedPair]:
        """Return the pairs as token ids: a function of the corpus and of this evaluation's fields alone.

        Raises `UnanswerableError` when the test split yields none.
        """
        write_pairs = getattr(text.corpus, "minimal_pairs", None)
        pairs = self._own(write_pairs, text) if write_pairs else attested_pairs(text, self.pairs, self.shortest, self.longest)
        if not pairs:
            raise UnanswerableError(
                f"no test sentence of {self.shortest} to {self.longest} tokens can be made a pair for {self.name}, "
                "whose rules are for English and Chinese; use more text in one of them"
            )
        return pairs

    def _own(self, write: Any, text: Text) -> list[EncodedPair]:
        written = write(3 * self.pairs, 0)
        encoded = [EncodedPair(text.tokenizer.encode(p.good), text.tokenizer.encode(p.bad), p.phenomenon) for p in written]
        return [pair for pair in encoded if max(len(pair.good), len(pair.bad)) <= self.longest and pair.good != pair.bad]


def _row(condition: str, correct: np.ndarray, better: str) -> Row:
    value = float(correct.mean())
    return Row(
        evaluation=MinimalPairs.name,
        metric="accuracy",
        condition=condition,
        value=value,
        unit="share",
        better=better,
        items=len(correct),
    )
