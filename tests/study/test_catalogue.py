"""The table of columns, held against what evaluations measure, what records hold, and what studies ask for."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from ablate.config import ConfigError, RunConfig
from ablate.evaluation import EVALUATIONS, evaluation_of
from ablate.evaluation.cloze import Cloze
from ablate.evaluation.linear_probe import LinearProbe
from ablate.evaluation.masked_bits import MaskedBits
from ablate.measure import from_function
from ablate.specification import Metric
from ablate.study.catalogue import COLUMNS, _at, _matches, check_columns, columns
from ablate.study.columns import CLOZE, masked_bits
from ablate.study.discover import listing, load
from ablate.study.options import Options
from ablate.study.run import run_inline
from ablate.study.study import Study
from ablate.testing.english import english
from ablate.testing.metric import model_for, smoke
from tests.study.planted import LOSS, STUDY, learn

ROOT = Path(__file__).parents[2]
STUDIES = [study.path for study in listing(ROOT / "studies")]
REPORTS = sorted(path.parent for path in (ROOT / "reports").glob("*/records.parquet"))


def asks(*metrics: Metric, evaluations: tuple[Any, ...]) -> Study:
    base = dataclasses.replace(STUDY.base, evaluations=evaluations)
    return dataclasses.replace(STUDY, base=base, metrics=metrics)


def test_every_evaluation_has_its_columns() -> None:
    assert set(COLUMNS) == {*EVALUATIONS, "training"}


@pytest.mark.parametrize("name", sorted(EVALUATIONS))
def test_what_an_evaluation_measures_is_in_the_table(name: str, tmp_path: Path) -> None:
    smallest, text = smoke(evaluation_of(name), tmp_path), english()
    known = columns(smallest)
    measured = [_at(row.metric, row.condition) for row in smallest.measure(model_for(smallest, text), text).rows]
    assert measured and not [column for column in measured if not any(_matches(pattern, column) for pattern in known)]


@pytest.mark.parametrize("folder", REPORTS, ids=lambda path: path.name)
def test_what_records_hold_is_in_the_table(folder: Path) -> None:
    table = pd.read_parquet(folder / "records.parquet")[["evaluation", "metric", "condition"]].drop_duplicates()
    for evaluation, metric, condition in table.itertuples(index=False):
        if evaluation in EVALUATIONS:
            patterns = COLUMNS[evaluation].items()
            loose = [_at(name, one) for name, conditions in patterns for one in conditions]
            assert any(_matches(pattern, _at(metric, condition)) for pattern in loose), (evaluation, metric, condition)


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_every_column_of_every_study_is_given(path: Path) -> None:
    study = load(path)
    for tier in study.tiers:
        check_columns(study.at(tier))


@pytest.mark.parametrize(
    ("metric", "evaluations", "message"),
    [
        (dataclasses.replace(CLOZE, metric="acuracy"), (Cloze(),), "cloze/acuracy@word, but cloze gives accuracy@word"),
        (dataclasses.replace(CLOZE, condition="sentence"), (Cloze(),), "but cloze gives accuracy@word"),
        (
            masked_bits(0.4),
            (MaskedBits(rates=(0.15,)),),
            r"masked-bits/bits_per_token@mask_rate=0\.4, but masked-bits gives bits_per_token@mask_rate=0\.15",
        ),
        (CLOZE, (MaskedBits(), LinearProbe()), "but its evaluations are masked-bits, linear-probe; add cloze to them"),
        (
            dataclasses.replace(CLOZE, metric="x", condition=""),
            (Cloze(),),
            "cloze/x, but cloze gives accuracy@word, accuracy@majority",
        ),
    ],
)
def test_a_column_that_nothing_fills_is_refused(metric: Metric, evaluations: tuple[Any, ...], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        check_columns(asks(metric, evaluations=evaluations))


def test_each_value_of_a_field_has_a_column() -> None:
    assert columns(MaskedBits(rates=(0.15, 0.5))) == [
        *("bits_per_token@mask_rate=0.15", "bits_per_token@mask_rate=0.5"),
        *("nats_below_unigram@mask_rate=0.15", "nats_below_unigram@mask_rate=0.5"),
    ]


def test_an_evaluation_of_ones_own_is_told_after_its_first_run(tmp_path: Path) -> None:
    calls: list[RunConfig] = []

    def counted(config: RunConfig) -> list[Any]:
        calls.append(config)
        return learn(config)

    study = dataclasses.replace(STUDY, metrics=(dataclasses.replace(LOSS, metric="los"),), measure=from_function(counted))
    options = Options(tier="smoke", root=tmp_path / "runs", reports=tmp_path / "reports")
    for _ in range(2):
        with pytest.raises(
            ConfigError, match="ranks by planted/los, which a finished run of its baseline lacks; it has planted/loss"
        ):
            run_inline(study, options)
    assert len(calls) == 1 and not (tmp_path / "reports").exists()
