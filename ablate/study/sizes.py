"""Sizes that studies share: the run that they vary, and one call for each kind of tier.

| call | usual tier | what it costs | learning rate |
| --- | --- | --- | --- |
| `smoke` | smoke | seconds: shows that every step works, decides nothing | the base run's |
| `one_rate` | quick | minutes on two cores | one for all arms |
| `tuned` | standard | an hour or more on two cores | tuned for each arm, 3 trials |
| `gpu` | full | GPU-hours | tuned for each arm, 4 trials |

A study adds what only it needs: `one_rate(1_750_000, SMALL, pilots=(...))`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from ablate.config import Backbone, Data, Optimization, RunConfig, Scalar
from ablate.study.factor import Nuisance, Range
from ablate.study.study import Tier

Size = Mapping[str, Scalar]
"""Dotted path in the run configuration -> value."""

NONE: Size = MappingProxyType({})
"""The base run's own size."""

SMALL: Size = {"backbone.width": 64, "optimization.learning_rate": 4e-3}
"""A run of one minute on one core learns at this width and rate; at width 128 and rate 1e-3 it hardly learns."""

PENN_TREEBANK: Size = {**SMALL, "data.corpus": "ptb", "data.vocabulary": 4096, "data.context": 48}
"""Sentences of the Penn Treebank, from $ABLATE_DATA. A text VAE takes a minute for 1 M tokens, two runs side by side."""

GPU: Size = {
    "backbone.width": 512,
    "backbone.layers": 8,
    "backbone.heads": 8,
    "data.vocabulary": 8192,
    "data.context": 128,
    "optimization.batch": 64,
    "budget.tokens": 20_000_000,
    "runtime.device": "cuda",
    "runtime.precision": "bf16",
}
"""Width and layers of the medium model of Wettig et al. 2023, which has 51 M parameters and a larger vocabulary. The budget is
about ten epochs of pydocs."""

LEARNING_RATE = Range(path="optimization.learning_rate", low=3e-4, high=3e-3, log=True)
"""The nuisance factor of `tuned` and `gpu`."""

PILOT = (101,)
"""The seed of most pilots. No tier compares runs on it."""
COMPARED = (0, 1, 2, 3, 4)
"""The seeds of a tier's own comparison. A pilot on them chose a size after a look at them, and the report says so."""
UNRECORDED = ()


def small_run(objective: Any, *evaluations: Any, context: int = 64, batch: int = 16) -> RunConfig:
    """The base run of most studies: two layers of width 128, pydocs, 1,024 subwords. Tiers set its budget."""
    return RunConfig(
        objective=objective,
        backbone=Backbone(width=128, layers=2, heads=4),
        data=Data(corpus="pydocs", vocabulary=1024, context=context),
        optimization=Optimization(learning_rate=1e-3, batch=batch),
        evaluations=evaluations,
    )


def smoke(tokens: int, size: Size = NONE, *, readings: int = 2, seeds: int = 3) -> Tier:
    """Width 32 and a few thousand tokens."""
    return Tier(seeds=seeds, workers=2, overrides={**_budget(tokens, readings), "backbone.width": 32, **size})


def one_rate(tokens: int, size: Size = NONE, *, readings: int = 8, **fields: Any) -> Tier:
    """Five seeds, two runs side by side, one learning rate for all arms. `fields`: further fields of `Tier`."""
    return Tier(seeds=5, workers=2, overrides={**size, **_budget(tokens, readings)}, **fields)


def tuned(tokens: int, **fields: Any) -> Tier:
    """Five seeds, two runs side by side, the learning rate tuned for each arm. `fields`: further fields of `Tier`."""
    nuisance = Nuisance(ranges=(LEARNING_RATE,), trials=3)
    return Tier(seeds=5, workers=2, overrides={"budget.tokens": tokens}, nuisance=nuisance, **fields)


def gpu(size: Size = NONE, *, trials: int = 4, note: str = "", **fields: Any) -> Tier:
    """Five seeds of the size `GPU`, changed by `size`; `trials` learning rates for each arm, 0 for the base run's rate."""
    nuisance = Nuisance(ranges=(LEARNING_RATE,), trials=trials) if trials else None
    said = "; ".join(part for part in ("for a GPU; not run yet", note) if part)
    return Tier(seeds=5, overrides={**GPU, **size}, nuisance=nuisance, note=said, **fields)


def _budget(tokens: int, readings: int) -> Size:
    return {"budget.tokens": tokens, "budget.readings": readings}
