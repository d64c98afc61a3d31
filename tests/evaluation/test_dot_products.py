"""The variance argument against its closed forms."""

from __future__ import annotations

import typing
from typing import Any

import pytest

from ablate.config import AttentionScale
from ablate.evaluation.dot_products import WIDTHS, DotProducts


@pytest.fixture(scope="module")
def found(request: pytest.FixtureRequest) -> dict[tuple[str, int, str], float]:
    text = request.getfixturevalue("english")
    from ablate.config import Backbone
    from ablate.objectives.gpt import Gpt

    model: Any = Gpt(Gpt.Config(), Backbone(width=16, layers=1, heads=2), text.vocabulary, 40)
    values = {}
    for row in DotProducts().measure(model, text).rows:
        width, scale = row.condition.removeprefix("head_width=").split(",scale=")
        values[row.metric, int(width), scale] = row.value
    return values


def test_the_variance_of_a_dot_product_is_its_width(found: dict[tuple[str, int, str], float]) -> None:
    for width in WIDTHS:
        assert found["logit_variance", width, "none"] == pytest.approx(width, rel=0.05)
        assert found["logit_variance", width, "inverse-sqrt"] == pytest.approx(1, rel=0.05)
        assert found["logit_variance", width, "inverse"] == pytest.approx(1 / width, rel=0.05)
        # d cos^2 has mean 1 for directions that are uniform on the sphere.
        assert found["logit_variance", width, "qk-norm"] == pytest.approx(1, rel=0.05)


def test_without_a_scale_the_gradient_vanishes_as_heads_widen(found: dict[tuple[str, int, str], float]) -> None:
    unscaled = [found["softmax_gradient", width, "none"] for width in WIDTHS[3:]]
    assert unscaled == sorted(unscaled, reverse=True)
    assert unscaled[-1] < 0.5 * found["softmax_gradient", 512, "inverse-sqrt"]
    entropies = [found["relative_entropy", width, "none"] for width in WIDTHS]
    assert entropies == sorted(entropies, reverse=True)


def test_every_scaling_at_every_width(found: dict[tuple[str, int, str], float]) -> None:
    assert {(width, scale) for _, width, scale in found} == {(w, s) for w in WIDTHS for s in typing.get_args(AttentionScale)}
