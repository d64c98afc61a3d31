"""Runs in a terminal: which there are, and what one of them is and found."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from ablate.config import ConfigError
from ablate.disk.files import DamagedError
from ablate.records import RECORD, Record, Row, from_json
from ablate.study.options import Setup

BARS = "▁▂▃▄▅▆▇█"
WIDTH = 80


class Run(NamedTuple):
    """One run of a study or of a folder; the names are the keys of `ablate runs --json`."""

    arm: str
    """The arm, or the objective where no study is named."""
    seed: int | None
    state: str
    """`done`, `to run`, `running`, or how it failed."""
    minutes: float | None
    identity: str


def runs_of(setup: Setup) -> list[Run]:
    """The runs of a study, in the order of the plan."""
    found = []
    for cell in setup.selected(setup.plan()):
        record, identity = setup.store.finished(cell.config), setup.store.identity(cell.config).training
        name = cell.arm.name if cell.kind == "comparison" else f"{cell.arm.name} (tuning)"
        if record is None:
            found.append(Run(name, cell.pair + 1, "running" if setup.store.busy(cell.config) else "to run", None, identity))
        else:
            found.append(Run(name, cell.pair + 1, record.status, _minutes(record), identity))
    return found


def runs_in(root: Path) -> list[Run]:
    """The finished runs in a folder, whatever study they are of. Raises `ConfigError` if it holds none."""
    paths = sorted(root.glob(f"*/{RECORD}"))
    if not paths:
        raise ConfigError(f"{root} holds no finished run")
    found = []
    for path in paths:
        try:
            record = from_json(path.read_bytes(), path)
        except DamagedError:
            found.append(Run("?", None, "damaged", None, path.parent.name))
            continue
        name, seed = str(record.config.get("objective.name", "?")), record.config.get("seed")
        found.append(Run(name, seed, record.status, _minutes(record), record.identity))
    return sorted(found, key=lambda run: (run.arm, run.seed or 0))


def table(runs: Iterable[Run]) -> str:
    """The runs for a terminal of 80 columns; a long name of an arm is cut."""
    head = ("arm", "seed", "state", "minutes", "identity")
    lines = [
        (run.arm, _or(run.seed), run.state, "-" if run.minutes is None else f"{run.minutes:.2f}", run.identity) for run in runs
    ]
    widths = [max(len(row[column]) for row in (head, *lines)) for column in range(len(head))]
    widths[0] = min(widths[0], WIDTH - sum(widths[1:]) - 2 * len(widths[1:]))
    return "\n".join(_line(row, widths) for row in (head, *lines))


def shown(record: Record, folder: Path) -> str:
    """What one run is and found: configuration, final numbers, learning curves, and its files."""
    minutes = _minutes(record)
    parts = [f"run {record.identity}: {record.status}" + ("" if minutes is None else f", {minutes:.2f} min")]
    if record.error:
        parts.append(textwrap.fill(record.error, WIDTH))
    parts.append(
        "configuration:\n" + _aligned([(path, str(value) or "(empty)") for path, value in sorted(record.config.items())])
    )
    final = [row for row in record.rows if row.stage == "final"]
    if final:
        parts.append("final numbers:\n" + _aligned([(_key(row), f"{row.value:.4g} {row.unit}") for row in final]))
    if curves := _curves(record.rows):
        parts.append("learning curves, from the first reading to the last:\n" + _aligned(curves))
    names = [RECORD, *sorted(record.files)]
    if (folder / "log.txt").exists():
        names.append("log.txt")
    parts.append("files:\n" + "\n".join(f"  {folder / name}{'' if (folder / name).exists() else ' (gone)'}" for name in names))
    return "\n\n".join(parts)


def _curves(rows: Iterable[Row]) -> list[tuple[str, str]]:
    curves: dict[str, list[Row]] = {}
    for row in rows:
        curves.setdefault(_key(row), []).append(row)
    return [(key, _curve(sorted(found, key=lambda row: row.tokens))) for key, found in curves.items() if len(found) > 2]


def _curve(rows: list[Row]) -> str:
    values = [row.value for row in rows]
    low, reach = min(values), max(values) - min(values)
    bars = "".join(BARS[round((value - low) / reach * (len(BARS) - 1))] if reach else BARS[0] for value in values)
    return f"{bars} {values[0]:.4g} to {values[-1]:.4g} {rows[0].unit}"


def _aligned(pairs: list[tuple[str, str]]) -> str:
    width = max(len(name) for name, _ in pairs)
    lines = []
    for name, value in pairs:
        room = WIDTH - width - 4
        first, *rest = textwrap.wrap(value, max(20, room), break_on_hyphens=False) or [""]
        lines += [f"  {name:<{width}}  {first}", *(f"  {'':<{width}}  {more}" for more in rest)]
    return "\n".join(line.rstrip() for line in lines)


def _line(row: tuple[str, ...], widths: list[int]) -> str:
    cut = [text if len(text) <= width else text[: width - 1] + "…" for text, width in zip(row, widths, strict=True)]
    aligned = [
        f"{text:>{width}}" if column in (1, 3) else f"{text:<{width}}"
        for column, (text, width) in enumerate(zip(cut, widths, strict=True))
    ]
    return "  ".join(aligned).rstrip()


def _key(row: Row) -> str:
    return f"{row.evaluation}/{row.metric}" + (f"@{row.condition}" if row.condition else "")


def _minutes(record: Record) -> float | None:
    return round(record.clock["total"] / 60, 2) if "total" in record.clock else None


def _or(value: object) -> str:
    return "-" if value is None else str(value)
