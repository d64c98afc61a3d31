"""`ablate list`: all studies and their questions."""

from __future__ import annotations

import argparse

from ablate.cli.arguments import Commands, command


def add(commands: Commands) -> None:
    listing = command(commands, "list", "list all studies and their questions")
    listing.set_defaults(command=_list)


def _list(options: argparse.Namespace) -> int:
    from ablate.study.discover import listing

    studies = listing()
    width = max((len(study.name) for study in studies), default=0)
    for study in studies:
        print(f"{study.name:<{width}}  {study.question}")
    return 0
