"""Fault injection: whatever happens to the files, the program says so, mends it or repeats it, and loses nothing.

    python -m tests.faults                        every kind
    python -m tests.faults --only caches          one kind
    python -m tests.faults --tries 20 --seed 1    twenty tries of each kind, others than with seed 0

| kind | what is broken | what must hold |
| --- | --- | --- |
| operations | each file operation of a study | the repeated command ends as an undisturbed one; nothing is measured twice |
| records | each bit and each field of a record | it is refused, and its run repeated |
| caches | the files of a prepared text | they are built again, the same, with one line on stderr |
| weights | weights and files of real training | no evaluation reads damaged weights |
| readers | each file that is read | a reader gives what was written, or one line |
| publish | each file operation of `publish` | the published report is the old one or the new one, whole |

A survivor is a fault that is accepted silently, ends with a traceback, or loses a result. The command fails if there is one.
"""

from __future__ import annotations

import argparse
import os
import sys

from tests.faults.session import KINDS, Result, session

LINES = 12
"""Survivors of one kind that are shown."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", action="append", choices=sorted(KINDS), metavar="KIND", help=f"one of {', '.join(KINDS)}")
    parser.add_argument("--tries", type=int, metavar="N", help="tries of a kind (all)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the draw (0)")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes side by side (the cores)")
    options = parser.parse_args()
    results = []
    for kind in options.only or KINDS:
        result = session(kind, options.tries, options.seed, options.workers)
        results.append(result)
        for one, what in result.survivors[:LINES]:
            print(f"{kind}: {one}: {what}", flush=True)
        if len(result.survivors) > LINES:
            print(f"{kind}: ... and {len(result.survivors) - LINES} more", flush=True)
    print(table(results))
    return int(any(result.survivors for result in results))


def table(results: list[Result]) -> str:
    """Kinds with the number of their tries and survivors."""
    lines = [f"{'kind':<12}{'tries':>8}{'silent':>8}{'traceback':>11}{'loss':>6}{'seconds':>9}"]
    for result in results:
        silent, traced, lost = (
            sum(what.startswith(word) for _, what in result.survivors) for word in ("silent", "trace", "loss")
        )
        lines.append(f"{result.kind:<12}{result.tries:>8}{silent:>8}{traced:>11}{lost:>6}{result.seconds:>9.0f}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
