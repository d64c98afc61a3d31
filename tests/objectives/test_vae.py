"""The text VAE beyond the contract: its bound, its schedules, what the decoder reads, and what a latent vector is good for."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import pytest
import torch
from torch.distributions import Normal, kl_divergence

from ablate.config import Backbone, ConfigError
from ablate.data.tokenizer import PAD, SEP, UNK, Vocabulary
from ablate.data.windows import Window
from ablate.nn import latent_estimators
from ablate.nn.decoding import Decoding
from ablate.objectives.base import Encodes, FillsMasks, Latent, Samples, Scores
from ablate.objectives.vae import Vae, VaeBatch
from ablate.seeds import generator

V, CONTEXT = 60, 16
VOCABULARY = Vocabulary(V)
KINDS = ("lstm", "transformer")
BACKBONE = Backbone(width=32, heads=2)
GREEDY = Decoding(greedy=True)


def window(index: int) -> Window:
    rng = np.random.default_rng(index)
    text = rng.integers(5, V, rng.integers(3, CONTEXT - 2))
    return Window(index, text, np.zeros(len(text), dtype=np.int32), index)


def collate(rows: int = 6, progress: float = 1.0, **fields: Any) -> VaeBatch:
    return Vae.collate(
        [window(i) for i in range(rows)],
        functools.partial(generator, 0),
        progress,
        config=Vae.Config(**fields),
        vocabulary=VOCABULARY,
        context=CONTEXT,
    )


def build(shake: float = 0.2, backbone: Backbone = BACKBONE, **fields: Any) -> Vae:
    """Weights are shaken so that the posterior is not the prior and z matters."""
    torch.manual_seed(0)
    model = Vae(Vae.Config(**fields), backbone, VOCABULARY, CONTEXT).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=shake)
    return model


def texts(batch: VaeBatch) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Tokens, what of them is text, and what is predicted: all but the first SEP."""
    visible = batch.tokens_BT != PAD
    scored = visible.clone()
    scored[:, 0] = False
    return batch.tokens_BT, visible, scored


def test_it_has_the_capabilities() -> None:
    assert all(isinstance(build(), capability) for capability in (Encodes, Scores, Samples, Latent))
    assert not isinstance(build(), FillsMasks)


def test_a_sentence_is_framed_and_its_end_predicted() -> None:
    batch = collate()
    for index, row in enumerate(batch.tokens_BT.tolist()):
        text = window(index).tokens_T.tolist()
        assert row == [SEP, *text, SEP] + [PAD] * (CONTEXT - len(text) - 2)
    assert batch.tokens == sum(len(window(i).tokens_T) for i in range(6))
    assert batch.targets == batch.tokens + 6
    assert torch.equal(batch.inputs_BT, batch.tokens_BT)
    assert build().predictions(batch)["reconstruction"].shape == (batch.targets, V)


def test_every_sentence_has_noise_of_its_own() -> None:
    noise = collate(300).noise_BZ
    assert noise.dtype == torch.float32
    assert torch.equal(noise[:6], collate().noise_BZ)
    assert float(noise.mean()) == pytest.approx(0.0, abs=0.04)
    assert float(noise.std()) == pytest.approx(1.0, abs=0.04)
    assert len(noise.flatten().unique()) > 0.99 * noise.numel()


@pytest.mark.parametrize("kind", KINDS)
def test_the_loss_is_the_bound_of_its_definition(kind: str) -> None:
    """Sentence by sentence without padding, KL by torch.distributions, log-softmax in float64."""
    model, batch = build(decoder=kind, kl_weight=0.3).double(), collate()
    batch = batch._replace(noise_BZ=batch.noise_BZ.double())
    reconstruction = kl = 0.0
    for index in range(6):
        row = torch.tensor([[SEP, *window(index).tokens_T.tolist(), SEP]])
        mean, log_variance = model.encoder(row, torch.ones_like(row, dtype=torch.bool))
        deviation = (0.5 * log_variance).exp()
        kl += float(kl_divergence(Normal(mean, deviation), Normal(torch.zeros_like(mean), 1.0)).sum().detach())
        z = mean + deviation * batch.noise_BZ[index]
        log_p = model.decoder.logits(model.decoder(row[:, :-1], z)[0][0]).log_softmax(dim=-1)
        reconstruction -= float(log_p.gather(1, row[0, 1:, None]).sum().detach())
    losses = model.losses(batch)
    assert float(losses.parts["reconstruction"].detach()) == pytest.approx(reconstruction / batch.targets, rel=1e-9)
    assert float(losses.parts["kl"].detach()) == pytest.approx(0.3 * kl / batch.targets, rel=1e-9)
    assert kl > 1


