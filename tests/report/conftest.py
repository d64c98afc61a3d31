"""A planted masking study, complete with texts, costs and failures: what reports are compiled from in these tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from ablate.analysis import frames
from ablate.records import DONE, Record, Row
from ablate.report.evidence import Evidence
from ablate.specification import Arm, FactorCard, Metric, Specification

RATE = "objective.mask_rate"
BITS = Metric(
    evaluation="masked-bits",
    metric="bits_per_token",
    condition="mask_rate=0.15",
    label="masked bits at 15 % [bits/token]",
    unit="bits",
)
CLOZE = Metric(
    evaluation="cloze",
    metric="accuracy",
    condition="word",
    label="cloze accuracy [%]",
    unit="share",
    better="higher",
    scale=100,
    digits=1,
)
PAIRS = Metric(
    evaluation="minimal-pairs",
    metric="accuracy",
    condition="overall",
    label="minimal pairs [%]",
    unit="share",
    better="higher",
    scale=100,
    digits=1,
)
OWN = Metric(evaluation="own-loss", metric="nats_per_target", label="own loss [nats/target]", unit="nats", better="none")
LEARNED = Metric(
    evaluation="masked-bits",
    metric="nats_below_unigram",
    condition="mask_rate=0.15",
    label="nats below unigram",
    unit="nats",
    better="higher",
)
METRICS = (BITS, CLOZE, PAIRS, OWN)
LEVELS = (0.15, 0.3, 0.4, 0.6, 0.8)
TRUTH = {0.15: 6.41, 0.3: 6.12, 0.4: 6.05, 0.6: 6.18, 0.8: 7.02}
TEXTS = (
    ("The value of the ▢ is returned as a ▢ .", "The value of the ⟨{}⟩ is returned as a ⟨string⟩ .", "argument"),
    (
        "If a & b < c | d , raise <script>alert(1)</script> ▢ .",
        "If a & b < c | d , raise <script>alert(1)</script> ⟨{}⟩ .",
        "ValueError",
    ),
)


def plan(
    levels: tuple[float, ...] = LEVELS,
    seeds: int = 5,
    metrics: tuple[Metric, ...] = METRICS,
    claims: tuple[str, ...] = (),
    **changes: Any,
) -> Specification:
    names = [f"mask_rate={level}" for level in levels]
    arms = [
        Arm(
            name=name,
            label=f"mask {100 * level:g} %",
            role="arm" if number else "baseline",
            values={RATE: level},
            seeds=tuple(range(seeds)),
        )
        for number, (name, level) in enumerate(zip(names, levels, strict=True))
    ]
    first = {RATE: levels[0]}
    arms.append(
        Arm(name="a/a", label="A/A (baseline, other seeds)", role="a/a", values=first, seeds=tuple(range(1000, 1000 + seeds)))
    )
    arms.append(Arm(name="untrained", label="random initialisation", role="untrained", values=first, seeds=tuple(range(seeds))))
    card = FactorCard(
        path=RATE,
        label="mask rate",
        levels=levels,
        equation="M = round(mask_rate x T)",
        source="Devlin et al. 2019, section 3.1",
        note="Uniform.",
    )
    planned = {
        "name": "bert-masking",
        "title": "How much of a sentence should BERT hide?",
        "question": "Does a mask rate above 15 % give a better encoder at a small budget?",
        "tier": "quick",
        "arms": tuple(arms),
        "factors": (card,),
        "metrics": metrics,
        "claims": claims,
        "looks": (seeds,),
        "learned": LEARNED,
        "config": {RATE: 0.15, "backbone.width": 128, "optimization.learning_rate": 2e-3, "data.corpus": "pydocs"},
        "nuisance": {"optimization.learning_rate": {"range": [1e-3, 4e-3], "trials": 4, "chosen": dict.fromkeys(names, 0.002)}},
        "facts": {"corpus": "pydocs: docstrings & manuals", "vocabulary": 1024, "training_tokens": 2_412_322},
        "budget": {"tokens": 1_200_000, "readings": 8},
        "provenance": {"machine": "2 cores, x86_64", "torch": "2.13.0", "python": "3.11.9"},
    }
    return Specification(**{**planned, **changes})


def records(
    specification: Specification,
    readings: int = 8,
    lost: tuple[tuple[str, int], ...] = (),
    failed: dict[tuple[str, int], str] | None = None,
) -> list[tuple[Arm, int, Record]]:
    rng = np.random.default_rng(0)
    brought = {seed: rng.normal(0, 0.05) for arm in specification.arms for seed in arm.seeds}
    found = []
    for arm in specification.arms:
        for pair, seed in enumerate(arm.seeds):
            noise = brought[seed] + rng.normal(0, 0.015)
            status = (failed or {}).get((arm.name, pair), DONE)
            if (arm.name, pair) in lost:
                continue
            rows = [row for k in range(1, readings + 1) for row in readings_at(specification, arm, k / readings, noise)]
            if arm.role == "untrained":
                rows = readings_at(specification, arm, 0.0, noise)
            error = None if status == DONE else "loss is nan at token 250,000 | step <7>"
            clock = {"compute": 30 + 20 * rate_of(arm), "evaluation": 4.0, "harness": 1.5}
            record = Record(
                identity=f"{arm.name}/{pair}",
                status=status,
                error=error,
                rows=tuple(rows),
                facts={"parameters": 529_000},
                clock=clock,
            )
            found.append((arm, pair, record))
    return found


def rate_of(arm: Arm) -> float:
    return float(arm.values.get(RATE, 0.15))  # type: ignore[arg-type]


def readings_at(specification: Specification, arm: Arm, progress: float, noise: float) -> list[Row]:
    end = TRUTH.get(rate_of(arm), 6.5) if progress else 9.6
    bits = end + noise + 1.6 * (1 - progress) ** 2 * (progress > 0)
    values = {
        BITS.key: bits,
        CLOZE.key: 0.9 - bits / 10,
        PAIRS.key: 0.95 - bits / 20 + noise,
        OWN.key: 3.9 + 2 * rate_of(arm) + noise,
        LEARNED.key: (9.6 - bits) / 1.44,
    }
    stage = {0.0: "initial", 1.0: "final"}.get(progress, "stable" if progress <= 0.8 else "decay")
    tokens = round(1_200_000 * progress)
    spent = {"tokens": tokens, "targets": round(tokens * rate_of(arm)), "flops": tokens * (6e6 + 2e6 * rate_of(arm))}
    spent["seconds"] = progress * (30 + 20 * rate_of(arm))
    metrics = {m.key: m for m in [*specification.metrics, *([specification.learned] if specification.learned else [])]}
    return [
        Row(
            evaluation=m.evaluation,
            metric=m.metric,
            condition=m.condition,
            value=values.get(m.key, bits),
            unit=m.unit,
            better=m.better,
            items=2300,
            stage=stage,
            # mypy: the values of a dictionary have one type, the fields several
            **spent,  # type: ignore[arg-type]
        )
        for m in metrics.values()
    ]


def texts(specification: Specification) -> list[dict[str, Any]]:
    words = ("name", "ValueError", "argument", "TypeError", "list", "the", "of")
    return [
        {
            "arm": arm.name,
            "pair": 0,
            "kind": "fill",
            "input": given,
            "output": filled.format(words[n % 7]),
            "truth": filled.format(truth),
        }
        for n, arm in enumerate(specification.arms)
        for given, filled, truth in TEXTS
    ]


def evidence_of(specification: Specification, **options: Any) -> Evidence:
    found = records(specification, **options)
    return Evidence(specification, frames.tidy(found, specification), frames.runs(found, specification), texts(specification))


@pytest.fixture
def planned() -> Callable[..., Specification]:
    """`planned(levels=..., seeds=..., **fields of the specification)`"""
    return plan


@pytest.fixture
def gathered() -> Callable[..., Evidence]:
    """`gathered(specification, readings=8, lost=..., failed=...)`"""
    return evidence_of


@pytest.fixture
def study() -> Evidence:
    """Five mask rates, five seeds, 40 % best by construction; one run diverged, one is missing."""
    failed = {("mask_rate=0.8", 1): "diverged", ("mask_rate=0.6", 3): "out of memory"}
    return evidence_of(plan(claims=("C04", "C39")), failed=failed, lost=(("a/a", 4),))
