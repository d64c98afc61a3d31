"""Masks in the form of `native`: an interval of keys for each query, and a table only where that is not enough.

    query t of row b sees key s where first[b, t] <= s < stop[b, t] and, where there is a table, the table is true

All masks by structure are intervals, and so is the intersection of two of them, except documents whose places are scattered.
Shapes: R rows of the batch or 1 for all, T queries, S keys.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ablate.nn.attention.masks import Both, Full, Mask, Prefix
from ablate.nn.attention.packing import Documents, Lengths

CPU = torch.device("cpu")


class Intervals(NamedTuple):
    """Keys of each query."""

    first_RT: Tensor
    """int64, contiguous, as `stop_RT`."""
    stop_RT: Tensor
    table: Tensor | None = None
    """bool, broadcastable to [B, H, T, S]."""


def intervals(mask: Mask, T: int, S: int) -> Intervals:
    """The intervals of `mask`; an empty one is [0, 0)."""
    first, stop, table = _found(mask, T, S)
    first, stop = torch.broadcast_tensors(first, stop)
    nothing = first >= stop
    first, stop = (x.masked_fill(nothing, 0).to(torch.int64).contiguous() for x in (first, stop))
    return Intervals(first, stop, None if table is None else table.to(CPU))


def _found(mask: Mask, T: int, S: int) -> Intervals:
    none_1T = torch.zeros(1, T, dtype=torch.int64, device=CPU)
    if isinstance(mask, Both):
        a, b = _found(mask.left, T, S), _found(mask.right, T, S)
        tables = [x for x in (a.table, b.table) if x is not None]
        table = tables[0] & tables[1] if len(tables) == 2 else tables[0] if tables else None
        return Intervals(torch.maximum(a.first_RT, b.first_RT), torch.minimum(a.stop_RT, b.stop_RT), table)
    if isinstance(mask, Full | Prefix):
        return Intervals(none_1T, mask.counts(T, S, CPU)[0].expand(1, T))
    if isinstance(mask, Lengths):
        stop_R1 = mask.counts(T, S, CPU)[:, 0]
        return Intervals(torch.zeros_like(stop_R1).expand(-1, T), stop_R1.expand(-1, T))
    if isinstance(mask, Documents) and (runs_of_rows := runs(mask, T, S)) is not None:
        first, stop = torch.zeros(2, len(runs_of_rows), T, dtype=torch.int64, device=CPU)
        for row, of_row in enumerate(runs_of_rows):
            for run in of_row:
                first[row, run.begin : run.end], stop[row, run.begin : run.end] = run.first, run.last
        return Intervals(first, stop)
    return Intervals(none_1T, none_1T + S, mask.table(T, S, CPU))


class Run(NamedTuple):
    """One document of a row: queries [begin, end) see keys [first, last)."""

    begin: int
    end: int
    first: int
    last: int


def runs(mask: Documents, T: int, S: int) -> list[list[Run]] | None:
    """The documents of each row; None where numbers are broadcast to the call, or where a document is no contiguous run."""
    if mask.queries_BT.shape[1] != T or mask.keys_BS.shape != (len(mask.queries_BT), S):
        return None
    found = []
    for queries, keys in zip(mask.queries_BT.tolist(), mask.keys_BS.tolist(), strict=True):
        of_queries, of_keys = _runs(queries), _runs(keys)
        if of_queries is None or of_keys is None:
            return None
        found.append([Run(*place, *of_keys.get(number, (0, 0))) for number, place in of_queries.items()])
    return found


def _runs(numbers: list[int]) -> dict[int, tuple[int, int]] | None:
    """Number -> its places [begin, end)."""
    found: dict[int, tuple[int, int]] = {}
    begin = 0
    for place, number in enumerate(numbers):
        if place + 1 == len(numbers) or numbers[place + 1] != number:
            if number in found:
                return None
            found[number] = (begin, place + 1)
            begin = place + 1
    return found
