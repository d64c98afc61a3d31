"""The command line, `ablate COMMAND`: one file a command or a pair of kin, with its arguments and its function.

The commands import what they need when they run, because torch and lightning take seconds to import. `--help` and `list` are
therefore instant.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from ablate import __version__
from ablate.cli import claims, corpus, doctor, export, listing, lookup, plan, reports, run, runs, speed
from ablate.config import ConfigError

COMMANDS = (listing, lookup, corpus, claims, plan, run, runs, reports, export, speed, doctor)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status: 0 success, 1 failed runs or reports that differ, 2 wrong input."""
    asked = parser()
    options = asked.parse_args(arguments)
    if not hasattr(options, "command"):
        asked.print_help()
        return 0
    try:
        status: int = options.command(options)
        return status
    except ConfigError as error:
        print(f"ablate: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        return 0
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(f"ablate: {where}{error.strerror or error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("ablate: interrupted; finished runs are kept, repeat the command to continue", file=sys.stderr)
        return 130


def parser() -> argparse.ArgumentParser:
    """All commands with their arguments."""
    made = argparse.ArgumentParser(
        prog="ablate",
        description="Controlled ablation studies of language-model pretraining.",
        epilog="`ablate COMMAND --help` explains a command. Exit status: 0 success, 1 failed runs or reports that differ, "
        "2 wrong input.",
    )
    made.add_argument("--version", action="version", version=f"ablate {__version__}")
    commands = made.add_subparsers(title="commands", metavar="COMMAND")
    for kin in COMMANDS:
        kin.add(commands)
    return made
