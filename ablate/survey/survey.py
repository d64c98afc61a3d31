"""The survey of one text, in the order in which a person asks: what is it, how is it read, what can be asked of it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from ablate.config import ConfigError, Data
from ablate.data.corpora import open_corpus
from ablate.data.text import prepare
from ablate.measure import Progress
from ablate.survey.questions import Answer, Reads, answers, reads
from ablate.survey.text import Counts, count
from ablate.survey.tokens import Tokens, advised, tokens


@dataclass(frozen=True, kw_only=True)
class Survey:
    """What was found; `advised` has the settings that a study should use."""

    data: Data
    described: dict[str, str]
    counts: Counts
    tokens: list[Tokens]
    advised: Data
    why: str
    reads: list[Reads]
    answers: list[Answer]
    refused: str
    """Why no study can read the text with the advised settings, or empty."""

    def as_json(self) -> dict[str, object]:
        """The survey as JSON values."""
        made = dataclasses.asdict(self)
        for name in ("tokens", "reads", "answers"):
            made[name] = [one._asdict() for one in getattr(self, name)]
        return made


def survey(data: Data, progress: Progress) -> Survey:
    """Read the text that `data` names, and ask what a study would ask before it trains. Raises `ConfigError`."""
    corpus = open_corpus(data)
    progress(phase="reading the text", done=0, total=0)
    counts, beginning = count(corpus)
    kinds = tokens(beginning, data, progress)
    kind, why = advised(kinds, counts.scripts)
    chosen = dataclasses.replace(data, tokenizer=kind)
    found_reads: list[Reads] = []
    found_answers: list[Answer] = []
    refused = ""
    try:
        text = prepare(chosen, progress)
    except ConfigError as error:
        refused = str(error)
    else:
        progress(phase="asking the evaluations", done=0, total=0)
        found_reads = list(reads(text, chosen))
        found_answers = list(answers(text, chosen, found_reads))
    return Survey(
        data=data,
        described=corpus.describe(),
        counts=counts,
        tokens=kinds,
        advised=chosen,
        why=why,
        reads=found_reads,
        answers=found_answers,
        refused=refused,
    )
