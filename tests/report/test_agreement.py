"""The headline and the tables say the same of every arm: random studies, read back from the written page."""

from __future__ import annotations

import re

import numpy as np
import pytest

from ablate.analysis import frames
from ablate.records import DIVERGED, DONE, OUT_OF_MEMORY, Record, Row
from ablate.report.answer import answer
from ablate.report.blocks import Paragraph, Table, wordy
from ablate.report.evidence import Evidence
from ablate.report.forest import differences_table
from ablate.report.paper_table import results_table
from ablate.specification import Arm, Metric, Specification

QUALITY = Metric(evaluation="quality", metric="score", label="quality, all", better="higher", digits=2)
LEARNED = Metric(evaluation="learned", metric="nats", label="learned", better="higher")
WORDS = ("better than", "worse than", "undecided against", "not compared with")
RANDOM = np.random.default_rng


def study_of(number: int) -> Evidence:
    """A study of 1 to 5 arms and 1 to 6 seeds; runs fail, are missing or learn nothing, and effects may be none."""
    rng = RANDOM(number)
    better = "higher" if rng.random() < 0.5 else "lower"
    metric = Metric(evaluation="quality", metric="score", label="quality, all", better=better, digits=2)
    seeds, arms = int(rng.integers(1, 7)), []
    for place in range(int(rng.integers(1, 6))):
        role = "arm" if place else "baseline"
        label = f"width {place}, rate {place}"
        arms.append(Arm(name=f"arm{place}", label=label, role=role, values={"x": place}, seeds=tuple(range(seeds))))
    plan = Specification(
        name="planted", title="t", question="q?", tier="quick", arms=tuple(arms), factors=(), metrics=(metric,),
        looks=(seeds,), learned=LEARNED,
    )  # fmt: skip
    effects, spread, losses = rng.normal(0, rng.choice([0.0, 1.0]), 6), rng.choice([0.0, 0.1, 1.0]), rng.choice([0.0, 0.3])
    shared, found = rng.normal(0, 1, seeds), []
    for place, arm in enumerate(arms):
        never = place and rng.random() < 0.15
        idle = rng.random() < 0.15
        for pair in range(seeds):
            drawn = rng.random()
            if drawn < losses / 3 and not never:
                continue
            status = DIVERGED if never or drawn < losses else OUT_OF_MEMORY if drawn > 1 - losses / 3 else DONE
            nats = 0.0 if idle or rng.random() < losses / 2 else 1.0
            value = 10 + effects[place] + shared[pair] + rng.normal(0, spread)
            rows = (_row(metric, value), _row(LEARNED, nats))
            found.append((arm, pair, Record(identity=f"{arm.name}/{pair}", status=status, rows=rows)))
    return Evidence(plan, frames.tidy(found, plan), frames.runs(found, plan))


def _row(metric: Metric, value: float) -> Row:
    return Row(
        evaluation=metric.evaluation, metric=metric.metric, condition="", value=value, unit="", better=metric.better,
        items=100, stage="final", tokens=1000, targets=1000, flops=1e9, seconds=1.0,
    )  # fmt: skip


def said_by_the_answer(evidence: Evidence) -> tuple[dict[str, set[str]], str]:
    """Return arm label -> what the written answer says of it against the baseline, and the whole text."""
    blocks = [block for block in answer(evidence).blocks if isinstance(block, Paragraph) and block.kind == "answer"]
    text = wordy(blocks[0].spans)
    said: dict[str, set[str]] = {}
    for sentence in re.split(r"(?<=[.)])\s+(?=[A-Z])", text):
        for word in WORDS:
            if re.match(rf"(Also )?{word} the baseline: ", sentence, re.IGNORECASE):
                for label in re.findall("“(.*?)”", sentence):
                    said.setdefault(label, set()).add(word.split()[0])
    if found := re.search(r"belongs to “(.*?)”: [^“]*? It is (better|worse|undecided) ", text):
        said.setdefault(found[1], set()).add(found[2])
    return said, text


def said_by_the_table(evidence: Evidence) -> dict[str, str]:
    table = differences_table(evidence, evidence.specification.primary)
    return {wordy(row[0].spans): wordy(row[-1].spans).split(":")[0].split()[0] for row in table.rows}


def bold(table: Table) -> dict[str, bool]:
    return {wordy(row[0].spans).removesuffix(" (baseline)"): row[2].bold for row in table.rows}


