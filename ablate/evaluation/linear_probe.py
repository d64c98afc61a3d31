"""Linear probe: how well a linear map predicts a document's topic from frozen hidden states.

The features of a document are the final hidden states of its first tokens, averaged over the tokens of text. A ridge regression
(`ridge`) maps them to the document's label (Alain and Bengio 2017; Conneau et al. 2018). The map is fitted on documents of the
validation split and tested on those of the test split. No model trains on either.

    accuracy = test documents whose label is predicted / test documents

Two baselines that do not depend on an arm are reported. `topic, majority class` always predicts the label most common among the
fitted documents. `topic, bag of words` fits the same ridge on how often each token type occurs in the same tokens.

Labels with fewer than 20 fitted documents are dropped from both splits. A corpus with fewer than two remaining labels gives a
reading without rows, whatever the model.

Error: the binomial standard error is sqrt(a (1 - a) / items), 0.013 at accuracy 0.5 and the default 1,500 test documents. The
error of a difference between two arms is smaller, because both read the same documents.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch

from ablate.config import require
from ablate.data.text import Text
from ablate.data.token_store import TokenStore
from ablate.evaluation import framing, held_out, ridge
from ablate.evaluation.reading import Reading, UnanswerableError, check_capability, undisturbed
from ablate.objectives.base import Encodes
from ablate.records import Row

FEWEST = 20
"""Fitted documents that a label must have."""


class Documents(NamedTuple):
    """The first tokens of each document, and the number of its label."""

    tokens: list[np.ndarray]
    labels_N: np.ndarray


@dataclass(frozen=True, kw_only=True)
class LinearProbe:
    name: ClassVar[str] = "linear-probe"
    VERSION: ClassVar[int] = 1
    needs: ClassVar[type] = Encodes
    smoke: ClassVar[dict[str, Any]] = {"length": 20}
    on_curve: ClassVar[bool] = False

    train: int = 1500
    """Validation documents for the fit, evenly spaced over the split; all of them if it has fewer."""
    test: int = 1500
    """Test documents, chosen likewise."""
    length: int = 60
    """Tokens of text of a document, special ones excluded. It does not follow the model's context, which may be a factor."""

    def __post_init__(self) -> None:
        require(self.train >= 2 * FEWEST, "linear-probe train", self.train, f"at least {2 * FEWEST}, enough for two labels")
        require(self.test >= 1, "linear-probe test", self.test, "at least 1")
        require(self.length >= 1, "linear-probe length", self.length, "at least 1 token")

    def check(self, model: Any, text: Text) -> None:
        check_capability(self, model)
        framing.check_fits(model, self.length, self.name)
        fitted, read = self._documents(text)
        if len(np.unique(fitted.labels_N)) < 2 or not len(read.labels_N):
            raise UnanswerableError(
                f"{self.name} needs two labels with {FEWEST} documents or more in the validation split, and the text has "
                f"{len(np.unique(fitted.labels_N))}; a file of text takes them from the field or column `label`"
            )

    def measure(self, model: Any, text: Text) -> Reading:
        """Return the accuracy and its two baselines."""
        self.check(model, text)
        fitted, read = self._documents(text)
        size = text.vocabulary.size

        def accuracy(fitted_ND: np.ndarray, read_ND: np.ndarray) -> float:
            return float((ridge.classify(fitted_ND, fitted.labels_N, read_ND) == read.labels_N).mean())

        majority = np.bincount(fitted.labels_N).argmax()
        values = {
            "topic": accuracy(pooled(model, fitted.tokens), pooled(model, read.tokens)),
            "topic, majority class": float((read.labels_N == majority).mean()),
            "topic, bag of words": accuracy(counts(fitted.tokens, size), counts(read.tokens, size)),
        }
        return Reading(
            rows=tuple(
                Row(
                    evaluation=self.name,
                    metric="accuracy",
                    condition=condition,
                    value=value,
                    unit="share",
                    better="higher" if condition == "topic" else "none",
                    items=len(read.labels_N),
                )
                for condition, value in values.items()
            )
        )

    def _documents(self, text: Text) -> tuple[Documents, Documents]:
        fitted = _first_tokens(text.split("validation"), self.train, self.length)
        numbers, sizes = np.unique(fitted.labels_N, return_counts=True)
        frequent = numbers[sizes >= FEWEST]
        return _labelled(fitted, frequent), _labelled(_first_tokens(text.split("test"), self.test, self.length), frequent)


def pooled(model: Any, texts: list[np.ndarray]) -> np.ndarray:
    """Return final hidden states averaged over the tokens of text, special ones excluded; float64 [N, D] on the CPU."""
    features: list[torch.Tensor] = [torch.empty(0)] * len(texts)
    with undisturbed(model) as device:
        for batch in framing.same_length([len(ids) for ids in texts], framing.TOKENS_AT_ONCE):
            tokens_BT, first = framing.frame(model, np.stack([texts[i] for i in batch]))
            tokens = torch.from_numpy(tokens_BT).to(device)
            hidden_BTD = model.encode(tokens, torch.ones_like(tokens, dtype=torch.bool))
            means_BD = hidden_BTD[:, first : first + len(texts[batch[0]])].float().mean(1).cpu().double()
            for row, i in enumerate(batch):
                features[i] = means_BD[row]
    return torch.stack(features).numpy()


def counts(texts: list[np.ndarray], vocabulary: int) -> np.ndarray:
    """Count how often each token type occurs in each text; float64 [N, V]."""
    return np.stack([np.bincount(ids, minlength=vocabulary) for ids in texts]).astype(np.float64)


def _first_tokens(store: TokenStore, count: int, length: int) -> Documents:
    labelled = np.flatnonzero(np.asarray(store.labels) >= 0)
    chosen = labelled[held_out.spread(len(labelled), count)]
    return Documents([store.document(number)[:length] for number in chosen.tolist()], np.asarray(store.labels)[chosen])


def _labelled(documents: Documents, labels: np.ndarray) -> Documents:
    kept = np.flatnonzero(np.isin(documents.labels_N, labels))
    return Documents([documents.tokens[i] for i in kept], documents.labels_N[kept])
