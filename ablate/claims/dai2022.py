"""Dai et al. 2022: is whole-word masking always better for Chinese? Single characters against words, by what is asked."""

from __future__ import annotations

from ablate.claims.claim import Claim
from ablate.claims.contrast import BITS, Comparison

CLOZE = "cloze/accuracy@word"
"""`Metric.key` of restoring a whole word, however many tokens it has."""
UNIFORM, WHOLE_WORD = ({"objective.selection": selection} for selection in ("uniform", "whole_word"))

FIGURES = ()

CLAIMS = (
    Claim(
        id="C40",
        citekey="dai2022",
        statement="Where one character is missing, a model that masks single characters is better than one that masks words.",
        factor="objective.selection",
        direction="masked bits of single tokens: uniform < whole word",
        without_figures="a direction only: the paper corrects one character of a sentence, which nothing here asks",
        here="single tokens of the text's tokenizer are hidden at random; they are characters only under data.tokenizer = char",
        contrast=(Comparison(metric=BITS, arm=UNIFORM, against=WHOLE_WORD, expect="better"),),
    ),
    Claim(
        id="C41",
        citekey="dai2022",
        statement="Where more than one character is missing, masking whole words is the better training.",
        factor="objective.selection",
        direction="cloze: whole word > uniform",
        without_figures="a direction only: the paper corrects several characters of a sentence, which nothing here asks",
        here="the missing word may have one token",
        contrast=(Comparison(metric=CLOZE, arm=WHOLE_WORD, against=UNIFORM, expect="better"),),
    ),
)
