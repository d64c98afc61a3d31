"""The oracle against PyTorch's LSTM with the same weights, and its text against its own probabilities."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats

from ablate.config import ConfigError, Data
from ablate.data import tokenizer as tokenization
from ablate.data.corpora import open_corpus, oracle
from ablate.data.corpora.oracle import SENTENCES, WIDTH, Oracle
from ablate.data.splits import split_of

WORDS = 59
SMALL = Oracle(length=6, words=WORDS)


def rows(split: str, corpus: Oracle = SMALL) -> list[list[int]]:
    return [corpus.ids(document.sentences[0]) for document in corpus.documents() if document.split == split]


def by_torch(words_BT: np.ndarray) -> torch.Tensor:
    """-log p of every word, by an independent LSTM; PyTorch orders the gates input, forget, candidate, output."""
    weights = oracle._weights(WORDS, 0)
    lstm = torch.nn.LSTM(WIDTH, WIDTH, batch_first=True).double()

    def gates(matrix: np.ndarray) -> torch.Tensor:
        enter, forget, leave, candidate = np.split(matrix, 4, axis=-1)
        return torch.from_numpy(np.concatenate([enter, forget, candidate, leave], axis=-1).T.copy())

    with torch.no_grad():
        lstm.weight_ih_l0.copy_(gates(weights.inputs_D4D))
        lstm.weight_hh_l0.copy_(gates(weights.recurrent_D4D))
        lstm.bias_ih_l0.copy_(gates(weights.gates_4D))
        lstm.bias_hh_l0.zero_()
        before = np.concatenate([np.full((len(words_BT), 1), WORDS), words_BT[:, :-1]], axis=1)
        hidden, _ = lstm(torch.from_numpy(weights.embedding_VD[before]))
        logits = hidden @ torch.from_numpy(weights.output_DV) + torch.from_numpy(weights.bias_V)
        return -logits.log_softmax(-1).gather(-1, torch.from_numpy(words_BT)[..., None])[..., 0]


def test_its_likelihood_is_that_of_an_lstm() -> None:
    words_BT = np.random.default_rng(0).integers(0, WORDS, (40, 6))
    expected = by_torch(words_BT)
    assert np.allclose(oracle._weights(WORDS, 0).nll(words_BT), expected.numpy(), atol=1e-10)
    assert SMALL.nll_of_words(words_BT) == pytest.approx(float(expected.mean()), abs=1e-10)
    sentences = [" ".join(f"w{word}" for word in row) for row in words_BT]
    assert SMALL.nll(sentences) == pytest.approx(float(expected.mean()), abs=1e-10)


def test_its_text_follows_its_probabilities() -> None:
    """The first words, and the words after the most frequent first word."""
    text = np.array(rows("train"))
    assert text.shape == (SENTENCES["train"], 6)
    every = np.arange(WORDS)[:, None]
    common = int(np.bincount(text[:, 0]).argmax())
    second = text[text[:, 0] == common, 1]
    after = np.concatenate([np.full((WORDS, 1), common), every], axis=1)
    cases = [(text[:, 0], by_torch(every)[:, 0]), (second, by_torch(after)[:, 1])]
    for found, nats in cases:
        expected = nats.neg().exp().numpy() * len(found)
        often = expected > 5
        counts = np.bincount(found, minlength=WORDS)
        pooled = [*counts[often], counts[~often].sum()], [*expected[often], expected[~often].sum()]
        assert stats.chisquare(*pooled).pvalue > 0.001


def test_its_entropy_is_what_it_says_of_other_text_of_its_own() -> None:
    nats = by_torch(np.array(rows("validation"))).mean(dim=1)
    error = float(nats.std()) * math.sqrt(2 / SENTENCES["validation"])
    assert abs(SMALL.entropy - float(nats.mean())) < 4 * error < 0.1
    assert f"{SMALL.entropy:.4f} nats" in SMALL.describe()["entropy"]
    assert SMALL.entropy < SMALL.nll_of_words(np.random.default_rng(0).integers(0, WORDS, (500, 6))) - 1


def test_the_same_numbers_are_the_same_text_and_others_are_not() -> None:
    text = rows("test")
    oracle._text.cache_clear()
    oracle._weights.cache_clear()
    assert rows("test", Oracle(length=6, words=WORDS)) == text
    others = [Oracle(length=7, words=WORDS), Oracle(length=6, words=60), Oracle(length=6, words=WORDS, number=1)]
    assert all(rows("test", other) != text for other in others)
    assert len({corpus.fingerprint() for corpus in (SMALL, *others)}) == 4
    assert SMALL.fingerprint() == Oracle(length=6, words=WORDS).fingerprint()


def test_sentences_are_documents_with_splits_of_their_own() -> None:
    documents = list(SMALL.documents())
    assert all(len(document.sentences) == 1 for document in documents)
    found = [split_of(document) for document in documents]
    assert {split: found.count(split) for split in set(found)} == SENTENCES


def test_the_word_tokenizer_recovers_the_words() -> None:
    sentences = [document.sentences[0] for document in SMALL.documents() if document.split == "train"]
    tokenizer = tokenization.train(iter(sentences), "word", WORDS + len(tokenization.SPECIAL), "oracle")
    encoded = tokenizer.encode_batch(sentences[:200])
    assert [tokenizer.decode(list(ids)) for ids in encoded] == sentences[:200]
    assert all(len(ids) == 6 and min(ids) >= len(tokenization.SPECIAL) for ids in encoded)


def test_a_sentence_is_read_up_to_what_the_oracle_does_not_know() -> None:
    assert SMALL.ids("w3 w58 w4 w4 w4 w4 w9 w9") == [3, 58, 4, 4, 4, 4]
    assert SMALL.ids("w3 w59 w4") == SMALL.ids("w3 [UNK] w4") == SMALL.ids("w3 w w4") == SMALL.ids("w3 w² w4") == [3]
    assert SMALL.ids("") == []
    mixed = [[3, 7], [], [5]]
    nats = [*by_torch(np.array([[3, 7]]))[0].tolist(), *by_torch(np.array([[5]]))[0].tolist()]
    assert SMALL.nll_of_words(mixed) == pytest.approx(sum(nats) / 3, abs=1e-10)
    assert math.isnan(SMALL.nll(["", "not a word"]))


def test_its_name_says_length_words_and_number() -> None:
    def numbers(name: str) -> tuple[int, int, int]:
        corpus = open_corpus(Data(corpus=name))
        assert isinstance(corpus, Oracle)
        return corpus.length, corpus.words, corpus.number

    assert numbers("oracle") == (20, 5000, 0)
    assert numbers("oracle:40") == (40, 5000, 0)
    assert numbers("oracle:20:500:7") == (20, 500, 7)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("oracle:", "must be oracle:LENGTH or"),
        ("oracle:twenty", "must be oracle:LENGTH or"),
        ("oracle:20:-5", "must be oracle:LENGTH or"),
        ("oracle:20:500:1:2", "must be oracle:LENGTH or"),
        ("oracle:0", "LENGTH .* = 0, but must be between 1 and 1000 words"),
        ("oracle:20:1", "WORDS .* = 1, but must be between 2 and 100000 types"),
    ],
)
def test_wrong_names_are_answered_with_right_ones(name: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        open_corpus(Data(corpus=name))
