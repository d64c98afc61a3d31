"""Latent: what a latent vector knows of its text, and what the model is worth as a model of text.

| metric | what it is, over held-out sentences | unit |
| --- | --- | --- |
| `kl` | mean KL(q(z given x) to the prior): what z may say about x | nats a text |
| `mutual_information` | what z says about which of the texts x is; at most log of their number | nats |
| `active_units` | dimensions whose mean follows the text | dimensions |
| `reconstruction` | - log p(x given z), z one draw of q: what must still be said | nats a text |
| `elbo` | reconstruction + kl: a bound on - log p(x), KL weight 1 however it was trained | nats a text |
| `importance_weighted` | a tighter bound, from so many draws of z a text | nats a text |
| `importance_weighted_per_token` | the same over all texts by their tokens | nats a token |

A text's tokens and its end are counted. The condition of the tighter bound is its number of draws: other numbers do not
compare. Formulas and sources: `ablate.nn.latent_estimators`. No active unit, or mutual information near 0 nats, is posterior
collapse: the decoder is then a language model (Bowman et al. 2016, section 3.1).

Two kinds of sample, both decoded greedily. A reconstruction is a text decoded from its posterior mean. An interpolation decodes
five points on the straight line between the posterior means of two texts (Bowman et al. 2016, section 6); neighbouring points
with the same text are one sample.

Standard error: with the default 512 texts, whose values spread by 20 nats, that of a mean is 0.9 nats. Nearly all of it comes
from the texts, which arms share. The draws are the same for every arm.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from ablate.config import require
from ablate.data.text import Text
from ablate.evaluation import framing, held_out
from ablate.evaluation.reading import Reading, UnanswerableError, check_capability, noise, undisturbed
from ablate.nn import latent_estimators
from ablate.nn.decoding import Decoding
from ablate.objectives.base import Latent as HasLatent
from ablate.records import Row, check_finite

RECONSTRUCTIONS = 3
INTERPOLATIONS = 2
POINTS = 5
"""Points of an interpolation, both ends included."""


@dataclass(frozen=True, kw_only=True)
class Latent:
    name: ClassVar[str] = "latent"
    VERSION: ClassVar[int] = 1
    needs: ClassVar[type] = HasLatent
    smoke: ClassVar[dict[str, Any]] = {"texts": 8, "weighted": 3, "draws": 2, "longest": 20}
    on_curve: ClassVar[bool] = False

    texts: int = 512
    """Test sentences, evenly spaced over the split; all of them if it has fewer."""
    weighted: int = 64
    """Of these, evenly spaced, the ones of which the importance-weighted bound is taken."""
    draws: int = 50
    """Of z for each of them."""
    shortest: int = 4
    """Tokens in the shortest sentence."""
    longest: int = 32
    """Tokens in the longest sentence."""

    def __post_init__(self) -> None:
        require(self.texts >= 1, "latent texts", self.texts, "at least 1")
        require(1 <= self.weighted <= self.texts, "latent weighted", self.weighted, f"from 1 to texts = {self.texts}")
        require(self.draws >= 1, "latent draws", self.draws, "at least 1")
        require(1 <= self.shortest <= self.longest, "latent shortest", self.shortest, f"from 1 to longest = {self.longest}")

    def check(self, model: Any, text: Text) -> None:
        check_capability(self, model)
        framing.check_fits(model, self.longest, self.name)
        self._sentences(text)

    def measure(self, model: Any, text: Text) -> Reading:
        """A row for each metric; a few reconstructions and interpolations as samples."""
        self.check(model, text)
        texts = self._sentences(text)
        with undisturbed(model) as device:
            mean_NZ, log_variance_NZ = _posteriors(model, device, texts, text.vocabulary.size)
            noise_NZ = torch.from_numpy(noise("latent/draw").standard_normal(mean_NZ.shape)).to(mean_NZ)
            z_NZ = latent_estimators.draw(mean_NZ, log_variance_NZ, noise_NZ)
            kl_N = latent_estimators.kl_to_prior(mean_NZ.double(), log_variance_NZ.double()).sum(dim=1)
            nats_N = torch.zeros(len(texts), dtype=torch.float64)
            for batch, tokens, _, scored in _batches(model, device, texts, text.vocabulary.size):
                nats_N[batch] = -model.reconstruction(tokens, scored, z_NZ[batch]).double().cpu()
            information = latent_estimators.mutual_information(mean_NZ, log_variance_NZ, noise_NZ)
            kl, reconstruction = float(kl_N.mean()), float(nats_N.mean())
            bound, tokens_of_a_text = self._weighted(model, device, texts, text.vocabulary.size)
            samples = (*_reconstructions(model, device, texts, text), *_interpolations(model, device, texts, text))
        drawn, number = f"draws={self.draws}", len(texts)
        rows = (
            _row("kl", kl, number),
            _row("mutual_information", information, number),
            _row("active_units", float(latent_estimators.active_units(mean_NZ)), number, unit="dimensions"),
            _row("reconstruction", reconstruction, number, better="lower"),
            _row("elbo", reconstruction + kl, number, better="lower"),
            _row("importance_weighted", bound.mean(), len(bound), drawn, "lower"),
            _row("importance_weighted_per_token", bound.sum() / tokens_of_a_text.sum(), len(bound), drawn, "lower"),
        )
        return Reading(rows=rows, samples=samples)

    def _weighted(
        self, model: Any, device: torch.device, texts: list[np.ndarray], vocabulary: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """The bound of each chosen text, and its tokens."""
        chosen = [texts[i] for i in held_out.spread(len(texts), self.weighted).tolist()]
        nats, tokens_of = np.zeros(len(chosen)), np.zeros(len(chosen))
        for batch, tokens, visible, scored in _batches(model, device, chosen, vocabulary):
            nats[batch] = -model.importance_weighted(tokens, visible, scored, self.draws).double().cpu().numpy()
            tokens_of[batch] = scored.sum(dim=1).cpu().numpy()
        return nats, tokens_of

    def _sentences(self, text: Text) -> list[np.ndarray]:
        found = list(held_out.sentences(text.split("test"), self.texts, self.shortest, self.longest).values())
        if not found:
            raise UnanswerableError(
                f"the test split has no sentence of {self.shortest} to {self.longest} tokens for {self.name}; use more text"
            )
        return found


def _batches(
    model: Any, device: torch.device, texts: list[np.ndarray], vocabulary: int
) -> Iterator[tuple[list[int], Tensor, Tensor, Tensor]]:
    """Texts of one length: their numbers, their framed tokens, what is visible (all) and what is scored (all but the first)."""
    largest = min(framing.TOKENS_AT_ONCE, framing.LOGITS_AT_ONCE // vocabulary)
    for batch in framing.same_length([len(ids) for ids in texts], largest):
        tokens = torch.from_numpy(framing.frame(model, np.stack([texts[i] for i in batch]))[0]).to(device)
        visible = torch.ones_like(tokens, dtype=torch.bool)
        scored = visible.clone()
        scored[:, 0] = False
        yield batch, tokens, visible, scored


def _posteriors(model: Any, device: torch.device, texts: list[np.ndarray], vocabulary: int) -> tuple[Tensor, Tensor]:
    """Mean and log-variance of every text, each [N, Z]."""
    order: list[int] = []
    parts: list[tuple[Tensor, Tensor]] = []
    for batch, tokens, visible, _ in _batches(model, device, texts, vocabulary):
        order += batch
        parts.append(model.posterior(tokens, visible))
    mean_NZ, log_variance_NZ = (torch.cat(part) for part in zip(*parts, strict=True))
    place_N = torch.tensor(order, device=device).argsort()
    return mean_NZ[place_N], log_variance_NZ[place_N]


def _reconstructions(model: Any, device: torch.device, texts: list[np.ndarray], text: Text) -> Iterator[dict[str, Any]]:
    for number in held_out.spread(len(texts), RECONSTRUCTIONS).tolist():
        mean_1Z = _means(model, device, [texts[number]])
        (output,) = _decoded(model, mean_1Z, len(texts[number]) + 1, text)
        yield {"kind": "reconstruction", "input": held_out.show(texts[number], text.tokenizer), "output": output}


def _interpolations(model: Any, device: torch.device, texts: list[np.ndarray], text: Text) -> Iterator[dict[str, Any]]:
    ends = held_out.spread(len(texts), 2 * INTERPOLATIONS).tolist()
    for begin, end in zip(ends[0::2], ends[1::2], strict=False):
        begin_1Z, end_1Z = (_means(model, device, [texts[number]]) for number in (begin, end))
        share_S1 = torch.linspace(0, 1, POINTS, device=device)[:, None]
        longest = max(len(texts[begin]), len(texts[end])) + 1
        outputs = _decoded(model, begin_1Z + share_S1 * (end_1Z - begin_1Z), longest, text)
        between = " → ".join(held_out.show(texts[number], text.tokenizer) for number in (begin, end))
        first = 1
        for output, equal in itertools.groupby(outputs):
            last = first + len(list(equal)) - 1
            points = f"{first} to {last}" if last > first else f"{first}"
            yield {"kind": "interpolation", "input": between, "output": output, "point": f"{points} of {POINTS}"}
            first = last + 1


def _means(model: Any, device: torch.device, texts: list[np.ndarray]) -> Tensor:
    tokens = torch.from_numpy(framing.frame(model, np.stack(texts))[0]).to(device)
    mean_BZ: Tensor = model.posterior(tokens, torch.ones_like(tokens, dtype=torch.bool))[0]
    return mean_BZ


def _decoded(model: Any, z_BZ: Tensor, length: int, text: Text) -> list[str]:
    """What the model decodes greedily from each z."""
    rows_BT = model.write(z_BZ, length, Decoding(greedy=True), torch.Generator(z_BZ.device)).cpu().numpy()
    return [held_out.show(held_out.before_its_end(row), text.tokenizer) or "∅" for row in rows_BT]


def _row(metric: str, value: float, items: int, condition: str = "", better: str = "none", unit: str = "nats") -> Row:
    value = check_finite(float(value), f"{Latent.name} {metric}")
    return Row(evaluation=Latent.name, metric=metric, condition=condition, value=value, unit=unit, better=better, items=items)
