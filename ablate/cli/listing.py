"""`ablate list`: all studies and their questions."""

from __future__ import annotations

import argparse
import json

from ablate.cli.arguments import Commands, command


def add(commands: Commands) -> None:
    listing = command(commands, "list", "list all studies and their questions")
    listing.add_argument("--json", action="store_true", help="print JSON")
    listing.set_defaults(command=_list)


def _list(options: argparse.Namespace) -> int:
    from ablate.study.discover import listing

    studies = listing()
    if options.json:
        told = [{"name": study.name, "question": study.question, "file": str(study.path)} for study in studies]
        print(json.dumps(told, indent=1, ensure_ascii=False))
        return 0
    width = max((len(study.name) for study in studies), default=0)
    for study in studies:
        print(f"{study.name:<{width}}  {study.question}")
    return 0
