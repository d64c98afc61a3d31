"""JSON lines as users have them: one value a line, errors by file and line, and no half of a surrogate pair.

RFC 8259, section 8.2, allows an escape such as `\\ud83d` without its other half. Such a string is no Unicode text: it cannot be
written as UTF-8. Each half becomes U+FFFD, as decoders do with what they cannot read, and their number is said.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ablate.config import ConfigError
from ablate.data.corpora.lines import read_lines
from ablate.notice import notice

ESCAPED = re.compile(r"\\u[dD][89a-fA-F]")
HALF = re.compile("[\ud800-\udfff]")


def read_values(path: Path) -> Iterator[tuple[str, Any]]:
    """Place (`FILE, line N`) and value of every line that is not blank. Raises `ConfigError` for what is not JSON."""
    halves = 0
    for number, line in enumerate(read_lines(path), start=1):
        if not line.strip():
            continue
        place = f"{path}, line {number}"
        try:
            value = json.loads(line)
            if ESCAPED.search(line):
                value, found = _whole(value)
                halves += found
        # A number of more than 4,300 digits is a ValueError of its own.
        except (ValueError, RecursionError) as error:
            raise ConfigError(f"{place}: not JSON ({_whole(str(error))[0]})") from None
        yield place, value
    if halves:
        is_half, becomes = ("is half", "it becomes") if halves == 1 else ("are halves", "each becomes")
        notice(f"{path}: {halves:,} escaped character{'s' * (halves > 1)} {is_half} of a surrogate pair; {becomes} U+FFFD")


def _whole(value: Any) -> tuple[Any, int]:
    """The value with U+FFFD for every half of a pair, and how many there were."""
    match value:
        case str():
            return HALF.subn("�", value)
        case list():
            parts = [_whole(part) for part in value]
            return [part for part, _ in parts], sum(found for _, found in parts)
        case dict():
            pairs = [(_whole(key), _whole(part)) for key, part in value.items()]
            return {key: part for (key, _), (part, _) in pairs}, sum(k + p for (_, k), (_, p) in pairs)
        case _:
            return value, 0
