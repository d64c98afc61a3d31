"""Timing as a study's measure: a run is one session, a seed is one repetition, and nothing is trained.

`RunConfig.objective` says what is timed (`AttentionGrid`), `RunConfig.runtime` where. No text is read. A session's identity is
its configuration and the source text of the core and of the timing; its numbers are not reproducible, its ratios should be.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from ablate import sources
from ablate.config import ConfigError, RunConfig, choose, flatten
from ablate.disk import sealed
from ablate.disk.files import DamagedError
from ablate.kernels import install
from ablate.kernels.bench.competitors import names
from ablate.kernels.bench.correctness import Errors
from ablate.kernels.bench.grid import AttentionGrid, Point, points
from ablate.kernels.bench.rows import rows
from ablate.kernels.bench.session import DTYPES, Result, Session, competing, session
from ablate.measure import Identity, Measure, Progress, digest
from ablate.nn.attention.backends import BACKENDS, machine_of
from ablate.notice import notice
from ablate.records import Record
from ablate.timing.interleaved import Times

PARTIAL = "points.json"
"""Points of a session that was interrupted, in its folder."""

sources.take_snapshot()


def identify(run: RunConfig) -> Identity:
    """Digests of what is timed, where, and by which source text."""
    install()
    # Backends are imported by name at their first call, so no import statement leads to them.
    backends = {backend.attend.partition(":")[0] for backend in BACKENDS.values()}
    source = sources.fingerprint((__name__, *sorted(backends)))
    identity = digest(
        {name: value for name, value in flatten(run).items() if name == "seed" or name.startswith(("objective", "runtime"))},
        source,
    )
    return Identity(training=identity, measurements={"attention": identity}, ingredients={"source": source})


def prepare(run: RunConfig, progress: Progress) -> Mapping[str, Any]:
    """Refuse a device that does not exist; return facts on the grid for the report."""
    check(run)
    grid: AttentionGrid = run.objective
    device = torch.device(run.runtime.device)
    found, machine, dtype = points(grid.size, device.type), machine_of(device), DTYPES[run.runtime.precision]
    calls = sum(len(names(point, machine, dtype, competing(grid))) for point in found)
    facts: dict[str, Any] = {
        "points": len(found),
        "competitors, all points together": calls,
        "tokens in a call": max(point.rows * point.length for point in found),
        "width of the model": max(point.heads * point.head_width for point in found),
        "documents in a packed row": 4,
        "query stream": "one place in 6 is predicted",
    }
    if device.type == "cuda":
        facts |= {"GPU": machine.name, "cuDNN": str(machine.cudnn), "CUDA": str(torch.version.cuda), "driver": _driver()}
        facts["triton"] = "not installed" if "flex" in machine.lacks else version("triton")
    return facts


def check(run: RunConfig) -> None:
    """`ConfigError` for an objective that is no grid and for a device that is not there or has no clock here."""
    if not isinstance(run.objective, AttentionGrid):
        raise ConfigError(f"objective {run.objective.name!r} is trained and not timed; the timing measure takes AttentionGrid")
    choose(run.runtime.device, ("cpu", "cuda"), "runtime.device of a study that times")
    if run.runtime.device == "cuda" and not torch.cuda.is_available():
        raise ConfigError(
            "device 'cuda' is not on this machine; `ablate bench attention --device cuda --dry-run` shows the plan"
        )


def run_session(run: RunConfig, folder: Path, progress: Progress, earlier: Record | None) -> Record:
    """Run one session. It continues from what an interrupted session measured in `folder`."""
    check(run)
    identity, partial = identify(run), folder / PARTIAL
    found = session(run, progress, lambda done: save(done.results, partial), load(partial))
    wrong = [f"{r.name} at {r.point.label}: {r.wrong}" for r in found.results if r.wrong]
    record = Record(
        identity=identity.training,
        config=flatten(run),
        ingredients=dict(identity.ingredients),
        measured=dict(identity.measurements),
        rows=tuple(rows(found)),
        facts={"not timed": "; ".join(wrong)} if wrong else {},
        provenance=environment(run),
    )
    _refuse(found)
    partial.unlink(missing_ok=True)
    return record


def _refuse(found: Session) -> None:
    for result in found.results:
        if result.wrong and result.name.startswith("auto"):
            raise FloatingPointError(f"{result.name} ({result.runs}) at {result.point.label}: {result.wrong}")


def save(results: Sequence[Result], path: Path) -> None:
    """Write all rounds of all competitors so far. What is wrong is measured again, since JSON has no infinite error."""
    sealed.write_json(path, {"results": [dataclasses.asdict(result) for result in results if not result.wrong]})


def load(path: Path) -> list[Result]:
    """The inverse; nothing where there is no such file or a damaged one."""
    try:
        results = sealed.read_json(path)["results"]
    except FileNotFoundError:
        return []
    except DamagedError as error:
        notice(f"{error}; its rounds are measured again")
        return []
    return [
        Result(
            **{
                **raw,
                "point": Point(**raw["point"]),
                "errors": raw["errors"] and Errors(*raw["errors"]),
                "times": raw["times"] and Times(*map(tuple, raw["times"])),
            }
        )
        for raw in results
    ]


def environment(run: RunConfig) -> dict[str, str]:
    """Machine and versions."""
    check(run)
    # Imported late, because it loads lightning for seconds, which `bench` does not need.
    from ablate.training.provenance import provenance

    return provenance(run.runtime)


def _driver() -> str:
    try:
        import pynvml

        pynvml.nvmlInit()
        return str(pynvml.nvmlSystemGetDriverVersion())
    except Exception:  # whatever NVML lacks, a missing driver version must not cost the session
        return "unknown"


TIMING = Measure(prepare=prepare, identify=identify, run=run_session, environment=environment, trains=False)
