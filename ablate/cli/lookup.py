"""`ablate fields | metrics`: what a study can change and what it can show, before anything runs."""

from __future__ import annotations

import argparse

from ablate.cli.arguments import Commands, command


def add(commands: Commands) -> None:
    fields = command(commands, "fields", "list what --set and --vary can change: path, value, type and meaning")
    fields.add_argument("study", nargs="?", metavar="STUDY", help="name or file of a study (default: what every run has)")
    fields.add_argument("--tier", default="quick", help="size of the study (default: quick)")
    fields.set_defaults(command=_fields)

    metrics = command(commands, "metrics", "list evaluations, what each needs of a model, and the columns that it gives")
    metrics.add_argument("study", nargs="?", metavar="STUDY", help="name or file of a study (default: all evaluations)")
    metrics.add_argument("--tier", default="quick", help="size of the study (default: quick)")
    metrics.set_defaults(command=_metrics)


def _fields(options: argparse.Namespace) -> int:
    from ablate.study import discover
    from ablate.study.fields import common_fields, fields_of, listing

    if options.study:
        print(listing(fields_of(discover.load(discover.find(options.study).path).at(options.tier).base)))
    else:
        print(listing(common_fields()))
        print("\n`ablate fields STUDY` adds the fields of its objective and its evaluations.")
    return 0


def _metrics(options: argparse.Namespace) -> int:
    import ablate.evaluation
    from ablate.study import discover
    from ablate.study.catalogue import describe, describe_study

    about = ablate.evaluation.__doc__ or ""
    if options.study:
        print(describe_study(discover.load(discover.find(options.study).path).at(options.tier), about))
    else:
        print(describe(about))
    return 0
