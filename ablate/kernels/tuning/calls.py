"""Attention tuned for a study: each attention call of its base run, measured on every backend that can run it.

    ablate tune bert-masking choices.json
    ablate run bert-masking --set runtime.attention=tuned:choices.json

The calls are those of one training batch; calls of metrics keep the fixed preference. The content of the file is part of the
identity of the runs that use it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from ablate.config import ConfigError, RunConfig
from ablate.data.text import prepare
from ablate.kernels.tuning.choices import Choice
from ablate.kernels.tuning.tune import check_device, tune
from ablate.nn.attention.backends import Call, describe
from ablate.nn.attention.observation import Seen, watched
from ablate.training.fit import arithmetic, build, text_module
from ablate.training.pretraining import check_machine


def calls_of(run: RunConfig, progress: Callable[..., None] = lambda *arguments, **named: None) -> list[Call]:
    """The attention calls of one training batch, each kind once, in the order of their first appearance.

    `ConfigError` for a machine that cannot do the run.
    """
    check_machine(run)
    text = prepare(run.data, progress)
    model = build(run, text).train()
    batch = next(iter(text_module(run, model, text).train_dataloader()))
    batch = type(batch)(*(value.to(run.runtime.device) if isinstance(value, torch.Tensor) else value for value in batch))
    found: dict[Call, None] = {}

    def note(seen: Seen) -> None:
        found[describe(seen.q_BHTK, seen.k_BHSK, seen.v_BHSK, seen.mask, seen.bias)] = None

    # Autocast as in the trainer, because a call in single precision is none of a bf16 run.
    half = torch.autocast(run.runtime.device, torch.bfloat16, enabled=run.runtime.precision == "bf16")
    with arithmetic(run), half, watched(note):
        model.losses(batch)
    return list(found)


def tune_run(run: RunConfig, path: Path, progress: Callable[..., None]) -> list[Choice]:
    """Measure the calls of `run` on its device and threads, and write the choices to `path`.

    `ConfigError`, before anything is measured, for a device that cannot be tuned and for a folder in the place of the file.
    """
    check_machine(run)
    check_device(run.runtime.device)
    if path.is_dir():
        raise ConfigError(f"{path} is a folder, but must be the name of a file for the choices")
    calls = calls_of(run, progress)
    torch.set_num_threads(run.runtime.threads)
    return tune(calls, path, device=run.runtime.device, progress=progress)


def table(found: list[Choice]) -> str:
    """The choices as text for a terminal."""
    if not found:
        return "no attention in this run, so there is nothing to tune"
    lines = []
    for choice in found:
        taken, static = choice.seconds.get(choice.backend), choice.seconds.get(choice.static)
        gain = f", {static / taken:.2f} times as fast as {choice.static}" if taken and static and taken < static else ""
        kept = "" if choice.backend != choice.static else " (the fixed preference stands)"
        lines.append(f"{choice.call}: {choice.backend}{kept}{gain if not kept else ''}, A/A {100 * choice.floor:.1f} %")
    return "\n".join(lines)
