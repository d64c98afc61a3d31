"""A new study is one file and its line in the README: it is then listed, a session, and can be planned and run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

STUDY = '''"""Does a wider feed-forward layer help BERT? Nobody asked at this size."""

from ablate import training
from ablate.config import Backbone, Budget, Data, RunConfig
from ablate.evaluation.masked_bits import MaskedBits
from ablate.objectives.bert import Bert
from ablate.study.columns import MASKED_LEARNED, masked_bits
from ablate.study.factor import Factor
from ablate.study.study import Study, Tier

STUDY = Study(
    name="my-question",
    title="Width of the feed-forward layer",
    question="Does a wider feed-forward layer help BERT?",
    base=RunConfig(
        objective=Bert.Config(next_sentence="off"),
        backbone=Backbone(width=32, layers=2, heads=2),
        data=Data(corpus="grammar", vocabulary=128),
        budget=Budget(tokens=800_000),
        evaluations=(MaskedBits(rates=(0.15,)),),
    ),
    factors=(Factor(path="backbone.feed_forward", levels=(4, 8), source="nobody"),),
    metrics=(masked_bits(0.15),),
    learned=MASKED_LEARNED,
    tiers={"smoke": Tier(seeds=3, overrides={"budget.tokens": 6_000, "budget.readings": 2}), "quick": Tier(seeds=5)},
    measure=training.PRETRAINING,
)
'''
ROW = "| [my-question](studies/my_question.py) | Does a wider feed-forward layer help BERT? |"


@pytest.fixture
def followed(house: Any) -> Any:
    house.write("studies/my_question.py", STUDY)
    readme = (house.root / "README.md").read_text(encoding="utf-8").splitlines()
    house.add("README.md", next(line for line in readme if line.startswith("| [bert-masking]")), ROW)
    return house


def test_it_is_listed_a_session_and_planned(followed: Any) -> None:
    assert "my-question" in followed.run("ablate", "list")
    followed.test("tests/test_readme.py", "tests/test_noxfile.py")
    assert "feed_forward=8" in followed.run("ablate", "plan", "my-question", "--tier", "smoke")


@pytest.mark.smoke
def test_it_runs(followed: Any, tmp_path: Path) -> None:
    places = ("--runs", str(tmp_path / "runs"), "--reports", str(tmp_path / "reports"))
    followed.run("ablate", "run", "my-question", "--tier", "smoke", *places)
    report = (tmp_path / "reports" / "my-question-smoke" / "README.md").read_text(encoding="utf-8")
    assert "Does a wider feed-forward layer help BERT?" in report
