"""English: articles and prepositions, number, and the order of two words.

| phenomenon | change |
| --- | --- |
| closed class | a preposition becomes another; `a` becomes `an`, and back; `the` becomes the article that does not fit |
| agreement | the other number: is/are, was/were, has/have, does/do, this/these, that/those |
| swap | two neighbouring different words change places |
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable

import numpy as np

PREPOSITIONS = ("of", "in", "to", "for", "with", "on", "at", "by", "from")

_NUMBER = (("is", "are"), ("was", "were"), ("has", "have"), ("does", "do"), ("this", "these"), ("that", "those"))
OTHER_NUMBER = {a: b for one, many in _NUMBER for a, b in ((one, many), (many, one))}

_WORD = re.compile(r"(?<![\w'\u2019-])[^\W\d_]+(?![\w'\u2019-])")
"""A word of letters that stands alone: no part of `isn't`, `by-product` or `from_file`."""


def closed_class(sentence: str, rng: np.random.Generator) -> str | None:
    """Replace one preposition or article by one that does not fit; None if the sentence has none."""
    places = []
    for match in _WORD.finditer(sentence):
        word = match.group().lower()
        if word in PREPOSITIONS or (word in ("a", "an", "the") and re.match(r" [^\W\d_]", sentence[match.end() :])):
            places.append(match)
    if not places:
        return None
    place = places[int(rng.integers(len(places)))]
    word = place.group().lower()
    if word in PREPOSITIONS:
        others = [other for other in PREPOSITIONS if other != word]
        return _replace(sentence, place, others[int(rng.integers(len(others)))])
    if word == "the":
        return _replace(sentence, place, "a" if sentence[place.end() + 1].lower() in "aeiou" else "an")
    return _replace(sentence, place, "an" if word == "a" else "a")


def agreement(sentence: str, rng: np.random.Generator) -> str | None:
    """Put one verb or demonstrative in the other number; None if the sentence has none."""
    places = [match for match in _WORD.finditer(sentence) if match.group().lower() in OTHER_NUMBER]
    if not places:
        return None
    place = places[int(rng.integers(len(places)))]
    return _replace(sentence, place, OTHER_NUMBER[place.group().lower()])


def swap(sentence: str, rng: np.random.Generator) -> str | None:
    """Exchange two neighbouring lower-case words that differ and stand one space apart; None if there are none."""
    matches = [match for match in _WORD.finditer(sentence) if match.group().islower()]
    places = [
        (left, right)
        for left, right in itertools.pairwise(matches)
        if sentence[left.end() : right.start()] == " " and left.group() != right.group()
    ]
    if not places:
        return None
    left, right = places[int(rng.integers(len(places)))]
    return sentence[: left.start()] + right.group() + " " + left.group() + sentence[right.end() :]


def _replace(sentence: str, place: re.Match[str], word: str) -> str:
    old = place.group()
    if old[0].isupper():
        word = word.upper() if len(old) > 1 and old.isupper() else word.capitalize()
    return sentence[: place.start()] + word + sentence[place.end() :]


CORRUPTIONS: dict[str, Callable[[str, np.random.Generator], str | None]] = {
    "agreement": agreement,
    "closed class": closed_class,
    "swap": swap,
}
"""The rarest first: a sentence goes to the first phenomenon that applies and still needs pairs."""
