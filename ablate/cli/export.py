"""`ablate export`: the model of a finished run for other programs."""

from __future__ import annotations

import argparse
from pathlib import Path

from ablate.cli.arguments import Commands, command


def add(commands: Commands) -> None:
    export = command(commands, "export", "write the model of a finished run for other programs; published backbones only")
    export.add_argument("run", metavar="RUN", help="a run: its identity, the first characters of it, or its folder")
    export.add_argument("--to", required=True, choices=["hf"], help="format; hf: Hugging Face transformers")
    export.add_argument("folder", type=Path, metavar="DIR", help="the new folder to write")
    export.add_argument("--runs", type=Path, metavar="DIR", help="folder of the runs (default: $ABLATE_RUNS or .runs)")
    export.set_defaults(command=_export)


def _export(options: argparse.Namespace) -> int:
    from ablate.interop.export import export_run
    from ablate.study.store import default_root, find_run
    from ablate.training.fit import WEIGHTS

    folder = find_run(options.run, options.runs or default_root())
    print(f"exported: {export_run(folder, WEIGHTS, options.folder)}")
    return 0
