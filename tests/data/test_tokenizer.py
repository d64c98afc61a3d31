"""Each kind against what its definition says; training against itself in another process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ablate.config import ConfigError
from ablate.data import tokenizer as tokenizer_module
from ablate.data.tokenizer import CLS, MASK, PAD, SEP, SPECIAL, UNK, Tokenizer, fingerprint, train
from ablate.seeds import generator

KINDS = ("wordpiece", "bpe", "unigram", "word", "byte", "char")
STEMS = "walk talk jump sing read write paint help learn teach build carry".split()  # noqa: SIM905
ENDINGS = ("", "s", "ed", "ing", "er", "ers")
OPEN = settings(deadline=None, max_examples=100)
PLAIN = st.text("abcdefghijklmnopqrstuvwxyz ABC.,(' ", max_size=30).map(lambda text: " ".join(text.split()))


def sentences(count: int = 400) -> list[str]:
    rng = generator(0, "test")
    words = [stem + ending for stem in STEMS for ending in ENDINGS]
    made = [" ".join(rng.choice(words, 7)).capitalize() + "." for _ in range(count)]
    return [*made, "The quick brown fox, (it jumps) over a lazy dog's back!"] * 2


@cache
def trained(kind: str) -> Tokenizer:
    return train(sentences(), kind, 300, "f")


def test_special_ids_are_fixed() -> None:
    assert (PAD, UNK, CLS, SEP, MASK) == (0, 1, 2, 3, 4)
    for kind in KINDS:
        assert trained(kind).tokens(range(5)) == list(SPECIAL)


@pytest.mark.parametrize("kind", KINDS)
def test_no_text_yields_a_special_token(kind: str) -> None:
    ids = trained(kind).encode("A [MASK] and [CLS][SEP] or [PAD] then [UNK].")
    assert ids
    assert all(token >= 5 or token == UNK for token in ids)


@pytest.mark.parametrize("kind", KINDS)
@OPEN
@given(st.text(max_size=30))
def test_any_text_gives_ids_within_the_vocabulary(kind: str, text: str) -> None:
    tokenizer = trained(kind)
    ids = tokenizer.encode(text)
    assert all(5 <= token < tokenizer.vocabulary.size or token == UNK for token in ids)
    assert [ids] == tokenizer.encode_batch([text])


@pytest.mark.parametrize("kind", ["bpe", "byte"])
@OPEN
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
def test_byte_models_lose_nothing(kind: str, text: str) -> None:
    tokenizer = trained(kind)
    assert UNK not in tokenizer.encode(text)
    assert tokenizer.decode(tokenizer.encode(text)) == text.strip()


@pytest.mark.parametrize("kind", ["unigram", "char"])
@OPEN
@given(st.lists(st.sampled_from(sentences(20)), max_size=3))
def test_characters_of_the_training_text_come_back(kind: str, texts: list[str]) -> None:
    text = " ".join(texts)
    assert trained(kind).decode(trained(kind).encode(text)) == text


@OPEN
@given(st.text(max_size=20))
def test_a_byte_is_its_value_and_five(text: str) -> None:
    raw = (" " + text if text and not text.startswith(" ") else text).encode("utf-8", "surrogatepass")
    if "\ud800" <= max(text, default="") <= "\udfff":
        return
    assert trained("byte").encode(text) == [byte + 5 for byte in raw]
    assert trained("byte").vocabulary.size == 261


def test_characters_are_numbered_by_frequency() -> None:
    tokenizer = train(["bbb", "cc b", "ddd d d"], "char", 999, "f")
    assert tokenizer.tokens(range(5, tokenizer.vocabulary.size)) == [" ", "d", "b", "c"]
    assert tokenizer.encode("bx") == [5, 7, UNK]


@OPEN
@given(PLAIN)
def test_wordpiece_takes_the_longest_piece_first(text: str) -> None:
    """Schuster & Nakajima's rule, written out: within a word, the longest known piece from the left, or the word is unknown."""
    tokenizer = trained("wordpiece")
    known = set(tokenizer.tokens(range(5, tokenizer.vocabulary.size)))
    wanted: list[str] = []
    for word in "".join(f" {c} " if c in ".,('" else c for c in text.lower()).split():
        pieces, start = [], 0
        while start < len(word):
            prefix = "##" if start else ""
            ends = [end for end in range(len(word), start, -1) if prefix + word[start:end] in known]
            if not ends:
                pieces = [SPECIAL[UNK]]
                break
            pieces.append(prefix + word[start : ends[0]])
            start = ends[0]
        wanted += pieces
    assert tokenizer.tokens(tokenizer.encode(text)) == wanted


