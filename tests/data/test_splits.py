from __future__ import annotations

import numpy as np
from scipy.stats import binomtest

from ablate.data.document import Document
from ablate.data.splits import SPLITS, set_apart, split_of


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


def test_what_is_set_apart_is_a_twentieth_each_and_agrees_with_the_whole_rule() -> None:
    documents = [Document((f"Text number {i}.",)) for i in range(20_000)]
    assert {set_apart(document, ()) for document in documents} == {"train"}
    for name in ("validation", "test"):
        found = [set_apart(document, (name,)) for document in documents]
        assert binomtest(found.count(name), len(found), 0.05).pvalue > 1e-4
        assert set(found) == {"train", name}
    assert [set_apart(document, ("test", "validation")) for document in documents] == [split_of(d) for d in documents]
