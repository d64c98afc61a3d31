"""Fuzz of what users bring: texts and tables of tasks. Each is read, or refused in one line.

    python -m tests.fuzz                      a minute
    python -m tests.fuzz --minutes 30 --seed 7

Every case has a seed of its own, which is printed with a failure; `--seed S --cases 1` repeats it. A failure is an error that
is no `ConfigError`, a message of several lines or one that cannot be printed, or a process that needs more than a gibibyte.
"""

from __future__ import annotations

import argparse
import functools
import os
import random
import resource
import sys
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path

from ablate.config import TOKENIZERS, ConfigError, Data
from ablate.data.text import prepare
from ablate.evaluation.tasks import files as tasks
from tests.faults.forked import forked
from tests.fuzz.files import file_of

MEMORY = 1 << 30
"""Bytes that the process may ever hold."""
LONGEST = 120.0
"""Seconds that a case may take."""
OUTCOMES = ("text read", "task read", "refused")
UNITS = ("auto", "auto", "auto", "paragraph", "line", "article", "passage", "file")


def case(seed: int, folder: Path) -> str:
    """Read one file or folder, as a corpus or as a task: `read`, or the kind of the refusal. Raises what is a failure."""
    rng = random.Random(seed)
    task = rng.random() < 0.3
    parts = ("train", "dev", "test") if task else ("",) * rng.choice((1, 1, 1, 2, 4))
    names = [file_of(rng, part) for part in parts]
    for name, content in names:
        (folder / name).write_bytes(content)
    path = folder if len(names) > 1 or rng.random() < 0.2 else folder / names[0][0]
    try:
        if task:
            tasks.load(f"{folder}?first=text&label=label")
            return "task read"
        prepare(
            Data(
                corpus=f"files:{path}",
                unit=rng.choice(UNITS),
                tokenizer=rng.choice(TOKENIZERS),
                vocabulary=rng.choice((64, 300, 2000)),
                context=rng.choice((8, 64)),
            )
        )
    except ConfigError as error:
        said = str(error)
        said.encode("utf-8")
        if len(said.splitlines()) != 1 or not said.isprintable():
            raise AssertionError(f"the refusal has {len(said.splitlines())} lines: {said!r}") from error
        return "refused"
    return "text read"


def status(seed: int, folder: Path) -> int:
    """The place of the outcome in `OUTCOMES`, after printing the peak memory in bytes."""
    warnings.simplefilter("error")
    outcome = case(seed, folder)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10)
    return OUTCOMES.index(outcome)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=1.0, help="how long (1)")
    parser.add_argument("--cases", type=int, help="how many cases at most")
    parser.add_argument("--seed", type=int, default=0, help="seed of the first case; the next has the next number (0)")
    options = parser.parse_args()
    ends = time.monotonic() + 60 * options.minutes
    counts: Counter[str] = Counter()
    failures = most = slowest = 0
    seed = options.seed
    while time.monotonic() < ends and (options.cases is None or seed < options.seed + options.cases):
        with tempfile.TemporaryDirectory(prefix="fuzz-") as place:
            os.environ["ABLATE_CACHE"] = f"{place}/cache"
            folder = Path(place) / "texts"
            folder.mkdir()
            began = time.monotonic()
            # A process of its own, so that its memory is its own.
            ended = forked(functools.partial(status, seed, folder), longest=LONGEST)
            slowest = max(slowest, round(time.monotonic() - began))
            peak = int(ended.said.split()[-1]) if ended.said.split()[-1:] and ended.said.split()[-1].isdigit() else 0
            most = max(most, peak)
            if not 0 <= ended.status < len(OUTCOMES) or not 0 < peak <= MEMORY:
                failures += 1
                print(f"seed {seed}: status {ended.status}, {peak >> 20:,} MiB\n{ended.said[-3000:]}", flush=True)
            else:
                counts[OUTCOMES[ended.status]] += 1
        seed += 1
    read = ", ".join(f"{number:,} {name}" for name, number in sorted(counts.items()))
    print(f"{seed - options.seed:,} cases: {read}, {failures} failures; at most {most >> 20:,} MiB, {slowest} s")
    return int(failures > 0)


if __name__ == "__main__":
    sys.exit(main())
