"""Arguments that several commands have, and what they mean to a study."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from ablate.cli import written
from ablate.config import ConfigError, Scalar

if TYPE_CHECKING:
    from ablate.study.options import Options

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def command(commands: Commands, name: str, summary: str) -> argparse.ArgumentParser:
    """Add a command; `summary` is its line in `ablate --help`."""
    return commands.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")


def study_arguments(parser: argparse.ArgumentParser, optional: bool = False) -> None:
    """Add what `plan`, `run` and `runs` have in common: the study, and what changes it."""
    parser.add_argument(
        "study",
        nargs="?" if optional else None,
        metavar="STUDY",
        help="name of a study (see `ablate list`), or path of a study file",
    )
    parser.add_argument("--tier", default="quick", help="size of the study: smoke, quick, standard or full (default: quick)")
    parser.add_argument("--seeds", type=int, metavar="N", help="seeds of every arm (default: the tier's number)")
    parser.add_argument("--workers", type=int, metavar="N", help="runs at the same time (default: the tier's number)")
    parser.add_argument(
        "--corpus",
        help="pydocs, grammar, oracle:LENGTH, imdb, ptb, coco, hub:NAME, or the path of a text file or folder "
        "(default: the study's)",
    )
    parser.add_argument("--device", help="cpu, cuda or mps (default: the study's)")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="PATH=VALUE",
        help="change a field of the base run, e.g. budget.tokens=100000; may be repeated",
    )
    parser.add_argument(
        "--vary",
        action="append",
        default=[],
        metavar="PATH=VALUE,...",
        help="vary this field instead of the study's own factors, e.g. backbone.width=64,128; may be repeated",
    )
    parser.add_argument("--without", action="append", default=[], metavar="EVALUATION", help="leave this evaluation out")
    parser.add_argument("--runs", type=Path, metavar="DIR", help="folder of the runs (default: $ABLATE_RUNS or .runs)")
    parser.add_argument(
        "--reports",
        type=Path,
        metavar="DIR",
        default=Path("reports/local"),
        help="folder of the reports; each gets a folder of its own in it (default: reports/local)",
    )


def study_options(given: argparse.Namespace) -> Options:
    """The options of a study as `ablate.study` takes them. Raises `ConfigError`."""
    from ablate.study.options import Options
    from ablate.study.store import default_root

    return Options(
        tier=given.tier,
        seeds=given.seeds,
        workers=given.workers,
        overrides=overrides(given),
        vary=written.varied(given.vary),
        only=tuple(_arm(text) for text in getattr(given, "only", [])),
        without=tuple(given.without),
        retry_failed=getattr(given, "retry_failed", False),
        keep_weights=not getattr(given, "discard_weights", False),
        allow_mixed=getattr(given, "allow_mixed", False),
        patience=getattr(given, "patience", 1800.0),
        root=given.runs or default_root(),
        reports=given.reports,
    )


def overrides(given: argparse.Namespace) -> dict[str, Scalar]:
    """Fields of the base run that `--set`, `--corpus` and `--device` change. Raises `ConfigError`."""
    values = written.assigned(given.set)
    if given.corpus is not None:
        values[written.CORPUS] = written.corpus(given.corpus)
    if given.device is not None:
        values[written.DEVICE] = given.device
    return values


def _arm(text: str) -> str:
    key, equals, name = text.partition("=")
    if key != "arm" or not equals:
        raise ConfigError(f"--only {text!r}, but must be arm=NAME, e.g. arm=mask_rate=0.4")
    return name
