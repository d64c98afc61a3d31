"""Kind `weights`: real training whose weights, caches and processes are damaged. No evaluation reads damaged weights.

A tiny BERT is trained; then an evaluation is added. With sound weights the program only measures, otherwise it trains again.
Either way the record must be that of an undisturbed run with both evaluations.
"""

from __future__ import annotations

import dataclasses
import os
import random
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import safetensors.torch

from ablate.config import Backbone, Budget, Data, Optimization, RunConfig
from ablate.data.text import prepare
from ablate.evaluation.masked_bits import MaskedBits
from ablate.evaluation.own_loss import OwnLoss
from ablate.objectives.bert import Bert
from ablate.records import DONE, Record, untimed
from ablate.study.cell import run_cell
from ablate.study.store import Store
from ablate.training import PRETRAINING
from ablate.training.fit import WEIGHTS
from tests.faults.damage import damaged
from tests.faults.forked import forked
from tests.faults.injector import Injector

FIRST = RunConfig(
    objective=Bert.Config(mask_rate=0.15, next_sentence="off"),
    backbone=Backbone(width=16, layers=1, heads=2),
    data=Data(corpus="grammar", vocabulary=128, context=32),
    optimization=Optimization(batch=8),
    budget=Budget(tokens=6_000, readings=1),
    evaluations=(MaskedBits(windows=8, length=24),),
    seed=3,
)
BOTH = dataclasses.replace(FIRST, evaluations=(*FIRST.evaluations, OwnLoss(windows=8)))
ANOTHER = dataclasses.replace(FIRST, seed=4)
WAYS = (
    *(f"bytes {number}" for number in range(7)),
    "cut",
    "swapped",
    "retyped",
    "deleted",
    "tokens 1",
    "tokens 2",
    *(f"killed after {number / 10} s" for number in (1, 3, 5, 7)),
    "full disk",
    "full disk of a new evaluation",
    "torn",
)
"""What is damaged, and when."""
RETRAINED = ("bytes", "cut", "swapped", "retyped", "deleted")
"""Beginnings of the ways after which the run must be trained again."""


class Weights:
    """Faults of one run."""

    name = "weights"

    def __init__(self, folder: Path) -> None:
        os.environ["ABLATE_CACHE"] = str(folder / "cache")
        self._folder = folder
        # Only children train: a process that has used torch's threads must not be forked.
        for name, runs in (("both", (BOTH,)), ("first", (FIRST, ANOTHER)), ("added", (FIRST, BOTH))):
            for run in runs:
                ended = forked(lambda root=folder / name, run=run: _run(root, run))
                assert ended.status == 0 and self._finished(folder / name, run).status == DONE, ended.said
        self._record = self._untimed(folder / "both")
        # Read off the final weights, so without a learning curve.
        self._added = self._untimed(folder / "added")

    def tries(self, limit: int | None, seed: int) -> list[str]:
        """Every way, or `limit` of them."""
        return list(WAYS) if limit is None or limit >= len(WAYS) else random.Random(seed).sample(WAYS, limit)

    def attempt(self, one: str, folder: Path) -> Iterator[str]:
        """Do the damage, add an evaluation, and look at the record."""
        shutil.rmtree(folder, ignore_errors=True)
        fresh = one.startswith(("killed", "tokens")) or one in ("full disk", "torn")
        if not fresh:
            shutil.copytree(self._folder / "first", folder)
        # A cache of its own: what one try damages, another that runs beside it must not read.
        cache = folder.with_name(f"{folder.name}-cache")
        shutil.rmtree(cache, ignore_errors=True)
        shutil.copytree(self._folder / "cache", cache)
        os.environ["ABLATE_CACHE"] = str(cache)
        weights = Store(folder, PRETRAINING).folder(FIRST) / WEIGHTS
        if one.startswith("killed"):
            forked(lambda: _run(folder, BOTH), kill_after=float(one.split()[2]))
        elif one in ("full disk", "torn"):
            fault, at = ("full", 0) if one == "full disk" else ("torn", 1)
            # The first operation on an unfinished file is its creation, the second its writing.
            ended = forked(lambda: _run(folder, BOTH, Injector((folder,), fault, at, only="/.tmp-")))
            if ended.traceback or (one == "full disk" and "is full" not in ended.said):
                yield f"traceback: {ended.traceback or ended.said[-300:]}"
        elif one == "full disk of a new evaluation":
            ended = forked(lambda: _run(folder, BOTH, Injector((folder,), "full", 0, only="/.tmp-")))
            if Store(folder, PRETRAINING).finished(FIRST) is None:
                yield "loss: the record is gone after a full disk"
        elif one.startswith("tokens"):
            tokens = prepare(BOTH.data).folder / "train.tokens"
            tokens.write_bytes(damaged(tokens.read_bytes(), random.Random(one)))
        else:
            self._damage(weights, one)
        before = weights.read_bytes() if weights.exists() else b""
        ended = forked(lambda: _run(folder, BOTH))
        if ended.status != 0 or ended.traceback:
            yield f"loss: the repeated run ends with {ended.status}: {ended.said[-300:]}"
        elif self._untimed(folder) != (self._added if one == "full disk of a new evaluation" else self._record):
            yield "silent: its record is not that of an undisturbed run"
        elif one.startswith(RETRAINED) and weights.read_bytes() == before:
            yield "silent: the damaged weights are still in use"

    def _damage(self, weights: Path, one: str) -> None:
        data = weights.read_bytes()
        if one == "deleted":
            weights.unlink()
        elif one == "swapped":
            weights.write_bytes((Store(self._folder / "first", PRETRAINING).folder(ANOTHER) / WEIGHTS).read_bytes())
        elif one == "retyped":
            state = {name: tensor.half().to(tensor.dtype) for name, tensor in safetensors.torch.load(data).items()}
            weights.write_bytes(safetensors.torch.save(state))
        elif one == "cut":
            weights.write_bytes(data[: len(data) // 2])
        else:
            weights.write_bytes(damaged(data, random.Random(one)))

    def _finished(self, root: Path, run: RunConfig) -> Record:
        record = Store(root, PRETRAINING).finished(run)
        assert record is not None
        return record

    def _untimed(self, root: Path) -> object:
        return untimed(self._finished(root, BOTH))


def _run(root: Path, run: RunConfig, injector: Injector | None = None) -> int:
    """Train and measure one run; 0 if it has a record in the end."""
    if injector:
        injector.install()
    outcome = run_cell(Store(root, PRETRAINING), run, lambda *arguments: None)
    if outcome.message:
        print(f"ablate: {outcome.message}", file=sys.stderr)
    return int(outcome.kind != "finished")
