"""What a tokenizer may and may not make the same, in the scripts of the world."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import normalizers, pre_tokenizers

from ablate.data import subwords
from ablate.data.tokenizer import UNK, train

LATIN = st.characters(codec="utf-8", max_codepoint=0x24F) | st.characters(min_codepoint=0x1E00, max_codepoint=0x1FFF)
MARKED = st.lists(st.tuples(LATIN, st.text(st.characters(min_codepoint=0x300, max_codepoint=0x36F), max_size=2)), max_size=12)


@settings(deadline=None, max_examples=300)
@given(MARKED)
def test_latin_and_greek_text_is_what_bert_makes_of_it(letters: list[tuple[str, str]]) -> None:
    text = "".join(letter + marks for letter, marks in letters if letter.isascii() or letter.isalpha())
    assert subwords._uncased().normalize_str(text) == normalizers.BertNormalizer(lowercase=True).normalize_str(text)


@pytest.mark.parametrize(
    "text", ["Über Ångström, naïve café: İstanbul — résumé!", "Ἀθῆναι ΣΊΣΥΦΟΣ", "a\tb\u00a0c\u200b\x00 d\ufffd", "x ≠ y 中文 A"]
)
def test_published_examples_are_what_bert_makes_of_them(text: str) -> None:
    assert subwords._uncased().normalize_str(text) == normalizers.BertNormalizer(lowercase=True).normalize_str(text)


@pytest.mark.parametrize("kind", ["wordpiece", "bpe", "unigram", "byte", "char"])
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("かぎ", "かき"), ("パンダ", "ハンタ"), ("कु", "क"), ("जी", "जि"), ("ไก่", "ไก"), ("می‌روم", "میروم"), ("ёлка", "елка"),
        ("мой", "мои"), ("كِتاب", "كتاب"), ("👨‍👩‍👧", "👨👩👧"), ("❤️", "❤"), ("שָׁלוֹם", "שלום"),
    ],
)  # fmt: skip
def test_different_words_have_different_ids(kind: str, one: str, other: str) -> None:
    tokenizer = train([one, other, f"{one} {other}"] * 30, kind, 300, "f")
    assert tokenizer.encode(one) != tokenizer.encode(other)
    assert UNK not in tokenizer.encode(f"{one} {other}")


@pytest.mark.parametrize("text", ["ACGT" * 40, "อ่าน" * 90, "x" * 101])
def test_no_word_is_too_long_for_wordpiece(text: str) -> None:
    tokenizer = train([text, "a b c"] * 50, "wordpiece", 200, "f")
    assert UNK not in tokenizer.encode(text)
    assert tokenizer.decode(tokenizer.encode(text)).replace(" ", "") == text.lower()
    # The first hundred characters are what BERT would have them be, had the word no others.
    first = tokenizer.encode(text[:100])
    assert tokenizer.encode(text)[: len(first)] == first


@settings(deadline=None, max_examples=300)
@given(st.text(st.characters(codec="ascii", exclude_categories=["Cc"]) | st.sampled_from("éüßñ “”—’\n\t"), max_size=40))
def test_bpe_splits_english_as_gpt_2_does(text: str) -> None:
    ours = train(["a b"], "bpe", 261, "f")._model.pre_tokenizer
    published = pre_tokenizers.ByteLevel(add_prefix_space=True).pre_tokenize_str(text)
    assert [piece for piece, _ in ours.pre_tokenize_str(text)] == [piece for piece, _ in published]


def test_bpe_learns_words_of_letters_with_marks() -> None:
    tokenizer = train(["किताब की कहानियाँ", "हिन्दी किताब"] * 30, "bpe", 400, "f")
    assert len(tokenizer.encode("किताब")) == len(tokenizer.encode("हिन्दी")) == 1


def test_unigram_learns_from_sentences_without_spaces() -> None:
    """Not from a few short ones alone, whose words are others."""
    long = ["图书馆研究语言模型" * 8 + "老师学生" * n for n in range(1, 9)]
    tokens = {piece for piece in train([*long, "短句 短句"] * 20, "unigram", 60, "f").tokens(range(5, 40)) if len(piece) > 1}
    assert any("语言" in piece for piece in tokens)
    assert any("学生" in piece for piece in tokens)


def test_a_vocabulary_far_below_what_was_asked_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    train(["ab ab ba"], "bpe", 5003, "f")
    line = "ablate: data.vocabulary = 5,003, but the text gives 26"
    assert line in capsys.readouterr().err
    train(["ab ab ba"], "bpe", 270, "f")
    assert capsys.readouterr().err == ""
