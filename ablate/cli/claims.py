"""`ablate claims`: published claims, and what this project measured of each."""

from __future__ import annotations

import argparse
from pathlib import Path

from ablate.cli.arguments import Commands, command
from ablate.config import ConfigError


def add(commands: Commands) -> None:
    claims = command(commands, "claims", "show published claims and the verdict of this project's reports on each")
    claims.add_argument("claim", nargs="?", metavar="ID", help="show one claim with all its evidence, e.g. C20")
    claims.add_argument("--reports", type=Path, metavar="DIR", help="folder of published reports (default: reports/)")
    claims.set_defaults(command=_claims)


def _claims(options: argparse.Namespace) -> int:
    from ablate.report import evidence
    from ablate.report.claim_card import describe_claim, list_claims
    from ablate.study.discover import studies_folder

    if options.reports and not evidence.listed(options.reports):
        raise ConfigError(f"--reports {options.reports}, but must be a folder of reports; it holds none")
    reports = options.reports or studies_folder().parent / "reports"
    print(describe_claim(options.claim, reports) if options.claim else list_claims(reports))
    return 0
