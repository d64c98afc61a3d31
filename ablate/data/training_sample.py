"""The text that trains a tokenizer: the beginning of the training split, cut off at the first of three bounds on memory.

A trainer keeps a count of each distinct word, and each letter of a distinct word costs it tens of bytes. A text without spaces
has no word twice, so that sentences and bytes alone bound nothing there.
"""

from __future__ import annotations

from collections.abc import Iterable

from ablate.data.pieces import pieces

SENTENCES = 200_000
BYTES = 1 << 25
"""UTF-8 bytes of all sentences. With sentences of English, the bound above is reached before."""
DISTINCT = 1 << 22
"""UTF-8 bytes of the distinct words, as white space separates them. A million English words have about 90,000 of them."""
LONGEST = 1 << 10
"""Characters of a sentence, and so of a word. A longer sentence is trained on in pieces; trainers take time with the square of
the longest word."""
BOUNDS = (SENTENCES, BYTES, DISTINCT, LONGEST)


def beginning(sentences: Iterable[str]) -> list[str]:
    """The first sentences, up to the first bound that is reached."""
    sample: list[str] = []
    known: set[str] = set()
    size = distinct = 0
    for number, sentence in enumerate(sentences):
        if number == SENTENCES:
            return sample
        for place, piece in enumerate(pieces(sentence, LONGEST)):
            # A tokenizer puts the space that begins a later piece before it anyway.
            piece = piece.removeprefix(" ") if place else piece
            new = {word for word in piece.split() if word not in known}
            size += len(piece.encode("utf-8", "surrogatepass"))
            distinct += sum(len(word.encode("utf-8", "surrogatepass")) for word in new)
            if sample and (size > BYTES or distinct > DISTINCT):
                return sample
            known |= new
            sample.append(piece)
    return sample
