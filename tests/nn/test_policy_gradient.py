"""The estimator against the gradient summed over every text that can be written, roll-outs against exact conditionals."""

from __future__ import annotations

import itertools

import pytest
import torch
from scipy import stats
from torch import Tensor

from ablate.nn import policy_gradient
from ablate.nn.generator import Generator

END, PADDING = 3, 0
TYPES = (1, 5, 6)
"""What can be written when the length is given."""
LENGTHS = (3, 2)
"""Words of the texts whose gradient is summed: one shorter than the rows, which ends in padding, and one without."""


@pytest.fixture
def generator() -> Generator:
    torch.manual_seed(0)
    found = Generator(7, 4, 4, 1, end=END, padding=PADDING, never=(0, 2, 4), tied=False).double()
    for parameter in found.parameters():
        torch.nn.init.normal_(parameter, std=0.7)
    return found


def every_text(length: int) -> Tensor:
    """All texts of `length` words, an end and padding, four places each."""
    rows = [(*row, END, *[PADDING] * (3 - length)) for row in itertools.product(TYPES, repeat=length)]
    return torch.tensor(rows)


def probability(generator: Generator, texts: Tensor) -> Tensor:
    return generator.log_probabilities(texts, ends=False).sum(1).exp()


def reward(texts_RT: Tensor) -> Tensor:
    """Any function of the whole text: here one that no sum over tokens gives."""
    code_R = (texts_RT * torch.tensor([343, 49, 7, 1])).sum(dim=1)
    return ((code_R * 37) % 101).double() / 101


def write(generator: Generator, like: Tensor) -> Tensor:
    def pick(logits_BV: Tensor, position: int) -> Tensor:
        return torch.distributions.Categorical(logits=logits_BV).sample()

    return generator.close(generator.write(len(like), like.shape[1], pick, ends=False), like)


@pytest.mark.parametrize("length", LENGTHS)
def test_the_probabilities_of_all_texts_of_a_length_sum_to_one(generator: Generator, length: int) -> None:
    with torch.no_grad():
        assert float(probability(generator, every_text(length)).sum()) == pytest.approx(1, abs=1e-12)


def gradients(generator: Generator, baseline: policy_gradient.Baseline, batches: int, count: int) -> Tensor:
    """One estimate a row."""
    like = torch.cat([every_text(length)[:1].repeat(count, 1) for length in LENGTHS])
    found = []
    for _ in range(batches):
        loss = policy_gradient.loss(generator, write(generator, like), 2, reward, baseline)
        found.append(torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(generator.parameters()))]))
    return torch.stack(found)


@pytest.mark.parametrize("baseline", ["none", "others"])
def test_the_estimator_is_unbiased(generator: Generator, baseline: policy_gradient.Baseline) -> None:
    texts = [every_text(length) for length in LENGTHS]
    expected_reward = sum((probability(generator, rows) * reward(rows)).sum() for rows in texts) / len(texts)
    assert isinstance(expected_reward, Tensor)
    exact = torch.cat([g.flatten() for g in torch.autograd.grad(-expected_reward, list(generator.parameters()))])
    draws = gradients(generator, baseline, batches=60, count=150)
    mean, error = draws.mean(0), draws.std(0) / len(draws) ** 0.5
    moves = error > 1e-9
    assert torch.allclose(mean[~moves], exact[~moves], atol=1e-9)
    z = (mean - exact)[moves] / error[moves]
    assert float(z.abs().max()) < 4.5
    assert float((exact / error)[moves].abs().max()) > 15, "the error is too large to see a bias"


def test_a_baseline_lowers_the_variance(generator: Generator) -> None:
    torch.manual_seed(1)
    without, others = (gradients(generator, baseline, 40, 50).var(0).sum() for baseline in ("none", "others"))  # type: ignore[arg-type]
    assert float(others) < 0.7 * float(without)


