"""One line on stderr, once in a process: something was mended or left out, and the work goes on."""

from __future__ import annotations

import sys

_SAID: set[str] = set()


def notice(line: str) -> None:
    """Print `ablate: LINE`, unless this process has printed the same line before."""
    if line not in _SAID:
        _SAID.add(line)
        print(f"ablate: {line}", file=sys.stderr, flush=True)
