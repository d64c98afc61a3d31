"""T5's corruptions by name: what they show, what they ask, and that rows keep documents apart."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ablate.collators import text_to_text
from ablate.collators.denoising import Corruption, Kind
from ablate.collators.text_to_text import PADDING, Example
from ablate.data.tokenizer import MASK, PAD, SEP

V, CONTEXT = 60, 40
KINDS: tuple[Kind, ...] = get_args(Kind)


def window(seed: int, raw: int) -> list[np.ndarray]:
    """Texts that, each with its end, are `raw` tokens or one more."""
    rng, texts = np.random.default_rng(seed), []
    while raw > 0:
        texts.append(rng.integers(5, V, min(raw, int(rng.integers(1, 20)))))
        raw -= len(texts[-1]) + 1
    return texts


@settings(deadline=None, max_examples=150)
@given(seed=st.integers(0, 10_000), kind=st.sampled_from(KINDS), rate=st.floats(0.02, 0.9), mean=st.floats(1, 9))
def test_a_window_fits_and_asks_for_its_texts(seed: int, kind: Kind, rate: float, mean: float) -> None:
    corruption = Corruption(kind, rate, mean)
    texts = window(seed, corruption.raw_length(CONTEXT))
    examples, used = corruption.corrupt(texts, np.random.default_rng(seed), V, CONTEXT)
    assert sum(len(example.inputs) + 1 for example in examples) <= CONTEXT
    assert 0 < used <= sum(map(len, texts))
    for text, example in zip(texts, examples, strict=False):
        assert len(example.targets) + 1 <= corruption.longest_target(CONTEXT)
        assert max(*example.inputs.tolist(), *example.targets.tolist(), 0, 0) < V + corruption.sentinels(CONTEXT)
        if kind in ("bert", "mass", "deshuffling"):
            assert example.targets.tolist() == text.tolist()
        elif kind == "prefix":
            assert [*example.inputs, *example.targets] == text.tolist()
            assert len(example.targets) > 0
        if kind == "deshuffling":
            assert sorted(example.inputs) == sorted(text)
    if kind in ("spans", "iid"):
        seen = sum(int((example.inputs < V).sum()) for example in examples)
        written = sum(int((example.targets < V).sum()) for example in examples)
        assert seen + written == used
        if used == sum(map(len, texts)):
            wanted = min(max(1, round(rate * used)), max(1, used - 1)) if kind == "spans" else max(1, round(rate * used))
            assert written == wanted
    else:
        assert used == sum(map(len, texts))


@pytest.mark.parametrize(("kind", "random_share"), [("bert", 0.1), ("mass", 0.0)])
def test_masked_tokens_are_exact_and_partly_random(kind: Kind, random_share: float) -> None:
    text = np.random.default_rng(0).integers(5, V, 10_000)
    [example], used = Corruption(kind, 0.15, 3.0).corrupt([text], np.random.default_rng(1), V, 10_001)
    changed = example.inputs != text
    assert used == 10_000
    # A random token is the true one in 1 of V - 5 draws.
    assert int(changed.sum()) == pytest.approx(1500, abs=0 if kind == "mass" else 12)
    assert (example.inputs[changed] == MASK).sum() == pytest.approx((1 - random_share) * 1500, abs=50 if random_share else 0)


def test_a_prefix_is_of_any_length() -> None:
    rng, text = np.random.default_rng(0), np.arange(5, 10)
    drawn = [len(Corruption("prefix", 0.15, 3.0).corrupt([text], rng, V, CONTEXT)[0][0].inputs) for _ in range(400)]
    assert set(drawn) == {1, 2, 3, 4}


def test_rows_are_what_the_picture_says() -> None:
    rows = [
        [Example(np.array([5, 60]), np.array([60, 7])), Example(np.array([8]), np.array([], int))],
        [Example(np.array([9, 10, 60]), np.array([60, 11, 12]))],
    ]
    packed = text_to_text.pack(rows, start=PAD, end=SEP, padding=PAD, room=6)
    assert packed.inputs_BT.tolist() == [[5, 60, SEP, 8, SEP, PAD], [9, 10, 60, SEP, PAD, PAD]]
    assert packed.documents_BT.tolist() == [[0, 0, 0, 1, 1, PADDING], [0, 0, 0, 0, PADDING, PADDING]]
    assert packed.decoder_inputs_BU.tolist() == [[PAD, 60, 7, PAD], [PAD, 60, 11, 12]]
    assert packed.decoder_targets_BU.tolist() == [[60, 7, SEP, PAD], [60, 11, 12, SEP]]
    assert packed.decoder_documents_BU.tolist() == [[0, 0, 0, PADDING], [0, 0, 0, 0]]
