"""The tries of one kind, shared among processes; each kind in a process of its own, because it changes what it tests."""

from __future__ import annotations

import importlib
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

from tests.faults.forked import forked

KINDS = {
    "operations": "operations:Operations",
    "records": "sealed_records:Records",
    "caches": "caches:Caches",
    "weights": "weights:Weights",
    "readers": "readers:Readers",
    "publish": "publishing:Publishing",
}
LONGEST = 1800.0
"""Seconds for a kind."""


class Result(NamedTuple):
    """What a kind found."""

    kind: str
    tries: int
    survivors: list[tuple[str, str]]
    """Try, and what is wrong: `silent: ...`, `traceback: ...` or `loss: ...`."""
    seconds: float


def session(kind: str, limit: int | None, seed: int, workers: int = 1) -> Result:
    """Make the tries of a kind, all or `limit` of them."""
    began = time.monotonic()
    # In memory if possible: what is killed here is a process and not the machine.
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=memory, prefix="faults-") as place:
        folder = Path(place)
        ended = forked(lambda: _all(kind, limit, seed, workers, folder), LONGEST)
        found = sorted(folder.glob("found-*.jsonl"))
        lines = [json.loads(line) for path in found for line in path.read_text().splitlines()]
    survivors = [(one, what) for one, wrong in lines for what in wrong]
    if ended.status != 0:
        survivors.append(("the session", f"traceback: status {ended.status}: {ended.said[-2000:]}"))
    return Result(kind, len(lines), survivors, time.monotonic() - began)


def _all(kind: str, limit: int | None, seed: int, workers: int, folder: Path) -> int:
    module, name = KINDS[kind].split(":")
    (folder / "shared").mkdir()
    made = getattr(importlib.import_module(f"tests.faults.{module}"), name)(folder / "shared")
    tries = made.tries(limit, seed)
    others = []
    for number in range(1, workers):
        child = os.fork()
        if child == 0:
            os._exit(_share(made, tries[number::workers], folder, number))
        others.append(child)
    status = _share(made, tries[::workers], folder, 0)
    return max([status, *(os.waitstatus_to_exitcode(os.waitpid(other, 0)[1]) for other in others)], key=abs)


def _share(made: Any, tries: list[Any], folder: Path, number: int) -> int:
    with open(folder / f"found-{number}.jsonl", "w", encoding="utf-8") as found:
        for one in tries:
            try:
                wrong = list(made.attempt(one, folder / f"try-{number}"))
            except Exception as error:
                wrong = [f"traceback: {type(error).__name__}: {error}"]
            found.write(json.dumps([str(one), wrong]) + "\n")
    return 0
