"""Shared columns: the key finds the number that an evaluation writes, and the unit is the one shown."""

from __future__ import annotations

import pytest

from ablate.study import columns


def test_a_share_is_shown_in_per_cent() -> None:
    found = columns.percentage("cloze", "word", "cloze")
    assert (found.key, found.unit, found.better) == ("cloze/accuracy@word", "%", "higher")
    assert 0.305 * found.scale == pytest.approx(30.5) and found.digits == 1


@pytest.mark.parametrize(("rate", "label"), [(0.15, "masked bits at 15 %"), (0.4, "masked bits at 40 %")])
def test_masked_bits_name_their_rate(rate: float, label: str) -> None:
    found = columns.masked_bits(rate)
    assert (found.key, found.label) == (f"masked-bits/bits_per_token@mask_rate={rate}", label)
    assert (found.unit, found.better, found.scale) == ("bits", "lower", 1)


def test_what_was_learned_is_better_the_higher() -> None:
    assert columns.MASKED_LEARNED.key == "masked-bits/nats_below_unigram@mask_rate=0.15"
    assert columns.MASKED_LEARNED.better == "higher"


def test_what_moves_with_the_factor_ranks_nobody() -> None:
    assert {column.better for column in (columns.OWN_LOSS, columns.KL, columns.ACTIVE_UNITS)} == {"none"}
    assert (columns.ELBO.better, columns.BOUND.key) == ("lower", "latent/importance_weighted@draws=50")
