"""A long text in pieces that a tokenizer can take one at a time: cut before a space where there is one, hard where not."""

from __future__ import annotations

import re
from collections.abc import Iterator

LAST_SPACE = re.compile(r".*(?= \S)", re.DOTALL)


def pieces(text: str, longest: int) -> Iterator[str]:
    """Pieces of at most `longest` characters that joined give the text; a text no longer than that is one piece.

    Only the last space of a run is cut at, and it begins the next piece. Every word-by-word tokenizer splits there anyway.
    """
    start = 0
    while len(text) - start > longest:
        # One character more, because a piece may end right before the space and what follows must be seen.
        found = LAST_SPACE.match(text, start + 1, start + longest + 2)
        end = found.end() if found else start + longest
        yield text[start:end]
        start = end
    yield text[start:]
