"""BLiMP's table and the table of comparable columns: there where the evidence has them, with the published rows beside."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from ablate.analysis import frames
from ablate.claims import warstadt2020
from ablate.records import Record, Row
from ablate.report import evidence as evidence_files
from ablate.report.blimp import blimp
from ablate.report.blocks import Table
from ablate.report.comparable import comparable
from ablate.report.compile import build, compile_report
from ablate.report.evidence import Evidence
from ablate.specification import Metric, Specification

BITS = Metric(evaluation="bits-per-byte", metric="bits_per_byte", condition="exact", label="bits per byte", unit="bits")
CHOICE = Metric(
    evaluation="blimp", metric="accuracy", condition="overall", label="BLiMP", unit="%", better="higher", scale=100, digits=1
)
OWN = Metric(evaluation="own-loss", metric="nats_per_target", label="own loss", unit="nats", better="none")
WORDS = {"mask_rate=0.15": ("exact", "a"), "mask_rate=0.3": ("exact", "b"), "mask_rate=0.4": ("pseudo", "c")}


def rows(arm: int, seed: int, phenomena: tuple[str, ...]) -> list[Row]:
    found = [Row(evaluation="own-loss", metric="nats_per_target", value=2.0 + arm, unit="nats")]
    if arm < 2:
        found.append(Row(evaluation="bits-per-byte", metric="bits_per_byte", condition="exact", value=2.0 + arm, unit="bits"))
    shares = {"overall": 0.6, "overall, ties wrong": 0.55, "overall, fewer tokens": 0.542, **dict.fromkeys(phenomena, 0.7)}
    for condition, share in shares.items():
        value = share + 0.01 * arm + 0.001 * seed
        found.append(Row(evaluation="blimp", metric="accuracy", condition=condition, value=value, unit="share", items=268))
        found.append(Row(evaluation="blimp", metric="ties", condition=condition, value=7.0, unit="pairs", items=268))
    found.append(Row(evaluation="blimp", metric="standard_error", condition="overall", value=0.0304, unit="share", items=268))
    found.append(Row(evaluation="blimp", metric="left_out", condition="overall", value=3.0, unit="pairs", items=271))
    return found


@pytest.fixture
def read(planned: Callable[..., Specification]) -> Callable[..., Evidence]:
    def make(phenomena: tuple[str, ...] = warstadt2020.PHENOMENA) -> Evidence:
        plan = planned(levels=(0.15, 0.3, 0.4), seeds=3, metrics=(CHOICE, BITS, OWN), learned=None)
        named = {
            arm: {"blimp": scored, "own-loss/nats_per_target": f"the loss of {objective}"}
            | ({} if scored == "pseudo" else {BITS.key: "exact"})
            for arm, (scored, objective) in WORDS.items()
        }
        plan = dataclasses.replace(plan, estimators=named)
        results = [
            (arm, pair, Record(identity=f"{arm.name}/{pair}", rows=tuple(rows(number, pair, phenomena))))
            for number, arm in enumerate(plan.arms)
            for pair in range(3)
        ]
        return Evidence(plan, frames.tidy(results, plan), frames.runs(results, plan))

    return make


def table(evidence: Evidence) -> Table:
    section = blimp(evidence)
    assert section is not None
    (found,) = section.blocks
    assert isinstance(found, Table)
    return found


def text(found: Table) -> list[list[str]]:
    return [[str(cell.text) for cell in row] for row in found.rows]


def test_arms_stand_beside_the_published_models(read: Callable[..., Evidence]) -> None:
    found = table(read())
    lines = text(found)
    assert lines[0] == ["overall", "60.1", "61.1", "62.1", "64.1", "61.2", "69.8", "69.6", "83.0", "88.6"]
    assert lines[1] == ["overall, a tie wrong", "55.1", "56.1", "57.1", "59.1", "", "", "", "", ""]
    assert lines[2] == ["ties, pairs", *"7777", *[""] * 5]
    assert lines[3] == ["anaphor agreement", *("70.1", "71.1", "72.1", "74.1"), "47.9", "91.7", "94.1", "99.3", "97.5"]
    assert [line[0] for line in lines[3:]] == list(warstadt2020.PHENOMENA)
    assert [column.label for column in found.columns][5:] == ["5-gram", "LSTM", "Transformer-XL", "GPT-2 large", "people"]
    assert {column.group for column in found.columns[5:]} == {"Warstadt et al. 2020, Table 3"}
    notes = " ".join(found.notes)
    assert "268 pairs were read for each arm" in notes
    assert "within a standard error of 3.0" in notes
    assert "left out for a sentence longer than allowed: 3 pairs" in notes
    assert "exact likelihood (“mask 15\u00a0%” and “mask 30\u00a0%”); pseudo-likelihood (“mask 40\u00a0%”)" in notes
    assert "the sentence of fewer tokens is right in 54.2 %" in notes
    human = found.frame[(found.frame["model"] == "people, single annotators") & (found.frame["phenomenon"] == "island effects")]
    assert human["value"].tolist() == [84.9]


def test_other_phenomena_have_no_published_columns(read: Callable[..., Evidence]) -> None:
    lines = text(table(read(("binding", "word order"))))
    assert [line[0] for line in lines] == ["overall", "overall, a tie wrong", "ties, pairs", "binding", "word order"]
    assert len(lines[0]) == 5


def test_columns_say_what_they_compare(read: Callable[..., Evidence]) -> None:
    found = comparable(read())
    assert found is not None
    first, second, third = (f"“mask {rate}\u00a0%”" for rate in (15, 30, 40))
    own = "choices by each arm's own score"
    assert text(found) == [
        ["BLiMP", "all arms", f"{own}: exact likelihood ({first} and {second}); pseudo-likelihood ({third})"],
        ["bits per byte", f"{first} and {second}", "exact likelihood"],
        [
            "own loss",
            "no two arms",
            "; ".join(f"the loss of {n} ({arm})" for n, arm in zip("abc", (first, second, third), strict=True)),
        ],
    ]


def test_evidence_without_them_has_neither(study: Evidence) -> None:
    assert blimp(study) is None
    assert comparable(study) is None
    assert "blimp" not in [section.anchor for section in build(study).sections]


def test_the_report_compiles_with_them(read: Callable[..., Evidence], tmp_path: Path) -> None:
    evidence_files.write(tmp_path, read())
    compile_report(tmp_path)
    page = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "## BLiMP" in page
    assert (tmp_path / "tables" / "blimp.tex").exists()
    assert (tmp_path / "tables" / "comparable.csv").exists()


def test_published_numbers_agree_among_themselves() -> None:
    """The overall figure is the mean over the paradigms: of each phenomenon as many as the paper has."""
    sizes = (2, 9, 7, 5, 8, 2, 7, 2, 8, 7, 4, 6)
    assert sum(sizes) == 67
    for overall, *phenomena in warstadt2020.MODELS.values():
        weighted = sum(size * value for size, value in zip(sizes, phenomena, strict=True)) / 67
        assert weighted == pytest.approx(overall, abs=0.1)
