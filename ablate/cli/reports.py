"""`ablate report | publish | diff`: what is done with finished reports."""

from __future__ import annotations

import argparse
from pathlib import Path

from ablate.cli.arguments import Commands, command
from ablate.config import ConfigError


def add(commands: Commands) -> None:
    report = command(commands, "report", "compile reports again from their records, or the index of a folder of reports")
    report.add_argument(
        "folders",
        nargs="+",
        type=Path,
        metavar="FOLDER",
        help="a report, e.g. reports/bert-masking, or a folder of reports, e.g. reports",
    )
    report.set_defaults(command=_report)

    publish = command(commands, "publish", "copy a complete local report into reports/ and update the scoreboard")
    publish.add_argument(
        "report", metavar="REPORT", help="a study with one report in reports/local/, or the folder of a report, by name or path"
    )
    publish.add_argument("--tier", default="", help="which of the study's reports, if there are several")
    publish.add_argument(
        "--as",
        dest="folder",
        default="",
        metavar="NAME",
        help="name of the folder in reports/, e.g. STUDY-standard (default: the study's name)",
    )
    publish.set_defaults(command=_publish)

    diff = command(commands, "diff", "compare two report folders; exit status 1 if they differ in more than measured times")
    diff.add_argument("before", type=Path, metavar="BEFORE", help="a report folder")
    diff.add_argument("after", type=Path, metavar="AFTER", help="the report folder to compare with it")
    diff.set_defaults(command=_diff)


def _report(options: argparse.Namespace) -> int:
    from ablate.report import evidence
    from ablate.report.compile import compile_report
    from ablate.report.index import compile_index

    for folder in options.folders:
        if evidence.is_report(folder):
            compile_report(folder)
            print(f"report: {folder / 'README.md'}")
        elif evidence.listed(folder):
            compile_index(folder)
            print(f"index: {folder / 'README.md'}")
        else:
            raise ConfigError(f"{folder} holds no report: study.json is missing, and no folder in it has one")
    return 0


def _publish(options: argparse.Namespace) -> int:
    from ablate.study.publish import publish

    print(f"published: {publish(options.report, folder=options.folder, tier=options.tier)}")
    return 0


def _diff(options: argparse.Namespace) -> int:
    from ablate.report.diff import compare_reports, to_markdown

    found = compare_reports(options.before, options.after)
    print(to_markdown(found))
    return 0 if found.identical else 1
