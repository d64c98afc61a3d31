from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ablate.config import ConfigError
from ablate.evaluation.masked_bits import MaskedBits, hide
from ablate.evaluation.unigram import log_unigram

EVALUATION = MaskedBits(rates=(0.15, 0.4, 0.8), windows=32)


def values(reading: Any, metric: str) -> list[float]:
    return [row.value for row in reading.rows if row.metric == metric]


def test_uniform_model_needs_log2_v_bits(english: Any, fakes: Any) -> None:
    size = english.vocabulary.size
    reading = EVALUATION.measure(fakes.Unigram(torch.zeros(size)), english)
    assert values(reading, "bits_per_token") == pytest.approx([math.log2(size)] * 3, abs=1e-6)
    assert [row.condition for row in reading.rows[::2]] == ["mask_rate=0.15", "mask_rate=0.4", "mask_rate=0.8"]


def test_unigram_model_is_zero_nats_below_the_unigram(english: Any, fakes: Any) -> None:
    counts = english.unigram_counts().astype(float)
    p = (counts + 1) / (counts + 1).sum()
    reading = EVALUATION.measure(fakes.Unigram(torch.tensor(np.log(p), dtype=torch.float32)), english)
    assert values(reading, "nats_below_unigram") == pytest.approx([0.0] * 3, abs=1e-6)


def test_oracle_needs_no_bits_at_any_rate(counting: Any, fakes: Any) -> None:
    reading = EVALUATION.measure(fakes.Counting(counting.vocabulary.size), counting)
    assert values(reading, "bits_per_token") == pytest.approx([0.0] * 3, abs=1e-9)
    assert [row.items for row in reading.rows[::2]] == [32 * 9, 32 * 24, 32 * 48]
    log_p = log_unigram(counting.unigram_counts())
    assert values(reading, "nats_below_unigram") == pytest.approx([-log_p[5:].mean()] * 3, abs=1e-3)
    for sample in reading.samples:
        assert sample["output"] == sample["truth"]
        assert "▢" in sample["input"]
        assert "⟨" in sample["truth"]


def test_only_hidden_tokens_are_masked_and_asked_for(english: Any, fakes: Any) -> None:
    seen = []

    class Witness(fakes.Unigram):  # type: ignore[misc,name-defined]
        def fill(self, tokens_BT: torch.Tensor, visible_BT: torch.Tensor, positions_M2: torch.Tensor) -> torch.Tensor:
            assert visible_BT.all()
            assert (tokens_BT[:, 0] == 2).all()
            assert (tokens_BT[:, -1] == 3).all()
            assert torch.equal(positions_M2, (tokens_BT == 4).nonzero())
            seen.append(tokens_BT)
            return super().fill(tokens_BT, visible_BT, positions_M2)

    EVALUATION.measure(Witness(torch.zeros(english.vocabulary.size)), english)
    low, middle, high = (tokens_BT == 4 for tokens_BT in seen[:3])
    assert (low & ~middle).sum() == 0
    assert (middle & ~high).sum() == 0


def test_same_numbers_twice_and_from_a_model_in_training(english: Any, fakes: Any) -> None:
    model = fakes.Unigram(torch.randn(english.vocabulary.size)).train()
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = EVALUATION.measure(model, english)
    assert torch.equal(before, torch.get_rng_state())
    assert model.training
    assert model.dropout.training
    torch.manual_seed(2)
    assert EVALUATION.measure(model, english) == first


def test_abridged_it_reads_the_same_numbers_for_the_first_rate(english: Any, fakes: Any) -> None:
    """The noise ranks the places once for all rates, so a curve ends in the final reading without a step."""
    model = fakes.Unigram(torch.randn(english.vocabulary.size))
    whole, curve = EVALUATION.measure(model, english), EVALUATION.abridged().measure(model, english)
    assert curve.rows == tuple(row for row in whole.rows if row.condition == f"mask_rate={EVALUATION.rates[0]:g}")


def test_a_text_longer_than_the_context_is_refused(english: Any, fakes: Any) -> None:
    model = fakes.Unigram(torch.zeros(english.vocabulary.size))
    model.context = 32
    for ask in (EVALUATION.check, EVALUATION.measure):
        with pytest.raises(ConfigError, match=r"masked-bits shows 60 .* data.context = 32; .* at most 30"):
            ask(model, english)


@settings(deadline=None, max_examples=100)
@given(
    st.lists(st.lists(st.integers(0, 9), min_size=12, max_size=12), min_size=1, max_size=5),
    st.floats(0.01, 1),
    st.floats(0.01, 1),
)
def test_hiding_is_exact_nested_and_spares_special_tokens(rows: list[list[int]], a: float, b: float) -> None:
    texts_BT = np.array(rows)
    noise_BT = np.random.default_rng(0).random(texts_BT.shape)
    low, high = (hide(texts_BT, noise_BT, rate) for rate in sorted((a, b)))
    ordinary = (texts_BT >= 5).sum(1)
    wanted = [min(n, max(1, round(min(a, b) * n))) for n in ordinary.tolist()]
    assert low.sum(1).tolist() == wanted
    assert not (low & ~high).any()
    assert not (high & (texts_BT < 5)).any()


def test_every_place_is_as_likely_to_be_hidden() -> None:
    texts_BT = np.full((20_000, 10), 7)
    share_T = hide(texts_BT, np.random.default_rng(3).random(texts_BT.shape), 0.3).mean(0)
    assert share_T == pytest.approx(np.full(10, 0.3), abs=5 * math.sqrt(0.21 / 20_000))
