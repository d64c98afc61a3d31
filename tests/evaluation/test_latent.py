"""A text VAE read text by text through torch.distributions, and posteriors whose information is known."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch.distributions import Independent, Normal, kl_divergence

from ablate.config import Backbone, ConfigError
from ablate.data.tokenizer import SEP
from ablate.evaluation import held_out
from ablate.evaluation.latent import Latent
from ablate.evaluation.reading import noise
from ablate.objectives.vae import Vae

EVALUATION = Latent(texts=24, weighted=6, draws=5, shortest=5, longest=20)


def vae(text: Any, decoder: Any = "lstm") -> Vae:
    torch.manual_seed(0)
    model = Vae(Vae.Config(latent=4, decoder=decoder), Backbone(width=16, layers=2, heads=2), text.vocabulary, 40)
    # Posteriors that differ between texts and dimensions, as after training.
    torch.nn.init.normal_(model.encoder.posterior.weight, std=0.5)
    return model.eval()


def values(reading: Any) -> dict[str, float]:
    return {row.metric: row.value for row in reading.rows}


@pytest.mark.parametrize("decoder", ["lstm", "transformer"])
@torch.no_grad()
def test_each_number_text_by_text(decoder: str, english: Any) -> None:
    model = vae(english, decoder)
    texts = EVALUATION._sentences(english)
    assert len(texts) == 24
    framed = [torch.tensor([model.frame(ids.tolist())]) for ids in texts]
    posteriors = []
    for tokens in framed:
        mean, log_variance = model.posterior(tokens, torch.ones_like(tokens, dtype=torch.bool))
        posteriors.append(Independent(Normal(mean[0].double(), (0.5 * log_variance[0].double()).exp()), 1))
    drawn = torch.from_numpy(noise("latent/draw").standard_normal((24, 4)))
    z = [q.mean + q.stddev * e for q, e in zip(posteriors, drawn, strict=True)]
    prior = Independent(Normal(torch.zeros(4).double(), torch.ones(4).double()), 1)
    kl = np.mean([float(kl_divergence(q, prior)) for q in posteriors])
    scored = [torch.arange(tokens.shape[1])[None] > 0 for tokens in framed]
    reconstruction = -np.mean(
        [float(model.reconstruction(x, s, z_[None].float())) for x, s, z_ in zip(framed, scored, z, strict=True)]
    )
    density = torch.stack([torch.stack([q.log_prob(z_) for q in posteriors]) for z_ in z])
    information = float((density.diagonal() - (density.logsumexp(1) - math.log(24))).mean())
    bounds = [-float(model.importance_weighted(framed[i], scored[i] | True, scored[i], 5)) for i in range(0, 24, 4)]
    tokens_of = [framed[i].shape[1] - 1 for i in range(0, 24, 4)]
    found = values(EVALUATION.measure(model, english))
    assert found == pytest.approx(
        {
            "kl": kl,
            "mutual_information": information,
            "active_units": int((torch.stack([q.mean for q in posteriors]).var(0, correction=0) > 0.01).sum()),
            "reconstruction": reconstruction,
            "elbo": reconstruction + kl,
            "importance_weighted": np.mean(bounds),
            "importance_weighted_per_token": sum(bounds) / sum(tokens_of),
        },
        rel=1e-5,
    )


def test_the_weighted_bound_is_the_tighter_one(english: Any) -> None:
    evaluation = Latent(texts=40, weighted=40, draws=100, shortest=5, longest=20)
    found = values(evaluation.measure(vae(english), english))
    assert found["importance_weighted"] < found["elbo"]


def test_a_collapsed_posterior_says_nothing(english: Any) -> None:
    model = vae(english)
    torch.nn.init.zeros_(model.encoder.posterior.weight)
    torch.nn.init.zeros_(model.encoder.posterior.bias)
    found = values(EVALUATION.measure(model, english))
    assert found["kl"] == found["active_units"] == 0.0
    assert found["mutual_information"] == pytest.approx(0.0, abs=1e-9)
    assert found["elbo"] == found["reconstruction"]


def far_apart(fakes: Any) -> Any:
    class FarApart(fakes.Model):  # type: ignore[misc, name-defined]
        """A posterior so sharp that z names the text; the third dimension never moves. The text is written as read."""

        def posterior(self, tokens: torch.Tensor, visible: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            key = (tokens.double() * torch.arange(1, tokens.shape[1] + 1).double().sqrt()).sum(1)
            mean = torch.stack([key, -key, torch.zeros_like(key)], 1)
            return mean, torch.full_like(mean, -30.0)

        def reconstruction(self, tokens: torch.Tensor, scored: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
            return -scored.sum(1).float()

        def importance_weighted(
            self, tokens: torch.Tensor, visible: torch.Tensor, scored: torch.Tensor, samples: int
        ) -> torch.Tensor:
            return -2.0 * scored.sum(1).float()

        def write(self, z: torch.Tensor, length: int, decoding: Any, generator: torch.Generator) -> torch.Tensor:
            return torch.full((len(z), length), SEP)

    return FarApart()


def test_a_posterior_that_names_the_text_has_the_information_of_the_number_of_texts(english: Any, fakes: Any) -> None:
    texts = EVALUATION._sentences(english)
    assert len({tuple(ids.tolist()) for ids in texts}) == len(texts)
    reading = EVALUATION.measure(far_apart(fakes), english)
    found = values(reading)
    assert found["mutual_information"] == pytest.approx(math.log(24))
    assert found["active_units"] == 2.0
    assert found["reconstruction"] == pytest.approx(np.mean([len(ids) + 1 for ids in texts]))
    assert found["importance_weighted_per_token"] == pytest.approx(2.0)
    assert {sample["output"] for sample in reading.samples if sample["kind"] == "reconstruction"} == {"∅"}


def copying(fakes: Any) -> Any:
    class Copying(far_apart(fakes).__class__):  # type: ignore[misc]
        """z is the text itself, token by token; each coordinate decodes to the nearest token."""

        def posterior(self, tokens: torch.Tensor, visible: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            mean = torch.full((len(tokens), 40), float(SEP))
            mean[:, : tokens.shape[1] - 1] = tokens[:, 1:].float()
            return mean, torch.full_like(mean, -30.0)

        def write(self, z: torch.Tensor, length: int, decoding: Any, generator: torch.Generator) -> torch.Tensor:
            assert decoding.greedy
            assert length < z.shape[1]
            return z[:, :length].round().long()

    return Copying()


def by_kind(reading: Any, kind: str) -> list[dict[str, Any]]:
    return [sample for sample in reading.samples if sample["kind"] == kind]


def test_a_model_that_copies_reconstructs_its_texts_and_interpolates_from_end_to_end(english: Any, fakes: Any) -> None:
    texts = EVALUATION._sentences(english)
    shown = [held_out.show(texts[number], english.tokenizer) for number in range(24)]
    reading = EVALUATION.measure(copying(fakes), english)
    assert [(s["input"], s["output"]) for s in by_kind(reading, "reconstruction")] == [(shown[i], shown[i]) for i in (0, 8, 16)]
    steps = by_kind(reading, "interpolation")
    for begin, end in ((0, 6), (12, 18)):
        path = [step for step in steps if step["input"] == f"{shown[begin]} → {shown[end]}"]
        assert (path[0]["output"], path[-1]["output"]) == (shown[begin], shown[end])
        assert [step["point"] for step in path] == ["1 of 5", "2 of 5", "3 of 5", "4 of 5", "5 of 5"]
        halves = [0.5 * (copying(fakes).posterior(framed, framed)[0]) for framed in _framed(fakes, texts, begin, end)]
        middle = held_out.before_its_end(sum(halves)[0].round().long().numpy())  # type: ignore[union-attr, index]
        assert path[2]["output"] == held_out.show(middle, english.tokenizer)


def _framed(fakes: Any, texts: list[Any], *numbers: int) -> list[torch.Tensor]:
    return [torch.tensor([fakes.Model().frame(texts[number].tolist())]) for number in numbers]


def test_points_of_an_interpolation_with_the_same_text_are_one_sample(english: Any, fakes: Any) -> None:
    reading = EVALUATION.measure(far_apart(fakes), english)
    steps = by_kind(reading, "interpolation")
    assert [(step["output"], step["point"]) for step in steps] == [("∅", "1 to 5 of 5")] * 2


def test_one_text_has_a_reconstruction_and_no_interpolation(english: Any) -> None:
    one = Latent(texts=1, weighted=1, draws=1).measure(vae(english), english)
    assert [sample["kind"] for sample in one.samples] == ["reconstruction"]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"texts": 0}, "latent texts = 0"),
        ({"weighted": 0}, "latent weighted = 0, but must be from 1 to texts = 512"),
        ({"draws": 0}, "latent draws = 0"),
        ({"shortest": 9, "longest": 8}, "latent shortest = 9, but must be from 1 to longest = 8"),
    ],
)
def test_settings_that_cannot_be_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Latent(**fields)


def test_what_cannot_be_read_is_said_before_training(english: Any, fakes: Any) -> None:
    with pytest.raises(ConfigError, match="needs the capability Latent"):
        EVALUATION.check(fakes.Constant(), english)
    with pytest.raises(ConfigError, match="no sentence of 31 to 31 tokens"):
        Latent(shortest=31, longest=31).check(vae(english), english)
    with pytest.raises(ConfigError, match="latent shows 39 tokens of text and 2 special ones"):
        Latent(longest=39).check(vae(english), english)
