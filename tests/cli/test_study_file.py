"""What is wrong in a study file of one's own is said in one line that names the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from ablate.cli import main

HEAD = """
from dataclasses import replace
from ablate.evaluation.cloze import Cloze
from ablate.evaluation.masked_bits import MaskedBits
from ablate.study.columns import CLOZE, masked_bits
from ablate.study.factor import Factor
from ablate.study.study import Tier
from tests.study.planted import STUDY as PLANTED

def asks(*metrics, **fields):
    base = replace(PLANTED.base, evaluations=(Cloze(), MaskedBits(rates=(0.15,))))
    return replace(PLANTED, name="mine", base=base, metrics=metrics, **fields)

"""


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ('STUDY = asks(replace(CLOZE, metric="acuracy"))', "cloze/acuracy@word, but cloze gives accuracy@word"),
        ("STUDY = asks(CLOZE, masked_bits(0.4))", "masked-bits gives bits_per_token@mask_rate=0.15"),
        (
            'Factor(path="objective.level", levels=("uniform"))',
            "levels = 'uniform', but must be a tuple of levels; a single one",
        ),
        ('Factor(path="objective.level", levels=[0.1, 0.2])', "levels = [0.1, 0.2], but must be a tuple of levels"),
        ('Tier(seeds=1, levels={"objective.level": (0.4)})', "levels of objective.level = 0.4, but must be a tuple of levels"),
        ("STUDY = asks((CLOZE))\nSTUDY = replace(STUDY, metrics=(CLOZE))", "metrics = Metric("),
        (
            'STUDY = asks(CLOZE, claims=("C04"))',
            "study mine: claims = 'C04', but must be a tuple; a single entry needs a comma",
        ),
        (
            'STUDY = asks(CLOZE, factors=(Factor(path="objective.level", levels=(0.2, 0.4)),))',
            "tier smoke: factor objective.level has levels 0.2, 0.4, but the base run has 0.15",
        ),
        ('STUDY = asks(CLOZE, tiers={"smoke": Tier(seeds=1, overrides={"budget.token": 5})})', "unknown field 'budget.token'"),
        ("import sys\nsys.exit(3)", "SystemExit: 3"),
        ("raise SystemExit('no data')", "SystemExit: no data"),
    ],
)
@pytest.mark.parametrize("command", ["plan", "run"])
def test_it_is_refused(
    command: str, source: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(HEAD + source + "\n")
    assert main([command, "mine.py", "--tier", "smoke"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("ablate: mine.py") and message in error and error.count("\n") == 1
    assert not Path(".runs").exists() and not Path("reports").exists()
