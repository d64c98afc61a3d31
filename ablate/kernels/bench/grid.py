"""Which attention calls are timed: masks by lengths by head widths at a fixed number of tokens, and every scaling.

A row of the table keeps the tokens and the width of the model constant, so only the length changes along it. Dao 2023
(FlashAttention-2, section 4.1) does the same with 16k tokens of width 2048. On a CPU there are at least `FEWEST_ROWS` texts.
Arithmetic is counted by the pairs that see each other, exactly, so that causal, prefix, two streams and packed documents follow
one rule:

    forward   4 x pairs x K x H        two products of 2 operations
    backward  2.5 x forward            five products, one of them the scores computed again

    bytes     forward  reads q, k, v, writes o                     each B x T x H x K numbers
              backward reads q, k, v, o, do, writes dq, dk, dv

Softmax, mask, bias and scaling count nothing. Bytes are those that no kernel can avoid; arithmetic intensity is their quotient.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch

from ablate.config import AttentionScale, choose, require
from ablate.nn.attention.masks import Causal, Full, Mask, Prefix
from ablate.nn.attention.packing import Documents
from ablate.seeds import generator

MaskName = Literal["full", "causal", "prefix", "two-stream", "biased", "documents"]
MASKS: tuple[MaskName, ...] = ("full", "causal", "prefix", "two-stream", "biased", "documents")
SCALINGS: tuple[AttentionScale, ...] = ("inverse-sqrt", "inverse", "none", "learned", "qk-norm", "qk-norm-fixed", "log-length")
PASSES = ("forward", "backward", "both")
PREDICTED = 6
"""Of the places of a row, one in this many is predicted by the query stream: K = 6 of Yang et al. 2019, section 2.3."""
FEWEST_ROWS = 4
"""In a call on a CPU, however long: a training batch is not one or two texts, and tables that small fit a cache."""
DOCUMENTS = 4
"""Packed into a row, of random lengths."""
BACKWARD = 2.5
"""Of the forward arithmetic."""
LONG = 256
"""Length from which `auto` must reach 0.95 of the best competitor. Below it, where the tables of a call are a few megabytes, it
must reach the best."""
SCALED = 512
"""Length from which a scaling may cost a few per cent more than the plain one. Constant scalings have this limit at every
length."""


@dataclass(frozen=True, kw_only=True)
class AttentionGrid:
    """Which points a session measures, and for how long. It takes the place of an objective."""

    name: ClassVar[str] = "attention"
    size: Literal["smoke", "quick", "standard", "full"] = "quick"
    seconds: float = 0.6
    """Time for the rounds of one point [seconds]; slow points take longer, for `rounds` of them, but not `PATIENCE` times.
    Where scalings compete it is several times as long (`ablate.kernels.bench.session.SCALINGS_FACTOR`)."""
    rounds: int = 7
    """Times that each competitor runs at each point if there is time; twice as many where it is several times as long."""

    def __post_init__(self) -> None:
        choose(self.size, ("smoke", "quick", "standard", "full"), "size of the attention grid")
        require(self.seconds >= 0, "objective.seconds", self.seconds, "at least 0 seconds")
        require(self.rounds >= 3, "objective.rounds", self.rounds, "at least 3, for a median")


@dataclass(frozen=True, kw_only=True)
class Point:
    """One call of the core."""

    mask: MaskName
    length: int
    """T = S, places of a row."""
    head_width: int
    heads: int
    rows: int
    scalings: bool = False
    """Scalings compete at this point instead of backends, all on the backend of `auto`. On a CPU freed memory is kept, and the
    textbook competes too."""

    @property
    def predicted(self) -> int:
        """M, places with a query of the second stream."""
        return max(1, self.length // PREDICTED) if self.mask == "two-stream" else 0

    @property
    def label(self) -> str:
        """`causal 512, K 64`"""
        return f"{self.mask} {self.length}, K {self.head_width}" + (", scalings" if self.scalings else "")

    @property
    def condition(self) -> str:
        """The point as records name it: `mask=causal,length=512,head_width=64`."""
        return f"mask={self.mask},length={self.length},head_width={self.head_width}"

    def masks(self, device: torch.device) -> tuple[Mask, ...]:
        """Who sees whom: one mask, or those of the content and the query stream."""
        T = self.length
        if self.mask == "two-stream":
            return Prefix(T - self.predicted), Causal()
        if self.mask == "documents":
            numbers = document_numbers(self.rows, T).to(device)
            return (Documents(numbers, numbers),)
        return ({"full": Full(), "biased": Full(), "causal": Causal(), "prefix": Prefix(T // 2)}[self.mask],)

    def pairs(self) -> int:
        """Queries and keys of one head that see each other, all rows together."""
        T = self.length
        if self.mask == "documents":
            # Each document is a square. The mask itself would count in a table, which at 16k places is a quarter of a gigabyte.
            return sum(int(row.bincount().square().sum()) for row in document_numbers(self.rows, T))
        masks = self.masks(torch.device("cpu"))
        if self.mask == "two-stream":
            content, query = masks
            return content.pairs(self.rows, T, T) + query.pairs(self.rows, self.predicted, T - 1)
        return masks[0].pairs(self.rows, T, T)

    def flops(self, which: str) -> float:
        """Arithmetic of a pass [floating-point operations]."""
        forward = 4.0 * self.pairs() * self.head_width * self.heads
        return forward * {"forward": 1.0, "backward": BACKWARD, "both": 1.0 + BACKWARD}[which]

    def bytes(self, which: str, size: int) -> float:
        """Memory that a pass must move, with numbers of `size` bytes [bytes]."""
        forward, backward = 4 * self.length + 2 * self.predicted, 8 * self.length + 4 * self.predicted
        places = {"forward": forward, "backward": backward, "both": forward + backward}[which]
        return float(self.rows * places * self.heads * self.head_width * size)


def document_numbers(rows: int, length: int) -> torch.Tensor:
    """[rows, length]: which document each place belongs to; the same cuts in every session."""
    numbers = torch.zeros(rows, length, dtype=torch.int64)
    for row in range(rows):
        cuts = generator(0, "timing/documents", row).choice(length - 1, size=min(DOCUMENTS, length) - 1, replace=False) + 1
        for cut in cuts:
            numbers[row, cut:] += 1
    return numbers


def points(size: str, device: str) -> tuple[Point, ...]:
    """The grid of a size on a kind of device, shortest rows first within each mask."""
    device = "cuda" if device == "cuda" else "cpu"
    tokens, width = {"smoke": (256, 64)}.get(size, (16384, 2048) if device == "cuda" else (2048, 256))
    fewest = FEWEST_ROWS if device == "cpu" and size != "smoke" else 1

    def point(mask: MaskName, length: int, head_width: int, scalings: bool = False) -> Point:
        heads, rows = max(1, width // head_width), max(fewest, tokens // length)
        return Point(mask=mask, length=length, head_width=head_width, heads=heads, rows=rows, scalings=scalings)

    plan = _plan(device, size)
    found = [
        point(mask, length, head_width)
        for mask, lengths in plan.lengths.items()
        for head_width in plan.head_widths
        for length in lengths
    ]
    found += [point(mask, length, head_width) for mask, length, head_width in plan.also]
    return tuple(found + [point(mask, length, 64, True) for mask, length in plan.scalings])


GRIDS = (("smoke", "cpu"), ("quick", "cpu"), ("standard", "cpu"), ("full", "cpu"), ("standard", "cuda"), ("full", "cuda"))
"""Sizes and kinds of device that grids differ by."""


@dataclass(frozen=True, kw_only=True)
class _Plan:
    lengths: dict[MaskName, tuple[int, ...]]
    head_widths: tuple[int, ...] = (64,)
    also: tuple[tuple[MaskName, int, int], ...] = ()
    scalings: tuple[tuple[MaskName, int], ...]


def _plan(device: str, size: str) -> _Plan:
    if size == "smoke":
        return _Plan(lengths=dict.fromkeys(MASKS, (64, 256)), scalings=(("full", 64), ("full", 512)))
    if size == "quick":
        # The lengths of which something is claimed; the rest of the grid is for larger sizes.
        return _Plan(
            lengths={
                "full": (64, 128, 256, 512, 1024),
                "causal": (64, 128, 256, 512, 1024),
                "prefix": (256, 512),
                "two-stream": (128, 512),
                "biased": (128, 512),
                "documents": (256, 512),
            },
            also=(("full", 512, 32), ("full", 512, 128)),
            scalings=(("full", 64), ("full", 512), ("causal", 512)),
        )
    longest = {"cpu": 2048, "cuda": 16384}[device]
    widths = {"cpu": (32, 64, 128), "cuda": (64, 128) if size == "standard" else (32, 64, 128, 256)}[device]
    lengths = tuple(2**power for power in range(6, int(math.log2(longest)) + 1))
    if device == "cuda" and size == "standard":
        lengths = (128, 512, 1024, 4096, 16384)
    # A learned bias and the masks of the textbook's two streams are T x S tables; longer ones would measure their memory.
    short = tuple(length for length in lengths if length <= 4096)
    some = dict.fromkeys(("full", "causal", "prefix", "documents"), lengths) | dict.fromkeys(("two-stream", "biased"), short)
    order = {mask: some[mask] for mask in MASKS}
    return _Plan(
        lengths=order,
        head_widths=widths,
        scalings=tuple((mask, n) for mask in ("full", "causal") for n in (64, 512, 1024, min(4096, longest))),
    )
