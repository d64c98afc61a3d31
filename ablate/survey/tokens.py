"""The beginning of a text under each tokenizer: how many tokens it has and how many of them are `[UNK]`.

Each is trained on nine tenths of the sentences and read on the last tenth, whose words it has not all seen. A study trains it
on all of the training text, so that its numbers are a little better.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ablate.config import TOKENIZERS, ConfigError, Data
from ablate.data import tokenizer as tokenization
from ablate.data.text import UNKNOWN_SAID
from ablate.data.tokenizer import UNK
from ablate.measure import Progress

HELD_OUT = 10
"""One sentence in this many is not trained on."""
CHARACTERS = ("Han", "Hiragana", "Katakana")
"""Scripts whose characters are about as long as syllables or words, so that BERT reads them one by one (Cui et al. 2021)."""


class Tokens(NamedTuple):
    """What a tokenizer makes of the held-out sentences."""

    kind: str
    vocabulary: int = 0
    tokens: int = 0
    characters: int = 0
    unknown: float = 0.0
    """Share of the tokens that are `[UNK]`, in [0, 1]."""
    refused: str = ""
    """Why this text cannot have this tokenizer, or empty."""


def tokens(sentences: Sequence[str], data: Data, progress: Progress) -> list[Tokens]:
    """Every kind of tokenizer with `data.vocabulary`, in the order of the table in `ablate.data.tokenizer`."""
    trained_on = [sentence for place, sentence in enumerate(sentences) if place % HELD_OUT != HELD_OUT - 1]
    held_out = sentences[HELD_OUT - 1 :: HELD_OUT] or sentences
    found = []
    for done, kind in enumerate(TOKENIZERS):
        progress(phase=f"tokenizer {kind}", done=done, total=len(TOKENIZERS))
        try:
            tokenizer = tokenization.train(iter(trained_on), kind, data.vocabulary, "survey")
        except ConfigError as error:
            found.append(Tokens(kind, refused=str(error)))
            continue
        number = unknown = 0
        for ids in tokenizer.encoded(held_out):
            number += len(ids)
            unknown += sum(token == UNK for token in ids)
        characters = sum(map(len, held_out))
        found.append(Tokens(kind, tokenizer.vocabulary.size, number, characters, unknown / max(1, number)))
    return found


def advised(found: Sequence[Tokens], scripts: dict[str, float]) -> tuple[str, str]:
    """The tokenizer to use, and why: the default one where it knows nearly every word, else one that loses nothing."""
    by_kind = {one.kind: one for one in found}
    if sum(scripts.get(name, 0.0) for name in CHARACTERS) > 0.5:
        return "char", "each character of the script is about a syllable or a word, and none is lost"
    default = by_kind[Data().tokenizer]
    if not default.refused and default.unknown <= UNKNOWN_SAID:
        return default.kind, f"the default; {default.unknown:.1%} of its tokens are [UNK]"
    why = "is refused" if default.refused else f"gives {default.unknown:.0%} [UNK]"
    return "bpe", f"it knows every byte, while {default.kind} {why}"
