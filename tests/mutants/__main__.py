"""Mutation testing: does a test fail when a module that decides numbers is wrong?

    python -m tests.mutants                       all modules, 12 mutants each
    python -m tests.mutants study/plan --all      every mutant of one module

Each mutant is written into a copy of the checkout and judged by the module's own test files, up to the first test that
fails. Each judgement is a process forked from one that has torch and pytest loaded, which saves several seconds of imports.
A survivor that changes no behaviour is equivalent: equivalent.toml names it with the reason, and it leaves the score.
The command fails below a score of 92 %, or when equivalent.toml lists a mutant that a test kills.
"""

from __future__ import annotations

import argparse
import compileall
import contextlib
import importlib
import os
import shutil
import signal
import sys
import tempfile
import time
import tomllib
import traceback
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.mutants.mutate import Mutant, mutants, sample

ROOT = Path(__file__).parents[2]
LEAST = 0.92
PRELOADED = ("torch", "lightning.pytorch", "optuna", "pandas", "scipy.stats", "statsmodels.api", "tokenizers", "pytest")
TESTS: dict[str, tuple[str, ...]] = {
    # Module -> its test files besides the mirrored one.
    "analysis/budgets": (),
    "analysis/distinguishable": (),
    "analysis/intervals": (),
    "analysis/multiplicity": (),
    "analysis/paired": (),
    "claims/verdicts": (),
    "collators/masking": (),
    "collators/permutation": (),
    "collators/spans": (),
    "config": (),
    "data/windows": (),
    "evaluation/bits_per_byte": (),
    "nn/attention/masks": (),
    "records": (),
    "seeds": (),
    "study/arms": (),
    "study/cell": (),
    "study/looks": (),
    "study/plan": (),
    "study/store": (),
    "training/schedule": (),
}


class Task(NamedTuple):
    """One mutant to judge; without one, the module as it stands."""

    module: str
    mutant: Mutant | None


class Judged(NamedTuple):
    """What the tests said."""

    task: Task
    passed: bool
    seconds: float
    log: str
    """The end of what pytest printed."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("modules", nargs="*", metavar="MODULE", default=[], help="paths below ablate/; none: all")
    parser.add_argument("--mutants", type=int, default=12, help="mutants of a module (12)")
    parser.add_argument("--all", action="store_true", help="every mutant of a module")
    parser.add_argument("--seed", type=int, default=0, help="seed of the draw (0)")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="mutants side by side (the cores)")
    options = parser.parse_args()
    modules = options.modules or sorted(TESTS)
    if unknown := sorted(set(modules) - set(TESTS)):
        parser.error(f"unknown module {', '.join(unknown)}; known: {', '.join(sorted(TESTS))}")
    tasks = []
    for module in modules:
        found = mutants((ROOT / "ablate" / f"{module}.py").read_text(encoding="utf-8"))
        tasks += [Task(module, each) for each in (found if options.all else sample(found, options.mutants, options.seed))]
    os.environ.update(OMP_NUM_THREADS="1", PYTHONDONTWRITEBYTECODE="1")
    for name in PRELOADED:
        importlib.import_module(name)
    with tempfile.TemporaryDirectory() as folder:
        homes = [_copy(Path(folder) / str(number)) for number in range(options.workers)]
        plain = {one.task.module: one for one in _judge([Task(module, None) for module in modules], homes, {})}
        if failing := [one for one in plain.values() if not one.passed]:
            for one in failing:
                print(f"the tests of {one.task.module} fail without a mutant:", one.log, sep="\n")
            return 2
        limits = {module: 5 * one.seconds + 20 for module, one in plain.items()}
        return _report(_judge(tasks, homes, limits), tasks)


def _report(results: Iterator[Judged], tasks: list[Task]) -> int:
    """Print each module's score and survivors as soon as they are known; the exit status."""
    listed = tomllib.loads(Path(__file__).with_name("equivalent.toml").read_text(encoding="utf-8")).get("mutant", [])
    reasons = {(entry["module"], entry["scope"], entry["change"]): entry["reason"] for entry in listed}
    expected = Counter(task.module for task in tasks)
    found: dict[str, list[Judged]] = {}
    killed, counted, stale = 0, 0, []
    for result in results:
        module = result.task.module
        found.setdefault(module, []).append(result)
        if len(found[module]) < expected[module]:
            continue
        lines, dead, equivalent = [], 0, 0
        for one in sorted(found[module], key=lambda one: one.task.mutant or ()):
            assert one.task.mutant is not None
            line, scope, change, _ = one.task.mutant
            reason = reasons.get((module, scope, change))
            dead += not one.passed
            equivalent += one.passed and reason is not None
            if not one.passed and reason:
                stale.append(f"{module}, {scope}: {change}")
            elif one.passed:
                why = f"  (equivalent: {reason})" if reason else ""
                lines.append(f"    ablate/{module}.py:{line} in {scope}: {change}{why}")
        alive = expected[module] - dead - equivalent
        print(f"{module:<28} {dead:>3} killed {alive:>3} survived {equivalent:>3} equivalent", *lines, sep="\n", flush=True)
        killed, counted = killed + dead, counted + dead + alive
    print(f"{killed} of {counted} mutants killed: {killed / counted:.1%} (at least {LEAST:.0%})")
    for each in stale:
        print(f"equivalent.toml lists a mutant that a test kills: {each}")
    return int(killed < LEAST * counted or bool(stale))


