"""How large a score is: every scaling folded into queries and keys, so that each runs on the kernel of the plainest.

K is the head width, n the keys that a query sees, f the factor (`backbone.attention_scale_factor`, 1 unless said).

| name | score(t, s) | source |
| --- | --- | --- |
| inverse-sqrt | f <q, k> / sqrt K | Vaswani et al. 2017, section 3.2.1 |
| inverse | f <q, k> / K | Yang et al. 2022 (muP), section 3 |
| none | f <q, k>: with f a constant of one's choice | Raffel et al. 2020 (T5) has f = 1 |
| learned | f t <q, k> / sqrt K, one temperature t a head, from 1 on | |
| qk-norm | f t sqrt K cos(q, k), t as before | Henry et al. 2020, section 3; Dehghani et al. 2023, section 2.1 |
| qk-norm-fixed | f sqrt K cos(q, k) | |
| log-length | f t log n <q, k> / sqrt K, t from 1 / log(context) on | Nakanishi 2025 (SSMax), section 3 |

sqrt K cos(q, k) is <q, k> / sqrt K of vectors normalised to a mean square of 1 (RMSNorm without gains). Taking t log n from
the scores instead of multiplying would change nothing: a softmax is the same when a constant is added to a row.

A plain number is left to the kernel, which multiplies in single precision. What depends on a head or a query is multiplied
into q in the precision it has, before it is cast for a kernel: 16-bit numbers that are rounded, scaled and rounded again cost
three times the error. t is kept as its logarithm, so it stays positive.

Shape letters: B batch, T query position, S key position, H heads, K head width.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ablate.config import AttentionScale
from ablate.nn.attention.masks import Mask
from ablate.nn.attention.per_mask import once_per_mask
from ablate.nn.attention.rows import Rows


class Scaling(NamedTuple):
    """The scores are number x <q', k'>, where q' and k' are queries and keys with `rows` multiplied into them."""

    number: float
    rows: Rows | None = None

    def folded(self, q_BHTK: Tensor, k_BHSK: Tensor) -> tuple[Tensor, Tensor]:
        """q' and k'."""
        return (q_BHTK, k_BHSK) if self.rows is None else self.rows.applied(q_BHTK, k_BHSK)


class Scale(nn.Module):
    """(q, k, mask) -> scaling. This one is a plain number."""

    def __init__(self, number: float) -> None:
        super().__init__()
        self.number = number

    def forward(self, q_BHTK: Tensor, k_BHSK: Tensor, mask: Mask) -> Scaling:
        return Scaling(self.number)


class Learned(Scale):
    """A temperature for each head."""

    def __init__(self, number: float, heads: int) -> None:
        super().__init__(number)
        self.log_temperature_H = nn.Parameter(torch.zeros(heads))

    def forward(self, q_BHTK: Tensor, k_BHSK: Tensor, mask: Mask) -> Scaling:
        return Scaling(self.number, Rows(self.log_temperature_H))


class QueryKeyNorm(Scale):
    """Cosines; `heads` temperatures, or none of them."""

    def __init__(self, number: float, heads: int) -> None:
        super().__init__(number)
        self.log_temperature_H = nn.Parameter(torch.zeros(heads)) if heads else None

    def forward(self, q_BHTK: Tensor, k_BHSK: Tensor, mask: Mask) -> Scaling:
        return Scaling(self.number, Rows(self.log_temperature_H, unit=True))


class LogLength(Scale):
    """The logarithm of how many keys a query sees, times a temperature for each head; 1 key counts as e of them."""

    def __init__(self, number: float, heads: int, context: int) -> None:
        super().__init__(number)
        self.log_temperature_H = nn.Parameter(torch.full((heads,), -math.log(math.log(max(3, context)))))

    def forward(self, q_BHTK: Tensor, k_BHSK: Tensor, mask: Mask) -> Scaling:
        given = q_BHTK.shape[2], k_BHSK.shape[2], q_BHTK.device, self.log_temperature_H.dtype
        return Scaling(self.number, Rows(self.log_temperature_H, _log_counts(mask, *given)))


@once_per_mask
def _log_counts(mask: Mask, T: int, S: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    # Below e keys the logarithm falls under 1 and reaches 0 at one key, where the scores no longer matter.
    return mask.counts(T, S, device).to(dtype).clamp(min=math.e).log()[..., None]


def scale_of(scaling: AttentionScale, factor: float, heads: int, head_width: int, context: int) -> Scale:
    """The scaling of this name; `context`: how long the texts are, for the start of `log-length`."""
    root = math.sqrt(head_width)
    if scaling == "learned":
        return Learned(factor / root, heads)
    if scaling in ("qk-norm", "qk-norm-fixed"):
        return QueryKeyNorm(factor * root, heads if scaling == "qk-norm" else 0)
    if scaling == "log-length":
        return LogLength(factor / root, heads, context)
    return Scale(factor * {"inverse-sqrt": 1 / root, "inverse": 1 / head_width, "none": 1.0}[scaling])
