"""What may be spent is the same for both evaluations that train, checked once and digested with their identity."""

from __future__ import annotations

from typing import Any

import pytest

from ablate.config import ConfigError
from ablate.evaluation.effort import samples
from ablate.evaluation.fine_tuning import FineTuning
from ablate.evaluation.reading import measurement_identity
from ablate.evaluation.text_to_text import TextToText
from ablate.measure import silent


@pytest.mark.parametrize("kind", [FineTuning, TextToText])
def test_sizes_are_checked_and_digested(kind: Any) -> None:
    for wrong in (
        {"train": 7},
        {"validation": 0},
        {"test": 0},
        {"length": 1},
        {"draws": 0},
        {"epochs": 0},
        {"batch": 0},
        {"rates": (-1.0,)},
    ):
        with pytest.raises(ConfigError, match=rf"{kind.name} {next(iter(wrong))} = .*, but must be"):
            kind(**wrong)
    changed = [kind(), kind(epochs=9), kind(draws=2), kind(rates=(1e-4,)), kind(length=30), kind(tasks="bigram-shift")]
    assert len({measurement_identity("run", ruler) for ruler in changed}) == len(changed)


def test_both_are_given_the_same_examples_and_steps(english: Any) -> None:
    sizes: dict[str, Any] = {"train": 33, "validation": 20, "test": 30, "length": 12, "rates": (1e-3, 1e-2, 1e-1), "epochs": 4}
    one, other = (kind(**sizes, tasks="topic,bigram-shift") for kind in (FineTuning, TextToText))
    found, same = one.posed(english), other.posed(english)
    for posed, again in zip(found, same, strict=True):
        assert [part.examples for part in posed.parts] == [part.examples for part in again.parts]
        assert [len(part.examples) for part in posed.parts] == [33, 20, 30]
        assert max(len(shown.first) for part in posed.parts for shown in part.shown) == 12
    # Two starts, three rates, four epochs of three batches of 16; both tasks at once are five batches.
    assert one.step_counter(silent, found[:1]).total == 72
    assert other.step_counter(silent, same).total == 120


def test_samples_go_as_far_as_what_was_said(english: Any) -> None:
    (posed,) = FineTuning(train=33, length=12).posed(english)
    shown = samples("task", posed, ["yes", "no"], ["a", "b", "c"])
    assert [(one["output"], one["truth"], one["kind"]) for one in shown] == [
        ("yes", "a", "task topic"),
        ("no", "b", "task topic"),
    ]
    assert shown[0]["input"] == posed.test.texts[0][0]
