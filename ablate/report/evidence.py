"""What a report is made of: the four files of a report folder, read once, and the analyses several sections share.

| file | content |
| --- | --- |
| study.json | the plan (`ablate.specification`), sealed, with the SHA-256 of the other three |
| records.parquet | one row per number (`ablate.analysis.frames.tidy`) |
| runs.parquet | one row per recorded run (`ablate.analysis.frames.runs`) |
| samples.json | list of texts: `{"arm", "pair", "kind", "input", "output", ...}` |

A report is a function of these alone; it reads no clock, no environment and no other file.
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
import math
import shlex
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
from ablate.decode import value_of
from ablate.disk import files, folders, sealed
from ablate.disk.files import DamagedError
from ablate.report import rounding
from ablate.report.blocks import one_line
from ablate.specification import Arm, Metric, Specification

STUDY, NUMBERS, RUNS, SAMPLES = "study.json", "records.parquet", "runs.parquet", "samples.json"
FILES = (STUDY, NUMBERS, RUNS)
"""Every report has them; samples.json as well, unless it is of schema 1."""
RECORDED = {NUMBERS, RUNS, SAMPLES}
"""Files whose SHA-256 is in study.json."""
FLOORS = ("majority class", "majority word", "unigram", "bag of words", "TF-IDF", "random initialisation")
"""Conditions under which evaluations record what is reached without pretraining (`ablate.report.floors`)."""
GAIN = "gain"
"""Name of a metric that is a difference already: a score minus that of random weights."""
AGAIN = "run the study again, publish its report again, or restore the folder from git"


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
        return rounding.amount(tokens, "tokens") + (f" of {one_line(_text(str(corpus)))}" if corpus else "")

    @property
    def settings(self) -> tuple[str, ...]:
        """What the study's command sets otherwise than its tier, e.g. `budget.tokens=6000`."""
        words = shlex.split(self.specification.provenance.get("command", ""))
        return tuple(value for option, value in itertools.pairwise(words) if option == "--set")

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
        names = {arm.name: rounding.unbroken(one_line(arm.label) or one_line(arm.name)) for arm in self.specification.arms}
        if start := one_line(str(self.specification.config.get("initial") or "")):
            # The arm that is not trained then holds the weights of a folder, which are not random.
            names |= {arm.name: f"weights of {start}" for arm in self.specification.arms if arm.role == "untrained"}
        return names

    @cached_property
    def verdicts(self) -> tuple[Verdict, ...]:
        return judge_all(self.numbers, self.runs, self.specification) if self.specification.claims else ()

    def about(self, metric: Metric) -> pd.DataFrame:
        """The rows of one metric, and those that tell trained from untrained runs."""
        return self._once("about", metric, lambda: self._rows(metric))

    def ranked(self, metric: Metric) -> pd.DataFrame:
        """The rows of `about` without those of runs that learned nothing: they enter no mean, comparison or claim."""
        return self._once("ranked", metric, lambda: completeness.trained(self.about(metric), self.specification))

    @cached_property
    def learned(self) -> dict[str, bool]:
        """Arm name to whether one of its runs counts: all of them, where nothing of the arm has learned anything."""
        counts = self.counts.set_index("arm")
        return {arm: not count["done"] or count["untrained"] < count["done"] for arm, count in counts.iterrows()}

    def means(self, metric: Metric) -> pd.DataFrame:
        """Means over the runs that learned something; of an arm without such a run, over all its runs."""
        return self._once("means", metric, lambda: self._means(metric))

    def differences(self, metric: Metric) -> pd.DataFrame:
        return self._once("differences", metric, lambda: paired.differences(self.ranked(metric), self.specification, metric))

    def best(self, metric: Metric) -> pd.DataFrame:
        """Best arm and bold print. A column of floors ranks nothing."""
        return self._once("best", metric, lambda: self._best(metric))

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

    def _means(self, metric: Metric) -> pd.DataFrame:
        found = means.means(self.ranked(metric), self.specification, metric, self.level)
        every = means.means(self.about(metric), self.specification, metric, self.level)
        return found.where(found["arm"].map(self.learned), every, axis=0).astype(found.dtypes)

    def _best(self, metric: Metric) -> pd.DataFrame:
        better: Metric = dataclasses.replace(metric, better="none") if is_floor(metric) else metric
        return distinguishable.best_arms(self.ranked(metric), self.specification, better)

    def _rows(self, metric: Metric) -> pd.DataFrame:
        learned = self.specification.learned
        keys = {metric.key} | ({learned.key} if learned else set())
        return self.numbers[self.numbers["key"].isin(sorted(keys))].reset_index(drop=True)

    def _once(self, what: str, metric: Metric, make: Any) -> pd.DataFrame:
        if (what, metric.key) not in self._kept:
            self._kept[what, metric.key] = make()
        return self._kept[what, metric.key]


