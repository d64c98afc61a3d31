"""`ablate plan`: the runs of a study, their time and the smallest detectable effects, before anything runs.

Times and standard deviations come from the records of this machine, or else from the committed report. Without either, the
forecast says that they are unknown.
"""

from __future__ import annotations

import math
import statistics
from pathlib import Path
from typing import Any

import pandas as pd

from ablate.analysis import frames
from ablate.analysis.paired import differences
from ablate.analysis.power import detectable
from ablate.records import DONE
from ablate.report import evidence
from ablate.report.evidence import Evidence
from ablate.specification import Specification
from ablate.study.options import Setup
from ablate.study.plan import Cell, Plan
from ablate.study.preflight import check_plan
from ablate.study.results import results
from ablate.study.specify import specify


def describe(setup: Setup) -> str:
    """Return the plan as text for a terminal."""
    check_plan(setup)
    current = setup.plan()
    cells = setup.selected(current)
    done = [cell for cell in cells if setup.store.finished(cell.config) is not None]
    tokens = f"{setup.study.base.budget.tokens:,} tokens a run, " if setup.study.measure.trains else ""
    lines = [
        f"{setup.study.name} ({setup.tier_name}): {setup.study.question}",
        "",
        f"{len(current.arms)} arms x {setup.seeds} seeds = {current.total} runs, {len(done)} finished; "
        f"{tokens}{setup.workers} side by side",
        _time(setup, current, cells),
        "",
        *_arms(setup, current),
        "",
        *_power(setup, current),
    ]
    return "\n".join(lines)


def forecast(setup: Setup) -> dict[str, Any]:
    """Return the plan as data, for `ablate plan --json`; an effect is in the unit of its column, and None if not yet known."""
    check_plan(setup)
    current = setup.plan()
    cells = setup.selected(current)
    done = [cell for cell in cells if setup.store.finished(cell.config) is not None]
    seconds, source = _seconds_a_run(setup, current)
    spreads = _spreads(setup, current) if setup.seeds > 1 else {}
    in_sd = detectable(setup.seeds, setup.study.alpha) if setup.seeds > 1 else math.nan
    return {
        "study": setup.study.name,
        "question": setup.study.question,
        "tier": setup.tier_name,
        "command": setup.command,
        "seeds": setup.seeds,
        "tokens": setup.study.base.budget.tokens,
        "runs": current.total,
        "finished": len(done),
        "seconds_a_run": seconds,
        "seconds_from": source,
        "arms": [{"name": arm.name, "label": arm.label, "role": arm.role, "values": dict(arm.values)} for arm in current.arms],
        "smallest_effects": {
            metric.key: in_sd * spreads[metric.key] if metric.key in spreads else None
            for metric in setup.study.metrics
            if metric.better != "none"
        },
    }


def _arms(setup: Setup, current: Plan) -> list[str]:
    width = max(len(arm.name) for arm in current.arms)
    rows = []
    for arm in current.arms:
        mine = [cell for cell in current.cells if cell.arm.name == arm.name and cell.kind == "comparison"]
        marks = "".join(_mark(setup, cell) for cell in mine).ljust(setup.seeds, ".")
        rows.append(f"  {arm.name:<{width}}  {marks}  {arm.label} ({arm.role})")
    return ["arms (one character per seed: # done, x failed, . to run):", *rows]


def _mark(setup: Setup, cell: Cell) -> str:
    record = setup.store.finished(cell.config)
    return "." if record is None else "#" if record.status == DONE else "x"


def _time(setup: Setup, current: Plan, cells: list[Cell]) -> str:
    missing = [cell for cell in cells if setup.store.finished(cell.config) is None]
    if not missing and current.settled:
        return "nothing left to run"
    seconds, source = _seconds_a_run(setup, current)
    if seconds is None:
        return "time: unknown, because no run of this study is finished, here or in a committed report"
    # Runs that depend on later tuning trials are not among the cells yet.
    unknown = current.total - len(current.cells) if not setup.only else 0
    trained = sum(cell.config.pretrain for cell in missing) + unknown
    return f"time: about {seconds * trained / setup.workers / 60:.0f} min ({seconds:.0f} s a run, {source})"


def _seconds_a_run(setup: Setup, current: Plan) -> tuple[float | None, str]:
    here = [record.clock["total"] for _, _, record in results(setup, current) if record.facts and record.config["pretrain"]]
    if here:
        return statistics.median(here), f"median of {len(here)} {'run' if len(here) == 1 else 'runs'} here"
    if (committed := _committed(setup)) is not None:
        runs = committed.runs
        trained = runs[(runs["role"] != "untrained") & (runs["status"] == DONE)]
        if len(trained) and "clock.total" in trained:
            return float(trained["clock.total"].median()), "as in the committed report, on its machine"
    return None, ""


def _committed(setup: Setup) -> Evidence | None:
    """Return the committed report of this study at this tier and on this corpus. Its name may be longer than the study's."""
    wanted = (setup.study.name, setup.tier_name, setup.study.base.data.corpus)
    for folder in evidence.listed(Path("reports")):
        if folder.name.startswith(setup.study.name):
            found = evidence.read_plan(folder)
            if (found.name, found.tier, found.config.get("data.corpus")) == wanted:
                return evidence.read(folder)
    return None


def _power(setup: Setup, current: Plan) -> list[str]:
    in_sd = detectable(setup.seeds, setup.study.alpha)
    test = f"two-sided alpha {setup.study.alpha:g}, one comparison, uncorrected"
    head = f"smallest effect found with power 0.8 at {setup.seeds} {'seed' if setup.seeds == 1 else 'seeds'} ({test}):"
    if setup.seeds < 2:
        return [head, "  none: one seed has no standard deviation; use at least 3"]
    spreads = _spreads(setup, current)
    rows = []
    for metric in setup.study.metrics:
        if metric.better == "none":
            continue
        sd = spreads.get(metric.key)
        absolute = f"{in_sd * sd * metric.scale:.{metric.digits}f} {metric.unit}" if sd is not None else "sd not yet measured"
        rows.append(f"  {metric.label:<34} {in_sd:.2f} sd of the paired difference = {absolute}")
    return [head, *rows]


def _spreads(setup: Setup, current: Plan) -> dict[str, float]:
    """Return metric key -> median over arms of the standard deviation of the paired difference."""
    specification, numbers = _known(setup, current)
    if numbers is None:
        return {}
    found = {}
    for metric in specification.metrics:
        table = differences(numbers, specification, metric)
        sds = table.loc[(table["role"] == "arm") & (table["n"] >= 2), "sd"]
        if len(sds):
            found[metric.key] = float(sds.median())
    return found


def _known(setup: Setup, current: Plan) -> tuple[Specification, pd.DataFrame | None]:
    here = results(setup, current)
    specification = specify(setup, current, here, {})
    if len(here) > len(current.arms):
        return specification, frames.tidy(here, specification)
    if (committed := _committed(setup)) is not None:
        return committed.specification, committed.numbers
    return specification, None