@pytest.mark.parametrize("kind", KINDS)
def test_continues_marks_all_but_the_first_piece_of_a_word(kind: str) -> None:
    tokenizer = trained(kind)
    for text in sentences(30):
        for word in text.removesuffix(".").removesuffix("!").split():
            if not word.isalpha():
                continue
            ids = tokenizer.encode(word)
            marks = tokenizer.vocabulary.continues(np.array(ids))
            assert not marks[0]
            # A piece that is only the mark of a word's beginning leaves that beginning to be continued.
            assert marks[1:].all()
    assert not tokenizer.vocabulary.continues(np.arange(5)).any()
    assert tokenizer.vocabulary.continues(np.full((3, 2), UNK)).shape == (3, 2)


def test_more_merges_shorten_the_text() -> None:
    for kind, sizes in {"wordpiece": (64, 90, 120), "bpe": (270, 290, 310), "unigram": (64, 90, 120)}.items():
        lengths = [sum(map(len, train(sentences(), kind, size, "f").encode_batch(sentences()))) for size in sizes]
        assert lengths[0] > lengths[1] > lengths[2]


def test_the_vocabulary_is_as_large_as_asked_or_as_the_text_gives() -> None:
    for kind in ("wordpiece", "bpe", "unigram"):
        assert train(sentences(), kind, 270, "f").vocabulary.size <= 270
    assert train(sentences(), "bpe", 280, "f").vocabulary.size == 280
    assert train(["ab ab ba"], "wordpiece", 5000, "f").vocabulary.size < 20


@pytest.mark.parametrize("kind", ["wordpiece", "bpe", "unigram"])
def test_a_vocabulary_below_the_alphabet_is_refused(kind: str) -> None:
    text = ["".join(chr(0x4E00 + i) for i in range(200))] * 3
    with pytest.raises(ConfigError, match=r"data.vocabulary = 64 token types, but the alphabet of this text .* need \d+"):
        train(text, kind, 64, "f")


def test_one_stray_character_does_not_enter_the_alphabet() -> None:
    text = ["common words only here"] * 10_000 + ["stray \u4e00"]
    for kind in ("wordpiece", "unigram", "char"):
        tokenizer = train(text, kind, 100, "f")
        assert "\u4e00" not in "".join(tokenizer.tokens(range(tokenizer.vocabulary.size)))
        assert UNK in tokenizer.encode("\u4e00")


def test_an_empty_text_is_refused() -> None:
    with pytest.raises(ConfigError, match="no sentence to train a tokenizer on"):
        train([], "bpe", 300, "f")


def test_special_ids_show_by_name_when_decoded() -> None:
    tokenizer = trained("bpe")
    ids = [CLS, *tokenizer.encode("walked"), MASK, *tokenizer.encode("talks"), SEP]
    assert tokenizer.decode(np.array(ids)) == "[CLS] walked [MASK] talks [SEP]"


TRAIN = """
import hashlib, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from test_tokenizer import KINDS, sentences
from ablate.data.tokenizer import train
for kind in KINDS:
    path = Path(sys.argv[2], kind)
    train(sentences(), kind, 300, "f").save(path)
    print(hashlib.sha256(path.read_bytes()).hexdigest())
"""


