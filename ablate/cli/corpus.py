"""`ablate corpus`: what the project makes of a text, before anything is trained."""

from __future__ import annotations

import argparse
import json

from ablate.cli.arguments import Commands, command


def add(commands: Commands) -> None:
    corpus = command(
        commands, "corpus", "show what a text is made of, what can be asked of it and the settings to use; trains nothing"
    )
    corpus.add_argument(
        "corpus", metavar="CORPUS", help="the path of a text file or folder, or the name of a corpus, e.g. pydocs, hub:NAME"
    )
    corpus.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="PATH=VALUE",
        help="change a setting, e.g. data.unit=line; may be repeated",
    )
    corpus.add_argument("--json", action="store_true", help="print JSON")
    corpus.set_defaults(command=_corpus)


def _corpus(options: argparse.Namespace) -> int:
    from ablate.cli import written
    from ablate.config import RunConfig, override
    from ablate.objectives.bert import Bert
    from ablate.study.progress import StudyProgress
    from ablate.survey.describe import describe
    from ablate.survey.survey import survey

    values = {**written.assigned(options.set), written.CORPUS: written.corpus(options.corpus)}
    data = override(RunConfig(objective=Bert.Config()), values).data
    with StudyProgress("corpus") as progress:
        found = survey(data, progress.phase)
    print(json.dumps(found.as_json(), ensure_ascii=False, indent=1) if options.json else describe(found))
    return 2 if found.refused else 0