def _text(corpus: str) -> str:
    """The corpus without the folders of one machine: `files:/home/me/novels.txt` is `novels.txt`."""
    kind, _, path = corpus.partition(":")
    return Path(path).name or corpus if kind in ("files", "imdb") else corpus


def is_floor(metric: Metric) -> bool:
    """Whether a column holds what is reached without pretraining, which ranks no arm."""
    return metric.condition.rpartition(", ")[2] in FLOORS


def is_report(folder: Path) -> bool:
    """Whether a folder is a report. One that a kill left aside is put back first."""
    folders.recover(folder)
    return (folder / STUDY).is_file()


def listed(parent: Path) -> list[Path]:
    """The report folders in a folder, by name. One that a kill left aside is put back first."""
    return [folder for folder in folders.inside(parent) if (folder / STUDY).is_file()]


def read(folder: Path) -> Evidence:
    """The evidence in a report folder, of one moment even while somebody replaces the folder.

    Raises `ConfigError` when a file is missing, and `DamagedError` unless all four are as they were written. Reports of
    schema 1 have no checksums, and may lack samples.json.
    """
    texts = folders.contents(folder, (*FILES, SAMPLES))
    lacking = [name for name in FILES if name not in texts]
    if lacking:
        raise ConfigError(f"{folder} is no report folder: it lacks {', '.join(lacking)}; it needs {', '.join(FILES)}")
    try:
        specification = plan.from_json(texts[STUDY], folder / STUDY)
        _verify(folder, texts, specification.files)
        return Evidence(
            specification=specification,
            numbers=frames.decode_numbers(texts[NUMBERS], specification, folder / NUMBERS),
            runs=frames.decode_runs(texts[RUNS], specification, folder / RUNS),
            samples=_samples(texts.get(SAMPLES, b"[]"), folder / SAMPLES),
        )
    except DamagedError as error:
        raise DamagedError(f"{error}; {AGAIN}") from None


def read_plan(folder: Path) -> Specification:
    """The specification alone. Raises `ConfigError` as `read` does."""
    texts = folders.contents(folder, (STUDY,))
    if not texts:
        raise ConfigError(f"{folder} is no report folder: it lacks {STUDY}")
    try:
        return plan.from_json(texts[STUDY], folder / STUDY)
    except DamagedError as error:
        raise DamagedError(f"{error}; {AGAIN}") from None


def write(folder: Path, evidence: Evidence) -> None:
    """The four files, from which `read` gives the same evidence back. Raises `ValueError` for a number that is not finite."""
    text = json.dumps(list(evidence.samples), sort_keys=True, ensure_ascii=False, allow_nan=False, indent=1)
    made = {
        NUMBERS: frames.encode(evidence.numbers),
        RUNS: frames.encode(evidence.runs),
        SAMPLES: text.encode() + b"\n",
    }
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in made.items()}
    study = plan.to_json(dataclasses.replace(evidence.specification, files=digests))
    for name, data in {**made, STUDY: study}.items():
        files.write(folder / name, data)


def _verify(folder: Path, texts: dict[str, bytes], digests: dict[str, str]) -> None:
    # A schema 1 report has none.
    if digests and set(digests) != RECORDED:
        raise DamagedError(f"{folder / STUDY} is damaged: it has checksums of {', '.join(sorted(digests))}")
    for name, digest in digests.items():
        if name not in texts:
            raise DamagedError(f"{folder / name} is missing")
        if hashlib.sha256(texts[name]).hexdigest() != digest:
            raise DamagedError(f"{folder / name} is damaged: its SHA-256 is not the one in {STUDY}")


def _samples(data: bytes, path: Path) -> tuple[dict[str, Any], ...]:
    try:
        found: tuple[dict[str, Any], ...] = value_of(
            tuple[dict[str, Any], ...], sealed.strict(data, path), "the list of samples"
        )
        for number, sample in enumerate(found):
            value_of(str, sample.get("arm", ""), f"sample {number}: arm")
            value_of(int, sample.get("pair", 0), f"sample {number}: pair")
    except DamagedError:
        raise
    except ValueError as error:
        raise DamagedError(f"{path} is damaged: {error}") from None
    return found
