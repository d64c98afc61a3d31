"""One run: the same twice, equal budgets, a clock that charges training alone, endings recorded as what they are."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import pytest
import torch

from ablate.config import Backbone, Budget, ConfigError, Data, Optimization, RunConfig, Runtime, override
from ablate.evaluation.fine_tuning import FineTuning
from ablate.evaluation.generation import Generation
from ablate.evaluation.masked_bits import MaskedBits
from ablate.evaluation.minimal_pairs import MinimalPairs
from ablate.evaluation.own_loss import OwnLoss
from ablate.evaluation.reading import measurement_identity
from ablate.kernels import freed_memory
from ablate.objectives.bert import Bert
from ablate.objectives.gpt import Gpt
from ablate.records import DIVERGED, DONE, Record, untimed
from ablate.training import PRETRAINING, fit
from ablate.training.fit import WEIGHTS, arithmetic

RUN = RunConfig(
    objective=Bert.Config(mask_rate=0.15, next_sentence="off"),
    backbone=Backbone(width=16, layers=1, heads=2),
    data=Data(corpus="grammar", vocabulary=128, context=32),
    optimization=Optimization(batch=8),
    budget=Budget(tokens=12_000, readings=4),
    evaluations=(MaskedBits(windows=16, length=24), OwnLoss(windows=8)),
    seed=3,
)


def silent(*arguments: object, **named: object) -> None:
    """Progress for nobody."""


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Record:
    return fit(RUN, tmp_path_factory.mktemp("first"))


def test_the_same_run_twice_gives_the_same_rows(first: Record, tmp_path: Path) -> None:
    assert untimed(fit(RUN, tmp_path)) == untimed(first)


def test_another_seed_gives_other_rows_and_the_same_items(first: Record, tmp_path: Path) -> None:
    other = fit(dataclasses.replace(RUN, seed=4), tmp_path)
    assert [row.items for row in other.rows] == [row.items for row in first.rows]
    assert [row.value for row in other.rows] != [row.value for row in first.rows]


def test_readings_leave_no_trace_in_the_training(first: Record, tmp_path: Path) -> None:
    """Eight readings or one: the weights are the same."""
    once = fit(override(RUN, {"budget.readings": 1}), tmp_path)
    assert final(once) == final(first)


def test_arms_of_one_seed_spend_the_same_tokens_and_differ_in_targets(first: Record, tmp_path: Path) -> None:
    other = fit(override(RUN, {"objective.mask_rate": 0.40}), tmp_path)
    ends = [max(record.rows, key=lambda row: row.tokens) for record in (first, other)]
    assert ends[0].tokens == ends[1].tokens >= RUN.budget.tokens
    # A window holds 30 tokens of text: round(0.40 x 30) = 12 targets against round(0.15 x 30) = 4.
    assert ends[1].targets / ends[0].targets == pytest.approx(12 / 4, rel=0.02)
    assert ends[0].tokens - RUN.budget.tokens < RUN.optimization.batch * RUN.data.context


def test_readings_are_evenly_spaced_and_know_their_stage(first: Record) -> None:
    points = sorted({(row.tokens, row.stage) for row in first.rows})
    assert [stage for _, stage in points] == ["initial", "stable", "stable", "stable", "final"]
    for number, (tokens, _) in enumerate(points):
        assert 0 <= tokens - number * RUN.budget.tokens / 4 < RUN.optimization.batch * RUN.data.context


def test_minimal_pairs_are_read_along_a_run_that_asks_for_it(first: Record, tmp_path: Path) -> None:
    asked = MinimalPairs(pairs=4, on_curve=True)
    record = fit(dataclasses.replace(RUN, evaluations=(asked,)), tmp_path)
    read = [row.stage for row in record.rows if (row.metric, row.condition) == ("accuracy", "overall")]
    assert read == ["initial", "stable", "stable", "stable", "final"]
    assert record.identity == first.identity
    assert measurement_identity("", asked) == measurement_identity("", MinimalPairs(pairs=4))
    assert measurement_identity("", asked) != measurement_identity("", MinimalPairs(pairs=5, on_curve=True))


def test_a_curve_is_of_the_first_mask_rate_and_the_end_of_all(first: Record) -> None:
    read = [(row.stage, row.condition) for row in first.rows if row.metric == "bits_per_token"]
    rates = [f"mask_rate={rate:g}" for rate in MaskedBits().rates]
    assert [condition for stage, condition in read if stage != "final"] == rates[:1] * 4
    assert [condition for stage, condition in read if stage == "final"] == rates


def test_the_clock_charges_training_and_writes_the_rest_beside_it(first: Record) -> None:
    end = max(first.rows, key=lambda row: row.tokens)
    assert end.seconds == pytest.approx(first.clock["compute"] + first.clock["data"], rel=1e-6)
    accounts = ("compute", "data", "first_step", "evaluation", "checkpoint", "harness")
    assert sum(first.clock[name] for name in accounts) == pytest.approx(first.clock["total"], rel=0.02)
    assert first.clock["evaluation"] > 0 and first.clock["peak_memory_bytes"] > 1e8


def test_the_untrained_baseline_is_the_same_model_before_its_first_step(first: Record, tmp_path: Path) -> None:
    untrained = fit(dataclasses.replace(RUN, pretrain=False), tmp_path)
    before = [(r.evaluation, r.condition, r.value) for r in first.rows if r.stage == "initial"]
    known = [(r.evaluation, r.condition) for r in first.rows if r.stage == "initial"]
    whole = [(r.evaluation, r.condition, r.value) for r in untrained.rows]
    assert [row for row in whole if row[:2] in known] == before
    assert all(row.tokens == 0 and row.stage == "final" for row in untrained.rows)


def test_a_loss_that_is_not_a_number_is_recorded_as_diverged(tmp_path: Path) -> None:
    wild = override(RUN, {"optimization.learning_rate": 1e30, "optimization.warmup": 0.0, "optimization.clip_norm": 0.0})
    record = fit(wild, tmp_path)
    assert record.status == DIVERGED and "tokens" in str(record.error)
    assert all(math.isfinite(row.value) for row in record.rows)


def test_a_new_evaluation_is_measured_from_the_weights_without_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = dataclasses.replace(RUN, evaluations=RUN.evaluations[:1])
    earlier = PRETRAINING.run(few, tmp_path, silent, None)
    monkeypatch.setattr("ablate.training.pretraining.train", lambda *arguments: pytest.fail("trained again"))
    later = PRETRAINING.run(RUN, tmp_path, silent, earlier)
    monkeypatch.undo()
    assert later.status == DONE and later.measured == dict(PRETRAINING.identify(RUN).measurements)
    assert final(later) == final(fit(RUN, tmp_path / "whole"))
    (tmp_path / WEIGHTS).unlink()
    assert final(PRETRAINING.run(RUN, tmp_path, silent, earlier)) == final(later)


@pytest.mark.parametrize("damage", ["flipped", "cut", "of another run"])
def test_damaged_weights_are_never_measured_but_trained_again(
    tmp_path: Path, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    bare = dataclasses.replace(RUN, evaluations=(OwnLoss(windows=8),))
    earlier = fit(bare, tmp_path / "run")
    weights = tmp_path / "run" / WEIGHTS
    whole = weights.read_bytes()
    if damage == "of another run":
        fit(dataclasses.replace(bare, seed=4), tmp_path / "other")
        changed = (tmp_path / "other" / WEIGHTS).read_bytes()
    else:
        changed = whole[:-1] if damage == "cut" else whole[:-1] + bytes([whole[-1] ^ 1])
    weights.write_bytes(changed)
    record = PRETRAINING.run(RUN, tmp_path / "run", silent, earlier)
    assert untimed(record)["rows"] == untimed(fit(RUN, tmp_path / "undisturbed"))["rows"]
    assert weights.read_bytes() == whole
    assert (tmp_path / "run" / "weights.damaged-1.safetensors").read_bytes() == changed
    assert capsys.readouterr().err.startswith(f"ablate: {weights} is damaged: ")


def test_a_evaluation_that_trains_says_how_far_it_is_and_leaves_the_weights_alone(first: Record, tmp_path: Path) -> None:
    sizes = {"train": 16, "validation": 8, "test": 16, "length": 12, "epochs": 1}
    tuned = dataclasses.replace(RUN, evaluations=(FineTuning(tasks="bigram-shift", **sizes), *RUN.evaluations))
    said: list[tuple[object, ...]] = []
    record = fit(tuned, tmp_path, lambda phase, done=0, total=0: said.append((phase, done, total)))
    assert ("fine-tuning bigram-shift", 4, 4) in said, "two starts, two rates, one batch"
    assert [row for row in final(record) if row[0] != "fine-tuning"] == final(first)
    assert record.measured.keys() == {"fine-tuning", "masked-bits", "own-loss"}


def test_the_identity_holds_what_shapes_the_weights_and_nothing_else() -> None:
    identity = PRETRAINING.identify(RUN)
    same = PRETRAINING.identify(dataclasses.replace(RUN, evaluations=()))
    assert identity.training == same.training and set(identity.measurements) == {"masked-bits", "own-loss"}
    for path, value in {
        "seed": 4,
        "objective.mask_rate": 0.2,
        "runtime.threads": 2,
        "data.corpus": "pydocs",
        "budget.tokens": 9,
    }.items():
        assert PRETRAINING.identify(override(RUN, {path: value})).training != identity.training, path


@pytest.mark.parametrize(("device", "inside"), [("cpu", freed_memory.KEPT), ("cuda", {})])
def test_freed_memory_is_kept_for_the_next_step_on_a_cpu(
    device: str, inside: dict[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    told: dict[int, int] = {}
    monkeypatch.setattr(freed_memory, "_mallopt", lambda: told.__setitem__)
    with arithmetic(dataclasses.replace(RUN, runtime=Runtime(device=device))):
        assert told == inside
    assert told == (freed_memory.GIVEN_BACK if inside else {})


@pytest.mark.skipif(torch.cuda.is_available(), reason="the refusal is for machines without the device")
def test_a_device_that_is_not_there_is_refused_before_anything_is_built() -> None:
    with pytest.raises(ConfigError, match=r"device 'cuda' is not on this machine; it has cpu"):
        PRETRAINING.prepare(dataclasses.replace(RUN, runtime=Runtime(device="cuda")), silent)


def final(record: Record) -> list[tuple[str, str, float]]:
    return sorted(
        (r.evaluation, f"{r.metric}@{r.condition}", r.value)
        for r in record.rows
        if r.stage == "final" and r.evaluation != "training"
    )


def test_what_a_model_writes_is_read_at_the_end_and_both_counts_of_arithmetic_are_facts(tmp_path: Path) -> None:
    evaluation = Generation(texts=16, length=12, temperatures=(0.5, 1.0), references=50, judged=5_000)
    run = dataclasses.replace(RUN, objective=Gpt.Config(), evaluations=(evaluation,))
    record = fit(run, tmp_path)
    assert record.status == DONE
    assert {row.condition for row in record.rows if row.evaluation == "generation"} == {
        "real text", "temperature=0.5", "temperature=1",
    }  # fmt: skip
    assert {row.stage for row in record.rows if row.evaluation == "generation"} == {"final"}
    end = max(record.rows, key=lambda row: row.tokens)
    assert record.facts["flops_per_token"] == pytest.approx(end.flops / end.tokens)
    rows, length, width = 8, 32, 16
    hidden = 3 * 4 * width * rows * length * (length - 1) // 2
    steps = end.targets / (rows * length)
    assert record.facts["dense_flops_per_token"] - record.facts["flops_per_token"] == pytest.approx(hidden * steps / end.tokens)
