"""A survey as text for a terminal of 80 columns."""

from __future__ import annotations

import shlex

from rich.cells import chop_cells
from rich.console import Console
from rich.text import Text

from ablate.config import Data
from ablate.data import words
from ablate.data.text import UNKNOWN_SAID
from ablate.survey.survey import Survey

WIDTH = 80
NAME = 20
"""Columns of what a line is about."""
MOST_READ = 0.9
"""Share of the training text below which an objective is said to leave text out."""


def describe(found: Survey) -> str:
    """The survey as text for a terminal of 80 columns."""
    parts = (_text(found), _tokens(found), _reads(found), _answers(found), _advice(found))
    return "\n\n".join(part for part in parts if part)


def _line(name: str, value: str) -> str:
    # By columns of the terminal, of which a Chinese character takes two.
    first, *rest = Text(value).wrap(Console(), WIDTH - NAME)
    lines = [f"{name:<{NAME}}{first}", *(f"{'':<{NAME}}{line}" for line in rest)]
    return "\n".join(line.rstrip() for line in lines)


def _text(found: Survey) -> str:
    counts = found.counts
    dictionaries = "" if counts.unspaced == 0 or words.ICU else "; each character counts as one without the extra `words`"
    lines = [_line(name, value) for name, value in found.described.items()]
    lines += [
        _line("documents", ", ".join(f"{number:,} {split}" for split, number in counts.documents.items())),
        _line("labels", f"{counts.labels:,} different") if counts.labels else "",
        _line(
            "sentences",
            f"{counts.sentences:,}; {counts.alone:,} documents are one; the longest has {counts.longest:,} characters",
        ),
        _line("characters", f"{counts.characters:,}"),
        _line(
            "scripts", ", ".join(f"{name} {share:.1%}" for name, share in counts.scripts.items() if share >= 0.001) or "none"
        ),
        _line("words", f"{counts.words:,} in the beginning{dictionaries}"),
        _line("near-duplicates", f"{counts.near_duplicates:.1%} of the sentences of the beginning"),
        *(f"{f'sentence {place}':<{NAME}}{_cut(example)}" for place, example in enumerate(counts.examples, start=1)),
    ]
    return "\n".join(filter(None, lines))


def _cut(example: str) -> str:
    """One line of the terminal, in which some characters take two columns."""
    whole = chop_cells(example, WIDTH - NAME)
    return whole[0] if len(whole) == 1 else chop_cells(example, WIDTH - NAME - 1)[0] + "…"


def _tokens(found: Survey) -> str:
    lines = [f"{'tokenizer':<{NAME}}{'types':>8}{'characters a token':>22}{'[UNK]':>9}"]
    for one in found.tokens:
        if one.refused:
            lines.append(_line(one.kind, f"refused: {one.refused}"))
            continue
        mark = "  above 1 %" if one.unknown > UNKNOWN_SAID else ""
        lines.append(
            f"{one.kind:<{NAME}}{one.vocabulary:>8,}{one.characters / max(1, one.tokens):>22.2f}{one.unknown:>9.1%}{mark}"
        )
    return "\n".join(lines)


def _reads(found: Survey) -> str:
    if not found.reads:
        return ""
    lines = [f"{'objective':<{NAME}}{'examples':>10}{'of the text':>13}"]
    for one in found.reads:
        if one.refused:
            lines.append(_line(one.objective, f"cannot read it: {one.refused}"))
            continue
        mark = "  the rest is never read" if one.share < MOST_READ else ""
        lines.append(f"{one.objective:<{NAME}}{one.examples:>10,}{one.share:>13.0%}{mark}")
    return "\n".join(lines)


def _answers(found: Survey) -> str:
    if not found.answers:
        return ""
    can = [one.evaluation for one in found.answers if not one.reason]
    lines = [_line("can be asked", ", ".join(can) or "nothing")]
    return "\n".join([*lines, *(_line(f"not {one.evaluation}", one.reason) for one in found.answers if one.reason)])


def _advice(found: Survey) -> str:
    if found.refused:
        return _line("refused", found.refused)
    corpus = found.data.corpus.removeprefix("files:")
    lines = ["ablate run bert-masking --tier smoke --corpus " + shlex.quote(corpus)]
    if found.advised.tokenizer != Data().tokenizer:
        lines[0] += f" --set data.tokenizer={found.advised.tokenizer}"
    return "\n".join([_line("advice", f"data.tokenizer = {found.advised.tokenizer}: {found.why}"), *lines])