@pytest.mark.parametrize("start", range(0, 160, 40))
def test_headline_table_and_bold_print_agree(start: int) -> None:
    for number in range(start, start + 40):
        evidence = study_of(number)
        metric, context = evidence.specification.primary, f"study {number}"
        said, text = said_by_the_answer(evidence)
        results = results_table(evidence, (metric,), "results")
        values = {wordy(row[0].spans).removesuffix(" (baseline)"): wordy(row[2].spans) for row in results.rows}
        marked = bold(results)
        if len(evidence.specification.arms) > 1:
            table = said_by_the_table(evidence)
            assert all(len(words) == 1 for words in said.values()), f"{context}: one arm, two outcomes: {text}"
            assert {label: next(iter(words)) for label, words in said.items()} == {
                label: word for label, word in table.items() if label in said
            }, f"{context}: {text}"
            if "There is no answer" not in text and "nothing is compared" not in text:
                assert set(said) == set(table), f"{context}: an arm is not named: {text}"
            assert ("No arm is shown to be better" in text) <= ("better" not in table.values()), context
            base = evidence.labels[evidence.specification.baseline.name]
            best = re.search("belongs to “(.*?)”: (.*?)\\.(?: |$)", text)
            if best and "Too few" not in text:
                assert values[best[1]].split(" (n")[0] == best[2].split(" [")[0], f"{context}: {text}"
                assert marked[best[1]] == any(marked.values()), f"{context}: the best arm is not bold: {text}"
                # the baseline is bold beside the best arm exactly where that arm is not better
                if best[1] != base and table[best[1]] != "not":
                    assert marked[base] == (table[best[1]] != "better"), f"{context}: {text}"
                # no bold arm is worse than the baseline while the baseline is the best
                if best[1] == base:
                    assert {label for label, word in table.items() if word == "undecided"} == {
                        label for label, is_bold in marked.items() if is_bold and label != base
                    }, f"{context}: {text}"
        for arm, row in evidence.counts.set_index("arm").iterrows():
            if row["done"] == row["untrained"]:
                assert not marked[evidence.labels[arm]], f"{context}: a run that learned nothing is bold"
                assert f"belongs to “{evidence.labels[arm]}”" not in text, context


def test_failures_are_the_reason_and_not_too_few_seeds() -> None:
    """An arm that diverged in every run is said to have diverged."""
    arms = tuple(
        Arm(name=f"arm{place}", label=f"arm {place}", role="arm" if place else "baseline", values={"x": place}, seeds=(0, 1, 2))
        for place in range(3)
    )
    plan = Specification(
        name="planted", title="t", question="q?", tier="quick", arms=arms, factors=(), metrics=(QUALITY,), looks=(3,)
    )
    found = [
        (arm, pair, Record(identity=f"{arm.name}/{pair}", status=DIVERGED if arm.name == "arm2" else DONE, rows=rows))
        for arm in arms
        for pair in range(3)
        for rows in [(_row(QUALITY, 1.0 + pair + 0.1 * (arm.name == "arm1") * (pair + 1)),)]
    ]
    evidence = Evidence(plan, frames.tidy(found, plan), frames.runs(found, plan))
    _, text = said_by_the_answer(evidence)
    assert "Not compared with the baseline: “arm 2” (3 of 3 runs diverged)." in text
    assert "oo few" not in text
    assert "among 2 of 3 arms" in text
    last = wordy(differences_table(evidence, QUALITY).rows[1][-1].spans)
    assert last == "not compared: 3 of 3 runs diverged"


def test_a_gain_is_held_against_zero_and_what_needs_no_pretraining() -> None:
    gain = Metric(evaluation="fine-tuning", metric="gain", label="gain", better="higher", digits=1)
    score = Metric(evaluation="fine-tuning", metric="score", label="score", better="higher", digits=1)
    baseline = Metric(evaluation="fine-tuning", metric="score", condition="TF-IDF", label="TF-IDF", better="higher", digits=1)
    arms = tuple(
        Arm(name=name, label=name, role="arm" if place else "baseline", values={"x": place}, seeds=(0, 1, 2, 3))
        for place, name in enumerate(("t5", "xlnet", "gpt"))
    )
    plan = Specification(
        name="planted",
        title="t",
        question="q?",
        tier="quick",
        arms=arms,
        factors=(),
        metrics=(gain, score, baseline),
        looks=(4,),
    )
    truth = {"t5": 0.0, "xlnet": -5.0, "gpt": 5.0}
    noise = (0.1, -0.1, 0.2, -0.2)
    found = []
    for arm in arms:
        for pair in range(4):
            value = truth[arm.name] + noise[pair]
            rows = [_row(gain, value), _row(score, 60 + value), _row(baseline, 70.0)]
            rows[2] = Row(**{**vars(rows[2]), "condition": "TF-IDF"})
            found.append((arm, pair, Record(identity=f"{arm.name}/{pair}", status=DONE, rows=tuple(rows))))
    evidence = Evidence(plan, frames.tidy(found, plan), frames.runs(found, plan))
    text = said_by_the_answer(evidence)[1].replace("\u00a0", " ")
    assert text.startswith("Better than random weights: “gpt” (+5.0 [+4.7, +5.3]).")
    assert "Worse than random weights: “xlnet” (−5.0 [−5.3, −4.7])." in text
    assert "Undecided against random weights: “t5”" in text
    assert "Worse than TF-IDF (70.0): all 3 arms." in text
    results = results_table(evidence, plan.metrics, "results")
    assert not any(row[4].bold for row in results.rows), "a floor ranks no arm"
