"""The discriminator against its formula in loops, its losses against closed forms, and against a difference it can see."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from ablate.nn.discriminator import Discriminator, deception, discrimination

V, WIDTH = 11, 8
FILTERS = {1: 3, 2: 4, 4: 2}


def texts() -> Tensor:
    return torch.tensor([[5, 6, 7, 8, 9], [10, 5, 3, 0, 0], [7, 3, 0, 0, 0]])


def build(representations: int = 2, dropout: float = 0.0) -> Discriminator:
    torch.manual_seed(0)
    return Discriminator(V, WIDTH, FILTERS, representations, dropout).double()


def by_formula(model: Discriminator, row: list[int], part: slice) -> float:
    """The logit of one text and one representation, window by window."""
    vectors = [model.token.weight[token, part] for token in row if token != 0]
    features = []
    for window in model.windows:
        weight_FCw, bias_F = window.weight, window.bias
        answers = []
        for begin in range(len(vectors)):
            total = bias_F.clone()
            for offset in range(weight_FCw.shape[-1]):
                if begin + offset < len(vectors):
                    total = total + weight_FCw[:, :, offset] @ vectors[begin + offset]
            answers.append(total.clamp(min=0))
        features.append(torch.stack(answers).amax(0))
    f = torch.cat(features)
    gate = 1 / (1 + torch.exp(-(model.gate.weight @ f + model.gate.bias)))
    f = gate * (model.transform.weight @ f + model.transform.bias).clamp(min=0) + (1 - gate) * f
    return float(model.out.weight @ f + model.out.bias)


@torch.no_grad()
def test_it_is_the_formula() -> None:
    model = build()
    found = model(texts(), texts() != 0)
    for row, tokens in enumerate(texts().tolist()):
        for s, part in enumerate((slice(0, 4), slice(4, 8))):
            assert float(found[row, s]) == pytest.approx(by_formula(model, tokens, part), abs=1e-12)
    assert torch.allclose(model.probability(texts(), texts() != 0), found.sigmoid().mean(1))


@torch.no_grad()
def test_padding_and_company_change_nothing() -> None:
    model = build()
    wide = torch.nn.functional.pad(texts(), (0, 6))
    assert torch.allclose(model(wide, wide != 0), model(texts(), texts() != 0), atol=1e-12)
    alone = texts()[2:, :2]
    assert torch.allclose(model(alone, alone != 0), model(texts(), texts() != 0)[2:], atol=1e-12)


@torch.no_grad()
def test_a_one_hot_mixture_is_the_token() -> None:
    model = build()
    mixtures = torch.nn.functional.one_hot(texts(), V).double()
    assert torch.allclose(model(mixtures, texts() != 0), model(texts(), texts() != 0), atol=1e-12)


def test_losses_in_closed_form() -> None:
    real, written = torch.tensor([[0.3], [-1.0]]), torch.tensor([[2.0], [0.5]])
    undecided = torch.zeros(2, 1)
    for game in ("standard", "relativistic"):
        assert float(discrimination(undecided, undecided, game)) == pytest.approx(math.log(2))  # type: ignore[arg-type]

    def sigmoid(x: float) -> float:
        return 1 / (1 + math.exp(-x))

    standard = [-math.log(sigmoid(0.3)), -math.log(sigmoid(-1.0)), -math.log(1 - sigmoid(2.0)), -math.log(1 - sigmoid(0.5))]
    assert float(discrimination(real, written, "standard")) == pytest.approx(sum(standard) / 4)
    pairs = [-math.log(sigmoid(0.3 - 2.0)), -math.log(sigmoid(-1.0 - 0.5))]
    assert float(discrimination(real, written, "relativistic")) == pytest.approx(sum(pairs) / 2)
    assert float(deception(real, written)) == pytest.approx(float(discrimination(written, real, "relativistic")))


@pytest.mark.parametrize("game", ["standard", "relativistic"])
@pytest.mark.parametrize("representations", [1, 4])
def test_it_learns_a_difference_of_order(game: str, representations: int) -> None:
    """Real texts hold a 5 right before a 6, written ones right after it: counts of tokens tell nothing."""
    torch.manual_seed(0)
    model = Discriminator(V, 16, {1: 16, 2: 16}, representations, game=game)  # type: ignore[arg-type]
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)

    def pairs(count: int) -> tuple[Tensor, Tensor]:
        rows = torch.randint(7, V, (2, count, 8))
        place = torch.randint(0, 7, (2, count, 1))
        for side, (first, second) in enumerate(((5, 6), (6, 5))):
            rows[side].scatter_(1, place[side], first).scatter_(1, place[side] + 1, second)
        return rows[0], rows[1]

    for _ in range(150):
        real, written = pairs(64)
        loss = discrimination(model(real, real != 0), model(written, written != 0), model.game)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    real, written = pairs(500)
    with torch.no_grad():
        right = model(real, real != 0).mean(1) > model(written, written != 0).mean(1)
    assert float(right.double().mean()) > 0.95


def test_flops_of_one_text_by_hand() -> None:
    model = Discriminator(V, 4, {1: 3, 2: 5}, 1)
    windows = 2 * 6 * (1 * 4 * 3 + 2 * 4 * 5)
    assert model.flops(1, 6) == windows + 2 * 2 * 8 * 8 + 2 * 8
    assert model.flops(7, 6) == 7 * model.flops(1, 6)


def test_half_precision_tells_verdicts_apart_that_are_almost_equal() -> None:
    """A bfloat16 verdict has 128 values between 1 and 2; a text's advantage is a difference of two."""
    torch.manual_seed(0)
    model = Discriminator(50, 8, {1: 20, 2: 20}).eval()
    texts = torch.randint(5, 50, (400, 6), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        single = model(texts, texts > 0)
        with torch.autocast("cpu", torch.bfloat16):
            half = model(texts, texts > 0)
    assert half.dtype == torch.float32
    assert len(half.unique()) > 390
    assert torch.allclose(half, single, atol=0.02)
