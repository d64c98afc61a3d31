"""What holds for every yardstick, on a real objective; a new one is enrolled by its line in the registry."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from ablate.config import Backbone
from ablate.evaluation import YARDSTICKS, yardstick
from ablate.evaluation.own_loss import OwnLoss
from ablate.objectives.bert import Bert
from ablate.objectives.gpt import Gpt
from ablate.objectives.t5 import T5
from ablate.objectives.vae import Vae
from ablate.objectives.xlnet import Xlnet

SMALL: dict[str, dict[str, Any]] = {
    "masked-bits": {"windows": 8, "length": 20},
    "cloze": {"sentences": 20},
    "minimal-pairs": {"pairs": 6},
    "sentence-pairs": {"pairs": 12},
    "blimp": {"pairs": 3},
    "bits-per-byte": {"passages": 8, "length": 20},
    "order-loss": {"passages": 8, "length": 20, "contexts": 3},
    "linear-probe": {"length": 20},
    "attention": {"windows": 4},
    "dot-products": {"heads": 2, "queries": 4, "keys": 4},
    "stable-rate": {"doublings": 1, "steps": 12, "warmup": 2},
    "generation": {"texts": 6, "length": 12, "temperatures": (0.7, 1.0), "references": 20, "judged": 500},
    "latent": {"texts": 8, "weighted": 3, "draws": 2, "longest": 20},
    "fine-tuning": {"train": 40, "validation": 20, "test": 30, "length": 12, "epochs": 1, "rates": (1e-3,)},
    "text-to-text": {"train": 40, "validation": 20, "test": 30, "length": 12, "epochs": 1, "rates": (1e-3,)},
    "own-loss": {"windows": 8},
}


@pytest.fixture(scope="module", autouse=True)
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Items of its own that a yardstick reads."""
    folder = tmp_path_factory.mktemp("pairs")
    for verb in ("is", "are"):
        pair = {"sentence_good": f"the man {verb} old .", "sentence_bad": f"the man old {verb} .", "linguistics_term": verb}
        (folder / f"{verb}.jsonl").write_text("\n".join([json.dumps(pair)] * 4))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(SMALL["blimp"], "source", str(folder))
        yield


def bert(text: Any, next_sentence: str = "off") -> Bert:
    torch.manual_seed(3)
    config = Bert.Config(next_sentence=next_sentence)
    return Bert(config, Backbone(width=16, layers=1, heads=2, dropout=0.1), text.vocabulary, 40)


def model_for(name: str, text: Any) -> Any:
    """BERT, or what has the capability that it lacks."""
    kinds = {"generation": Gpt, "latent": Vae, "text-to-text": T5, "order-loss": Xlnet}
    if name not in kinds:
        return bert(text, "nsp" if name == "sentence-pairs" else "off")
    torch.manual_seed(3)
    return kinds[name](kinds[name].Config(), Backbone(width=16, layers=2, heads=2, dropout=0.1), text.vocabulary, 40)


@pytest.mark.parametrize("name", YARDSTICKS)
def test_reads_the_same_twice_and_leaves_no_trace(name: str, english: Any) -> None:
    model = model_for(name, english).train()
    weights = {key: value.clone() for key, value in model.state_dict().items()}
    ruler = yardstick(name)(**SMALL[name])
    state = torch.get_rng_state()
    ruler.check(model, english)
    first = ruler.measure(model, english)
    assert ruler.measure(model.eval(), english) == first
    assert ruler.measure(model_for(name, english), english) == first
    assert all(not module.training for module in model.modules())
    assert all(torch.equal(weights[key], value) and not value.is_inference() for key, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    torch.set_rng_state(state)
    model.train()
    ruler.measure(model, english)
    assert torch.equal(state, torch.get_rng_state())
    assert all(module.training for module in model.modules())


@pytest.mark.parametrize("name", YARDSTICKS)
def test_rows_and_samples_can_be_recorded(name: str, english: Any) -> None:
    reading = yardstick(name)(**SMALL[name]).measure(model_for(name, english), english)
    assert reading.rows
    assert len({(row.metric, row.condition) for row in reading.rows}) == len(reading.rows)
    for row in reading.rows:
        assert row.evaluation == name
        assert math.isfinite(row.value)
        assert type(row.value) is float
        assert row.items > 0
        units = ("bits", "nats", "nats²", "share", "pairs", "norm", "doublings", "tokens", "dimensions")
        assert row.unit in (*units, "score", "correlation", "rate", "epochs")
        assert row.better in ("lower", "higher", "none")
    for sample in reading.samples:
        assert {"kind", "input", "output"} <= sample.keys()
        json.dumps(sample, allow_nan=False)


def test_own_loss_tells_the_parts_apart(english: Any) -> None:
    whole, *parts = OwnLoss(windows=8).measure(bert(english, "nsp"), english).rows
    assert [part.condition for part in parts] == ["mlm", "nsp"]
    assert whole.value == pytest.approx(sum(part.value for part in parts))
    assert parts[0].value == pytest.approx(math.log(english.vocabulary.size), abs=0.5)
    assert parts[1].value == pytest.approx(math.log(2), abs=0.2)
