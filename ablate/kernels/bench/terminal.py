"""`ablate bench attention`: the table of a session in a terminal, its rows in a file, or the plan of a session.

Each point is printed, and written to the file, as soon as it is measured: an interrupted bench keeps what it has.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from ablate.config import ConfigError, RunConfig, require
from ablate.disk import files
from ablate.kernels.bench.competitors import names
from ablate.kernels.bench.grid import AttentionGrid, points
from ablate.kernels.bench.ratios import Ratio, ratios
from ablate.kernels.bench.rows import rows
from ablate.kernels.bench.session import DTYPES, Result, Session, competing, session, time_factor
from ablate.nn.attention.backends import Machine, machine_of
from ablate.records import Row
from ablate.timing.interleaved import PATIENCE, spread

HOPPER = Machine(device="cuda", capability=(9, 0), name="a Hopper with cuDNN 9.19", cudnn=91900, lacks=("flash-3", "flash-4"))
"""The machine of a plan where there is no GPU."""
RATES = {"cpu": 4e10, "cuda": 2e14}
"""Arithmetic a second for estimates; a device's own is measured when it is timed."""
CHECKING = {"cpu": 1.0, "cuda": 3.0}
"""Seconds for making, checking and compiling a point, likewise."""
HEAD = (
    f"{'competitor':<17} {'forward kernel':<18} {'forward':>8} {'backward':>8} {'both p20':>8} {'p50':>8} {'p80':>8} "
    f"{'GF/s':>6} {'roof':>4} {'error':>5}"
)


def bench(run: RunConfig, *, dry: bool = False, file: Path | None = None, say: Callable[[str], None] = print) -> int:
    """Exit status: 0, or 2 where the device is not there and more than a plan was asked for."""
    device = run.runtime.device
    # Any other would be timed by the wall's clock, which does not wait for it.
    require(device in RATES, "--device", device, f"{' or '.join(RATES)}, which can be timed")
    require(file is None or file.suffix in (".json", ".csv"), "--out", str(file), "a .json or a .csv file")
    missing = device == "cuda" and not torch.cuda.is_available()
    if missing:
        say(f"There is no CUDA device on this machine. On {HOPPER.name} this would be measured:\n")
    if missing or dry:
        say(plan(run, HOPPER if missing else machine_of(torch.device(device))))
        if missing and not dry:
            raise ConfigError(
                "device 'cuda' is not on this machine and nothing was measured; --dry-run asks for the plan alone"
            )
        return 0
    done = _Printed(run, file, say)
    found = session(run, done.report, done.keep)
    done.finish(found)
    return 0


def plan(run: RunConfig, machine: Machine) -> str:
    """Points by competitors, and about how long it takes."""
    grid: AttentionGrid = run.objective
    dtype, kind = DTYPES[run.runtime.precision], "cuda" if machine.device == "cuda" else "cpu"
    found = points(grid.size, machine.device)
    lines, seconds, calls = [], 0.0, 0
    for point in found:
        entered = names(point, machine, dtype, competing(grid))
        meant = grid.seconds * time_factor(point)
        rounds = min(2, time_factor(point)) * grid.rounds * len(entered) * point.flops("both") / RATES[kind]
        seconds += max(meant, min(rounds, PATIENCE * meant or math.inf)) + CHECKING[kind]
        calls += len(entered)
        shape = f"{point.rows} x {point.length} x {point.heads}"
        lines += _wrapped(f"{point.label:<30} {shape:<14} ", ", ".join(entered))
    head = f"{'call':<30} {'rows x T x H':<14} competitors"
    return "\n".join(
        [
            head,
            *lines,
            f"\n{len(found)} calls, {calls} competitors, {run.runtime.precision}, {grid.rounds} rounds of each if time allows: "
            f"about {max(1, round(seconds / 60))} minutes, an estimate and no measurement",
        ]
    )


