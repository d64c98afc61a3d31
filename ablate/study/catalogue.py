"""The columns that each evaluation gives, so that a study with a column that nothing fills is refused before it trains.

A name in braces stands for the values of the evaluation's field of this name. If there is no such field, it stands for what the
model or the text decides: the kind of likelihood, a task, a phenomenon. `tests/study/test_catalogue.py` holds the table against
what the evaluations measure and against committed records.
"""

from __future__ import annotations

import dataclasses
import difflib
import itertools
import re
import textwrap
from collections.abc import Iterable, Mapping
from typing import Any

from ablate.config import ConfigError
from ablate.specification import Metric
from ablate.study.study import Study

TASKS: Mapping[str, tuple[str, ...]] = {
    "score": ("", "{reference}"),
    "gain": ("", "{task}"),
    **dict.fromkeys(("accuracy", "f1", "matthews", "pearson", "spearman"), ("{task}", "{task}, {reference}")),
    **dict.fromkeys(("truncated", "unseen_labels", "no_answer", "learning_rate", "epoch"), ("{task}",)),
}
WRITTEN = ("temperature={temperatures}", "real text")
COLUMNS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "masked-bits": dict.fromkeys(("bits_per_token", "nats_below_unigram"), ("mask_rate={rates}",)),
    "cloze": {"accuracy": ("word", "majority word")},
    "sentence-pairs": {"accuracy": ("nsp", "sop")},
    "minimal-pairs": {
        "accuracy": ("overall", "overall, unigram", "{phenomenon}"),
        "ties": ("overall",),
    },
    "blimp": {
        "accuracy": ("overall", "overall, ties wrong", "overall, fewer tokens", "overall, {hidings}", "{phenomenon}"),
        **dict.fromkeys(("standard_error", "ties"), ("overall", "overall, {hidings}", "{phenomenon}")),
        "left_out": ("overall",),
    },
    "bits-per-byte": {
        "bits_per_byte": ("exact", "bound", "bound, {draws} draws", "{estimator}"),
        "nats_below_unigram": ("{estimator}",),
        "left_out": ("",),
        "divided": ("",),
    },
    "order-loss": {
        "nats_per_token": ("own order", "left to right", "random order", "one context", "mean of {contexts} contexts"),
        "nats_below_unigram": ("own order",),
    },
    "linear-probe": {"accuracy": ("topic", "topic, bag of words", "topic, majority class")},
    "attention": dict.fromkeys(("relative_entropy", "softmax_gradient", "largest_logit"), ("",)),
    "dot-products": dict.fromkeys(
        ("logit_variance", "relative_entropy", "softmax_gradient"), ("head_width={width},scale={scaling}",)
    ),
    "stable-rate": {"log2_rate": ("",), "nats_per_target": ("rate={rate}",)},
    "generation": {
        **dict.fromkeys(("bleu_{n}", "self_bleu_{n}", "distinct_{n}", "tokens_per_text", "nll_oracle"), WRITTEN),
        **dict.fromkeys(("forward_nats_kn{order}", "reverse_nats_kn{order}"), WRITTEN),
        "matched_reverse_nats_kn{order}": ("as likely as real text",),
    },
    "latent": {
        **dict.fromkeys(("kl", "mutual_information", "active_units", "reconstruction", "elbo"), ("",)),
        **dict.fromkeys(("importance_weighted", "importance_weighted_per_token"), ("draws={draws}",)),
    },
    "fine-tuning": TASKS,
    "text-to-text": TASKS,
    "own-loss": {"nats_per_target": ("", "{part}")},
    "training": {"nats_per_target": ("",)},
}
"""Evaluation -> metric -> conditions. `training` is what a run leaves without any evaluation."""
NAME = re.compile(r"\{(\w+)\}")
WIDTH = 80
SHOWN = 8
"""Columns that a message lists."""


def columns(evaluation: Any) -> list[str]:
    """`METRIC@CONDITION` of every column, with the values of the evaluation's fields in place of their names."""
    found = []
    for metric, conditions in COLUMNS.get(type(evaluation).name, {}).items():
        for name in _filled(metric, evaluation):
            found += [_at(name, filled) for condition in conditions for filled in _filled(condition, evaluation)]
    return list(dict.fromkeys(found))