def test_training_is_the_same_in_every_process_with_any_threads(tmp_path: Path) -> None:
    digests = []
    for hash_seed, parallel in (("1", "false"), ("2", "true")):
        environment = os.environ | {
            "PYTHONHASHSEED": hash_seed,
            "TOKENIZERS_PARALLELISM": parallel,
            "PYTHONPATH": str(Path(__file__).parents[2]),
        }
        command = [sys.executable, "-c", TRAIN, str(Path(__file__).parent), str(tmp_path)]
        digests.append(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)
    assert digests[0] == digests[1]
    assert digests[0].count("\n") == len(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_long_text_has_the_same_ids_in_pieces(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [" ".join(sentences(40)), "One  two   three \n four." * 9, "short", "", " "]
    whole = trained(kind).encode_batch(texts)
    assert [trained(kind).encode(text) for text in texts] == whole
    for longest, batch in ((64, 100), (17, 1), (64, 1 << 17)):
        monkeypatch.setattr(tokenizer_module, "LONGEST", longest)
        monkeypatch.setattr(tokenizer_module, "BATCH", batch)
        assert trained(kind).encode_batch(texts) == whole
        assert [ids.tolist() for ids in trained(kind).encoded(iter(texts))] == whole


@pytest.mark.parametrize("kind", KINDS)
def test_a_text_without_spaces_is_cut_hard(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokenizer_module, "LONGEST", 10)
    model = trained(kind)
    assert model.encode("walked" * 5) == [i for part in ("walkedwalk", "edwalkedwa", "lkedwalked") for i in model.encode(part)]


def test_texts_are_encoded_a_bounded_number_of_characters_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokenizer_module, "LONGEST", 100)
    monkeypatch.setattr(tokenizer_module, "BATCH", 200)
    taken: list[str] = []

    def texts() -> Iterator[str]:
        for text in ("walk " * 100, *["a"] * 9):
            taken.append(text)
            yield text

    encoded = trained("byte").encoded(texts())
    next(encoded)
    assert len(taken) == 1
    next(encoded)
    # Even a text of one letter costs something: four of them are a batch.
    assert len(taken) <= 5


def test_words_that_are_all_too_long_still_give_an_alphabet() -> None:
    model = train(["中文字" * 30] * 5, "unigram", 300, "f")
    assert model.decode(model.encode("字中文")) == "字中文"


def test_saved_and_loaded_is_the_same(tmp_path: Path) -> None:
    for kind in KINDS:
        trained(kind).save(tmp_path / kind)
        loaded = Tokenizer.load(tmp_path / kind, kind, "f")
        assert loaded.encode_batch(sentences(20)) == trained(kind).encode_batch(sentences(20))
        assert loaded.vocabulary.spelled == trained(kind).vocabulary.spelled


def test_the_fingerprint_names_corpus_kind_and_size() -> None:
    names = {fingerprint(corpus, kind, size) for corpus in "ab" for kind in KINDS for size in (300, 400)}
    # byte and char have the size their alphabet gives, whatever is asked.
    assert len(names) == 2 * (4 * 2 + 2)


def test_training_frequency_decides_the_first_merge() -> None:
    tokenizer = train(["xy xy xy xy zw zw"], "wordpiece", 5 + 4 + 4, "f")
    assert Counter(tokenizer.tokens(range(tokenizer.vocabulary.size)))["xy"] == 1


def test_words_are_the_most_frequent_ones_and_ties_go_by_the_alphabet() -> None:
    tokenizer = train(["b b b <unk> <unk> c a d"], "word", 5 + 4, "f")
    assert tokenizer.tokens(range(9)) == [*SPECIAL, "b", "<unk>", "a", "c"]
    assert tokenizer.encode("d <unk> b [MASK] a") == [UNK, 6, 5, UNK, 7]
    assert not tokenizer.vocabulary.continues(np.array(tokenizer.encode("d <unk> b [MASK] a"))).any()
