from __future__ import annotations

import functools
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch

from ablate.evaluation.own_loss import OwnLoss
from ablate.seeds import generator


class Batch(NamedTuple):
    drawn_B: torch.Tensor
    tokens: int
    targets: int


def collate(windows: list[int], noise: Callable[[str, int], np.random.Generator], progress: float) -> Batch:
    assert progress == 1.0
    return Batch(torch.tensor([noise("mask", j).random() for j in windows]), 60 * len(windows), 10 * len(windows))


def drawing(fakes: Any, parts: tuple[str, ...]) -> Any:
    """An objective whose loss is the mean of its noise, so that what was drawn for which window can be read off."""

    class Drawing(fakes.Model):  # type: ignore[misc,name-defined]
        config: Any = None

        @staticmethod
        def windows(store: Any, config: Any, context: int) -> range:
            return range(1000)

        def collator(self) -> functools.partial[Batch]:
            return functools.partial(collate)

        def losses(self, batch: Batch) -> Any:
            assert not self.training
            assert torch.is_inference_mode_enabled()
            mean = batch.drawn_B.mean()
            return SimpleNamespace(loss=mean, parts={part: mean / len(parts) for part in parts})

    return Drawing()


def test_is_the_mean_over_evenly_spaced_windows_under_fixed_noise(english: Any, fakes: Any) -> None:
    (row,) = OwnLoss(windows=100).measure(drawing(fakes, ("mlm",)), english).rows
    expected = np.mean([generator(0, "evaluation/mask", j).random() for j in range(0, 1000, 10)])
    assert row.value == pytest.approx(expected, abs=1e-6)
    assert (row.items, row.better, row.condition, row.unit) == (1000, "none", "", "nats")


def test_parts_have_rows_of_their_own_where_there_are_several(english: Any, fakes: Any) -> None:
    whole, mlm, nsp = OwnLoss(windows=70).measure(drawing(fakes, ("mlm", "nsp")), english).rows
    assert (whole.condition, mlm.condition, nsp.condition) == ("", "mlm", "nsp")
    assert mlm.value + nsp.value == pytest.approx(whole.value)


def test_model_and_generators_are_left_alone(english: Any, fakes: Any) -> None:
    model = drawing(fakes, ("mlm",)).train()
    state = torch.get_rng_state()
    assert OwnLoss().measure(model, english) == OwnLoss().measure(model, english)
    assert torch.equal(state, torch.get_rng_state())
    assert model.training
