"""`ablate doctor`: this machine, and whether files are what was written."""

from __future__ import annotations

import argparse
from pathlib import Path

from ablate.cli.arguments import Commands, command
from ablate.config import require


def add(commands: Commands) -> None:
    doctor = command(
        commands, "doctor", "show this machine, or verify every file of runs, a cache or reports against its digest"
    )
    doctor.add_argument(
        "folders",
        nargs="*",
        type=Path,
        metavar="FOLDER",
        help="a folder of runs, a cache, a report or a folder of reports to verify (default: show the machine)",
    )
    doctor.add_argument("--mend", action="store_true", help="repair what is wrong: the runs and builds concerned are repeated")
    doctor.set_defaults(command=_doctor)


def _doctor(options: argparse.Namespace) -> int:
    from ablate.doctor import examine, verify

    if options.folders:
        return verify(options.folders, options.mend)
    require(not options.mend, "--mend", True, "given with the folders to repair")
    print(examine())
    return 0
