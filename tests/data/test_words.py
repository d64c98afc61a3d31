"""Words against the examples of Unicode, against ICU where it is installed, and token by token against whole texts."""

from __future__ import annotations

import itertools
import random
import unicodedata
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ablate.data import words
from ablate.data.tokenizer import Tokenizer, train

TEXTS = {
    "english": "The old computer can't be read by 3.5 (young) readers. It was, he said, a well-known fault!",
    "russian": "Учитель читает старую книгу в библиотеке. Это было «вчера», не сегодня; ёлка и йод.",
    "hindi": "यह पुस्तक कमरे में है। किसान नदी के किनारे कहानियाँ पढ़ते हैं।",
    "arabic": "يقرأ المعلّم كتابًا قديمًا في المكتبة؟ نعم، می‌روم.",
    "chinese": "老师在图书馆里阅读一本关于历史的书。春节期间，画家记录了城市交通的变化！",
    "thai": "ครูอ่านหนังสือเก่าในห้องสมุด ทำงานทุกวันอาทิตย์ใกล้สถานีรถไฟ",
    "japanese": "先生は図書館で古いコンピューターを使った。かぎとかき、パンダ。",
    "korean": "선생님은 도서관에서 오래된 책을 읽었다. 어제였다!",
}
KINDS = ("wordpiece", "bpe", "unigram", "byte", "char")


@cache
def trained(kind: str) -> Tokenizer:
    return train([*TEXTS.values(), *"".join(TEXTS.values())] * 3, kind, 900 if kind == "unigram" else 500, "f")


@pytest.fixture(autouse=True)
def without_dictionaries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(words, "ICU", None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # UAX 29, section 4, figure 1, and the rules by their numbers.
        ('The quick ("brown") fox', ["The", "quick", "(", '"', "brown", '"', ")", "fox"]),
        ("can't jump 32.3 feet, right?", ["can't", "jump", "32.3", "feet", ",", "right", "?"]),  # 6, 7, 11, 12
        ("A1 3a snake_case", ["A1", "3a", "snake_case"]),  # 9, 10, 13a
        ("e\u0301te\u0301 \u0915\u0941 \u092e\u093f\u0932", ["e\u0301te\u0301", "\u0915\u0941", "\u092e\u093f\u0932"]),  # 4
        ("\u0645\u06cc\u200c\u0631\u0648\u0645", ["\u0645\u06cc\u200c\u0631\u0648\u0645"]),  # 4
        ("\U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f1eb\U0001f1f7\U0001f1ee\U0001f1f9",
         ["\U0001f468\u200d\U0001f469\u200d\U0001f467", "\U0001f1eb\U0001f1f7", "\U0001f1ee\U0001f1f9"]),  # 3c, 15
        ("パンダの鍵", ["パンダ", "の", "鍵"]),  # 13, 999
        ("他们在。", ["他", "们", "在", "。"]),  # 999
        ("ก่ทำ", ["ก่", "ทำ"]),
        ("", []),
        (" \n ", []),
    ],
)  # fmt: skip
def test_segments_are_those_of_unicode(text: str, expected: list[str]) -> None:
    assert words.segments(text) == expected
    assert "".join(words.each(text)) == text


def test_words_hold_a_letter_or_a_digit() -> None:
    assert list(words.words("“Well,” — said 他们 _a 3 😀 ।")) == ["Well", "said", "他", "们", "_a", "3"]


@pytest.mark.parametrize(("text", "expected"), [("हिन्दी", True), ("किताब", True), ("ab1", False), ("को-", False), ("", False)])
def test_letters_take_their_marks(text: str, expected: bool) -> None:
    assert words.of_letters(text) is expected


@pytest.mark.parametrize("language", ["english", "russian", "hindi", "arabic", "korean"])
def test_scripts_with_spaces_have_the_words_of_icu(language: str) -> None:
    breakers = pytest.importorskip("icu4py.breakers")
    assert list(words.each(TEXTS[language])) == list(breakers.WordBreaker(TEXTS[language], "en"))


def test_dictionaries_find_words_where_they_are_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    breakers = pytest.importorskip("icu4py.breakers")
    monkeypatch.setattr(words, "ICU", breakers.WordBreaker)
    assert words.segments("他们研究语言模型。") == ["他们", "研究", "语言", "模型", "。"]
    assert words.segments("หมอได้เตรียม") == ["หมอ", "ได้", "เตรียม"]
    assert "".join(words.each("\udce4a \ud800")) == "\ufffda \ufffd"


def starts(text: str) -> set[int]:
    """Places where a word starts, after the space before it, from categories alone: no rules for points within words."""
    found = set()
    for place, (before, here) in enumerate(itertools.pairwise(f" {text}")):
        names = [unicodedata.name(character, "") for character in (before, here)]
        mark = unicodedata.category(here) in ("Mn", "Mc", "Cf") or here == "ำ"
        alone = names[1].startswith(("CJK", "HIRAGANA LETTER", "THAI CHARACTER"))
        apart = not (before.isalpha() or unicodedata.category(before) in ("Mn", "Mc", "Cf"))
        katakana = [name.startswith("KATAKANA") for name in names]
        if here != " " and not mark and (not here.isalpha() or alone or apart or katakana[0] != katakana[1]):
            found.add(place)
    return found


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("language", TEXTS)
def test_tokens_start_words_where_the_text_does(kind: str, language: str) -> None:
    """Also those that begin inside a character; read from the offsets of the library, not from what a token spells."""
    tokenizer = trained(kind)
    # The naive rule above knows no words that hold more than letters.
    text = " " + " ".join(word for word in TEXTS[language].split() if not set(word) & set("'.5-"))
    encoding = tokenizer._model.encode(text, add_special_tokens=False)
    wanted = starts(text)
    if kind != "wordpiece":
        wanted = {place - (text[place - 1] == " ") for place in wanted}
    seen: set[int] = set()
    continues = tokenizer.vocabulary.continues(np.array(encoding.ids)).tolist()
    for (start, end), continued in zip(encoding.offsets, continues, strict=True):
        assert continued == (start not in wanted or start in seen), (text[start:end], start)
        seen |= set(range(start, end))
    assert len(wanted) == continues.count(False) or kind in ("bpe", "unigram", "wordpiece")


@settings(deadline=None, max_examples=60)
@given(st.text(max_size=30), st.integers(0, 99))
def test_any_cut_of_any_text_into_bytes_starts_the_words_of_the_text(text: str, seed: int) -> None:
    raw = text.encode("utf-8", "replace")
    cuts = sorted(random.Random(seed).sample(range(1, max(1, len(raw))), min(5, max(0, len(raw) - 1))))
    parts = [raw[a:b] for a, b in itertools.pairwise([0, *cuts, len(raw)])]
    found = words.continues(np.arange(len(parts))[None], parts)[0]
    whole = raw.decode()
    at = {0}
    for before, here in itertools.pairwise(itertools.accumulate(words.each(whole), initial="")):
        if here and not before.endswith(" "):
            at.add(len(before.encode()))
    assert [not one for one in found[1:]] == [cut in at for cut in cuts]


def test_rows_do_not_continue_each_other_and_may_begin_inside_a_character() -> None:
    spelled = [bytes([byte]) for byte in range(256)]
    late = [*"历".encode()[1:], *b"ab"]
    rows = np.array([[*b" abc"], late])
    assert words.continues(rows, spelled).tolist() == [[False, True, True, True], [True, True, False, True]]