def test_roll_outs_keep_their_prefix_and_their_length_and_follow_the_model(generator: Generator) -> None:
    texts = torch.tensor([[5, 6, 1, END], [6, 1, END, PADDING]])
    rolled_PNBT = policy_gradient.roll_outs(generator, texts, 5_000)
    assert rolled_PNBT.shape == (3, 5_000, 2, 4)
    over = texts < 5
    over[0, 2] = over[1, 1] = False
    for prefix in range(1, 4):
        assert (rolled_PNBT[prefix - 1, :, :, :prefix] == texts[:, :prefix]).all()
        assert (rolled_PNBT[prefix - 1, :, over] == texts[over]).all()
    for row, prefix in ((0, 1), (0, 2), (1, 1)):
        whole = every_text(LENGTHS[row])
        whole = whole[(whole[:, :prefix] == texts[row, :prefix]).all(dim=1)]
        counts = [int((rolled_PNBT[prefix - 1, :, row] == text).all(dim=1).sum()) for text in whole]
        assert sum(counts) == 5_000
        with torch.no_grad():
            share = probability(generator, whole)
        assert stats.chisquare(counts, share / share.sum() * 5_000).pvalue > 0.001


def test_returns_are_what_continuations_are_worth(generator: Generator) -> None:
    for length in LENGTHS:
        texts = every_text(length)
        with torch.no_grad():
            share = probability(generator, texts)
        found = policy_gradient.returns(generator, texts, 4_000, reward)
        for row, text in enumerate(texts):
            for place in range(length):
                begins = (texts[:, : place + 1] == text[: place + 1]).all(dim=1)
                worth = float((share * reward(texts))[begins].sum() / share[begins].sum())
                error = 0.0 if place == length - 1 else 4.5 * 0.5 / 4_000**0.5
                assert abs(float(found[row, place]) - worth) <= error + 1e-12


def test_groups_of_roll_outs_are_as_good_as_one(generator: Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy_gradient, "ROWS_AT_ONCE", 7)
    texts = torch.tensor([[5, 6, 1], [6, 6, 6]])
    rolled = policy_gradient.roll_outs(generator, texts, 5)
    assert rolled.shape == (2, 5, 2, 3)
    assert (rolled[1, :, :, :2] == texts[:, :2]).all()
    single = policy_gradient.returns(generator, texts[:, :1], 5, lambda rows: rows[:, 0].double())
    assert single.tolist() == [[5.0], [6.0]]


def test_advantages_by_hand() -> None:
    returns = torch.tensor([[1.0, 2.0], [4.0, 8.0], [7.0, 9.0]])
    written = torch.tensor([[True, True], [True, True], [True, False]])
    assert policy_gradient.advantages(returns, written, "none").tolist() == [[1, 2], [4, 8], [7, 0]]
    assert policy_gradient.advantages(returns, written, "others").tolist() == [[-4.5, -6], [0, 6], [4.5, 0]]


def test_following_it_finds_what_is_rewarded(generator: Generator) -> None:
    """Texts with a 6 behind a 5, which no single token can bring about."""

    def wanted(texts_RT: Tensor) -> Tensor:
        return ((texts_RT[:, :-1] == 5) & (texts_RT[:, 1:] == 6)).any(dim=1).double()

    texts = every_text(3)
    with torch.no_grad():
        before = float((probability(generator, texts) * wanted(texts)).sum())
    optimizer = torch.optim.Adam(generator.parameters(), lr=0.05)
    for _ in range(60):
        optimizer.zero_grad()
        policy_gradient.loss(generator, write(generator, texts), 2, wanted, "others").backward()
        optimizer.step()
    with torch.no_grad():
        after = float((probability(generator, texts) * wanted(texts)).sum())
    assert before < 0.5 and after > 0.95


@pytest.mark.parametrize("baseline", ["none", "others"])
def test_half_precision_points_the_same_way(generator: Generator, baseline: policy_gradient.Baseline) -> None:
    model, found = generator.float(), []
    texts = torch.cat([every_text(length) for length in LENGTHS])
    for half in (False, True):
        torch.manual_seed(0)
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            loss = policy_gradient.loss(model, texts, 200, lambda rows: reward(rows).float(), baseline)
        assert loss.dtype == torch.float32
        found.append(torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(model.parameters()))]))
    assert float(torch.cosine_similarity(found[0], found[1], dim=0)) > 0.99
