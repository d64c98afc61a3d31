"""What the runs of one report agree on, and what they mix: machines, library versions, texts and source code."""

from __future__ import annotations

from collections import Counter

from ablate.config import ConfigError
from ablate.study.looks import plan_digest, read
from ablate.study.options import Setup
from ablate.study.results import Results

SOURCE = "source"
"""The ingredient that is the fingerprint of the code."""
MOVES_NUMBERS = ("torch", "lightning", "numpy", "tokenizers", "python", "system", "processor", "device")
"""Provenance that two runs of one table must share."""


def check_environment(setup: Setup, found: Results) -> None:
    """Raise `ConfigError` where a run started now would differ from a finished one in what moves numbers."""
    here = setup.study.measure.environment(setup.study.base)
    if not setup.allow_mixed:
        for _, _, record in found:
            for key in MOVES_NUMBERS:
                there = record.provenance.get(key)
                if there is not None and key in here and there != here[key]:
                    hint = "--allow-mixed shows both in one table and says so; --runs DIR starts afresh"
                    raise ConfigError(f"finished runs of this study have {key} {there}, but this is {here[key]}; {hint}")


def provenance(setup: Setup, found: Results) -> dict[str, str]:
    """What all runs agree on; where they differ, every value with the number of its runs, marked as mixed.

    Which source files a run depends on is a matter of its objective, so sources are compared among the runs of one.
    Raises `ConfigError` for a mixture that could move the numbers, unless the command allowed it.
    """
    counts: dict[str, Counter[str]] = {}
    sources: dict[str, Counter[str]] = {}
    for _, _, record in found:
        fingerprints = {f"{name} fingerprint": value for name, value in record.ingredients.items() if name != SOURCE}
        for key, value in {**record.provenance, **fingerprints}.items():
            counts.setdefault(key, Counter())[value] += 1
        if SOURCE in record.ingredients:
            sources.setdefault(str(record.config.get("objective.name", "")), Counter())[record.ingredients[SOURCE]] += 1
    mixed = {key: _counted(c) for key, c in counts.items() if len(c) > 1}
    for key in MOVES_NUMBERS:
        if key in mixed and not setup.allow_mixed:
            raise ConfigError(f"the runs mix {key}: {mixed[key]}; --allow-mixed shows them in one table and says so")
    for objective, c in sources.items():
        of = f" of {objective}" if len(sources) > 1 else ""
        if len(c) > 1:
            mixed[f"{SOURCE} fingerprint{of}"] = _counted(c)
        else:
            counts[f"{SOURCE} fingerprint{of}"] = c
    agreed = {key: next(iter(c)) for key, c in sorted(counts.items()) if len(c) == 1}
    note = {"tier": setup.tier.note} if setup.tier.note else {}
    if read(setup).plan_digest != plan_digest(setup):
        note["changed plan"] = "Columns, levels or thresholds of the study were changed after it was planned."
    return {**agreed, **{f"mixed {key}": mixed[key] for key in sorted(mixed)}, "command": setup.command, **note}


def _counted(counts: Counter[str]) -> str:
    return "; ".join(f"{value} ({n} runs)" for value, n in sorted(counts.items()))
