"""Tuning of a copy of a model for a task: the same learning rates, epochs and order of examples for every arm.

    for each learning rate, from the same start:   epochs x batches of AdamW steps, rate warmed up and decayed linearly
    result: the weights of the best epoch on the validation part, over all rates; the earlier one of two equal ones

Devlin et al. 2019, appendix A.3: a small grid of learning rates, the best on a development set. Their released code has the
same schedule, a warm-up over a tenth of the steps and then a linear decay to zero, and dropout of 0.1 before the new layer.
Early stopping chooses the epoch; all epochs run, so each arm costs the same.

A batch holds examples of similar length, sorted within sixteen batches at a time, so that little is padded.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ablate.evaluation.reading import device_of, noise
from ablate.measure import Progress
from ablate.objectives.base import Objective
from ablate.seeds import torch_seed

WARMUP = 0.1
WEIGHT_DECAY = 0.01
CLIP_NORM = 1.0
DROPOUT = 0.1
TOGETHER = 16
"""Batches whose examples are sorted by length together."""
EVERY = 10
"""Optimizer steps between calls of the progress callback."""
SEED = 0
"""Seed of the new layer and of dropout; the order of the examples has random streams of its own."""


@dataclass(frozen=True)
class Kept:
    """The weights that did best on the validation part, with their learning rate and epoch."""

    state: Mapping[str, Tensor]
    rate: float
    epoch: int
    """From 1; 0 if every rate diverged and the start was kept."""
    score: tuple[float, ...]
    """Compared from the left."""


class StepCounter:
    """A counter of optimizer steps that calls the progress callback at every `EVERY`-th step."""

    def __init__(self, progress: Progress, phase: str, total: int) -> None:
        self.progress, self.phase, self.done, self.total = progress, phase, 0, total

    def step(self) -> None:
        """Count one step."""
        self.done += 1
        if self.done % EVERY == 0 or self.done == self.total:
            self.progress(phase=self.phase, done=self.done, total=self.total)


@contextlib.contextmanager
def isolated(model: nn.Module) -> Iterator[torch.device]:
    """Enable gradients and seed torch by `SEED` inside the block; restore torch's generators afterwards.

    Yields the model's device. Do not train the model itself; train a `twin` of it.
    """
    device = device_of(model)
    forked = [] if device.type == "cpu" else list(range(torch.get_device_module(device).device_count()))
    with torch.random.fork_rng(devices=forked, device_type="cuda" if device.type == "cpu" else device.type):
        torch.manual_seed(SEED)
        with torch.inference_mode(False), torch.enable_grad():
            yield device


def twin(model: Objective) -> Objective:
    """Return a copy of the model that shares no weights with it."""
    copy = _built(model)
    copy.load_state_dict(model.state_dict())
    return copy


def random_start(model: Objective) -> Objective:
    """Return the same architecture at other initial weights, drawn by the run's seed.

    Each replicate has a random start of its own, and arms of one architecture share it. The gain over it therefore differs
    between arms by their training alone.
    """
    torch.manual_seed(torch_seed(model.seed, "evaluation/afresh"))
    return _built(model)


def _built(model: Objective) -> Objective:
    return type(model)(model.config, model.backbone, model.vocabulary, model.context).to(device_of(model))


def tune(
    begin: Callable[[], nn.Module],
    batches: Callable[[int], Sequence[Any]],
    loss: Callable[[Any, Any], Tensor],
    judge: Callable[[Any], Mapping[str, tuple[float, ...]]],
    rates: Sequence[float],
    epochs: int,
    counter: StepCounter,
) -> dict[str, Kept]:
    """Return the best weights under each score of `judge`.

    `begin` makes the learner, `batches(epoch)` its batches, and `loss` takes both. A rate whose loss is no longer finite is
    abandoned. If all rates diverge, the start is the result, as epoch 0 at rate 0. That a model cannot be tuned is a result,
    and other evaluations must not be lost over it.
    """
    best: dict[str, Kept] = {}
    for rate in rates:
        torch.manual_seed(SEED)
        learner = begin()
        optimizer = torch.optim.AdamW(_groups(learner), lr=rate, fused=True)
        steps, step = 0, 0
        for epoch in range(1, epochs + 1):
            learner.train()
            groups = batches(epoch)
            steps = steps or epochs * len(groups)
            total = 0.0
            for batch in groups:
                step += 1
                for group in optimizer.param_groups:
                    group["lr"] = rate * multiplier(step, steps)
                optimizer.zero_grad(set_to_none=True)
                value = loss(learner, batch)
                value.backward()
                nn.utils.clip_grad_norm_(learner.parameters(), CLIP_NORM)
                optimizer.step()
                total += float(value.detach())
                counter.step()
            if not math.isfinite(total):
                break
            learner.eval()
            with torch.no_grad():
                scores = judge(learner)
            for name, score in scores.items():
                if name not in best or score > best[name].score:
                    best[name] = Kept(_weights(learner), rate, epoch, score)
    if not best:
        torch.manual_seed(SEED)
        learner = begin().eval()
        with torch.no_grad():
            scores = judge(learner)
        best = {name: Kept(_weights(learner), 0.0, 0, score) for name, score in scores.items()}
    return best


def _weights(learner: nn.Module) -> dict[str, Tensor]:
    return {key: tensor.detach().clone() for key, tensor in learner.state_dict().items()}


def multiplier(step: int, steps: int) -> float:
    """The factor on the learning rate at `step`, from 1, of `steps`: up over the first tenth, then down to zero."""
    warmup = max(1, round(WARMUP * steps))
    return step / warmup if step <= warmup else (steps - step + 1) / (steps - warmup + 1)


def _groups(learner: nn.Module) -> list[dict[str, Any]]:
    """Parameter groups: weight decay excludes biases and norms."""
    parameters = [parameter for parameter in learner.parameters() if parameter.requires_grad]
    return [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": WEIGHT_DECAY},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]


def in_batches(lengths: Sequence[int], size: int, stream: str, epoch: int) -> list[list[int]]:
    """Return every example once, in the order of this epoch, sorted by length within `TOGETHER` batches."""
    generator = noise(stream, epoch)
    order = generator.permutation(len(lengths))
    groups = []
    for start in range(0, len(order), TOGETHER * size):
        part = sorted(order[start : start + TOGETHER * size].tolist(), key=lambda i: lengths[i])
        groups += [part[first : first + size] for first in range(0, len(part), size)]
    return [groups[i] for i in generator.permutation(len(groups)).tolist()]


def padded(rows: Sequence[Sequence[int]], padding: int) -> tuple[Tensor, Tensor]:
    """Return int64 [B, T] with `padding` at the ends of the rows, and bool [B, T], False on padding."""
    lengths_B = np.array([len(row) for row in rows])
    visible_BT = np.arange(lengths_B.max())[None] < lengths_B[:, None]
    tokens_BT = np.full(visible_BT.shape, padding, dtype=np.int64)
    tokens_BT[visible_BT] = np.concatenate([np.asarray(row, dtype=np.int64) for row in rows])
    return torch.from_numpy(tokens_BT), torch.from_numpy(visible_BT)
