"""The command line: `ablate list | claims | plan | run | report | publish | diff | export | tune | doctor | bench`.

The commands import what they need when they run, because torch and lightning take seconds to import. `--help` and `list` are
therefore instant.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ablate.config import ConfigError, Scalar, require

if TYPE_CHECKING:
    from ablate.study.options import Options


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status: 0 success, 1 failed runs or reports that differ, 2 wrong input."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if not hasattr(options, "command"):
        parser.print_help()
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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="ablate",
        description="Controlled ablation studies of language-model pretraining.",
        epilog="`ablate COMMAND --help` explains a command. Exit status: 0 success, 1 failed runs or reports that differ, "
        "2 wrong input.",
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")

    def command(name: str, summary: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")

    listing = command("list", "list all studies and their questions")
    listing.set_defaults(command=_list)

    claims = command("claims", "show published claims and the verdict of this project's reports on each")
    claims.add_argument("claim", nargs="?", metavar="ID", help="show one claim with all its evidence, e.g. C20")
    claims.add_argument("--reports", type=Path, metavar="DIR", help="folder of published reports (default: reports/)")
    claims.set_defaults(command=_claims)

    plan = command("plan", "show the runs, the estimated time and the smallest detectable effects of a study; runs nothing")
    _study_arguments(plan)
    plan.set_defaults(command=_plan)

    run = command("run", "run what is missing of a study and compile its report")
    _study_arguments(run)
    run.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="arm=NAME",
        help="run this arm only; may be repeated; `ablate plan` lists the arms",
    )
    run.add_argument("--retry-failed", action="store_true", help="run failed runs again")
    run.add_argument("--report-only", action="store_true", help="run nothing; compile the report from the existing records")
    run.add_argument(
        "--discard-weights",
        action="store_true",
        help="delete the final weights of each run; a new evaluation then needs retraining",
    )
    run.add_argument(
        "--allow-mixed",
        action="store_true",
        help="accept runs of different machines or library versions in one table; the report prints a warning",
    )
    run.add_argument(
        "--patience",
        type=float,
        default=1800.0,
        metavar="SECONDS",
        help="end a worker that shows no progress for this long (default: 1800)",
    )
    run.set_defaults(command=_run)

    report = command("report", "compile reports again from their records, or the index of a folder of reports")
    report.add_argument(
        "folders",
        nargs="+",
        type=Path,
        metavar="FOLDER",
        help="a report, e.g. reports/bert-masking, or a folder of reports, e.g. reports",
    )
    report.set_defaults(command=_report)

    publish = command("publish", "copy a complete local report into reports/ and update the scoreboard")
    publish.add_argument("study", metavar="STUDY", help="name of a study with a report in reports/local/")
    publish.add_argument(
        "--as",
        dest="folder",
        default="",
        metavar="NAME",
        help="name of the folder in reports/, e.g. STUDY-standard (default: the study's name)",
    )
    publish.set_defaults(command=_publish)

    diff = command("diff", "compare two report folders; exit status 1 if they differ in more than measured times")
    diff.add_argument("before", type=Path, metavar="BEFORE", help="a report folder")
    diff.add_argument("after", type=Path, metavar="AFTER", help="the report folder to compare with it")
    diff.set_defaults(command=_diff)

    export = command("export", "write the model of a finished run for other programs; published backbones only")
    export.add_argument("run", metavar="RUN", help="a run: its identity, the first characters of it, or its folder")
    export.add_argument("--to", required=True, choices=["hf"], help="format; hf: Hugging Face transformers")
    export.add_argument("folder", type=Path, metavar="DIR", help="the new folder to write")
    export.add_argument("--runs", type=Path, metavar="DIR", help="folder of the runs (default: $ABLATE_RUNS or .runs)")
    export.set_defaults(command=_export)

    tune = command("tune", "measure which attention backend is fastest for a study on this machine and write the choices")
    tune.add_argument("study", metavar="STUDY", help="name or file of the study whose base run is timed")
    tune.add_argument("file", type=Path, metavar="FILE", help="file to write, for --set runtime.attention=tuned:FILE")
    tune.add_argument("--tier", default="quick", help="size of the study (default: quick)")
    tune.add_argument("--device", help="cpu or cuda (default: the study's)")
    tune.add_argument(
        "--set", action="append", default=[], metavar="PATH=VALUE", help="change a field of the base run; may be repeated"
    )
    tune.set_defaults(command=_tune, corpus=None)

    doctor = command("doctor", "show this machine, or verify every file of runs, a cache or reports against its digest")
    doctor.add_argument(
        "folders",
        nargs="*",
        type=Path,
        metavar="FOLDER",
        help="a folder of runs, a cache, a report or a folder of reports to verify (default: show the machine)",
    )
    doctor.add_argument("--mend", action="store_true", help="repair what is wrong: the runs and builds concerned are repeated")
    doctor.set_defaults(command=_doctor)

    bench = command("bench", "time this project's code beside a reference in the same process")
    bench.add_argument(
        "what",
        choices=["training", "attention"],
        help="training: a training step through the harness, beside a plain torch loop; attention: all attention backends",
    )
    bench.add_argument("--study", default="bert-masking", help="training: time this study's base run (default: bert-masking)")
    bench.add_argument("--tier", default="quick", help="size of the study, or of the attention grid (default: quick)")
    bench.add_argument("--device", default="cpu", help="attention: cpu or cuda (default: cpu)")
    bench.add_argument("--threads", type=int, default=1, help="attention: CPU threads (default: 1)")
    bench.add_argument("--precision", help="attention: fp32 or bf16 (default: fp32 on cpu, bf16 on cuda)")
    bench.add_argument("--dry-run", action="store_true", help="attention: list the calls and the estimated time; time nothing")
    bench.add_argument(
        "--out", type=Path, metavar="FILE", help="attention: write rows to this .json or .csv file, updated after each call"
    )
    bench.set_defaults(command=_bench)
    return parser


def _study_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("study", metavar="STUDY", help="name of a study (see `ablate list`), or path of a study file")
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
    parser.add_argument("--without", action="append", default=[], metavar="EVALUATION", help="leave this evaluation out")
    parser.add_argument("--runs", type=Path, metavar="DIR", help="folder of the runs (default: $ABLATE_RUNS or .runs)")
    parser.add_argument(
        "--reports",
        type=Path,
        metavar="DIR",
        default=Path("reports/local"),
        help="folder to write the report to (default: reports/local)",
    )


def _list(options: argparse.Namespace) -> int:
    from ablate.study.discover import listing

    studies = listing()
    width = max((len(study.name) for study in studies), default=0)
    for study in studies:
        print(f"{study.name:<{width}}  {study.question}")
    return 0


def _claims(options: argparse.Namespace) -> int:
    from ablate.report.claim_card import describe_claim, list_claims
    from ablate.study.discover import studies_folder

    reports = options.reports or studies_folder().parent / "reports"
    print(describe_claim(options.claim, reports) if options.claim else list_claims(reports))
    return 0


def _plan(options: argparse.Namespace) -> int:
    from ablate.study import discover
    from ablate.study.forecast import describe
    from ablate.study.options import set_up

    listed = discover.find(options.study)
    print(describe(set_up(discover.load(listed.path), _options(options))))
    return 0


def _run(options: argparse.Namespace) -> int:
    from ablate.study import discover
    from ablate.study.run import compile_only, run_study

    listed = discover.find(options.study)
    resolved = _options(options)
    only_report = options.report_only
    finished = compile_only(discover.load(listed.path), resolved) if only_report else run_study(listed, resolved)
    if finished.failed:
        runs = "run" if finished.failed == 1 else "runs"
        print(f"{finished.failed} {runs} failed; the report says why, --retry-failed runs them again", file=sys.stderr)
    print(f"report: {finished.report / 'README.md'}\n        {finished.report / 'index.html'}")
    return 1 if finished.failed else 0


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

    print(f"published: {publish(options.study, folder=options.folder)}")
    return 0


def _diff(options: argparse.Namespace) -> int:
    from ablate.report.diff import compare_reports, to_markdown

    found = compare_reports(options.before, options.after)
    print(to_markdown(found))
    return 0 if found.identical else 1


def _export(options: argparse.Namespace) -> int:
    from ablate.interop.export import export_run, find_run
    from ablate.study.store import default_root
    from ablate.training.fit import WEIGHTS

    folder = find_run(options.run, options.runs or default_root())
    print(f"exported: {export_run(folder, WEIGHTS, options.folder)}")
    return 0


def _tune(options: argparse.Namespace) -> int:
    from ablate.config import override
    from ablate.kernels.tuning.calls import table, tune_run
    from ablate.study import discover
    from ablate.study.progress import StudyProgress

    study = discover.load(discover.find(options.study).path).at(options.tier)
    with StudyProgress(f"tune {study.name}") as progress:
        found = tune_run(override(study.base, _overrides(options)), options.file, progress.phase)
    print(f"{table(found)}\nwritten: {options.file}")
    return 0


def _doctor(options: argparse.Namespace) -> int:
    from ablate.doctor import examine, verify

    if options.folders:
        return verify(options.folders, options.mend)
    require(not options.mend, "--mend", True, "given with the folders to repair")
    print(examine())
    return 0


def _bench(options: argparse.Namespace) -> int:
    if options.what == "attention":
        return _bench_attention(options)
    from ablate.study import discover
    from ablate.timing.training import report

    study = discover.load(discover.find(options.study).path)
    print(report(study.at(options.tier).base))
    return 0


def _bench_attention(options: argparse.Namespace) -> int:
    from ablate.config import RunConfig, override
    from ablate.kernels.bench.grid import AttentionGrid
    from ablate.kernels.bench.terminal import bench

    values: dict[str, Scalar] = {
        "runtime.device": options.device,
        "runtime.threads": options.threads,
        "runtime.precision": options.precision or ("bf16" if options.device == "cuda" else "fp32"),
        "objective.size": options.tier,
    }
    run = override(RunConfig(objective=AttentionGrid()), values)
    return bench(run, dry=options.dry_run, file=options.out)


def _options(given: argparse.Namespace) -> Options:
    from ablate.study.options import Options
    from ablate.study.store import default_root

    return Options(
        tier=given.tier,
        seeds=given.seeds,
        workers=given.workers,
        overrides=_overrides(given),
        only=tuple(_arm(text) for text in getattr(given, "only", [])),
        without=tuple(given.without),
        retry_failed=getattr(given, "retry_failed", False),
        keep_weights=not getattr(given, "discard_weights", False),
        allow_mixed=getattr(given, "allow_mixed", False),
        patience=getattr(given, "patience", 1800.0),
        root=given.runs or default_root(),
        reports=given.reports,
    )


def _overrides(given: argparse.Namespace) -> dict[str, Scalar]:
    values: dict[str, Scalar] = {}
    for text in given.set:
        path, equals, value = text.partition("=")
        if not equals:
            raise ConfigError(f"--set {text!r}, but must be PATH=VALUE, e.g. budget.tokens=100000")
        values[path] = _scalar(value)
    if given.corpus is not None:
        values["data.corpus"] = _corpus(given.corpus)
    if given.device is not None:
        values["runtime.device"] = given.device
    return values


def _corpus(text: str) -> str:
    from ablate.data.corpora import CORPORA

    known = text.partition(":")[0] in CORPORA
    # A value that looks like a path is one. For any other unknown word, the corpora raise an error with a suggestion.
    return f"files:{text}" if not known and (Path(text).exists() or "/" in text or "." in text) else text


def _arm(text: str) -> str:
    key, equals, name = text.partition("=")
    if key != "arm" or not equals:
        raise ConfigError(f"--only {text!r}, but must be arm=NAME, e.g. arm=mask_rate=0.4")
    return name


def _scalar(text: str) -> Scalar:
    words: dict[str, Scalar] = {"true": True, "false": False, "none": None}
    if text.lower() in words:
        return words[text.lower()]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
