"""Corruptions: an attested sentence becomes ungrammatical by a change in exactly one place, by rules of its language.

Minimal pairs are usually written from templates (BLiMP: Warstadt et al. 2020; ZhoBLiMP: Liu et al. 2024). Here a text yields
pairs: it needs no annotation, and the pairs come from the domain that the model has read. A corrupted sentence is *most often*
wrong and sometimes only unusual ("a list of names" against "a list by names"). An accuracy of 1.0 is therefore out of reach.

The rules are those of the script that most letters of the text are in: Chinese for Han, else English.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import regex

from ablate.evaluation.corruptions import chinese, english

Corruption = Callable[[str, np.random.Generator], str | None]
"""A sentence and a random generator -> the sentence broken in one place, or None where the rule finds nothing to break."""

LETTER = regex.compile(r"\p{L}")
HAN = regex.compile(r"\p{Script=Han}")


def corruptions(sentences: Iterable[str]) -> dict[str, Corruption]:
    """Phenomenon -> corruption, for the language of these sentences."""
    letters = han = 0
    for sentence in sentences:
        letters += len(LETTER.findall(sentence))
        han += len(HAN.findall(sentence))
    return chinese.CORRUPTIONS if 2 * han > letters else english.CORRUPTIONS
