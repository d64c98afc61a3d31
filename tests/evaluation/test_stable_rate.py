"""The highest stable rate of losses whose edge is known: gradient descent on a parabola diverges beyond 2 / curvature."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch

from ablate.config import Backbone, ConfigError, Optimization
from ablate.evaluation.stable_rate import LARGEST_LOSS, StableRate
from ablate.objectives.gan import Gan
from ablate.objectives.gpt import Gpt

EDGE = 0.05
COUNTS = np.array([8, 4, 2, 2])
UNIGRAM = -sum(c / 16 * math.log(c / 16) for c in COUNTS)


class Batch(NamedTuple):
    tokens: int


class Parabola(torch.nn.Module):
    """loss = floor + w^2 / EDGE from w = 1: converges to `floor` exactly for rates below EDGE."""

    name, config, backbone, vocabulary, context = "parabola", None, None, None, 8
    automatic_optimization, seed = True, 0
    floor = UNIGRAM - 1.0

    def __init__(self, *arguments: Any) -> None:
        super().__init__()
        self.w = torch.nn.Parameter(torch.ones(1))
        self.optimization = Optimization(batch=2, clip_norm=0.0)

    def windows(self, store: Any, config: Any, context: int) -> Any:
        return SimpleNamespace(draw=lambda seed, index: index, tokens_per_example=8.0)

    def collator(self) -> Any:
        return lambda windows, noise, progress: Batch(tokens=8 * len(windows))

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=1.0)

    def losses(self, batch: Batch) -> Any:
        return SimpleNamespace(loss=self.floor + self.w.square().sum() / EDGE)


TEXT: Any = SimpleNamespace(unigram_counts=lambda: COUNTS, split=lambda name: None)


@pytest.mark.parametrize(
    ("lowest", "doublings", "wanted"), [(0.01, 4, 0.04), (0.03, 4, 0.03), (0.06, 2, 0.03), (0.001, 2, 0.004)]
)
def test_a_parabola_is_stable_up_to_its_edge(lowest: float, doublings: int, wanted: float) -> None:
    """The third: not even the lowest is stable; the fourth: the ladder ends before the edge."""
    model = Parabola()
    found = StableRate(lowest=lowest, doublings=doublings, warmup=0, steps=400).measure(model, TEXT)
    value, *rungs = found.rows
    assert value.value == pytest.approx(math.log2(wanted))
    assert value.better == "higher"
    stable = [row for row in rungs if row.value < UNIGRAM - 0.3]
    assert len(rungs) in (len(stable), len(stable) + 1), "the climb ends at the first rate that is not stable"
    assert all(row.value <= LARGEST_LOSS for row in rungs)
    assert model.w.item() == 1.0, "the model that is read is not trained"


def test_what_stays_on_the_unigram_has_not_learned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Parabola, "floor", UNIGRAM - 0.2)
    value, *rungs = StableRate(lowest=0.01, warmup=0, steps=400).measure(Parabola(), TEXT).rows
    assert value.value == pytest.approx(math.log2(0.005))
    assert len(rungs) == 1


@pytest.mark.parametrize("edge", [0.02, 0.025, 0.039])
def test_between_two_rungs_the_edge_is_where_their_losses_meet_the_bar(edge: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a loss that rises in a line with log2 of the rate the edge is exact."""
    monkeypatch.setattr(StableRate, "_train", lambda self, m, t, rate, d: UNIGRAM - 0.3 + 0.7 * math.log2(rate / edge))
    value, *rungs = StableRate(lowest=0.01).measure(Parabola(), TEXT).rows
    assert value.value == pytest.approx(math.log2(edge))
    assert len(rungs) == 3


def test_a_replicate_starts_from_its_own_weights(english: Any) -> None:
    def read(seed: int) -> list[float]:
        torch.manual_seed(99)
        model = Gpt(Gpt.Config(), Backbone(width=16, layers=1, heads=2), english.vocabulary, 40)
        model.seed = seed
        return [row.value for row in StableRate(doublings=1, steps=12, warmup=2).measure(model, english).rows]

    assert read(0) == read(0)
    assert read(0) != read(1)


def test_what_it_cannot_read(english: Any) -> None:
    gan = Gan(Gan.Config(), Backbone(width=16, layers=1, heads=2), english.vocabulary, 40)
    with pytest.raises(ConfigError, match="stable-rate trains by one loss, but objective 'gan' steps its own optimizers"):
        StableRate().check(gan, english)
    with pytest.raises(ConfigError, match=r"stable-rate warmup = 12, but must be from 0 to steps - 1 = 11"):
        StableRate(steps=12, warmup=12)
