"""A session: who competes, that what is wrong is caught and not timed, and that an interrupted one goes on."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from ablate.config import ConfigError, RunConfig, Runtime
from ablate.kernels import freed_memory
from ablate.kernels.bench import timing as measure
from ablate.kernels.bench.competitors import HUGGING_FACE, Contender, contenders, names
from ablate.kernels.bench.correctness import Truths, errors, verdict
from ablate.kernels.bench.grid import MASKS, SCALINGS, AttentionGrid, Point, points
from ablate.kernels.bench.profiling import busiest
from ablate.kernels.bench.ratios import BEST, KEPT, SCALING, places, ratios
from ablate.kernels.bench.rows import rows
from ablate.kernels.bench.session import Result, at_point, by_memory, calmer, restless, session
from ablate.kernels.bench.terminal import bench
from ablate.kernels.bench.timing import TIMING, run_session
from ablate.nn.attention.backends import Machine
from ablate.records import DONE
from ablate.seeds import generator
from ablate.timing.interleaved import Times, Wall

CPU, FLOAT = torch.device("cpu"), torch.float32
RUN = RunConfig(objective=AttentionGrid(size="smoke", seconds=0.0, rounds=3), runtime=Runtime(threads=1))


def point(mask: str, length: int = 24, rows: int = 2, **changes: Any) -> Point:
    # mypy: a plain string is no name of a mask to it
    return Point(mask=mask, length=length, head_width=8, heads=2, rows=rows, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("mask", MASKS)
def test_every_competitor_is_right(mask: str) -> None:
    """Against the formula in float64; the dense form of two streams has its own order, so this checks the sorting too."""
    here = point(mask)
    entered = contenders(here, Machine(device="cpu", lacks=("native",)), CPU, FLOAT, "all")
    assert [c.name for c in entered] == names(here, Machine(device="cpu", lacks=("native",)), FLOAT, "all")
    for contender in entered:
        if contender.checked:
            found, _ = errors(contender, here, Truths(here))
            assert not verdict(found, contender.runs, FLOAT), contender.name


def test_the_textbook_form_of_two_streams_is_the_sorted_one_in_text_order() -> None:
    here = point("two-stream", rows=3)
    entered = {c.name: c for c in contenders(here, Machine(device="cpu", lacks=("native",)), CPU, FLOAT, "all")}
    outputs = {}
    for name in ("naive", "dense:naive"):
        contender = entered[name]
        outputs[name] = contender.forward(tuple(leaf.tensor for leaf in contender.leaves), contender.scale(here, 2), "naive")
    # Content rows come in another order, so they are compared as sets; query rows stand in the order of prediction in both.
    T = here.length
    for a, b in zip(outputs["naive"], outputs["dense:naive"], strict=True):
        torch.testing.assert_close(a[T:], b[T:])
        torch.testing.assert_close(a[:T].sort(dim=0).values, b[:T].sort(dim=0).values)


def test_hugging_face_hides_what_is_to_be_hidden() -> None:
    """Its relative term is random here, so only who sees whom can be compared: the gradient of one row of the output."""
    here = point("two-stream", rows=1)
    entered = {c.name: c for c in contenders(here, Machine(device="cpu", lacks=("native",)), CPU, FLOAT, "all")}
    contender = entered[HUGGING_FACE]
    tensors = tuple(leaf.tensor for leaf in contender.leaves)
    out = contender.forward(tensors, contender.scale(here, 2), "")
    pairs = 0
    for place in range(out.shape[0]):
        (gradient,) = torch.autograd.grad(out[place].sum(), tensors[:1], retain_graph=True)
        pairs += int((gradient[:, 0, 2].abs().sum(dim=(-1, -2)) > 1e-12).sum())
    assert pairs == here.pairs()


def with_forward(contender: Contender, change: Any) -> Contender:
    def forward(given: tuple[Tensor, ...], scale: Any, backend: str) -> Tensor:
        found = contender.forward(given, scale, backend)
        return found if backend == "reference" else change(found)

    return dataclasses.replace(contender, name="wrong", forward=forward)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda z: z * 1.001, "error of the output"),
        (lambda z: torch.where(torch.arange(z.shape[1])[:, None] == 5, torch.nan, z), "error of the output nan"),
        (lambda z: z.detach() + 0.999 * (z - z.detach()), "error of the gradients"),
    ],
)
def test_a_wrong_backend_is_shown_and_not_timed(change: Any, what: str) -> None:
    here = point("causal")
    entered = contenders(here, Machine(device="cpu", lacks=("native",)), CPU, FLOAT, "compared")
    found = at_point(here, RUN, CPU, FLOAT, Wall(), [*entered, with_forward(entered[0], change)])
    wrong = found[-1]
    assert what in wrong.wrong and wrong.times is None
    assert all(result.times is not None and not result.wrong for result in found[:-1])
    assert not any(row.evaluation == "attention-time" and "competitor=wrong" in row.condition for row in _rows(found))


def test_a_kernel_that_stops_running_is_caught_after_the_check() -> None:
    """Right when it is checked, and later an output that nobody wrote."""
    here = point("full")
    entered = contenders(here, Machine(device="cpu", lacks=("native",)), CPU, FLOAT, "compared")
    calls = []

    def lazy(z: Tensor) -> Tensor:
        calls.append(1)
        return z if len(calls) < 6 else z * torch.nan

    found = at_point(here, RUN, CPU, FLOAT, Wall(), [*entered, with_forward(entered[0], lazy)])
    assert "differs from the checked one" in found[-1].wrong and found[-1].times is None


def test_a_competitor_that_cannot_run_costs_the_others_nothing() -> None:
    here = point("full")
    entered = contenders(here, Machine(device="cpu", lacks=("native",)), CPU, FLOAT, "compared")

    def broken(given: Any, scale: Any, backend: str) -> Tensor:
        raise RuntimeError("no kernel\nfor this shape")

    found = at_point(here, RUN, CPU, FLOAT, Wall(), [dataclasses.replace(entered[0], name="wrong", forward=broken), *entered])
    assert found[0].wrong == "RuntimeError: no kernel for this shape" and found[0].times is None
    assert all(result.times is not None for result in found[1:])


def _rows(found: Any) -> Any:
    from ablate.kernels.bench.ceilings import Ceilings
    from ablate.kernels.bench.session import Session

    return rows(Session(results=tuple(found), ceilings=Ceilings(1e9, 1e9), itemsize=4, load=(0.0, 0.0)))


def test_ratios_of_planted_times() -> None:
    from ablate.kernels.bench.session import Result
    from ablate.timing.interleaved import Times

    long, scaled = point("causal", 256), point("full", 512, scalings=True)

    def result(where: Point, name: str, seconds: float) -> Result:
        return Result(point=where, name=name, runs=name, times=Times((seconds,) * 3, (2 * seconds,) * 3))

    planted = [
        result(long, "naive", 3.0),
        result(long, "sdpa:flash", 2.4),
        result(long, "sdpa:math", 4.0),
        result(long, "auto", 2.0),
        result(long, "auto again", 2.1),
        *(result(scaled, name, 1.0 + 0.01 * number) for number, name in enumerate(SCALINGS)),
        result(scaled, "inverse-sqrt again", 0.98),
        result(scaled, "naive", 1.5),
    ]
    found = {(one.metric, one.condition): one for one in ratios(planted)}
    # By both times of what ran twice: 2.0 and 2.1, and 1.00 and 0.98 where scalings compete.
    auto, plain = (1 / 2.0 + 1 / 2.1) / 2, (1 / 1.00 + 1 / 0.98) / 2
    assert found["naive / auto", long.condition].value == pytest.approx(3.0 * auto)
    assert found["SDPA / auto", long.condition].value == pytest.approx(2.4 * auto)
    assert found[BEST, "worst from 256"].value == pytest.approx(2.4 * auto)
    assert found[BEST, "worst from 256"].floor == pytest.approx(0.05)
    assert (BEST, "worst below 256") not in found
    worst = found[SCALING, "worst from 512"]
    assert worst.value == pytest.approx(1.06 * plain) and worst.floor == pytest.approx(0.02) and worst.better == "lower"
    assert found[SCALING, "constants, worst"].value == pytest.approx(1.02 * plain)
    beside = found[KEPT, f"{scaled.condition},scaling=naive"]
    assert beside.value == pytest.approx(1.5 * plain) and beside.better == "higher"


def test_what_is_as_fast_as_the_others_is_found_so_where_times_are_skewed() -> None:
    from ablate.kernels.bench.session import Result
    from ablate.timing.interleaved import Times

    scaled, noise = point("full", 512, scalings=True), np.random.default_rng(0)
    found = ratios(
        Result(point=scaled, name=name, runs=name, times=Times(tuple(noise.lognormal(0, 0.3, 20_000)), (0.0,) * 20_000))
        for name in (*SCALINGS, "inverse-sqrt again")
    )
    # The error of such a median is 0.2 %; divided by the mean of two such times it is 2 % below 1.
    assert [one.value for one in found if one.metric == SCALING][:6] == pytest.approx([1.0] * 6, abs=0.01)


def test_the_points_that_a_gathered_number_is_over() -> None:
    scaled = places(SCALING, "worst from 512")
    assert "mask=causal,length=512,head_width=64,scaling=qk-norm" in scaled
    assert all("length=64," not in where and "scaling=inverse-sqrt" not in where for where in scaled)
    fast = places(BEST, "worst below 256")
    assert "mask=two-stream,length=128,head_width=64" in fast and len(set(fast)) == len(fast)
    assert all(int(where.split("length=")[1].split(",")[0]) < 256 and "scaling" not in where for where in fast)


def test_kernels_are_named_by_what_ran() -> None:
    q = torch.randn(2, 2, 64, 16)
    ran = busiest(lambda: torch.nn.functional.scaled_dot_product_attention(q, q, q), CPU)
    assert ran == "aten::_scaled_dot_product_flash_attention_for_cpu"


TINY = (point("full"), point("two-stream"), point("full", scalings=True))


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ablate.kernels.bench.session.points", lambda size, device: TINY)
    monkeypatch.setattr("ablate.kernels.bench.terminal.points", lambda size, device: TINY)
    monkeypatch.setattr("ablate.kernels.bench.session.ceilings", lambda device, dtype, stopwatch: _ceilings())
    monkeypatch.setattr("ablate.kernels.bench.session.SPARE", 0.0)


def _ceilings() -> Any:
    from ablate.kernels.bench.ceilings import Ceilings

    return Ceilings(1e11, 1e10)


@pytest.mark.usefixtures("tiny")
def test_scalings_find_all_memory_kept_and_kernels_what_they_would_find_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[int, int]] = []
    seen: list[tuple[bool, dict[int, int]]] = []
    whole = at_point

    def noted(where: Point, *rest: Any) -> Any:
        seen.append((where.scalings, dict(told)))
        return whole(where, *rest)

    monkeypatch.setattr("platform.libc_ver", lambda: ("glibc", "2.36"))
    monkeypatch.setattr(freed_memory, "_mallopt", lambda: lambda parameter, size: told.append((parameter, size)))
    monkeypatch.setattr("ablate.kernels.bench.session.at_point", noted)
    found = session(RUN, lambda **named: None, lambda so_far: None)
    assert seen == [(False, freed_memory.ALONE), (False, freed_memory.ALONE), (True, freed_memory.KEPT)]
    assert dict(told) == freed_memory.GIVEN_BACK
    assert [result.name for result in found.results if result.point.scalings][-1] == "naive"


def test_shorter_calls_come_after_longer_ones_and_scalings_after_all_kernels() -> None:
    together = by_memory(points("quick", "cpu"))
    assert sorted((each for group in together for each in group), key=str) == sorted(points("quick", "cpu"), key=str)
    assert all(len({(each.scalings, each.length) for each in group}) == 1 for group in together)
    kernels = [group[0].length for group in together if not group[0].scalings]
    assert kernels == sorted(kernels, reverse=True) and [group[0].scalings for group in together] == [False] * 5 + [True] * 2


def visited(where: Point, auto: float, again: float, other: float = 3.0) -> list[Result]:
    """A point whose equal competitors took so many seconds each."""
    seconds = {"naive": other, "auto": auto, "auto again": again}
    return [Result(point=where, name=name, runs=name, times=Times((took,), (0.0,))) for name, took in seconds.items()]


def test_of_two_visits_the_one_whose_equals_agree_counts() -> None:
    first, second, third = (point("full", length=length) for length in (64, 128, 256))
    found = [*visited(first, 1.0, 1.02), *visited(second, 1.0, 1.2), *visited(third, 1.0, 1.1)]
    assert restless(found, (first, second, third)) == [second, third]
    assert restless(found, (first, third)) == [third]
    better, worse = visited(second, 1.0, 0.9, other=0.1), visited(second, 1.0, 0.7)
    assert calmer(found, better) == [*found[:3], *better, *found[6:]]
    assert calmer(found, worse) == found
    # What went wrong stays to be seen, in whichever visit.
    wrong = [dataclasses.replace(result, times=None, wrong="differs") for result in better]
    assert calmer(found, wrong) == [*found[:3], *wrong, *found[6:]] and restless(wrong, (second,)) == []
    assert calmer(wrong, better) == wrong


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("spare", [0.0, 1e6])
def test_restless_points_are_timed_once_more_and_kernels_before_scalings(spare: float, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Point] = []
    kept: list[int] = []

    def restless_at_first(where: Point, *rest: Any) -> list[Result]:
        asked.append(where)
        return visited(where, 1.0, 1.01 if asked.count(where) > 1 or where == TINY[1] else 1.1)

    monkeypatch.setattr("ablate.kernels.bench.session.SPARE", spare)
    monkeypatch.setattr("ablate.kernels.bench.session.at_point", restless_at_first)
    found = session(RUN, lambda **named: None, lambda so_far: kept.append(len(so_far.results)))
    assert asked == ([TINY[0], TINY[1], TINY[0], TINY[2], TINY[2]] if spare else list(TINY))
    assert [result.point for result in found.results] == [each for each in TINY for _ in range(3)]
    assert kept == ([3, 6, 6, 9, 9] if spare else [3, 6, 9])


@pytest.mark.usefixtures("tiny")
def test_a_c_library_without_the_switch_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(freed_memory, "_mallopt", lambda: None)
    with freed_memory.kept():
        assert not freed_memory.can_be_kept()
    entered = contenders(TINY[2], Machine(device="cpu", lacks=("native",)), CPU, FLOAT, "compared")
    assert [contender.name for contender in entered] == [*SCALINGS, "inverse-sqrt again"]


@pytest.mark.usefixtures("tiny")
def test_an_interrupted_session_measures_only_what_it_lacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(*arguments: Any, **named: Any) -> None:
        """Progress for nobody."""

    whole = at_point

    def interrupted(where: Point, *rest: Any) -> Any:
        if where == TINY[1]:
            raise KeyboardInterrupt
        return whole(where, *rest)

    monkeypatch.setattr("ablate.kernels.bench.session.at_point", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_session(RUN, tmp_path, silent, None)
    kept = json.loads((tmp_path / measure.PARTIAL).read_text())["results"]
    assert {part["point"]["mask"] for part in kept} == {"full"}
    asked: list[Point] = []

    def noted(where: Point, *rest: Any) -> Any:
        asked.append(where)
        return whole(where, *rest)

    monkeypatch.setattr("ablate.kernels.bench.session.at_point", noted)
    record = run_session(RUN, tmp_path, silent, None)
    assert asked == list(TINY[1:])
    assert record.status == DONE and not (tmp_path / measure.PARTIAL).exists()
    times = [row for row in record.rows if row.evaluation == "attention-time" and row.condition.startswith(TINY[0].condition)]
    medians = [row for row in times if "pass=both" in row.condition and row.metric == "p50" and "scalings=0" in row.condition]
    assert len(medians) == len(names(TINY[0], Machine(device="cpu", lacks=("native",)), FLOAT, "compared"))
    assert all(row.value > 0 and row.flops == TINY[0].flops("both") for row in medians)


def test_identity_is_what_is_timed_where_and_by_which_code() -> None:
    base = TIMING.identify(RUN).training
    changes = (
        dataclasses.replace(RUN, seed=1),
        dataclasses.replace(RUN, runtime=Runtime(threads=2)),
        dataclasses.replace(RUN, objective=AttentionGrid(size="quick", seconds=0.0, rounds=3)),
    )
    assert len({base, *(TIMING.identify(change).training for change in changes)}) == 4
    # What a timing run never looks at does not repeat it.
    other = dataclasses.replace(RUN, data=dataclasses.replace(RUN.data, corpus="grammar"))
    assert TIMING.identify(other).training == base


@pytest.mark.usefixtures("tiny")
def test_bench_prints_and_writes_what_it_measured(tmp_path: Path) -> None:
    said: list[str] = []
    assert bench(RUN, file=tmp_path / "rows.csv", say=said.append) == 0
    text = "\n".join(said)
    assert "auto: matmul" in text and "hugging-face" in text and "best / auto" in text
    assert max(len(line) for line in text.splitlines()) <= 100
    lines = (tmp_path / "rows.csv").read_text().splitlines()
    assert lines[0].startswith("evaluation,metric,condition,value,unit") and len(lines) > 50
    assert bench(RUN, file=tmp_path / "rows.json", say=said.append) == 0
    assert {row["evaluation"] for row in json.loads((tmp_path / "rows.json").read_text())} >= {"attention-time", "ceiling"}
    with pytest.raises(ConfigError, match=r"a .json or a .csv file"):
        bench(RUN, file=tmp_path / "rows.txt", say=said.append)


@pytest.mark.skipif(torch.cuda.is_available(), reason="says what happens without CUDA")
def test_without_a_gpu_bench_says_so_and_shows_the_plan() -> None:
    run = dataclasses.replace(RUN, objective=AttentionGrid(size="full"), runtime=Runtime(device="cuda", precision="bf16"))
    said: list[str] = []
    assert bench(run, dry=True, say=said.append) == 0
    text = "\n".join(said)
    assert text.startswith("There is no CUDA device on this machine.")
    assert "sdpa:cudnn" in text and "16384" in text and "minutes, an estimate" in text
    with pytest.raises(ConfigError, match="nothing was measured"):
        bench(run, say=said.append)


def test_orders_differ_between_sessions() -> None:
    assert list(generator(0, "timing/order/x").permutation(8)) != list(generator(1, "timing/order/x").permutation(8))
