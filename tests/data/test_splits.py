from __future__ import annotations

import numpy as np
from scipy.stats import binomtest

from ablate.data.corpora import Document
from ablate.data.splits import SPLITS, split_of


def test_shares_are_ninety_five_five() -> None:
    splits = [split_of(Document((f"Text number {i}.",))) for i in range(20_000)]
    for name, share in zip(SPLITS, (0.90, 0.05, 0.05), strict=True):
        assert binomtest(splits.count(name), len(splits), share).pvalue > 1e-4


def test_the_label_and_the_company_play_no_part() -> None:
    for i in range(50):
        text = (f"A text {i}.", "Its end.")
        assert split_of(Document(text, "a")) == split_of(Document(text, "b")) == split_of(Document(text))


def test_held_out_splits_are_independent_of_the_order_of_documents() -> None:
    documents = [Document((f"One {i}.",)) for i in range(300)]
    shuffled = [documents[i] for i in np.random.default_rng(0).permutation(300)]
    held = [{d for d in order if split_of(d) == "test"} for order in (documents, shuffled)]
    assert held[0] == held[1] != set()


def test_a_division_the_corpus_brings_is_kept() -> None:
    for name in SPLITS:
        assert {split_of(Document((f"Text number {i}.",), split=name)) for i in range(100)} == {name}
