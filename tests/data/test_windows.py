"""Windows against the stream written out by hand; draws against their definition."""

from __future__ import annotations

import itertools
import pickle
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ablate.config import ConfigError
from ablate.data.token_store import TokenStore
from ablate.data.tokenizer import SEP
from ablate.data.windows import PackedWindows, SegmentPairs, Sentences

Make = Callable[..., TokenStore]
DOCUMENTS = st.lists(st.lists(st.lists(st.integers(5, 99), max_size=9), max_size=5), max_size=8)
OPEN = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


def stream_of(documents: list[list[list[int]]]) -> tuple[list[int], list[int]]:
    """Tokens and document numbers of  d0 SEP d1 SEP ..."""
    held = [flat for document in documents if (flat := list(itertools.chain(*document)))]
    tokens = [token for document in held for token in [*document, SEP]]
    return tokens, [number for number, document in enumerate(held) for _ in range(len(document) + 1)]


@OPEN
@given(DOCUMENTS, st.integers(1, 12))
def test_windows_tile_the_stream(make_store: Make, documents: list[list[list[int]]], length: int) -> None:
    tokens, numbers = stream_of(documents)
    store = make_store(documents)
    if len(tokens) < length:
        with pytest.raises(ConfigError, match=f"has {len(tokens)} tokens, but one window needs {length}"):
            PackedWindows(store, length)
        return
    windows = PackedWindows(store, length)
    assert len(windows) == len(tokens) // length
    for place in range(len(windows)):
        window = windows[place]
        at = slice(place * length, (place + 1) * length)
        assert window.tokens_T.tolist() == tokens[at]
        assert window.documents_T.tolist() == numbers[at]
        assert (window.tokens_T.dtype, window.documents_T.dtype) == (np.int64, np.int32)


DOCUMENTS_OF_TWO = [[[10 * d + s + 5, 10 * d + s + 5] for s in range(2 + d % 3)] for d in range(9)]


@pytest.mark.parametrize("kind", [PackedWindows, SegmentPairs, Sentences])
def test_every_item_comes_once_an_epoch_and_epochs_and_seeds_differ(make_store: Make, kind: type) -> None:
    windows = kind(make_store(DOCUMENTS_OF_TWO), 4)
    count = len(windows)
    orders = {
        (seed, epoch): [windows.draw(seed, epoch * count + i).place for i in range(count)]
        for seed in (0, 1)
        for epoch in (0, 1, 2)
    }
    assert all(sorted(order) == list(range(count)) for order in orders.values())
    assert len({tuple(order) for order in orders.values()}) == 6


@pytest.mark.parametrize("kind", [PackedWindows, SegmentPairs, Sentences])
def test_a_draw_is_a_pure_function_of_seed_and_index(make_store: Make, kind: type) -> None:
    store = make_store(DOCUMENTS_OF_TWO)
    forward, backward = kind(store, 5), pickle.loads(pickle.dumps(kind(store, 5)))
    asked = [(seed, index) for index in range(0, 90, 7) for seed in (0, 1, 2)]
    there = {key: forward.draw(*key) for key in asked}
    back = {key: backward.draw(*key) for key in reversed(asked)}
    for key in asked:
        assert all(np.array_equal(a, b) for a, b in zip(there[key], back[key], strict=True))
        assert there[key].index == key[1]


def test_a_pickled_store_is_its_path_and_not_its_tokens(make_store: Make) -> None:
    store = make_store([[[7] * 50_000]])
    assert len(pickle.dumps(PackedWindows(store, 5))) < 2_000


