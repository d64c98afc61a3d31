"""Whose turn it is at which share of the budget, and which shares and sizes are refused."""

from __future__ import annotations

from typing import Any

import pytest

from ablate.config import ConfigError
from ablate.objectives.gan import Gan


def test_phases_follow_one_another_and_the_temperature_the_last() -> None:
    config = Gan.Config(pretrain_share=0.5, discriminator_share=0.25, inverse_temperature=16.0)
    phases = [config.phase(progress) for progress in (0.0, 0.49, 0.5, 0.74, 0.75, 1.0)]
    assert phases == ["likelihood"] * 2 + ["judging"] * 2 + ["adversarial"] * 2
    found = [config.inverse_temperature_at(progress) for progress in (0.0, 0.6, 0.75, 0.875, 1.0)]
    assert found == pytest.approx([1, 1, 1, 4, 16])
    alone = Gan.Config(pretrain_share=1.0, discriminator_share=0.0)
    assert (alone.phase(0.999), alone.inverse_temperature_at(1.0)) == ("likelihood", 1.0)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"pretrain_share": 1.2}, r"objective\.pretrain_share = 1\.2, but must be in \[0, 1\]"),
        ({"pretrain_share": 0.8, "discriminator_share": 0.3}, r"discriminator_share = 0\.3, .* 1 - pretrain_share = 0\.2"),
        ({"rollouts": 0}, r"objective\.rollouts = 0, but must be at least 1"),
        ({"discriminator_rate": 0.0}, r"objective\.discriminator_rate = 0\.0, but must be positive"),
        ({"inverse_temperature": 0.5}, r"inverse_temperature = 0\.5, but must be at least 1"),
        ({"representations": 3}, r"representations = 3, but must be a divisor of discriminator_width = 64"),
    ],
)
def test_wrong_values_are_named(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Gan.Config(**fields)