@pytest.mark.parametrize("kind", KINDS)
def test_both_bounds_close_in_on_the_marginal(kind: str) -> None:
    """With one latent dimension log p(x) is an integral that a grid takes to the last digit."""
    model = build(decoder=kind, latent=1).double()
    with torch.no_grad():
        # Beside the prior but wider: one much narrower than the true posterior needs more draws than a test has.
        model.encoder.posterior.weight.mul_(0.3)
        model.encoder.posterior.bias.copy_(torch.tensor([0.9, 0.4]))
    tokens, visible, scored = texts(collate())
    grid, step = torch.linspace(-9, 9, 3001, dtype=torch.float64), 18 / 3000
    with torch.no_grad():
        exact = []
        for row in range(len(tokens)):
            repeated, marked = tokens[row].expand(3001, -1), scored[row].expand(3001, -1)
            log_joint = model.reconstruction(repeated, marked, grid[:, None]) + Normal(0.0, 1.0).log_prob(grid)
            exact.append(log_joint.logsumexp(dim=0) + math.log(step))
    exact_B = torch.stack(exact)
    assert torch.allclose(model.importance_weighted(tokens, visible, scored, 2000), exact_B, atol=0.2)
    elbo = model.score(tokens, visible, scored)
    assert (elbo < exact_B).all()
    assert (exact_B - elbo).max() < 5


def test_scores_leave_out_what_is_not_scored() -> None:
    model, (tokens, visible, scored) = build(), texts(collate())
    half = scored & (torch.arange(CONTEXT) % 2 == 0)
    z = model.posterior(tokens, visible)[0]
    whole = model.reconstruction(tokens, scored, z)
    assert torch.allclose(
        model.reconstruction(tokens, half, z) + model.reconstruction(tokens, scored & ~half, z), whole, atol=1e-4
    )
    assert torch.equal(model.score(tokens, visible, scored), model.score(tokens, visible, scored))
    nothing = model.score(tokens, visible, torch.zeros_like(scored))
    assert torch.allclose(nothing, -latent_estimators.kl_to_prior(*model.posterior(tokens, visible)).sum(dim=1))
    with pytest.raises(ConfigError, match="the first token of a row is scored"):
        model.score(tokens, visible, visible)
    with pytest.raises(ConfigError, match="padding precedes a token"):
        model.score(tokens.flip(1), visible.flip(1), scored)


def test_the_loss_has_the_weight_of_its_moment() -> None:
    model = build(schedule="linear")
    half, whole = (model.losses(collate(progress=p)).parts["kl"] for p in (0.25, 0.9))
    assert torch.allclose(2 * half, whole)


def test_free_bits_are_paid_by_nobody() -> None:
    """A floor above every dimension's KL: the part is Z times the floor, and no posterior feels it."""
    model, batch = build(latent=4, free_bits=50.0), collate(latent=4)
    kl = model.losses(batch).parts["kl"]
    assert float(kl.detach()) == pytest.approx(4 * 50.0 * 6 / batch.targets, rel=1e-6)
    with pytest.raises(RuntimeError, match="does not require grad"):
        torch.autograd.grad(model.losses(batch).parts["kl"].detach(), list(model.encoder.parameters()))
    gradients = torch.autograd.grad(kl, list(model.encoder.parameters()), allow_unused=True)
    assert not any(gradient is not None and gradient.any() for gradient in gradients)


def test_dropped_words_are_nested_and_never_the_frame() -> None:
    none, some, many, all_of = (collate(40, word_dropout=share).inputs_BT for share in (0.0, 0.3, 0.7, 1.0))
    batch = collate(40)
    inside = (torch.arange(CONTEXT) > 0) & (torch.arange(CONTEXT) < batch.lengths_B[:, None] - 1)
    assert torch.equal(none, batch.tokens_BT)
    assert torch.equal(all_of == UNK, inside)
    for inputs, share in ((some, 0.3), (many, 0.7)):
        dropped = inputs != batch.tokens_BT
        assert (inputs[dropped] == UNK).all()
        assert not (dropped & ~inside).any()
        assert float(dropped.sum() / inside.sum()) == pytest.approx(share, abs=0.1)
    assert not ((some == UNK) & (many != UNK)).any()
    assert torch.equal(collate(40, word_dropout=1.0).tokens_BT, batch.tokens_BT)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_is_what_the_decoder_finds_most_probable(kind: str) -> None:
    model, z = build(shake=0.5, decoder=kind), torch.randn(5, 32, generator=torch.Generator().manual_seed(1))
    written = model.write(z, CONTEXT - 1, GREEDY, torch.Generator())
    assert len({tuple(row) for row in written.tolist()}) > 1
    for row, latent in zip(written.tolist(), z, strict=True):
        length = row.index(SEP) + 1 if SEP in row else len(row)
        assert row[length:] == [PAD] * (len(row) - length)
        read = torch.tensor([[SEP, *row[: length - 1]]])
        with torch.no_grad():
            logits = model.decoder.logits(model.decoder(read, latent[None])[0][0])
        assert logits.argmax(dim=-1).tolist() == row[:length]


