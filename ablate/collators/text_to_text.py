"""Text to text: an example is the encoder's input and the decoder's target; a row may hold several examples.

    encoder   input SEP | input SEP | padding        each an example of its own, which sees nothing of its neighbours
    decoder   START target | START target            reads
              target SEP   | target SEP              writes

Raffel et al. 2020, section 2.4 and, for packing, section 3.1.2. Shape letters: B row, T encoder position, U decoder position.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

PADDING = -1
"""The document number of padding."""


class Example(NamedTuple):
    """int64 arrays, without the end of a text; an empty target has no loss."""

    inputs: np.ndarray
    targets: np.ndarray


class Rows(NamedTuple):
    """int64 tokens, and int32 running numbers of the example within its row, `PADDING` on padding."""

    inputs_BT: np.ndarray
    documents_BT: np.ndarray
    decoder_inputs_BU: np.ndarray
    decoder_targets_BU: np.ndarray
    decoder_documents_BU: np.ndarray


def pack(rows: Sequence[Sequence[Example]], *, start: int, end: int, padding: int, room: int = 0) -> Rows:
    """Pack rows of examples, padded to the longest row; the encoder's are padded to at least `room` tokens."""
    begin, finish = np.array([start]), np.array([end])
    encoder: list[list[np.ndarray]] = [[np.append(example.inputs, finish) for example in row] for row in rows]
    decoder = [[np.append(begin, e.targets) if len(e.targets) else e.targets for e in row] for row in rows]
    targets = [[np.append(e.targets, finish) if len(e.targets) else e.targets for e in row] for row in rows]
    return Rows(
        _tokens(encoder, padding, room),
        _documents(encoder, room),
        _tokens(decoder, padding, 0),
        _tokens(targets, padding, 0),
        _documents(decoder, 0),
    )


def _tokens(rows: list[list[np.ndarray]], padding: int, room: int) -> np.ndarray:
    return _stack([np.concatenate(row) for row in rows], padding, room, np.int64)


def _documents(rows: list[list[np.ndarray]], room: int) -> np.ndarray:
    return _stack([np.repeat(np.arange(len(row)), [len(piece) for piece in row]) for row in rows], PADDING, room, np.int32)


def _stack(rows: list[np.ndarray], padding: int, room: int, kind: type[np.integer]) -> np.ndarray:
    stacked = np.full((len(rows), max(room, *map(len, rows), 1)), padding, dtype=kind)
    for filled, row in zip(stacked, rows, strict=True):
        filled[: len(row)] = row
    return stacked
