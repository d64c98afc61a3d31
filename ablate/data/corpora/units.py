"""What a document of a plain text file is. The file says it by its blank lines and by how long its lines are.

| `data.unit` | a document is |
| --- | --- |
| `paragraph` | a block of lines between blank lines; one longer than 1 MiB is cut at line ends |
| `line` | a line, which is one sentence as it stands |
| `article` | a line, which holds several sentences |
| `passage` | about 2,000 characters of running text, cut between sentences (`passages`) |
| `file` | the whole file, not a character changed; one of more than 8,388,608 characters is several |
| `auto` | the one of the first four that `recognised` finds |

`recognised` reads the beginning of a file:

    paragraph   blank lines divide it into blocks of at most 10,000 characters on average
    line        else, lines are documents, and hold 1.2 sentences or fewer on average
    article     else, lines are documents
    passage     there is one line, the lines are longer than 10,000 characters, or they are wrapped

Lines are wrapped when most of them are about as long as the longest and few end as a sentence does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import mean

import numpy as np

from ablate.data.corpora.boundaries import ends_sentence, split_sentences
from ablate.data.corpora.lines import LONGEST_RECORD, read_lines

LONGEST_DOCUMENT = 1 << 20
"""Characters after which a block of lines ends."""
LONGEST_WHOLE = LONGEST_RECORD
"""Characters after which a file that is one document begins another."""
LOOKED_AT = 1 << 20
"""Characters of a file's beginning that `recognised` reads."""
LONGEST_UNIT = 10_000
"""Characters of a block or a line, on average, above which it holds more than one document."""
ONE_SENTENCE = 1.2
LONGEST_WRAPPED = 200
"""Characters; nobody wraps longer lines."""


def recognised(path: Path) -> str:
    """The unit of a file, by the rules above. Raises `ConfigError` for what is not text."""
    lines, blocks = _beginning(path)
    characters = sum(map(len, lines))
    if blocks > 1 and characters <= LONGEST_UNIT * blocks:
        return "paragraph"
    if len(lines) < 2 or characters > LONGEST_UNIT * len(lines) or _wrapped(lines):
        return "passage"
    looked_at = lines[:1000]
    return "line" if mean(len(split_sentences(line)) for line in looked_at) <= ONE_SENTENCE else "article"


def _beginning(path: Path) -> tuple[list[str], int]:
    """Lines that are not blank, and the number of blocks between blank lines."""
    lines: list[str] = []
    blocks = size = 0
    within = False
    for line in read_lines(path, cut=True):
        if stripped := line.strip():
            lines.append(stripped)
            size += len(stripped)
            blocks += not within
        within = bool(stripped)
        if size > LOOKED_AT:
            break
    return lines, blocks


def _wrapped(lines: list[str]) -> bool:
    lengths = np.array([len(line) for line in lines])
    longest = float(np.quantile(lengths, 0.95))
    full = float((lengths >= 0.75 * longest).mean())
    ended = mean(map(ends_sentence, lines))
    return longest <= LONGEST_WRAPPED and full > 0.5 and ended < 0.5


def read_blocks(path: Path) -> Iterator[str]:
    """Blocks of lines between blank lines."""
    block: list[str] = []
    size = 0
    for line in read_lines(path, cut=True):
        if line.strip() and size < LONGEST_DOCUMENT:
            block.append(line)
            size += len(line)
            continue
        yield "".join(block)
        block = [line] if line.strip() else []
        size = len(line)
    yield "".join(block)


def read_stretches(path: Path) -> Iterator[str]:
    """Running text, as many lines at a time as make a mebibyte."""
    held: list[str] = []
    size = 0
    for line in read_lines(path, cut=True):
        held.append(line)
        size += len(line)
        if size >= LONGEST_DOCUMENT:
            yield "".join(held)
            held, size = [], 0
    yield "".join(held)


def read_each_line(path: Path) -> Iterator[str]:
    """Lines without white space at their ends, blank ones left out."""
    return (stripped for line in read_lines(path) if (stripped := line.strip()))


def read_whole(path: Path) -> Iterator[str]:
    """The file, in as few parts as may be held."""
    held: list[str] = []
    size = 0
    for line in read_lines(path, cut=True):
        if held and size + len(line) > LONGEST_WHOLE:
            whole, held, size = "".join(held), [], 0
            yield whole
        held.append(line)
        size += len(line)
    yield "".join(held)


UNITS: dict[str, Callable[[Path], Iterator[str]]] = {
    "paragraph": read_blocks,
    "line": read_each_line,
    "article": read_each_line,
    "passage": read_stretches,
    "file": read_whole,
}
VERBATIM = frozenset(("line", "file"))
"""Units whose text is one sentence as it stands."""
