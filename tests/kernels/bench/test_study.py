"""The study that times: its targets are what its sessions measure, and the whole engine runs it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ablate.kernels.bench.ceilings import Ceilings
from ablate.kernels.bench.competitors import names
from ablate.kernels.bench.grid import Point, points
from ablate.kernels.bench.rates import ROOF
from ablate.kernels.bench.ratios import CONDITIONS, FLOORS, RATIOS, SCALING, places, ratios
from ablate.kernels.bench.rows import rows
from ablate.kernels.bench.session import DTYPES, Result, Session
from ablate.kernels.bench.terminal import HOPPER
from ablate.nn.attention.backends import Machine
from ablate.study.discover import load, read
from ablate.study.options import Options, set_up
from ablate.study.run import run_inline
from ablate.study.study import Study
from ablate.timing.interleaved import Times

FILE = Path(__file__).parents[3] / "studies" / "attention_core.py"
TINY = tuple(
    Point(mask=mask, length=length, head_width=8, heads=1, rows=1, scalings=scalings)  # type: ignore[arg-type]
    for mask, length, scalings in (("full", 256, False), ("biased", 16, False), ("two-stream", 16, False), ("full", 512, True))
)


@pytest.fixture(scope="module")
def study() -> Study:
    return load(FILE)


@pytest.mark.parametrize("tier", ["quick", "standard"])
def test_every_target_and_column_is_measured(tier: str, study: Study) -> None:
    """Planted equal times for all that the grid would time on a CPU: every number asked for is among the ratios, and is 1."""
    equal = Times((1.0,) * 3, (2.0,) * 3)
    planted = [
        Result(point=point, name=name, runs=name, times=equal)
        for point in points(tier, "cpu")
        for name in [*names(point, Machine(device="cpu"), DTYPES["fp32"], "compared"), "hugging-face"]
    ]
    found = {f"{RATIOS}/{one.metric}@{one.condition}": one for one in ratios(planted)}
    for metric in study.metrics:
        assert found[metric.key].value == pytest.approx(1.0)
    for target in study.targets:
        keys = [f"{target.key}@{where}" for where in target.among] or [target.key]
        read = [found[key] for key in keys if key in found]
        assert read and all(one.value == pytest.approx(1.0) and one.floor == 0.0 for one in read)
        assert target.floor == target.key.replace(RATIOS, FLOORS)


def test_every_target_of_a_gpu_is_measured(study: Study) -> None:
    """The same for the largest tier on a Hopper that is not there: a call takes as long as its arithmetic at 1 TFLOP/s, forward
    and backward alike, and competitors all as long as `auto`."""
    sized = study.at("full")
    assert sized.base.runtime.device == "cuda" and sized.targets != study.targets
    planted = [
        Result(point=point, name=name, runs=name, times=Times((point.flops("forward") / 1e12,) * 3, (seconds,) * 3))
        for point in points("full", "cuda")
        for seconds in [point.flops("backward") / 1e12]
        for name in dict.fromkeys([*names(point, HOPPER, DTYPES["bf16"], "all"), "hugging-face"])
    ]
    session = Session(results=tuple(planted), ceilings=Ceilings(matmul=2e12, copy=1e12), itemsize=2, load=(0.0, 0.0))
    found = {f"{row.evaluation}/{row.metric}@{row.condition}": row.value for row in rows(session)}
    for target in sized.targets:
        keys = [f"{target.key}@{where}" for where in target.among] or [target.key]
        read = [found[key] for key in keys if key in found]
        # What is asked of scalings lists the places of all grids.
        assert read and (len(read) == len(keys) or SCALING in target.key)
        assert all(one == pytest.approx(0.5 if ROOF in target.key else 1.0) for one in read)


@pytest.mark.parametrize("tier", ["quick", "standard"])
def test_a_target_for_the_worst_looks_wherever_the_gathered_number_does(tier: str, study: Study) -> None:
    equal, slow = Times((1.0,) * 3, (2.0,) * 3), Times((2.0,) * 3, (4.0,) * 3)
    among = {target.label: (target.key, target.among) for target in study.targets if target.among}
    assert len(among) == 5
    for odd in points(tier, "cpu"):
        # One point where the chosen backend, or all scalings but the plain one, takes twice as long.
        planted = [
            Result(point=point, name=name, runs=name, times=slow if point == odd and _is_slow(point, name) else equal)
            for point in points(tier, "cpu")
            for name in names(point, Machine(device="cpu"), DTYPES["fp32"], "compared")
        ]
        found = {f"{RATIOS}/{one.metric}@{one.condition}": one.value for one in ratios(planted)}
        for metric, condition, _ in CONDITIONS:
            key = f"{RATIOS}/{metric}"
            if "worst" in condition and "below 512" not in condition:
                where = places(metric, condition)
                assert (key, where) in among.values()
                several = [found[f"{key}@{place}"] for place in where if f"{key}@{place}" in found]
                worst = max(several) if metric == SCALING else min(several)
                assert worst == pytest.approx(found[f"{key}@{condition}"])


def _is_slow(point: Point, name: str) -> bool:
    return name not in ("inverse-sqrt", "inverse-sqrt again", "naive") if point.scalings else name.startswith("auto")


def test_its_sessions_stand_alone(study: Study) -> None:
    assert all(tier.workers == 1 for tier in study.tiers.values())
    assert all(study.tiers[name].seeds >= 3 for name in ("quick", "standard", "full"))
    assert {arm.role for arm in set_up(study, Options(tier="quick")).plan().arms} == {"baseline", "arm"}
    assert read(FILE).trains, "torch is worth loading early"


def test_a_smoke_study(study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("session", "timing"):
        monkeypatch.setattr(f"ablate.kernels.bench.{module}.points", lambda size, device: TINY)
    options = Options(tier="smoke", root=tmp_path / "runs", reports=tmp_path / "reports")
    finished = run_inline(study, options)
    assert finished.failed == 0
    page = (finished.report / "README.md").read_text(encoding="utf-8")
    assert study.question in page and "## Targets" in page and "## Speed of attention" in page
    assert "tokens read" not in page and (finished.report / "tables" / "attention-speed.csv").is_file()
    before = {path: path.read_bytes() for path in finished.report.rglob("*") if path.is_file()}
    run_inline(study, options)
    assert {path: path.read_bytes() for path in finished.report.rglob("*") if path.is_file()} == before
