"""Compare two reports of one study: whether anything changed, and the paired changes within seeds.

*Identical up to measured times* means that runs, statuses, numbers and texts are the same. Measured columns (seconds, joules,
`clock.*`) and identities are left out. Identities change with any line of code, so their change is reported separately.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from ablate.analysis.frames import by_pair
from ablate.analysis.intervals import paired_interval
from ablate.analysis.paired import improves, values
from ablate.config import ConfigError
from ablate.records import TIMED
from ablate.report import markdown, rounding
from ablate.report.blocks import Cell, Column, Table
from ablate.report.evidence import Evidence, read

PLACE = ("arm", "pair", "key", "tokens")
CHANGES = ("metric", "arm", "label", "mean", "low", "high", "n", "p", "improves", "before", "after")


@dataclass(frozen=True, kw_only=True)
class Difference:
    """What `compare` found; `before` and `after` are the two studies."""

    before: Evidence
    after: Evidence
    identical: bool
    """Up to measured times."""
    first: str
    """The first difference in one line; empty when identical."""
    same_identities: bool
    changes: pd.DataFrame
    """One row per metric and arm both sides have: paired after - before with its interval, n pairs, p (not adjusted)."""


def compare_reports(before: Path, after: Path) -> Difference:
    """Two report folders; `ConfigError` when one lacks its evidence, or is of another study."""
    old, new = read(before), read(after)
    names = old.specification.name, new.specification.name
    if len(set(names)) > 1:
        raise ConfigError(f"{before} is of study {names[0]}, but {after} of {names[1]}; two reports of one study compare")
    return compare(old, new)


def compare(before: Evidence, after: Evidence) -> Difference:
    """Pairs are runs of the same arm and seed."""
    first = first_difference(before, after)
    return Difference(
        before=before,
        after=after,
        identical=not first,
        first=first,
        same_identities=_identities(before) == _identities(after),
        changes=changes(before, after),
    )


def changes(before: Evidence, after: Evidence) -> pd.DataFrame:
    """The paired change of every metric and arm that both studies plan."""
    old = {arm.name: arm for arm in before.specification.arms}
    known = {metric.key for metric in before.specification.metrics}
    rows = []
    for metric in after.specification.metrics:
        if metric.key not in known:
            continue
        here, there = by_pair(after.about(metric), metric), by_pair(before.about(metric), metric)
        for arm in after.specification.arms:
            if arm.name not in old:
                continue
            pairs = max(len(arm.seeds), len(old[arm.name].seeds))
            new, earlier = values(here, arm.name, pairs).copy(), values(there, arm.name, pairs)
            for pair in range(pairs):
                # The same position holds another replicate when the seeds of the plan have changed.
                if arm.seeds[pair : pair + 1] != old[arm.name].seeds[pair : pair + 1]:
                    new[pair] = float("nan")
            found = paired_interval(new, earlier, after.level)
            row = {"metric": metric.key, "arm": arm.name, "label": after.labels[arm.name], **found._asdict()}
            ends = {"before": _mean(there, arm.name), "after": _mean(here, arm.name)}
            rows.append(row | {"improves": improves(found.mean, metric)} | ends)
    return pd.DataFrame(rows, columns=list(CHANGES))


def first_difference(before: Evidence, after: Evidence) -> str:
    """Where the untimed projections part, in one line; empty where they do not."""
    for name, ours, theirs in (("run", _runs(before), _runs(after)), ("number", _numbers(before), _numbers(after))):
        if list(ours.columns) != list(theirs.columns):
            return f"{name}s: columns {_only(ours, theirs)}"
        index = ours.index.union(theirs.index)
        for place in index:
            where = ", ".join(str(part) for part in (place if isinstance(place, tuple) else (place,)))
            if place not in ours.index or place not in theirs.index:
                return f"{name} {where}: only {'after' if place not in ours.index else 'before'}"
        a, b = ours.loc[index], theirs.loc[index]
        differs = ~((a == b) | (a.isna() & b.isna()))
        if differs.to_numpy().any():
            row = int(differs.any(axis=1).to_numpy().argmax())
            column = int(differs.iloc[row].to_numpy().argmax())
            where = ", ".join(str(part) for part in index[row])
            return f"{name} {where}: {a.columns[column]} {a.iat[row, column]} before, {b.iat[row, column]} after"
    texts = [[json.dumps(sample, sort_keys=True) for sample in side.samples] for side in (before, after)]
    if texts[0] != texts[1]:
        number = next((n for n, (a, b) in enumerate(zip(*texts, strict=False)) if a != b), min(map(len, texts)))
        return f"sample text {number}"
    return ""


def to_markdown(difference: Difference) -> str:
    """A comment for a pull request: yes or no first, then the table of changes."""
    after = difference.after
    title = f"### {markdown.escape(after.specification.title)}: before and after"
    if difference.identical:
        said = "**Identical up to measured times.**"
    else:
        said = f"**Not identical.** First difference: {markdown.escape(difference.first)}."
    digests = (
        "Run identities are the same."
        if difference.same_identities
        else "Run identities differ: configuration, data or source changed."
    )
    parts = [title, f"{said} {digests}"]
    if not difference.identical and len(difference.changes):
        parts.append(markdown.table(changes_table(difference)))
    return "\n\n".join(parts) + "\n"


def changes_table(difference: Difference) -> Table:
    after = difference.after
    metrics = {metric.key: metric for metric in after.specification.metrics}
    rows, rules = [], set()
    for number, (_, row) in enumerate(difference.changes.iterrows()):
        metric = metrics[row["metric"]]
        new = number == 0 or row["metric"] != difference.changes.iloc[number - 1]["metric"]
        if number and new:
            rules.add(number)
        decided = row["p"] <= after.specification.alpha
        word = {True: "better", False: "worse"}.get(row["improves"], "differs") if decided else ""
        ends = (Cell(rounding.plain(metric, row["before"])), Cell(rounding.plain(metric, row["after"])))
        change = Cell(rounding.difference(metric, row["mean"], row["low"], row["high"]), bold=decided)
        rows.append(
            (Cell(rounding.label(metric) if new else ""), Cell(row["label"]), *ends, change, Cell(str(row["n"])), Cell(word))
        )
    heads = [
        Column("Metric", "left"),
        Column("arm", "left"),
        Column("before"),
        Column("after"),
        Column("change [interval]"),
        Column("n"),
    ]
    return Table(
        name="changes",
        caption="Change after minus before, paired by arm and seed.",
        columns=(*heads, Column("", "left")),
        rows=tuple(rows),
        notes=(
            f"{rounding.level(after.specification.alpha)} t intervals over n pairs of runs; not adjusted for the number of "
            "rows. Bold: the interval leaves out zero.",
        ),
        rules=frozenset(rules),
        frame=difference.changes,
        latex=False,
    )


def _numbers(evidence: Evidence) -> pd.DataFrame:
    frame = evidence.numbers.drop(columns=["identity", *TIMED])
    return frame.set_index(list(PLACE)).sort_index(kind="stable")


def _runs(evidence: Evidence) -> pd.DataFrame:
    measured = [c for c in evidence.runs.columns if str(c).startswith(("clock.", "provenance."))]
    return evidence.runs.drop(columns=["identity", *measured]).set_index(["arm", "pair"]).sort_index(kind="stable")


def _identities(evidence: Evidence) -> dict[tuple[str, int], str]:
    return dict(zip(zip(evidence.runs["arm"], evidence.runs["pair"], strict=True), evidence.runs["identity"], strict=True))


def _only(ours: pd.DataFrame, theirs: pd.DataFrame) -> str:
    names = sorted(set(map(str, ours.columns)) ^ set(map(str, theirs.columns)))
    return ", ".join(names) or "in another order"


def _mean(table: pd.DataFrame, arm: str) -> float:
    return float(table[arm].mean()) if arm in table else float("nan")
