"""What the harness costs: a training step through it against a bare torch loop of the same model on the same batches.

Both sides build the model from the same seed and read the same loader. They take turns (bare, harness, bare, harness,
...), so that a machine that slows down slows both; the ratio is taken within a turn and its median reported. The A/A
floor is the same ratio between neighbouring bare loops: what the machine alone makes of two equal things.
"""

from __future__ import annotations

import dataclasses
import itertools
import statistics
import time

import torch

from ablate.config import Budget, RunConfig
from ablate.data.text import Text, prepare
from ablate.training.clock import Clock
from ablate.training.fit import arithmetic, build, run_trainer, text_module
from ablate.training.loop import TokenBudget
from ablate.training.schedule import multiplier

STEPS = 150
TURNS = 7


def measure(run: RunConfig, steps: int = STEPS, turns: int = TURNS) -> dict[str, float]:
    """Milliseconds a step on both sides, their ratio, and the A/A floor (the median distance of bare/bare from 1)."""
    text = prepare(run.data)
    bare, harness = [], []
    for _ in range(turns):
        bare.append(bare_step(run, text, steps))
        harness.append(harness_step(run, text, steps))
    bare.append(bare_step(run, text, steps))
    ratios = [h / ((bare[i] + bare[i + 1]) / 2) for i, h in enumerate(harness)]
    floor = [abs(b / a - 1) for a, b in itertools.pairwise(bare)]
    return {
        "bare_ms": 1e3 * statistics.median(bare),
        "harness_ms": 1e3 * statistics.median(harness),
        "ratio": statistics.median(ratios),
        "floor": statistics.median(floor),
    }


def report(run: RunConfig) -> str:
    """The benchmark as text for a terminal."""
    found = measure(run)
    return (
        f"training step, {run.runtime.threads} thread(s), {run.runtime.device}, median of {TURNS} turns of {STEPS} steps\n"
        f"  bare torch loop   {found['bare_ms']:7.2f} ms\n"
        f"  through ablate    {found['harness_ms']:7.2f} ms\n"
        f"  ratio             {found['ratio']:7.3f}   (A/A floor: two bare loops differ by {100 * found['floor']:.1f} %)"
    )


def harness_step(run: RunConfig, text: Text, steps: int) -> float:
    """Seconds a step through Lightning, counters, schedule and clock; the first step is left out on both sides."""
    clock = Clock(run.runtime.device)
    model = build(run, text)
    budget = TokenBudget(_for_steps(run, steps), clock, lambda loss: None, lambda *arguments: None)
    with arithmetic(run):
        run_trainer(_for_steps(run, steps), model, text, budget, clock)
    return clock.training / (budget.steps - 1)


def bare_step(run: RunConfig, text: Text, steps: int) -> float:
    """Seconds a step of the loop one would write without a harness."""
    run = _for_steps(run, steps)
    model = build(run, text)
    model.train()
    optimizer = model.configure_optimizers()
    parameters = list(model.parameters())
    tokens = done = 0
    with arithmetic(run):
        for batch in text_module(run, model, text).train_dataloader():
            share = multiplier(run.optimization, (tokens + batch.tokens / 2) / run.budget.tokens)
            for group in optimizer.param_groups:
                group["lr"] = run.optimization.learning_rate * share
            loss = model.losses(batch).loss
            optimizer.zero_grad()
            loss.backward()
            if run.optimization.clip_norm:
                torch.nn.utils.clip_grad_norm_(parameters, run.optimization.clip_norm)
            optimizer.step()
            tokens += batch.tokens
            done += 1
            if done == 1:
                began = time.perf_counter()
            if tokens >= run.budget.tokens:
                break
    return (time.perf_counter() - began) / (done - 1)


def _for_steps(run: RunConfig, steps: int) -> RunConfig:
    tokens = steps * run.optimization.batch * run.data.context
    return dataclasses.replace(run, budget=Budget(tokens=tokens, readings=1), evaluations=())
