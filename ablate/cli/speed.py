"""`ablate tune | bench`: how fast this machine is, measured side by side."""

from __future__ import annotations

import argparse
from importlib.util import find_spec
from pathlib import Path

from ablate.cli.arguments import Commands, command, overrides
from ablate.config import ConfigError, Scalar


def add(commands: Commands) -> None:
    tune = command(
        commands, "tune", "measure which attention backend is fastest for a study on this machine and write the choices"
    )
    tune.add_argument("study", metavar="STUDY", help="name or file of the study whose base run is timed")
    tune.add_argument("file", type=Path, metavar="FILE", help="file to write, for --set runtime.attention=tuned:FILE")
    tune.add_argument("--tier", default="quick", help="size of the study (default: quick)")
    tune.add_argument("--device", help="cpu or cuda (default: the study's)")
    tune.add_argument(
        "--set", action="append", default=[], metavar="PATH=VALUE", help="change a field of the base run; may be repeated"
    )
    tune.set_defaults(command=_tune, corpus=None)

    bench = command(commands, "bench", "time this project's code beside a reference in the same process")
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


def _tune(options: argparse.Namespace) -> int:
    _check_kernels("ablate tune")
    from ablate.config import override
    from ablate.kernels.tuning.calls import table, tune_run
    from ablate.study import discover
    from ablate.study.progress import StudyProgress

    study = discover.load(discover.find(options.study).path).at(options.tier)
    with StudyProgress(f"tune {study.name}") as progress:
        found = tune_run(override(study.base, overrides(options)), options.file, progress.phase)
    print(f"{table(found)}\nwritten: {options.file}")
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
    _check_kernels("ablate bench attention")
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


def _check_kernels(name: str) -> None:
    if find_spec("ablate.kernels") is None:
        raise ConfigError(f"{name} times the kernels of the package ablate.kernels, which this installation lacks")
