"""The picture of the argument for scaling: from rows of random dot products to lines, equal ones joined."""

from __future__ import annotations

import dataclasses
from typing import Any

import pandas as pd

from ablate.report.mechanism import mechanism, mechanism_frame


def with_rows(evidence: Any) -> Any:
    first = evidence.numbers.iloc[[0]]
    made = []
    for width in (4, 64):
        for scaling, variance in (("none", float(width)), ("inverse-sqrt", 1.0), ("learned", 1.0)):
            condition = f"head_width={width},scale={scaling}"
            made.append(first.assign(evaluation="dot-products", metric="logit_variance", condition=condition, value=variance))
            made.append(first.assign(evaluation="dot-products", metric="softmax_gradient", condition=condition, value=0.1))
    return dataclasses.replace(evidence, numbers=pd.concat([evidence.numbers, *made], ignore_index=True))


def test_lines_that_coincide_are_one(study: Any) -> None:
    frame = mechanism_frame(with_rows(study))
    variance = frame[frame["metric"] == "logit_variance"]
    lines = {name: part["mean"].tolist() for name, part in variance.groupby("scaling")}
    assert lines == {"none": [4.0, 64.0], "inverse-sqrt, learned": [1.0, 1.0]}


def test_the_section_is_there_only_with_its_rows(study: Any) -> None:
    assert mechanism(study) is None
    section = mechanism(with_rows(study))
    assert section is not None
    (_, figures) = section.blocks
    assert [figure.name for figure in figures.figures] == ["mechanism-logit-variance", "mechanism-softmax-gradient"]
    for figure in figures.figures:
        figure.draw(figure.frame)
