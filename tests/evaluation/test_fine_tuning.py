"""Fine-tuning on truths that are planted: what can be learnt is learnt, what cannot is not, and what is counted is right."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ablate.config import Backbone, ConfigError
from ablate.evaluation.fine_tuning import Classifier, FineTuning
from ablate.evaluation.reading import UnanswerableError, measurement_identity
from ablate.objectives.bert import Bert
from ablate.objectives.gpt import Gpt
from ablate.objectives.lstm import Lstm
from ablate.objectives.ngram import Ngram
from ablate.objectives.t5 import T5
from ablate.objectives.xlnet import Xlnet

SMALL = {"train": 120, "validation": 30, "test": 200, "length": 20, "rates": (1e-2,), "epochs": 8}
OBJECTIVES = (Bert, Gpt, Xlnet, T5, Lstm)


def model(kind: Any, text: Any, context: int = 40) -> Any:
    torch.manual_seed(1)
    return kind(kind.Config(), Backbone(width=32, layers=2, heads=2), text.vocabulary, context)


def values(reading: Any) -> dict[tuple[str, str], float]:
    return {(row.metric, row.condition): row.value for row in reading.rows}


@pytest.mark.parametrize("kind", OBJECTIVES, ids=lambda kind: kind.name)
def test_every_architecture_learns_what_its_tokens_say(kind: Any, english: Any) -> None:
    """The topic is in the nouns, which every text has; the most common topic is half of them."""
    found = values(FineTuning(**SMALL).measure(model(kind, english), english))
    assert found["accuracy", "topic"] > 0.9 > found["accuracy", "topic, majority class"]
    assert found["accuracy", "topic, TF-IDF"] > 0.95
    assert found["score", ""] == found["accuracy", "topic"]
    assert found["gain", ""] == found["gain", "topic"] == found["score", ""] - found["score", "random initialisation"]


@pytest.mark.parametrize("kind", [Bert, Gpt], ids=lambda kind: kind.name)
def test_the_mean_of_all_tokens_may_stand_for_the_text(kind: Any, english: Any) -> None:
    assert values(FineTuning(**SMALL, summary="mean").measure(model(kind, english), english))["accuracy", "topic"] > 0.9
    rows = [[7, 8, 9, 10], [11, 12]]
    learner = Classifier(model(kind, english), 3, "mean").eval()
    alone = [learner.model.encode(torch.tensor([row]), torch.ones(1, len(row)) > 0) for row in rows]
    wanted = [learner.out(hidden.mean(dim=1)[0]) for hidden in alone]
    assert torch.allclose(learner(rows), torch.stack(wanted), atol=1e-5)
    framed = torch.tensor([learner.model.join(rows[0], [])])
    hidden = learner.model.encode(framed, framed >= 0)[0, torch.isin(framed[0], torch.tensor(rows[0]))]
    assert len(hidden) == 4 < framed.shape[1]  # what is put around a text is not its text
    assert torch.allclose(learner(framed.tolist())[0], learner.out(hidden.mean(dim=0)), atol=1e-5)
    learner.summary = "standard"
    assert not torch.allclose(learner(rows), torch.stack(wanted), atol=1e-3)


def test_the_standard_vector_of_t5_is_the_mean_with_the_end_of_the_text(english: Any) -> None:
    learner = Classifier(model(T5, english), 3, "standard").eval()
    row = torch.tensor([learner.model.join([7, 8, 9], [])])
    hidden = learner.model.encode(row, row >= 0)
    assert hidden.shape[1] == 4
    assert torch.allclose(learner(row.tolist()), learner.out(hidden.mean(dim=1)), atol=1e-5)
    learner.summary = "mean"
    assert torch.allclose(learner(row.tolist()), learner.out(hidden[:, :3].mean(dim=1)), atol=1e-5)


def pairs(folder: Path, regression: bool = False) -> None:
    """Do two texts share a word? The numbers: how many of their six words are of the garden, times five."""
    rng = np.random.default_rng(3)
    nouns = np.array(["rose", "spade", "lawn", "oven", "spoon", "egg", "ship", "sail", "tide"])
    for split, count in (("train", 400), ("dev", 100)):
        lines = ["one\tother\tscore"]
        for _ in range(count):
            one, other = (rng.choice(nouns, 3, replace=False) for _ in range(2))
            number, shared = 5 * int(np.isin([*one, *other], nouns[:3]).sum()), bool(set(one) & set(other))
            lines.append(f"{' '.join(one)}\t{' '.join(other)}\t{number if regression else 'yes' if shared else 'no'}")
        (folder / f"{split}.tsv").write_text("\n".join(lines) + "\n")


def test_a_regression_on_pairs(english: Any, tmp_path: Path) -> None:
    pairs(tmp_path, regression=True)
    task = f"files:{tmp_path}?first=one&second=other&label=score&kind=regression"
    ruler = FineTuning(tasks=task, train=320, validation=80, test=100, length=8, rates=(1e-2,), epochs=6)
    found = values(ruler.measure(model(Bert, english), english))
    name = tmp_path.name
    assert found["pearson", f"{name}, TF-IDF"] > 0.8
    assert found["pearson", name] > 0.8
    assert found["score", ""] == pytest.approx((found["pearson", name] + found["spearman", name]) / 2)
    assert ("pearson", f"{name}, majority class") not in found and ("no_answer", name) not in found
    assert found["truncated", name] == 0


def test_labels_dealt_out_at_random_are_not_learnt(english: Any, fakes: Any) -> None:
    dealt = np.random.default_rng(0).permutation([d.label for d in english.documents_])
    documents = [fakes.Document(d.sentences, str(label)) for d, label in zip(english.documents_, dealt, strict=True)]

    class Halves(fakes.Text):  # type: ignore[misc,name-defined]
        def documents(self, split: str) -> Any:
            return iter(documents[:120] if split == "validation" else documents[120:])

    found = values(FineTuning(**SMALL).measure(model(T5, english), Halves(documents, english.tokenizer)))
    chance = found["accuracy", "topic, majority class"]
    assert (
        max(found["accuracy", "topic"], found["accuracy", "topic, TF-IDF"]) < chance + 3 * (chance * (1 - chance) / 120) ** 0.5
    )


def test_pretraining_is_credited_with_what_it_brought(english: Any) -> None:
    """A model already tuned for the task needs no more than the new layer, at a rate that moves nothing else."""
    ruler = FineTuning(**{**SMALL, "rates": (1e-3,), "epochs": 1, "train": 60})
    untrained = model(Gpt, english)
    assert abs(values(ruler.measure(untrained, english))["gain", ""]) < 0.25
    trained = model(Gpt, english)
    optimizer = torch.optim.AdamW(trained.parameters(), lr=3e-3)
    topics = sorted({d.label for d in english.documents_})
    head = torch.nn.Linear(32, len(topics))
    rows = [trained.join(english.tokenizer.encode(" ".join(d.sentences))[:20], []) for d in english.documents_]
    truth = torch.tensor([topics.index(d.label) for d in english.documents_])
    for _ in range(40):
        loss = torch.nn.functional.cross_entropy(
            head(trained.summarize(torch.tensor(rows), torch.ones(len(rows), 22) > 0)), truth
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    found = values(ruler.measure(trained, english))
    assert found["score", ""] > 0.9
    assert found["gain", ""] > 0.2


def test_unseen_labels_are_reported_and_long_texts_counted(english: Any, tmp_path: Path) -> None:
    lines = ["text\tlabel", *(f"the {'rose' if i % 2 else 'oven'} is old\t{i % 2}" for i in range(40))]
    (tmp_path / "train.tsv").write_text("\n".join(lines) + "\n")
    tail = [f"the ship is old\t{label}" for label in (2, 7, 7)] + ["the egg is of the old man and the ship\t0"]
    (tmp_path / "dev.tsv").write_text("\n".join([*lines[:17], *tail]) + "\n")
    ruler = FineTuning(**{**SMALL, "tasks": f"files:{tmp_path}", "length": 5})
    found = values(ruler.measure(model(T5, english), english))
    assert found["unseen_labels", tmp_path.name] == pytest.approx(3 / 20)
    assert found["truncated", tmp_path.name] == pytest.approx(1 / 20)
    assert found["accuracy", tmp_path.name] <= 17 / 20


def test_the_score_is_the_mean_over_tasks_of_the_mean_over_metrics(english: Any, tmp_path: Path) -> None:
    pairs(tmp_path)
    task = f"files:{tmp_path}?first=one&second=other&label=score&metrics=f1|accuracy&positive=yes"
    found = values(FineTuning(**{**SMALL, "epochs": 1, "tasks": f"topic,{task}"}).measure(model(T5, english), english))
    own = (found["f1", tmp_path.name] + found["accuracy", tmp_path.name]) / 2
    assert found["score", ""] == pytest.approx((own + found["accuracy", "topic"]) / 2)
    always = found["accuracy", f"{tmp_path.name}, majority class"]
    assert found["f1", f"{tmp_path.name}, majority class"] == pytest.approx(2 * always / (1 + always)), "F1 of always yes"


def test_what_cannot_be_read_is_refused_before_training(english: Any, fakes: Any, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"shows 40 tokens of text and 2 special ones for task topic, but data.context = 40"):
        FineTuning().check(model(Gpt, english), english)
    with pytest.raises(ConfigError, match=r"fine-tuning needs the capability Summarizes, which objective 'ngram'"):
        FineTuning().check(model(Ngram, english), english)
    for wrong in ({"train": 1}, {"rates": ()}, {"rates": (0.0,)}, {"epochs": 0}, {"length": 1}, {"tasks": "sst"}):
        with pytest.raises(ConfigError, match=r"must be|unknown task"):
            FineTuning(**wrong)
    unlabelled = fakes.Text([fakes.Document(d.sentences, "") for d in english.documents_], english.tokenizer)
    for ask in (FineTuning(**SMALL).check, FineTuning(**SMALL).measure):
        with pytest.raises(UnanswerableError, match="no example of topic: topic needs two labels with 20 validation"):
            ask(model(Gpt, english), unlabelled)


def test_a_changed_file_is_another_measurement(tmp_path: Path) -> None:
    pairs(tmp_path)
    ruler = FineTuning(tasks=f"files:{tmp_path}?first=one&second=other&label=score")
    before = measurement_identity("run", ruler)
    assert measurement_identity("run", ruler) == before
    assert measurement_identity("run", dataclasses.replace(ruler, epochs=9)) != before
    pairs(tmp_path, regression=True)
    assert measurement_identity("run", ruler) != before


def test_it_says_how_far_it_is(english: Any) -> None:
    said: list[tuple[str, int, int]] = []
    ruler = FineTuning(**{**SMALL, "epochs": 2, "rates": (1e-3, 1e-2)})
    ruler.measure(model(T5, english), english, lambda phase, done, total: said.append((phase, done, total)))
    # Two starts, two rates, two epochs of eight batches.
    assert {(phase, total) for phase, _, total in said} == {("fine-tuning topic", 64)}
    assert [done for _, done, _ in said] == [10, 20, 30, 40, 50, 60, 64]


def test_draws_are_examples_drawn_anew_and_what_is_read_is_their_mean(english: Any) -> None:
    """Each draw alone, by tuning for it and no other, and then all three at once."""
    effort = {**SMALL, "train": 24, "epochs": 1, "rates": (3e-3,)}
    t5 = model(T5, english)
    one_by_one = [values(FineTuning(**effort)._draw(t5, english, lambda *said, **more: None, number)) for number in range(3)]
    together = values(FineTuning(**effort, draws=3).measure(t5, english))
    assert values(FineTuning(**effort).measure(t5, english)) == one_by_one[0]
    assert together.keys() == one_by_one[0].keys()
    for key, value in together.items():
        assert value == pytest.approx(sum(found[key] for found in one_by_one) / 3)
    assert len({found["score", ""] for found in one_by_one}) > 1
    drawn = [FineTuning(**effort).posed(english, number)[0] for number in range(3)]
    assert len({tuple(example.first for example in posed.train.examples) for posed in drawn}) == 3
    assert drawn[0].test.examples == drawn[1].test.examples == drawn[2].test.examples
