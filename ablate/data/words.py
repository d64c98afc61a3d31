"""What a word is, in any language: the segments between the word boundaries of Unicode (UAX 29, section 4).

Letters, digits and the marks on them belong together, and so do the zero-width joiners within. Punctuation stands alone.

Chinese, Japanese, Thai, Lao, Khmer and Burmese are written without spaces, so that only a dictionary knows their words. Where
`icu4py` is installed (`pip install 'ablate[words]'`), the dictionaries of ICU find them (UAX 29, section 4.1). Without it,
each of their characters is a word, with the marks on it. Katakana keeps together either way.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import regex

RULE: tuple[str, ...] = ()
"""What decides the words besides this code; part of every run's identity. Empty: no dictionaries."""
ICU: Any = None
"""The breaker of ICU, made from a text and a language; None where it is not installed."""
try:
    import icu4py
    from icu4py.breakers import WordBreaker

    ICU, RULE = WordBreaker, ("icu", str(icu4py.icu_version))
except ImportError:
    pass

# The vowel am of Thai and Lao is a letter by category, but stands on the consonant before it.
BOUNDARY = regex.compile(r"(?w)\b(?![\u0e33\u0eb3])", regex.V1)
LONE_SURROGATE = regex.compile(r"\p{Cs}")
LETTERS = regex.compile(r"\p{L}[\p{L}\p{M}\u200c\u200d]*")
UNSPACED = regex.compile(r"[\p{Han}\p{Hiragana}\p{Line_Break=Complex_Context}]")
BREAK = b"\n"
"""Spells a token that stands for no text; a word boundary is before and after it."""


def each(text: str) -> Iterator[str]:
    """Yield the segments of the text, white space among them; joined, they are the text."""
    if ICU is None:
        yield from filter(None, BOUNDARY.splititer(text))
    else:
        yield from ICU(LONE_SURROGATE.sub("\ufffd", text), "en")


def segments(text: str) -> list[str]:
    """Words, numbers and single marks of punctuation: what n-grams of words are made of."""
    return [segment for segment in each(text) if not segment.isspace()]


def words(text: str) -> Iterator[str]:
    """Yield the segments that hold a letter or a digit."""
    return (segment for segment in each(text) if segment[0].isalnum() or any(map(str.isalnum, segment)))


def of_letters(text: str) -> bool:
    """Whether the text is letters alone, with their marks; not whether it is one word."""
    return LETTERS.fullmatch(text) is not None


def unspaced(word: str) -> bool:
    """Whether the word is in a script that is written without spaces."""
    return UNSPACED.match(word) is not None


def continues(ids_BT: np.ndarray, spelled: Sequence[bytes]) -> np.ndarray:
    """Whether each token continues the word that the token before it began, bool [B, T]; no row continues another.

    `spelled` holds each token's part of the text in UTF-8, which may begin or end inside a character. A space belongs to the
    word after it. A token continues unless a word starts where it starts.
    """
    rows, length = ids_BT.shape
    parts = [part for row in ids_BT.tolist() for part in (*(spelled[token] for token in row), BREAK)]
    begins = np.cumsum([0, *map(len, parts)])[:-1].reshape(rows, length + 1)[:, :-1]
    written = b"".join(parts)
    text = written.decode("utf-8", "surrogateescape")
    code = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    alone = (code >= 0xDC80) & (code <= 0xDCFF)
    width = np.where(alone, 1, 1 + (code >= 0x80) + (code >= 0x800) + (code >= 0x10000))
    starts = np.zeros(len(code), dtype=bool)
    starts[np.cumsum([0, *map(len, each(text))])[:-1]] = True
    starts[1:] &= code[:-1] != ord(" ")
    # Later bytes of a character whose first one the row lacks.
    starts &= ~alone | (code >= 0xDCC0)
    at_byte = np.zeros(len(written), dtype=bool)
    at_byte[(np.cumsum(width) - width)[starts]] = True
    return ~at_byte[begins]
