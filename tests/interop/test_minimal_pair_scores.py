"""Minimal pairs through exported checkpoints: scores and decisions are those of transformers, one mask at a time."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ablate.collators.pseudo_likelihood import HIDINGS, Hiding
from ablate.data.text import Text
from ablate.evaluation.blimp import Blimp
from ablate.evaluation.sentence_scores import TIE, score
from ablate.interop import MODULES
from ablate.interop.export import write
from ablate.objectives.base import Objective
from tests.interop import naive_scores
from tests.interop.conftest import WORDS as KNOWN
from tests.interop.test_round_trip import load

pytest.importorskip("transformers")

WORDS = [*KNOWN, "riverland", "mountainous", "canyons"]
"""The last are words of several pieces."""
CASES = [(name, hiding) for name in MODULES for hiding in (HIDINGS if name == "bert" else ("token",))]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Swapped words, a word for another, and words that no token knows, which leave nothing to choose by."""
    found, rng = tmp_path_factory.mktemp("pairs"), np.random.default_rng(5)
    for paradigm in ("swap", "replace", "unknown"):
        lines = []
        for _ in range(4):
            good = ["The", *rng.choice(WORDS, 3, replace=False), "number."]
            others = [word for word in WORDS if word not in good]
            bad = {
                "swap": [good[0], good[2], good[1], *good[3:]],
                "replace": [*good[:2], str(rng.choice(others)), *good[3:]],
                "unknown": [*good[:-1], "水"],
            }[paradigm]
            good = [*good[:-1], "火"] if paradigm == "unknown" else good
            lines.append({"sentence_good": " ".join(good), "sentence_bad": " ".join(bad), "linguistics_term": paradigm})
        (found / f"{paradigm}.jsonl").write_text("\n".join(map(json.dumps, lines)))
    return found


@pytest.mark.parametrize(("name", "hiding"), CASES)
def test_scores_and_decisions_are_those_of_transformers(
    name: str, hiding: Hiding, folder: Path, build: Callable[..., Objective], text: Text, tmp_path: Path
) -> None:
    model = build(name)
    theirs = load(write(model, text.tokenizer, tmp_path / "out"))
    blimp = Blimp(source=str(folder), pairs=0, hidings=(hiding,))
    sentences = [ids for paradigm in blimp.make(text) for pair in paradigm.pairs for ids in pair]
    continues = [name.startswith("##") for name in text.tokenizer.tokens(range(text.vocabulary.size))]
    assert any(continues[token] for ids in sentences for token in ids)

    ours = score(model, sentences, "pairs", hiding)
    naive = np.array([naive_scores.score(name, theirs, ids, continues, hiding) for ids in sentences])
    assert np.abs(ours - naive).max() <= 1e-4
    margin, theirs_margin = (nats[0::2] - nats[1::2] for nats in (ours, naive))
    clear = np.abs(theirs_margin) > 1e-4
    assert (np.sign(margin)[clear] == np.sign(theirs_margin)[clear]).all()

    found = {(row.metric, row.condition): row.value for row in blimp.measure(model, text).rows}
    assert found["ties", "overall"] == found["ties", "unknown"] == (np.abs(theirs_margin) < TIE).sum() == 4
    assert found["ties", "overall, same tokens"] == 4
    decided = np.where(clear, theirs_margin > 0, 0.5)
    assert found["accuracy", "overall"] == pytest.approx(decided.mean())
    assert found["accuracy", "overall, ties wrong"] == pytest.approx((theirs_margin[clear] > 0).sum() / 12)
