"""The contract of a metric, one that reads a trained model: a reading repeats, leaves no trace and can be recorded.

Each is taken at its smallest size, `smoke`, of an untrained model: the first of `OBJECTIVES` that has the capability it needs.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from ablate.config import Backbone, ConfigError
from ablate.evaluation.reading import BringsItems
from ablate.objectives import OBJECTIVES, objective
from ablate.testing.cases import keep
from ablate.testing.english import MemoryText, english

CONTEXT = 40
UNITS = "bits, nats, nats², share, pairs, norm, doublings, tokens, dimensions, score, correlation, rate, epochs"
DIRECTIONS = ("lower", "higher", "none")


class MetricContract:
    """Subclass it as `Test...` and parametrize `metric`, a class; every test of pytest is one promise."""

    @pytest.fixture(autouse=True)
    def one_thread(self) -> Iterator[None]:
        """At these sizes a second thread only waits."""
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        yield
        torch.set_num_threads(threads)

    def test_reads_the_same_twice_and_leaves_no_trace(self, metric: Any, tmp_path: Path) -> None:
        smallest, text = smoke(metric, tmp_path), english()
        model = model_for(smallest, text).train()
        weights = {key: value.clone() for key, value in model.state_dict().items()}
        chance = torch.get_rng_state()
        smallest.check(model, text)
        first = smallest.measure(model, text)
        drawn = not torch.equal(chance, torch.get_rng_state())
        keep(not drawn, f"{metric.name}: the state of torch's generator differs after a reading from the one before it")
        resting = [module for module in model.modules() if not module.training]
        keep(not resting, f"{metric.name}: {len(resting)} modules are in evaluation mode after a reading, but were not before")
        for what, again in (("the same model", model.eval()), ("an equal model", model_for(smallest, text))):
            keep_equal(metric, first, smallest.measure(again, text), what)
        training = [module for module in model.modules() if module.training]
        keep(not training, f"{metric.name}: {len(training)} modules train after a reading, but did not before")
        for key, value in model.state_dict().items():
            keep(torch.equal(weights[key], value), f"{metric.name}: {key} differs after a reading from the one before it")
            keep(not value.is_inference(), f"{metric.name}: {key} cannot be trained after a reading: it is an inference tensor")
        left = [path for path, parameter in model.named_parameters() if parameter.grad is not None]
        keep(not left, f"{metric.name}: a reading leaves a gradient in {', '.join(left)}, but there was none")

    def test_rows_and_samples_can_be_recorded(self, metric: Any, tmp_path: Path) -> None:
        smallest, text = smoke(metric, tmp_path), english()
        reading = smallest.measure(model_for(smallest, text), text)
        keys = [(row.metric, row.condition) for row in reading.rows]
        keep(bool(keys), f"{metric.name}: rows = {reading.rows}, but a reading of this text needs one at least")
        keep(len(set(keys)) == len(keys), f"{metric.name}: {len(keys)} rows have {len(set(keys))} names (metric and condition)")
        for row in reading.rows:
            at = f"{metric.name}: {row.metric} {row.condition}".rstrip()
            keep(
                row.evaluation == metric.name,
                f"{at}: evaluation = {row.evaluation!r}, but the name is {metric.name!r}",
            )
            number = type(row.value) is float and math.isfinite(row.value)
            keep(number, f"{at}: value = {row.value!r}, but must be a finite float, not {type(row.value).__name__}")
            keep(row.items > 0, f"{at}: items = {row.items}, but a number is of one at least")
            keep(row.unit in UNITS.split(", "), f"{at}: unit = {row.unit!r}, but must be one of {UNITS}")
            keep(row.better in DIRECTIONS, f"{at}: better = {row.better!r}, but must be one of {', '.join(DIRECTIONS)}")
        for sample in reading.samples:
            missing = sorted({"kind", "input", "output"} - sample.keys())
            keep(not missing, f"{metric.name}: a sample has {sorted(sample)}, but lacks {', '.join(missing)}")
            json.dumps(sample, allow_nan=False)


def smoke(metric: Any, folder: Path) -> Any:
    """The smallest one, with items of its own where it reads files."""
    keep(hasattr(metric, "smoke"), f"{metric.name}: smoke is missing, but the contract needs the fields of the smallest one")
    items = metric.smoke_items(folder) if isinstance(metric, BringsItems) else {}
    return metric(**metric.smoke, **items)


def model_for(smallest: Any, text: MemoryText) -> Any:
    """An untrained model of the first objective that it can read."""
    refused = []
    for name in OBJECTIVES:
        found = objective(name)
        torch.manual_seed(3)
        backbone = Backbone(width=16, layers=2, heads=2, dropout=0.1)
        # mypy: a text in memory has of a vocabulary what a model reads, its size and what continues a word
        model = found(found.Config(), backbone, text.vocabulary, CONTEXT)
        if not isinstance(model, smallest.needs):
            continue
        try:
            smallest.check(model, text)
        except ConfigError as error:
            refused.append(f"{name} ({error})")
            continue
        return model
    keep(False, f"{smallest.name}: needs {smallest.needs.__name__}, but none of OBJECTIVES can be read: {'; '.join(refused)}")


def keep_equal(metric: Any, first: Any, again: Any, what: str) -> None:
    """Two readings are one, number by number."""
    for row, other in zip(first.rows, again.rows, strict=False):
        at = f"{row.metric} {row.condition}".rstrip()
        keep(row == other, f"{metric.name}: {at} = {row.value} at first, but {other.value} when {what} is read again")
    keep(first == again, f"{metric.name}: {len(first.rows)} rows at first, but another reading when {what} is read again")
