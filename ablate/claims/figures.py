"""A published number that cannot lose its source: citation key, table, setting and how it was read.

Provenance is `read` (in the paper's own text or its authors' repository) or `secondary` (in somebody's write-up of the
paper); a report marks secondary figures. `values` places the figure on the axes of this package, so that it can stand beside
the arm with the same levels; `setting` says in words what else was so there (size, data, what was fine-tuned).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from ablate.claims.references import reference
from ablate.config import ConfigError, Scalar, require
from ablate.specification import Arm

Provenance = Literal["read", "secondary"]


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One cell of a published table."""

    citekey: str
    """A key of `ablate.claims.references.REFERENCES`."""
    table: str
    """`Table 1`"""
    setting: str
    values: dict[str, Scalar] = field(default_factory=dict)
    """Dotted path -> level of what the paper's table varies; what it holds fixed stands in `setting`."""
    metric: str
    """The paper's name, e.g. `MNLI-m`."""
    value: float
    unit: str
    provenance: Provenance

    def __post_init__(self) -> None:
        reference(self.citekey)
        require(self.provenance in ("read", "secondary"), "figure provenance", self.provenance, "read or secondary")
        require(bool(self.table and self.setting), "figure source", (self.table, self.setting), "a table and a setting")


def rows(
    heads: Sequence[tuple[str, str]],
    table: Iterable[tuple[Mapping[str, Scalar], Sequence[float | None]]],
    *,
    citekey: str,
    name: str,
    setting: str,
    provenance: Provenance,
) -> tuple[Figure, ...]:
    """A published table as figures: `heads` are (metric, unit); a row has its levels and a number a column, None for a dash."""
    found = []
    for values, numbers in table:
        if len(numbers) != len(heads):
            raise ConfigError(f"{citekey} {name}: row {dict(values)} has {len(numbers)} numbers, its head has {len(heads)}")
        for (metric, unit), value in zip(heads, numbers, strict=True):
            if value is not None:
                source = {"citekey": citekey, "table": name, "setting": setting}
                found.append(
                    Figure(**source, values=dict(values), metric=metric, value=value, unit=unit, provenance=provenance)
                )
    return tuple(found)


def beside(arm: Arm, figures: Iterable[Figure], baseline: Arm) -> tuple[Figure, ...]:
    """The figures that belong beside an arm: what the figure's table varied is a factor here, at the same level, and what it
    did not vary is as in the baseline."""
    fixed = baseline.values.items()
    return tuple(
        figure
        for figure in figures
        if figure.values
        and figure.values.items() <= arm.values.items()
        and all(item in fixed for item in arm.values.items() if item[0] not in figure.values)
    )