def _judge(tasks: list[Task], homes: list[Path], limits: dict[str, float]) -> Iterator[Judged]:
    """Judge the tasks, one in each home at a time. A mutant that runs out of time is killed, as by a test."""
    waiting, free = list(reversed(tasks)), list(homes)
    running: dict[int, tuple[Task, Path, float]] = {}
    try:
        while waiting or running:
            while waiting and free:
                task, home = waiting.pop(), free.pop()
                running[_start(task, home)] = task, home, time.monotonic()
            time.sleep(0.02)
            for process, (task, home, began) in list(running.items()):
                seconds = time.monotonic() - began
                done, status = os.waitpid(process, os.WNOHANG)
                if not done and seconds < limits.get(task.module, 600):
                    continue
                # Also what the tests started and left behind.
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process, signal.SIGKILL)
                if not done:
                    os.waitpid(process, 0)
                shutil.copyfile(ROOT / "ablate" / f"{task.module}.py", home / "ablate" / f"{task.module}.py")
                del running[process]
                free.append(home)
                log = (home / "log.txt").read_text(encoding="utf-8", errors="replace")[-2000:]
                yield Judged(task, bool(done) and status == 0, seconds, log)
    finally:
        for process in running:
            os.killpg(process, signal.SIGKILL)


def _start(task: Task, home: Path) -> int:
    """Fork a process that runs the module's tests in `home`; its exit status is pytest's."""
    files = [f"tests/{Path(task.module).parent / f'test_{Path(task.module).name}.py'}", *TESTS[task.module]]
    if task.mutant:
        (home / "ablate" / f"{task.module}.py").write_text(task.mutant.source, encoding="utf-8")
    process = os.fork()
    if process:
        return process
    os.setsid()
    os.chdir(home)
    log = os.open("log.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(log, stream)
    for name in [name for name in sys.modules if name.split(".")[0] in ("tests", "ablate")]:
        del sys.modules[name]
    sys.path[:] = [str(home), *(entry for entry in sys.path if entry not in ("", str(ROOT)))]
    os.environ["PYTHONPATH"] = str(home)
    sys.dont_write_bytecode = True
    # Plugins that a preloaded library has imported are not rewritten, which pytest warns of.
    rewrite = ("-W", "ignore::pytest.PytestAssertRewriteWarning")
    code = 3
    try:
        code = int(sys.modules["pytest"].main(["-x", "-q", "-p", "no:cacheprovider", "--hypothesis-seed=0", *rewrite, *files]))
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _copy(home: Path) -> Path:
    """The checkout without what the tests do not read; compiled, except for the modules that change."""
    ignored = shutil.ignore_patterns("__pycache__", ".*")
    for name in ("ablate", "tests", "studies"):
        shutil.copytree(ROOT / name, home / name, ignore=ignored)
    shutil.copyfile(ROOT / "pyproject.toml", home / "pyproject.toml")
    compileall.compile_dir(home / "ablate", quiet=1)
    for module in TESTS:
        for compiled in (home / "ablate" / module).parent.glob(f"__pycache__/{Path(module).name}.*.pyc"):
            compiled.unlink()
    return home


if __name__ == "__main__":
    sys.exit(main())