def test_samples_come_from_the_prior(monkeypatch: pytest.MonkeyPatch) -> None:
    model = build(shake=0.5)
    prompts = torch.tensor([model.frame([])] * 400)
    drawn = [model.sample(prompts, 8, Decoding(), torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)]
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])
    ended = (drawn[0] == SEP).cumsum(dim=1) - (drawn[0] == SEP).long() > 0
    assert ended.any()
    assert (drawn[0][ended] == PAD).all()
    with pytest.raises(ConfigError, match=r"prompt = \[\[3, 7\]\], but must be \[3\], the beginning of a text"):
        model.sample(torch.tensor([[SEP, 7]]), 4, Decoding(), torch.Generator())
    with pytest.raises(ConfigError, match=r"prompt = \[\[\]\], but must be"):
        model.sample(torch.zeros(2, 0, dtype=torch.long), 4, Decoding(), torch.Generator())
    with pytest.raises(ConfigError, match=r"length = 16, but must be between 1 and data.context - 1 = 15 tokens"):
        model.sample(prompts, 16, Decoding(), torch.Generator())
    monkeypatch.setattr(model, "write", lambda z_BZ, *rest: z_BZ)
    z_BZ = model.sample(prompts, 8, Decoding(), torch.Generator().manual_seed(0))
    assert z_BZ.shape == (400, 32)
    assert float(z_BZ.mean()) == pytest.approx(0.0, abs=0.03)
    assert float(z_BZ.std()) == pytest.approx(1.0, abs=0.03)


def test_an_autoencoder_gives_its_texts_back() -> None:
    model, batch = build(shake=0.0, kl_weight=0.0), collate(4)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(150):
        optimizer.zero_grad()
        # New noise each time, or the decoder would know a text by its noise.
        model.losses(batch._replace(noise_BZ=torch.randn(4, 32))).loss.backward()
        optimizer.step()
    tokens, visible, _ = texts(batch)
    mean, log_variance = model.posterior(tokens, visible)
    assert torch.equal(model.write(mean, CONTEXT - 1, GREEDY, torch.Generator()), tokens[:, 1:])
    noise = torch.randn(mean.shape, generator=torch.Generator().manual_seed(0))
    assert latent_estimators.mutual_information(mean, log_variance, noise) == pytest.approx(math.log(4), abs=0.01)


def test_there_is_no_published_one() -> None:
    with pytest.raises(ConfigError, match=r"backbone.kind = 'published', but must be controlled"):
        Vae(Vae.Config(), Backbone(kind="published"), VOCABULARY, CONTEXT)


LONG = torch.tensor([[SEP, *range(5, 23), SEP]])
"""Four tokens more than the model has positions."""


@pytest.mark.parametrize("positions", ["rotary", "alibi", "learned"])
def test_a_text_longer_than_the_positions_is_refused(positions: Literal["rotary", "alibi", "learned"]) -> None:
    model = build(decoder="transformer", backbone=Backbone(width=32, heads=2, positions=positions))
    visible = torch.ones_like(LONG, dtype=torch.bool)
    scored = visible & (LONG > SEP)
    calls: list[Callable[[], object]] = [
        lambda: model.encode(LONG, visible),
        lambda: model.posterior(LONG, visible),
        lambda: model.reconstruction(LONG, scored, torch.zeros(1, 32)),
        lambda: model.score(LONG, visible, scored),
        lambda: model.importance_weighted(LONG, visible, scored, 2),
    ]
    for call in calls:
        with pytest.raises(ConfigError, match=r"^20 tokens, but the model has data.context = 16 positions$"):
            call()
    assert model.score(LONG[:, :CONTEXT], visible[:, :CONTEXT], scored[:, :CONTEXT]).isfinite().all()


def test_an_lstm_reads_texts_of_any_length() -> None:
    model, visible = build(), torch.ones_like(LONG, dtype=torch.bool)
    assert model.encode(LONG, visible).shape == (1, 20, 32)
    assert model.score(LONG, visible, visible & (LONG > SEP)).isfinite().all()


@pytest.mark.parametrize("kind", KINDS)
def test_half_precision_gives_nearly_the_same_step(kind: str) -> None:
    model, batch = build(decoder=kind), collate()
    found = []
    for half in (False, True):
        model.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            losses = model.losses(batch)
        losses.loss.backward()
        gradient = torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])
        assert gradient.isfinite().all()
        found.append(({name: float(part.detach()) for name, part in losses.parts.items()}, gradient))
    (single, downhill), (half_parts, half_downhill) = found
    assert half_parts == pytest.approx(single, rel=0.02)
    assert float(torch.cosine_similarity(downhill, half_downhill, dim=0)) > 0.99
