"""What a batch says of itself: tokens read, targets, and the arithmetic of a training step on it.

    tokens    at least those of the window that the batch depends on, at most those that stand there, once for each row
    targets   the predictions of the first head
    FLOPs     `dense_flops` is what torch's counter counts, within one per cent; `flops` leaves out at most attention's products

A token is one of text, neither special nor padding. The tokens before a window (`before`) belong to the one before it.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest

from ablate.config import Backbone
from ablate.data.token_store import TokenStore
from ablate.data.tokenizer import UNK
from ablate.objectives.base import Objective
from ablate.testing.arithmetic import counted, training_step
from ablate.testing.cases import BATCH, CONTEXT, FIRST, NOISE, Case, Texts, V, batch_of, tensors

WIDE = Backbone(width=64, layers=3, heads=4)
LONG = 64
"""Positions of a row, for counts: the first state of an LSTM, which has no gradient, is then one of many."""
ROWS = 8
TURN = 8
"""Steps in which players that take turns come round."""


class CountsContract(Texts):
    def test_counts_are_of_this_batch(self, case: Case, store: TokenStore) -> None:
        model = case.build()
        batch, single = batch_of(model, store, range(BATCH)), batch_of(model, store, range(1))
        for field, of_all, of_one in (
            ("tokens", batch.tokens, single.tokens),
            ("targets", batch.targets, single.targets),
            ("flops", model.flops(batch), model.flops(single)),
        ):
            case.keep(
                0 < of_one < of_all,
                f"{field} = {of_one:,} of one window, but {of_all:,} of {BATCH}, itself among them",
            )

    def test_tokens_are_those_of_text_once_for_each_row(self, case: Case, store: TokenStore) -> None:
        model = case.build()
        windows = model.windows(store, model.config, CONTEXT)
        before = getattr(windows, "before", 0)
        for index in range(BATCH):
            window = windows.draw(0, index)
            batch = model.collator()([window], NOISE, 0.5)
            rows = max((len(value) for field, value in tensors(batch).items() if field.endswith("_BT")), default=1)
            least, most = entering(model, window, before), rows * standing(window, before)
            found = batch.tokens
            case.keep(found >= least, f"tokens = {found} of a window, but the batch depends on {least} of its tokens")
            case.keep(found <= most, f"tokens = {found} of a window, but {most} tokens of text stand in it, once a row")

    def test_targets_are_the_predictions_of_the_first_head(self, case: Case, texts: TokenStore) -> None:
        model = case.build()
        batch = batch_of(model, texts, range(BATCH))
        head, logits = next(iter(model.predictions(batch).items()))
        case.keep(batch.targets == len(logits), f"targets = {batch.targets}, but {head} predicts {len(logits)}")

    @pytest.mark.parametrize("progress", [0.0, 0.5, 0.95])
    def test_arithmetic_is_what_torch_counts(self, case: Case, full: TokenStore, progress: float) -> None:
        model = case.build(backbone=WIDE, context=LONG)
        batch = batch_of(model, full, range(ROWS), progress)
        total, written, steps = 0, 0.0, 0
        while steps < TURN:
            found = counted(functools.partial(training_step, model, batch, steps))
            total, written, steps = total + found.total, written + model.dense_flops(batch), steps + 1
            if model.automatic_optimization or written == pytest.approx(total, rel=0.01):
                break
        if total == 0 and not list(model.parameters()):
            pytest.skip(f"{case.name} counts and multiplies no matrices: torch's counter has nothing to count")
        field = "flops" if type(model).dense_flops is Objective.dense_flops else "dense_flops"
        case.keep(
            written == pytest.approx(total, rel=0.01),
            f"{field} = {written / steps:.3g} a batch, but torch's counter says {total / steps:.3g}",
        )
        exact, dense, pairs = model.flops(batch), model.dense_flops(batch), found.batched
        case.keep(exact <= dense, f"flops = {exact:.3g} a batch, but dense_flops, which hides nothing, is {dense:.3g}")
        case.keep(
            exact >= 0.99 * dense - pairs,
            f"flops = {exact:.3g} a batch, but torch's counter says {dense - pairs:.3g} without any attention",
        )


def texts_of(window: Any, before: int) -> dict[str, np.ndarray]:
    """The arrays of tokens in a window by field, without what stands before it. A pair shows its first text and another."""
    if hasattr(window, "tokens_T"):
        return {"tokens_T": window.tokens_T[before:]}
    return {field: value for field, value in window._asdict().items() if isinstance(value, np.ndarray)}


def standing(window: Any, before: int) -> int:
    """Tokens of text that stand in a window: of a pair in the first text and in the longer one of those that may follow."""
    numbers = {field: int(((ids >= FIRST) | (ids == UNK)).sum()) for field, ids in texts_of(window, before).items()}
    if "tokens_T" in numbers:
        return numbers["tokens_T"]
    first, *others = numbers.values()
    return first + max(others, default=0)


def entering(model: Objective, window: Any, before: int) -> int:
    """Tokens of a window that its batch depends on: changing one changes a number."""
    reference, found = tensors(model.collator()([window], NOISE, 0.5)), 0
    for field, ids in texts_of(window, before).items():
        for place in np.flatnonzero(ids >= FIRST).tolist():
            changed = getattr(window, field).copy()
            at = place + (before if field == "tokens_T" else 0)
            changed[at] = FIRST + (changed[at] + 1 - FIRST) % (V - FIRST)
            batch = tensors(model.collator()([window._replace(**{field: changed})], NOISE, 0.5))
            found += any(not batch[name].equal(value) for name, value in reference.items())
    return found
