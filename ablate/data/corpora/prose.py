"""English prose in documentation: remove inline markup, split into sentences, drop what is not prose."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ablate.data.corpora.boundaries import split_sentences

FUNCTION_WORDS = frozenset(
    re.findall(
        r"\w+",
        "a an and are as at be been but by can do does for from had has have if in into is it its may must no not of on or"
        " should so than that the their them then there these they this to was we were what when where which while will with"
        " would you your",
    )
)
PUNCTUATION = ".,;:!?\"'()[]“”‘’-–—…/"
NOT_PROSE = re.compile(
    r"[{}<>=|\\^~$@#*`%_]{2}|[{}<>=|\\^~$@`*#]|https?:|:[a-z]+:\w|\.\.\.$|:$|%\(|\b[_a-zA-Z]+_[_a-zA-Z0-9]*\("
)
WORDS_IN_SENTENCE = range(4, 81)
FEWEST_WORDS = 20
"""Words that a document needs at least."""
SHARE_OF_WORDS = 0.8
DANGLING = frozenset(re.findall(r"\w+", "a an and are as at by for from in into is of on or see that the to via was were with"))
"""A sentence that ends in one of these lost its formula, citation or link."""

DROP = "$"
"""Stands for what cannot be read aloud (a formula, a web address): its sentence is refused."""
LINKS = (
    (re.compile(r"!\[[^\]]*\]\([^)\s]*\)"), ""),
    (re.compile(r"\[([^\]]+)\]\((?:https?:|/|#|\.)[^)\s]*\)"), r"\1"),
    (re.compile(r"`([^`<]+?)\s*<[^`>]*>`_{0,2}"), r"\1"),
    (re.compile(r"<?https?://[^\s>)]+>?"), DROP),
)
ROLE = re.compile(r":(?:[a-z]+:){0,2}[a-z]+:`([^`]*)`")
TITLED = re.compile(r"(.*\S)\s*<[^<>]*>")
CITATION = re.compile(r"\s*\[(?:\d+|[A-Z][A-Za-z]*\d{2,4}[a-z]?|#)\]_?")
QUOTED_CODE = re.compile(r"\[?(?:``([^`]+)``|`([^`]+)`_{0,2})\]?")
EMPHASIS = re.compile(r"(?<![\w*])(\*\*|\*|__)(?=\S)([^*_]+?)(?<=\S)\1(?![\w*])")
EMPTY_BRACKETS = re.compile(r"\s*[(\[]\s*(?:see|from|at)?\s*[)\]](?!\w)")
SPACE_BEFORE_STOP = re.compile(r"\s+([.,;:!?])(?=\s|$)")


def plain(paragraph: str) -> str:
    """The paragraph without reStructuredText or Markdown markup: links keep their text, code its content.

    What a role points to keeps its last name: `torch.nn.Linear` in a `:class:` role becomes `Linear` where the author
    asked for that with a tilde.
    """
    paragraph = ROLE.sub(_role_text, paragraph)
    for pattern, kept in LINKS:
        paragraph = pattern.sub(kept, paragraph)
    paragraph = CITATION.sub("", paragraph)
    paragraph = QUOTED_CODE.sub(lambda found: (found[1] or found[2]).lstrip("~!."), paragraph)
    paragraph = EMPHASIS.sub(r"\2", paragraph)
    paragraph = EMPTY_BRACKETS.sub("", paragraph)
    paragraph = SPACE_BEFORE_STOP.sub(r"\1", paragraph)
    return " ".join(paragraph.split())


def _role_text(found: re.Match[str]) -> str:
    if found[0].startswith(":math:"):
        return DROP
    if titled := TITLED.fullmatch(found[1]):
        return titled[1]
    name = found[1].lstrip("~!.")
    return name.rpartition(".")[2] if found[1].startswith("~") else name


def is_prose(sentence: str) -> bool:
    """Return whether a sentence looks like English: mostly words, a function word, the beginning and end of a sentence, no code
    or formula."""
    tokens = sentence.split()
    if len(tokens) not in WORDS_IN_SENTENCE or NOT_PROSE.search(sentence) or not sentence.isprintable():
        return False
    plain_words = [word.strip(PUNCTUATION) for word in tokens]
    if plain_words[-1].lower() in DANGLING or sentence.lstrip("\"'([")[:1].islower():
        return False
    alphabetic = sum(word.replace("-", "").replace("'", "").replace("/", "").isalpha() for word in plain_words)
    return alphabetic >= SHARE_OF_WORDS * len(tokens) and any(word.lower() in FUNCTION_WORDS for word in plain_words)


def prose_sentences(paragraph: str) -> list[str]:
    """The prose of one paragraph, sentence by sentence; a last sentence without a full stop gets one."""
    kept = []
    for sentence in split_sentences(plain(paragraph)):
        if is_prose(sentence):
            kept.append(sentence if sentence[-1] in ".!?\"')”" else sentence.rstrip(",;-– ") + ".")
    return kept


def words(sentences: Iterable[str]) -> int:
    """Words as white space separates them."""
    return sum(len(sentence.split()) for sentence in sentences)
