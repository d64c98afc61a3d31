"""What a report is made of: the four files of a report folder, read once, and the analyses several sections share.

| file | content |
| --- | --- |
| study.json | the plan (`ablate.specification`) |
| records.parquet | one row per number (`ablate.analysis.frames.tidy`) |
| runs.parquet | one row per recorded run (`ablate.analysis.frames.runs`) |
| samples.json | list of texts: `{"arm", "pair", "kind", "input", "output", ...}` |

A report is a function of these alone; it reads no clock, no environment and no other file.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from ablate import specification as plan
from ablate.analysis import completeness, distinguishable, frames, means, paired
from ablate.claims.verdicts import Verdict, judge_all
from ablate.config import ConfigError
from ablate.disk import files
from ablate.report import rounding
from ablate.report.blocks import one_line
from ablate.specification import Arm, Metric, Specification

FILES = ("study.json", "records.parquet", "runs.parquet")
SAMPLES = "samples.json"


@dataclass(frozen=True)
class Evidence:
    """Plan, numbers, runs and texts of one study."""

    specification: Specification
    numbers: pd.DataFrame
    runs: pd.DataFrame
    samples: Sequence[dict[str, Any]] = ()
    _kept: dict[tuple[str, str], pd.DataFrame] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def compared(self) -> tuple[Metric, ...]:
        """Columns on which arms are ranked."""
        return tuple(metric for metric in self.specification.metrics if metric.better != "none")

    @property
    def trains(self) -> bool:
        """False for a study that reads no text, as one that times; True where nothing is known."""
        return bool(self.numbers.empty or (self.numbers["tokens"] > 0).any())

    @property
    def reads(self) -> str:
        """What each run is trained on: `600 k tokens of pydocs`; empty where nothing is trained or known."""
        tokens, corpus = self.specification.budget.get("tokens"), self.specification.config.get("data.corpus")
        if not self.trains or not tokens:
            return ""
        return rounding.amount(tokens, "tokens") + (f" of {one_line(str(corpus))}" if corpus else "")

    @property
    def level(self) -> float:
        return 1 - self.specification.alpha

    @property
    def arms(self) -> tuple[Arm, ...]:
        """Table order: baseline and arms as planned, then the A/A arm, then the untrained one."""
        place = {"baseline": 0, "arm": 0, "a/a": 1, "untrained": 2}
        return tuple(sorted(self.specification.arms, key=lambda arm: place[arm.role]))

    @cached_property
    def labels(self) -> dict[str, str]:
        """Arm name to the words shown for it, on one line."""
        return {arm.name: rounding.unbroken(one_line(arm.label) or one_line(arm.name)) for arm in self.specification.arms}

    @cached_property
    def verdicts(self) -> tuple[Verdict, ...]:
        return judge_all(self.numbers, self.runs, self.specification) if self.specification.claims else ()

    def about(self, metric: Metric) -> pd.DataFrame:
        """The rows of one metric, and those that tell trained from untrained runs."""
        return self._once("about", metric, lambda: self._rows(metric))

    def means(self, metric: Metric) -> pd.DataFrame:
        return self._once("means", metric, lambda: means.means(self.about(metric), self.specification, metric, self.level))

    def differences(self, metric: Metric) -> pd.DataFrame:
        return self._once("differences", metric, lambda: paired.differences(self.about(metric), self.specification, metric))

    def best(self, metric: Metric) -> pd.DataFrame:
        return self._once("best", metric, lambda: distinguishable.best_arms(self.about(metric), self.specification, metric))

    def floor(self, metric: Metric) -> float:
        """Absolute mean A/A difference, in the metric's unit; NaN without an A/A arm that has runs."""
        found = self.differences(metric)
        found = found[found["role"] == "a/a"]
        return abs(float(found["mean"].iloc[0])) if len(found) else math.nan

    @cached_property
    def matrix(self) -> pd.DataFrame:
        return completeness.matrix(self.runs, self.numbers, self.specification)

    @cached_property
    def counts(self) -> pd.DataFrame:
        return completeness.counts(self.runs, self.numbers, self.specification)

    def _rows(self, metric: Metric) -> pd.DataFrame:
        learned = self.specification.learned
        keys = {metric.key} | ({learned.key} if learned else set())
        return self.numbers[self.numbers["key"].isin(sorted(keys))].reset_index(drop=True)

    def _once(self, what: str, metric: Metric, make: Any) -> pd.DataFrame:
        if (what, metric.key) not in self._kept:
            self._kept[what, metric.key] = make()
        return self._kept[what, metric.key]


def read(folder: Path) -> Evidence:
    """The evidence in a report folder; `ConfigError` when a file is missing. samples.json may be."""
    lacking = [name for name in FILES if not (folder / name).is_file()]
    if lacking:
        raise ConfigError(f"{folder} is no report folder: it lacks {', '.join(lacking)}; it needs {', '.join(FILES)}")
    texts = folder / SAMPLES
    try:
        return Evidence(
            specification=plan.from_json((folder / "study.json").read_text(encoding="utf-8")),
            numbers=frames.read(folder / "records.parquet"),
            runs=frames.read(folder / "runs.parquet"),
            samples=json.loads(texts.read_text(encoding="utf-8")) if texts.is_file() else [],
        )
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{folder} is damaged: {' '.join(str(error).split())}; run or publish the study again") from error


def write(folder: Path, evidence: Evidence) -> None:
    """The four files, from which `read` gives the same evidence back."""
    files.write(folder / "study.json", plan.to_json(evidence.specification))
    frames.write(evidence.numbers, folder / "records.parquet")
    frames.write(evidence.runs, folder / "runs.parquet")
    text = json.dumps(list(evidence.samples), sort_keys=True, ensure_ascii=False, allow_nan=False, indent=1)
    files.write(folder / SAMPLES, text + "\n")
