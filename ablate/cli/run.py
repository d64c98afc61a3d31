"""`ablate run`: run what is missing of a study, then compile its report."""

from __future__ import annotations

import argparse
import sys

from ablate.cli.arguments import Commands, command, study_arguments, study_options


def add(commands: Commands) -> None:
    run = command(commands, "run", "run what is missing of a study and compile its report")
    study_arguments(run)
    run.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="arm=NAME",
        help="run this arm only; may be repeated; `ablate plan` lists the arms",
    )
    run.add_argument("--retry-failed", action="store_true", help="run failed runs again")
    run.add_argument("--report-only", action="store_true", help="run nothing; compile the report from the existing records")
    run.add_argument(
        "--discard-weights",
        action="store_true",
        help="delete the final weights of each run; a new evaluation then needs retraining",
    )
    run.add_argument(
        "--allow-mixed",
        action="store_true",
        help="accept runs of different machines or library versions in one table; the report prints a warning",
    )
    run.add_argument(
        "--patience",
        type=float,
        default=1800.0,
        metavar="SECONDS",
        help="end a worker that shows no progress for this long (default: 1800)",
    )
    run.set_defaults(command=_run)


def _run(options: argparse.Namespace) -> int:
    from ablate.study import discover
    from ablate.study.run import compile_only, run_study

    listed = discover.find(options.study)
    resolved = study_options(options)
    if options.report_only:
        finished = compile_only(discover.load(listed.path), resolved, listed.asked)
    else:
        finished = run_study(listed, resolved)
    if finished.failed:
        runs = "run" if finished.failed == 1 else "runs"
        print(f"{finished.failed} {runs} failed; the report says why, --retry-failed runs them again", file=sys.stderr)
    print(f"report: {finished.report / 'README.md'}\n        {finished.report / 'index.html'}")
    return 1 if finished.failed else 0
