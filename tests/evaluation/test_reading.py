from __future__ import annotations

import contextlib
from typing import Any

import pytest
import torch

from ablate.config import ConfigError
from ablate.evaluation import EVALUATIONS, evaluation_of
from ablate.evaluation.cloze import Cloze
from ablate.evaluation.linear_probe import LinearProbe
from ablate.evaluation.masked_bits import MaskedBits
from ablate.evaluation.minimal_pairs import MinimalPairs
from ablate.evaluation.reading import check_capability, measurement_identity, undisturbed


def test_identity_moves_with_model_version_and_fields_only(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {measurement_identity("run", y) for y in (MaskedBits(), MaskedBits(windows=8), MaskedBits(rates=(0.2,)), Cloze())}
    found.add(measurement_identity("other run", MaskedBits()))
    before = measurement_identity("run", MaskedBits())
    assert before == measurement_identity("run", MaskedBits())
    monkeypatch.setattr(MaskedBits, "VERSION", MaskedBits.VERSION + 1)
    found.add(measurement_identity("run", MaskedBits()))
    assert len(found) == 6
    assert before in found


def test_a_missing_capability_is_named_with_those_there_are(fakes: Any) -> None:
    for objective in (fakes.OneHot, fakes.OneHot(9)):
        check_capability(LinearProbe(), objective)
        with pytest.raises(ConfigError, match=r"evaluation masked-bits needs .*FillsMasks.*'fake'.*it has Encodes$"):
            check_capability(MaskedBits(), objective)
    with pytest.raises(ConfigError, match="it has none"):
        check_capability(MinimalPairs(), fakes.Model())


def test_a_reading_leaves_model_and_generators_as_they_were(fakes: Any) -> None:
    model = fakes.Model()
    model.train()
    model.dropout.eval()
    drawn = []
    for seed in (5, 6):
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        with contextlib.suppress(KeyError), undisturbed(model) as device:
            assert device == torch.device("cpu")
            assert not model.training
            assert not model.dropout.training
            assert torch.is_inference_mode_enabled()
            drawn.append(torch.rand(3))
            raise KeyError
        assert model.training
        assert not model.dropout.training
        assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(*drawn), "a model that draws, draws the same at every reading"


def test_registry_knows_every_evaluation_by_its_name() -> None:
    for name in EVALUATIONS:
        assert evaluation_of(name).name == name
        evaluation_of(name)()
    with pytest.raises(ConfigError, match="did you mean masked-bits"):
        evaluation_of("masked-bit")


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: MaskedBits(rates=()),
        lambda: MaskedBits(rates=(0.0,)),
        lambda: MaskedBits(windows=0),
        lambda: Cloze(sentences=0),
        lambda: Cloze(shortest=9, longest=8),
        lambda: MinimalPairs(pairs=0),
        lambda: LinearProbe(train=3),
    ],
)
def test_impossible_sizes_are_refused(wrong: Any) -> None:
    with pytest.raises(ConfigError, match="must be"):
        wrong()