def describe(about: str) -> str:
    """Every evaluation with its question, what it needs of a model and its columns; `about` holds the table of questions."""
    parts = []
    for name, (question, needs) in _questions(about).items():
        found = [_at(metric, one) for metric, conditions in COLUMNS[name].items() for one in conditions]
        parts.append(_described(name, question, needs, dict.fromkeys(found, "")))
    return "\n\n".join([*parts, "A name in braces is a field of the evaluation, or what model and text decide."])


def describe_study(study: Study, about: str) -> str:
    """The same for the evaluations of a study; `*` marks the columns that it shows, `**` the one that it ranks by."""
    shown = {metric.key: "*" for metric in study.metrics} | {study.primary.key: "**"}
    questions, parts = _questions(about), []
    for evaluation in study.base.evaluations:
        name = type(evaluation).name
        marked = {column: shown.get(f"{name}/{column}", "") for column in columns(evaluation)}
        parts.append(_described(name, *questions.get(name, ("an evaluation of its own", "")), marked))
    return "\n\n".join([*parts, "** decides what is best; * is a column of the report; others are recorded too."])


def _questions(about: str) -> dict[str, tuple[str, str]]:
    rows = re.findall(r"^\| `([\w-]+)` \| (.+?) \| (.+?) \|$", about, flags=re.M)
    return {name: (question, needs) for name, question, needs in rows}


def _described(name: str, question: str, needs: str, marked: Mapping[str, str]) -> str:
    head = f"{name}: {question}" + (f" (needs {needs})" if needs else "")
    lines = textwrap.wrap(head, WIDTH, subsequent_indent="  ")
    return "\n".join([*lines, *(f"  {mark:<2} {name}/{column}" for column, mark in marked.items())])


def check_columns(study: Study) -> None:
    """Raise `ConfigError` for a column that no evaluation of the study gives, with those that there are.

    Evaluations that are not of this project have no entry here, so their columns are not checked. Nor are those of a study
    without evaluations, which has a measure of its own.
    """
    present = {type(evaluation).name: evaluation for evaluation in study.base.evaluations}
    if not present:
        return
    for metric in (*study.metrics, *([study.learned] if study.learned else [])):
        if metric.evaluation not in COLUMNS or metric.evaluation == "training":
            continue
        has = f"study {study.name} has the column {metric.key}, but"
        if metric.evaluation not in present:
            raise ConfigError(f"{has} its evaluations are {', '.join(present)}; add {metric.evaluation} to them")
        given, column = columns(present[metric.evaluation]), _at(metric.metric, metric.condition)
        if not any(_matches(pattern, column) for pattern in given):
            near = difflib.get_close_matches(column, given, n=3)
            shown = ", ".join(given[:SHOWN]) + (", ..." if len(given) > SHOWN else "")
            raise ConfigError(f"{has} {metric.evaluation} gives {' or '.join(near) if near else shown}")


def check_read(study: Study, rows: Iterable[Any]) -> None:
    """Raise `ConfigError` if a finished run of the baseline lacks the column that decides, which every later run would lack."""
    metric: Metric = study.primary
    there = {_key(row.evaluation, row.metric, row.condition) for row in rows}
    known = metric.evaluation in COLUMNS and study.base.evaluations
    if not known and metric.key not in there:
        near = difflib.get_close_matches(metric.key, there, n=3) or sorted(there)[:SHOWN]
        raise ConfigError(
            f"study {study.name} ranks by {metric.key}, which a finished run of its baseline lacks; it has {', '.join(near)}"
        )


def _filled(template: str, evaluation: Any) -> list[str]:
    fields = {field.name for field in dataclasses.fields(evaluation)} & set(NAME.findall(template))
    choices = [[(name, value) for value in _values(getattr(evaluation, name))] for name in sorted(fields)]
    found = []
    for chosen in itertools.product(*choices):
        text = template
        for name, value in chosen:
            text = text.replace(f"{{{name}}}", value)
        found.append(text)
    return found


def _values(value: Any) -> list[str]:
    return [f"{v:g}" if isinstance(v, float) else str(v) for v in (value if isinstance(value, tuple) else (value,))]


def _matches(pattern: str, column: str) -> bool:
    literal = [re.escape(part) for part in NAME.split(pattern)[::2]]
    return re.fullmatch(".+".join(literal), column) is not None


def _at(metric: str, condition: str) -> str:
    return f"{metric}@{condition}" if condition else metric


def _key(evaluation: str, metric: str, condition: str) -> str:
    return f"{evaluation}/{_at(metric, condition)}"
