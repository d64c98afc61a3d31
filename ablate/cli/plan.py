"""`ablate plan`: what a study costs and can detect, before anything runs."""

from __future__ import annotations

import argparse
import json

from ablate.cli.arguments import Commands, command, study_arguments, study_options


def add(commands: Commands) -> None:
    plan = command(
        commands, "plan", "show the runs, the estimated time and the smallest detectable effects of a study; runs nothing"
    )
    study_arguments(plan)
    plan.add_argument("--json", action="store_true", help="print JSON")
    plan.set_defaults(command=_plan)


def _plan(options: argparse.Namespace) -> int:
    from ablate.study import discover
    from ablate.study.forecast import describe, forecast
    from ablate.study.options import set_up

    listed = discover.find(options.study)
    setup = set_up(discover.load(listed.path), study_options(options), listed.asked)
    print(json.dumps(forecast(setup), indent=1, ensure_ascii=False) if options.json else describe(setup))
    return 0
