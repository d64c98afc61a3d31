"""Sentence boundaries, by the marks of the script.

| marks | a boundary needs |
| --- | --- |
| `.` `!` `?` `…` of Latin, Cyrillic and Greek | white space and no small letter after it; no abbreviation before `.` |
| `؟` `۔` `।` `॥` `։` `።` `፧` `။` `។` and others of scripts without capitals | nothing more |
| `。` `！` `？` `｡` `．` of Chinese and Japanese | nothing more |

Closing quotation marks and brackets belong to the sentence before them. Thai and Lao end no sentence by a mark; such a text is
one sentence, and is cut where it is too long. The marks are those of Unicode's property Sentence_Terminal (Unicode 16.0, UAX
29, section 5) that end sentences in running text today.

These are rules and no trained splitter, because a corpus must be the same on every machine. Kiss & Strunk 2006, "Unsupervised
Multilingual Sentence Boundary Detection", sec. 2, compare the two.
"""

from __future__ import annotations

import re

from ablate.data.corpora.abbreviations import ABBREVIATIONS, MONTHS

CLOSING = r"""(?:["'”’“»›)\]}」』】》〉）］]|\s[»›])*"""
"""German closes with “, which opens in English; French puts a space before »."""
OF_CAPITALS = r"(?<![.!?…])[.!?…]+"
"""A run of marks is tried once, not from each mark in it: the same boundaries, without time that grows with its square."""
WITHOUT_CAPITALS = "؟۔؞।॥։።፧፨။។៕᙮᠃᠉꓿꘎꛳꣎꣏꩝꩞꩟꫰꫱꯫܀܁܂߹᪨᪩᪪᪫᭚᭛᭞᭟᰻᰼᱾᱿"
FULL_WIDTH = "。！？｡．⸼"
# The sign that opens what follows is part of the next sentence, so it is looked at and not taken.
BOUNDARY = re.compile(
    rf"(?:{OF_CAPITALS}{CLOSING}\s+(?=[\"'“‘«‹(\[¿¡„]*(?P<next>\w))|[{WITHOUT_CAPITALS}{FULL_WIDTH}]+{CLOSING}\s*)"
)
LAST = re.compile(rf"[.!?…{WITHOUT_CAPITALS}{FULL_WIDTH}]{CLOSING}\s*$")
BEFORE_A_WORD = re.compile(r"[\s(\[\"'«„“]")
LONGEST_ABBREVIATION = 14
ORDINAL = re.compile(r"\d{1,2}")
SLICE = 1 << 16
"""Characters whose words are held at a time."""


def split_sentences(text: str) -> list[str]:
    """Sentences of a text in any spacing, in order; white space is normalised, nothing else is lost."""
    text = _single_spaced(text)
    sentences = []
    start = 0
    for found in BOUNDARY.finditer(text):
        if found["next"] is not None and not _ends(text, start, found):
            continue
        sentences.append(text[start : found.end()].strip())
        start = found.end()
    if text[start:].strip():
        sentences.append(text[start:].strip())
    return sentences


def ends_sentence(text: str) -> bool:
    """Whether the text ends with a mark that ends sentences, in any script."""
    return bool(LAST.search(text))


def _ends(text: str, start: int, found: re.Match[str]) -> bool:
    """Whether a mark of a script with capitals ends a sentence here."""
    if found["next"].islower() or found["next"] == "_":
        return False
    if found[0][0] != ".":
        return True
    # Only the text up to the first full stop can tell; its own full stop ends an abbreviation.
    stop = found.start()
    word = BEFORE_A_WORD.split(text[max(start, stop - LONGEST_ABBREVIATION) : stop])[-1]
    if word in ABBREVIATIONS or (len(word) == 1 and word.isupper()):
        return False
    # "am 3. Oktober"
    return not (ORDINAL.fullmatch(word) and MONTHS.match(text, found.end()))


def _single_spaced(text: str) -> str:
    """`" ".join(text.split())`, which alone would hold every word of a long text at once."""
    made: list[str] = []
    gap = False
    for start in range(0, len(text), SLICE):
        part = text[start : start + SLICE]
        gap = gap or part[0].isspace()
        if words := " ".join(part.split()):
            made.append(" " + words if gap and made else words)
            gap = part[-1].isspace()
    return "".join(made)
