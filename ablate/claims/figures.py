"""A published number together with its source: citation key, table, setting and provenance.

Provenance is `read` (from the paper itself or its authors' repository) or `secondary` (from another text about the paper).
Reports mark secondary figures. `values` are factor levels of this package, so a figure can stand beside the arm with the
same levels. `setting` describes everything else in words: size, data, fine-tuning.
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
    """Dotted path -> level, for what the paper's table varies. `setting` describes what it keeps fixed."""
    metric: str
    """The metric's name in the paper, e.g. `MNLI-m`."""
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
    """Return the figures of a published table.

    `heads` are (metric, unit), one a column. A row has its factor levels and one number a column, None for an empty cell.
    """
    found = []
    for values, numbers in table:
        if len(numbers) != len(heads):
            raise ConfigError(f"{citekey} {name}: row {dict(values)} has {len(numbers)} numbers, but must have {len(heads)}")
        for (metric, unit), value in zip(heads, numbers, strict=True):
            if value is not None:
                source = {"citekey": citekey, "table": name, "setting": setting}
                found.append(
                    Figure(**source, values=dict(values), metric=metric, value=value, unit=unit, provenance=provenance)
                )
    return tuple(found)


def beside(arm: Arm, figures: Iterable[Figure], baseline: Arm) -> tuple[Figure, ...]:
    """Return the figures to show beside an arm.

    All factors that the figure's table varies have the same level in the arm. All other factors are as in the baseline.
    """
    fixed = baseline.values.items()
    return tuple(
        figure
        for figure in figures
        if figure.values
        and figure.values.items() <= arm.values.items()
        and all(item in fixed for item in arm.values.items() if item[0] not in figure.values)
    )