@OPEN
@given(st.data(), st.integers(4, 30))
def test_pairs_continue_their_document_and_elsewhere_is_another(make_store: Make, data: st.DataObject, length: int) -> None:
    # Every token names its document in its tens and no two neighbours are equal, so origin and order can be read off.
    sizes = data.draw(st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=6), min_size=3, max_size=6))
    documents = []
    for number, sentences in enumerate(sizes):
        position = itertools.count()
        documents.append([[100 * number + next(position) + 5 for _ in range(size)] for size in sentences])
    store = make_store(documents, vocabulary=1000)
    if sum(len(document) >= 2 for document in documents) < 2:
        with pytest.raises(ConfigError, match="two documents of two sentences"):
            SegmentPairs(store, length)
        return
    pairs = SegmentPairs(store, length)
    boundaries = {number: set(np.cumsum([0, *map(len, document)]).tolist()) for number, document in enumerate(documents)}
    seen = set()
    for index in range(2 * len(pairs)):
        pair = pairs.draw(3, index)
        both = np.concatenate([pair.first, pair.following])
        assert np.array_equal(both, np.arange(both[0], both[0] + len(both)))
        assert min(len(pair.first), len(pair.following), len(pair.elsewhere)) >= 1
        assert max(len(both), len(pair.first) + len(pair.elsewhere)) <= length
        own, other = (pair.first[0] - 5) // 100, (pair.elsewhere[0] - 5) // 100
        assert own != other
        assert int(pair.following[0] - 5) % 100 in boundaries[own]
        assert int(pair.elsewhere[0] - 5) % 100 in boundaries[other]
        seen.add(int(own))
    assert seen == {number for number, document in enumerate(documents) if len(document) >= 2}


def test_short_pairs_read_every_sentence_of_documents_with_two_or_more(make_store: Make) -> None:
    documents = [[[10 * d + s + 5] for s in range(1 + d % 4)] for d in range(8)]
    pairs = SegmentPairs(make_store(documents), 3)
    read = set(np.concatenate([np.concatenate([pairs[j].first, pairs[j].following]) for j in range(len(pairs))]).tolist())
    assert read == {token for document in documents if len(document) > 1 for (token,) in document}


@pytest.mark.parametrize("most", [2, 3])
def test_pairs_of_few_sentences_tile_the_same_documents(make_store: Make, most: int) -> None:
    documents = [[[10 * d + s + 5] * 2 for s in range(2 + d % 5)] for d in range(6)]
    pairs = SegmentPairs(make_store(documents), 40, most=most)
    halves = [(set(pairs[j].first.tolist()), set(pairs[j].following.tolist())) for j in range(len(pairs))]
    assert max(len(first) + len(second) for first, second in halves) == most
    read = set.union(*(first | second for first, second in halves))
    assert read == {sentence[0] for document in documents for sentence in document}
    assert len(pairs) > len(SegmentPairs(make_store(documents), 40))


def test_the_length_of_the_second_segment_tells_nothing(make_store: Make) -> None:
    rng = np.random.default_rng(0)
    documents = [[[d % 90 + 5] * int(rng.integers(2, 12)) for _ in range(int(rng.integers(2, 9)))] for d in range(400)]
    pairs = SegmentPairs(make_store(documents), 40)
    drawn = [pairs.draw(0, i) for i in range(4000)]
    difference = np.array([len(pair.following) - len(pair.elsewhere) for pair in drawn])
    # A rule that saw the lengths alone could win by about half the standardised difference.
    assert abs(difference.mean()) < 0.1 * difference.std()


@OPEN
@given(DOCUMENTS, st.integers(1, 12), st.integers(1, 30))
def test_a_window_may_bring_what_stands_before_it(
    make_store: Make, documents: list[list[list[int]]], length: int, before: int
) -> None:
    tokens, numbers = stream_of(documents)
    if len(tokens) < length:
        return
    windows = PackedWindows(make_store(documents), length, before=before)
    assert len(windows) == len(tokens) // length
    padded, padded_numbers = [SEP] * before + tokens, [0] * before + numbers
    for place in range(len(windows)):
        at = slice(place * length, (place + 1) * length + before)
        assert windows[place].tokens_T.tolist() == padded[at]
        assert windows[place].documents_T.tolist() == padded_numbers[at]


@OPEN
@given(DOCUMENTS, st.integers(1, 12))
def test_sentences_are_read_one_by_one(make_store: Make, documents: list[list[list[int]]], length: int) -> None:
    wanted = [sentence[:length] for document in documents for sentence in document if sentence]
    if not wanted:
        with pytest.raises(ConfigError, match="has no sentences"):
            Sentences(make_store(documents), length)
        return
    sentences = Sentences(make_store(documents), length)
    assert [sentences[place].tokens_T.tolist() for place in range(len(sentences))] == wanted
    assert sentences.tokens_per_example == pytest.approx(np.mean([len(sentence) for sentence in wanted]))
