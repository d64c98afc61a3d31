"""The command line: `ablate list | claims | plan | run | report | publish | diff | export | tune | doctor | bench`.

Imports happen inside the commands, so that `--help` and `list` answer at once: torch and lightning cost seconds.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ablate.config import ConfigError, Scalar

if TYPE_CHECKING:
    from ablate.study.options import Options


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0 is success, 1 a study with failed runs or reports that differ, 2 a wrong input."""
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
        print("ablate: interrupted; finished runs are kept, the same command goes on from here", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="ablate", description="Controlled ablation studies of language-model pretraining.")
    commands = parser.add_subparsers(title="commands", metavar="")

    listing = commands.add_parser("list", help="studies and their questions")
    listing.set_defaults(command=_list)

    claims = commands.add_parser("claims", help="published claims and what became of them here")
    claims.add_argument("claim", nargs="?", metavar="ID", help="one claim with everything needed to judge it, e.g. C20")
    claims.add_argument("--reports", type=Path, help="folder of published reports (default: reports/)")
    claims.set_defaults(command=_claims)

    plan = commands.add_parser("plan", help="cells, estimated time and smallest detectable effects of a study; runs nothing")
    _study_arguments(plan)
    plan.set_defaults(command=_plan)

    run = commands.add_parser("run", help="run what a study still lacks and compile its report")
    _study_arguments(run)
    run.add_argument("--only", action="append", default=[], metavar="arm=NAME", help="run this arm only; may be repeated")
    run.add_argument("--retry-failed", action="store_true", help="run failed runs again")
    run.add_argument("--report-only", action="store_true", help="compile the report from the records there are")
    run.add_argument(
        "--discard-weights", action="store_true", help="keep no final weights (a new yardstick then needs retraining)"
    )
    run.add_argument("--allow-mixed", action="store_true", help="show runs of different machines or versions in one table")
    run.set_defaults(command=_run)

    report = commands.add_parser("report", help="compile report folders again from their records")
    report.add_argument("folders", nargs="+", type=Path, metavar="FOLDER")
    report.set_defaults(command=_report)

    publish = commands.add_parser("publish", help="make a local report part of the committed evidence in reports/")
    publish.add_argument("study", help="name of a study that has a report in reports/local/")
    publish.add_argument("--as", dest="folder", default="", metavar="NAME", help="its folder in reports/, e.g. STUDY-standard")
    publish.set_defaults(command=_publish)

    diff = commands.add_parser("diff", help="compare two report folders; status 1 if they differ beyond measured times")
    diff.add_argument("before", type=Path)
    diff.add_argument("after", type=Path)
    diff.set_defaults(command=_diff)

    export = commands.add_parser("export", help="a finished run's model for other programs; published backbones only")
    export.add_argument("run", metavar="RUN", help="identity of a run or its beginning, or the run's folder")
    export.add_argument("--to", required=True, choices=["hf"], help="hf: what Hugging Face transformers loads")
    export.add_argument("folder", type=Path, metavar="DIR", help="a new folder")
    export.add_argument("--runs", type=Path, help="folder of the records (default: $ABLATE_RUNS or .runs)")
    export.set_defaults(command=_export)

    tune = commands.add_parser("tune", help="measure which attention backend is fastest for a study here; writes its choices")
    tune.add_argument("study", help="name of a study, or path of a study file: its base run is tuned")
    tune.add_argument("file", type=Path, metavar="FILE", help="for --set runtime.attention=tuned:FILE")
    tune.add_argument("--tier", default="quick", help="at which tier (default: quick)")
    tune.add_argument("--device", help="cpu or cuda")
    tune.add_argument("--set", action="append", default=[], metavar="PATH=VALUE", help="a field of the base run")
    tune.set_defaults(command=_tune, corpus=None)

    doctor = commands.add_parser("doctor", help="what this machine has and lacks")
    doctor.set_defaults(command=_doctor)

    bench = commands.add_parser("bench", help="benchmarks: ratios measured side by side in one run")
    bench.add_argument(
        "what",
        choices=["training", "attention"],
        help="training: a step through the harness against a bare torch loop; attention: every backend of the core",
    )
    bench.add_argument("--study", default="bert-masking", help="whose base run to time (default: bert-masking)")
    bench.add_argument("--tier", default="quick", help="at which tier (default: quick); attention: size of its grid")
    bench.add_argument("--device", default="cpu", help="attention: cpu or cuda")
    bench.add_argument("--threads", type=int, default=1, help="attention: CPU threads (default: 1)")
    bench.add_argument("--precision", help="attention: fp32 or bf16 (default: bf16 on cuda)")
    bench.add_argument("--dry-run", action="store_true", help="attention: show what would be measured, and about how long")
    bench.add_argument("--out", type=Path, metavar="FILE", help="attention: rows as .json or .csv, renewed after each call")
    bench.set_defaults(command=_bench)
    return parser


def _study_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("study", help="name of a study, or path of a study file")
    parser.add_argument("--tier", default="quick", help="smoke, quick, standard or full (default: quick)")
    parser.add_argument("--seeds", type=int, help="replicates of every arm (default: the tier's)")
    parser.add_argument("--workers", type=int, help="runs side by side (default: the tier's)")
    parser.add_argument("--corpus", help="pydocs, grammar, imdb, ptb, coco, hub:NAME, or the path of a text file or folder")
    parser.add_argument("--device", help="cpu, cuda or mps")
    parser.add_argument(
        "--set", action="append", default=[], metavar="PATH=VALUE", help="a field of the base run; may be repeated"
    )
    parser.add_argument("--runs", type=Path, help="folder of the records (default: $ABLATE_RUNS or .runs)")
    parser.add_argument("--reports", type=Path, default=Path("reports/local"), help="folder of local reports")


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
        print(f"{finished.failed} runs failed; see the report, and --retry-failed", file=sys.stderr)
    print(f"report: {finished.report / 'README.md'}\n        {finished.report / 'index.html'}")
    return 1 if finished.failed else 0


def _report(options: argparse.Namespace) -> int:
    from ablate.report.compile import compile_report

    for folder in options.folders:
        if not (folder / "study.json").is_file():
            raise ConfigError(f"{folder} holds no report: study.json is missing")
        compile_report(folder)
        print(f"report: {folder / 'README.md'}")
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
    from ablate.doctor import examine

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
        retry_failed=getattr(given, "retry_failed", False),
        keep_weights=not getattr(given, "discard_weights", False),
        allow_mixed=getattr(given, "allow_mixed", False),
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
    # Whatever looks like a path is one; a plain unknown word is left for the corpora to answer with a suggestion.
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
