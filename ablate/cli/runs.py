"""`ablate runs | show`: which runs there are, and what one of them is and found."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from ablate.cli.arguments import Commands, command, study_arguments, study_options


def add(commands: Commands) -> None:
    runs = command(commands, "runs", "list the runs of a study, or all finished runs: state, minutes and identity")
    study_arguments(runs, optional=True)
    runs.add_argument("--json", action="store_true", help="print JSON")
    runs.set_defaults(command=_runs)

    show = command(commands, "show", "show one run: configuration, final numbers, learning curves and files")
    show.add_argument("run", metavar="RUN", help="a run: its identity, the first characters of it, or its folder")
    show.add_argument("--runs", type=Path, metavar="DIR", help="folder of the runs (default: $ABLATE_RUNS or .runs)")
    show.set_defaults(command=_show)


def _runs(options: argparse.Namespace) -> int:
    from ablate.study import discover
    from ablate.study.options import set_up
    from ablate.study.recorded import runs_in, runs_of, table

    given = study_options(options)
    if options.study:
        listed = discover.find(options.study)
        found = runs_of(set_up(discover.load(listed.path), given, listed.asked))
    else:
        found = runs_in(given.root)
    print(json.dumps([run._asdict() for run in found], indent=1) if options.json else table(found))
    return 0


def _show(options: argparse.Namespace) -> int:
    from ablate.records import RECORD, from_json
    from ablate.study.recorded import shown
    from ablate.study.store import default_root, find_run

    folder = find_run(options.run, options.runs or default_root())
    print(shown(from_json((folder / RECORD).read_bytes(), folder / RECORD), folder))
    return 0