def block(results: Sequence[Result], found: Session) -> str:
    """One point's part of the table, times in ms; the error is the larger of output and gradients."""
    lines = []
    for result in results:
        error = "" if result.errors is None else f"{max(result.errors):.0e}"
        if result.times is None:
            lines.append(f"{result.name:<16} not timed: {result.wrong}")
            continue
        forward, backward, both = (spread(getattr(result.times, which)) for which in ("forward", "backward", "both"))
        point = result.point
        rate = point.flops("both") / both.p50
        share = 100 * rate / found.ceilings.roof(point.flops("both") / point.bytes("both", found.itemsize))
        name = f"auto: {result.runs}" if result.name == "auto" else result.name
        lines.append(
            f"{_short(name, 17):<17} {_short(result.kernel, 18):<18} {1e3 * forward.p50:>8.3f} {1e3 * backward.p50:>8.3f} "
            f"{1e3 * both.p20:>8.3f} {1e3 * both.p50:>8.3f} {1e3 * both.p80:>8.3f} {rate / 1e9:>6.0f} {share:>3.0f}% {error:>5}"
        )
    return "\n".join(lines)


def summary(found: Sequence[Ratio]) -> str:
    """The gathered ratios, each beside its floor."""
    lines = ["ratio                 where                     value   A/A floor"]
    return "\n".join(
        lines
        + [
            f"{one.metric:<21} {one.condition:<24} {one.value:>6.3f}   {one.floor:.3f}"
            for one in found
            if "=" not in one.condition
        ]
    )


class _Printed:
    """What was measured so far, in the terminal and in the file. Both grow point by point."""

    def __init__(self, run: RunConfig, file: Path | None, say: Callable[[str], None]) -> None:
        self.run, self.file, self.say = run, file, say
        self.began = time.monotonic()
        self.shown: tuple[Result, ...] = ()
        self.heading = ""

    def report(self, phase: str, done: float = 0, total: float = 0) -> None:
        left = (time.monotonic() - self.began) / done * (total - done) if done else 0.0
        tail = f", about {left:.0f} s left" if done else ""
        self.heading = f"{phase.removeprefix('timing ')}   ({min(int(done) + 1, int(total))} of {int(total)}{tail})"
        if done == 0:
            runtime = self.run.runtime
            self.say(f"attention on {runtime.device}, {runtime.precision}, {runtime.threads} thread(s), times in ms\n\n{HEAD}")

    def keep(self, found: Session) -> None:
        new = [result for result in found.results if not any(result is shown for shown in self.shown)]
        self.shown = found.results
        if not new:
            return
        self.say(f"\n{self.heading}\n{block(new, found)}")
        if self.file is not None:
            files.write(self.file, (to_csv if self.file.suffix == ".csv" else to_json)(rows(found)))

    def finish(self, found: Session) -> None:
        roof = found.ceilings
        self.say(
            f"\nceilings of this run: product {roof.matmul / 1e9:.0f} GFLOP/s, copy {roof.copy / 1e9:.1f} GB/s; load average "
            f"{found.load[0]} before, {found.load[1]} after\n\n{summary(ratios(found.results))}"
        )
        if self.file:
            self.say(f"\nrows: {self.file}")


def to_json(found: Sequence[Row]) -> str:
    return json.dumps([dataclasses.asdict(row) for row in found], indent=1, allow_nan=False) + "\n"


def to_csv(found: Sequence[Row]) -> str:
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, [field.name for field in dataclasses.fields(Row)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(dataclasses.asdict(row) for row in found)
    return buffer.getvalue()


def _short(text: str, most: int) -> str:
    name = text.removeprefix("aten::").lstrip("_")
    return name if len(name) <= most else name[: most - 1] + "…"


def _wrapped(start: str, text: str, width: int = 100) -> list[str]:
    lines, line = [], start
    for word in text.split(" "):
        if len(line) + len(word) > width:
            lines.append(line.rstrip())
            line = " " * len(start)
        line += word + " "
    return [*lines, line.rstrip()]
