"""BLiMP on the real pairs: a Kneser-Ney 5-gram beside the published one (61.2, Warstadt et al. 2020), chance, and parity.

Measured (one core): see each test.
"""

from __future__ import annotations

import dataclasses
import gzip
import json
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from ablate.claims import warstadt2020
from ablate.config import Backbone, Budget, Data, Optimization, RunConfig, Runtime
from ablate.data.corpora.boundaries import split_sentences
from ablate.data.text import Text, prepare
from ablate.evaluation.blimp import Blimp
from ablate.evaluation.sentence_scores import TIE, score
from ablate.interop.export import write
from ablate.objectives import objective
from ablate.objectives.ngram import Ngram
from ablate.records import Row
from ablate.training import fit
from ablate.training.clock import Clock
from ablate.training.fit import build, load, run_trainer
from ablate.training.loop import TokenBudget
from tests.interop import naive_scores
from tests.interop.test_round_trip import load as load_theirs

HELD = Path(os.environ.get("ABLATE_DATA", ""))
BLIMP, IMDB, PTB = HELD / "blimp", HELD / "imdb", HELD / "ptb"

pytestmark = [
    pytest.mark.published,
    pytest.mark.skipif(not os.environ.get("ABLATE_DATA") or not BLIMP.is_dir(), reason="needs $ABLATE_DATA/blimp"),
]


@pytest.fixture(scope="module")
def pydocs() -> Text:
    return prepare(Data(corpus="pydocs", vocabulary=1024, context=64))


def values(rows: tuple[Row, ...]) -> dict[tuple[str, str], float]:
    return {(row.metric, row.condition): row.value for row in rows}


def words(text: str) -> str:
    """Lower case, every mark of punctuation a word of its own."""
    return " ".join(re.findall(r"n't\b|'\w+|\w+(?=n't)|\w+|[^\w\s]", re.sub(r"<br />", " ", text.lower())))


def blimp_in_words(folder: Path) -> Path:
    for path in BLIMP.glob("*.jsonl.gz"):
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            records = [json.loads(line) for line in lines]
        for record in records:
            record |= {field: words(record[field]) for field in ("sentence_good", "sentence_bad")}
        (folder / path.name.removesuffix(".gz")).write_text("\n".join(map(json.dumps, records)), encoding="utf-8")
    return folder


def imdb_sentences() -> Iterator[str]:
    for split in ("train", "test"):
        with gzip.open(IMDB / f"{split}.tsv.gz", "rt", encoding="utf-8") as lines:
            for line in lines:
                for sentence in split_sentences(line.rstrip("\n").split("\t", 3)[3].replace("<br />", " ")):
                    yield words(sentence)


def ptb_sentences() -> Iterator[str]:
    with gzip.open(PTB / "ptb.train.txt.gz", "rt", encoding="utf-8") as lines:
        yield from (line.strip() for line in lines)


@pytest.mark.parametrize(("corpus", "tokens", "alike"), [("imdb", 12_000_000, 0.7), ("ptb", 880_000, 0.5)])
def test_a_kneser_ney_5_gram_beside_the_published_one(
    corpus: str, tokens: int, alike: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Words, one sentence a text. The published one read 250 times as much as IMDB holds and is better; what is hard for
    one is hard for the other.

    Measured on IMDB, published in brackets: overall 52.9 (61.2), argument structure 63.1 (71.9), ellipsis 34.2 (36.9), filler
    gap 61.3 (60.2), NPI 32.9 (45.5); 442 ties, 206 of them pairs that differ in unknown words alone; r = 0.90. From 3 to 12
    million words each doubling adds 1.1 points, and 250 times are eight doublings.
    """
    if not (HELD / corpus).is_dir():
        pytest.skip(f"needs $ABLATE_DATA/{corpus}")
    monkeypatch.setenv("ABLATE_CACHE", str(tmp_path / "cache"))
    (tmp_path / "text").mkdir()
    (tmp_path / "pairs").mkdir()
    with open(tmp_path / "text" / "sentences.txt", "w", encoding="utf-8") as file:
        file.writelines(f"{sentence}\n" for sentence in (imdb_sentences if corpus == "imdb" else ptb_sentences)())
    data = Data(corpus=f"files:{tmp_path / 'text'}", unit="line", tokenizer="word", vocabulary=50_000, context=64)
    text = prepare(data)
    run = RunConfig(objective=Ngram.Config(order=5), backbone=Backbone(), data=data, optimization=Optimization(batch=256))
    model = build(run, text)
    run = dataclasses.replace(run, budget=Budget(tokens=min(tokens, len(text.split("train").tokens) - 20_000), readings=1))
    run_trainer(run, model, text, TokenBudget(run, Clock("cpu"), lambda loss: None, lambda *a, **k: None), Clock("cpu"))

    evaluation = Blimp(source=str(blimp_in_words(tmp_path / "pairs")), pairs=0)
    found = values(evaluation.measure(model, text).rows)
    published = {figure.metric: figure.value for figure in warstadt2020.FIGURES if figure.setting.startswith("5-gram")}
    print(f"\n{corpus}: {run.budget.tokens:,} words; ties {found['ties', 'overall']:.0f}, ", end="")
    print(f"of the same tokens {found['ties', 'overall, same tokens']:.0f}, left out {found['left_out', 'overall']:.0f}")
    for condition in ("overall, ties wrong", *published):
        print(f"{condition:28} {100 * found['accuracy', condition]:5.1f}  published {published.get(condition, np.nan):5.1f}")
    names = warstadt2020.PHENOMENA
    r = np.corrcoef([found["accuracy", name] for name in names], [published[name] for name in names])[0, 1]
    print(f"correlation with the published 5-gram over the phenomena: {r:.2f}")
    assert found["ties", "overall"] >= found["ties", "overall, same tokens"] > 0
    assert r > alike
    assert 0.5 < found["accuracy", "overall"] < published["overall"] / 100


@pytest.mark.parametrize("name", ["gpt", "bert", "xlnet", "lstm"])
def test_random_initialisations_know_nothing(name: str, pydocs: Text) -> None:
    """The mean of 24 at 50 +- 1.5 % on the pairs with as many tokens on both sides; on all pairs, at what the number of tokens
    is worth: 51 with whole words and 54 to 55 with 1,024 pieces.

    24 and not five, because one initialisation likes a template or not as a whole: they lie 3 points apart (sd).
    """
    whole = prepare(Data(corpus="pydocs", tokenizer="word", vocabulary=4096, context=64))
    evaluation = Blimp(source=str(BLIMP), pairs=8)
    for kind, text in (("words", whole), ("pieces", pydocs)):
        read = evaluation.make(text)
        longer = np.array([len(bad) - len(good) for paradigm in read for good, bad in paradigm.pairs])
        all_pairs, even = [], []
        for seed in range(24):
            run = RunConfig(objective=objective(name).Config(), backbone=Backbone(width=128, layers=2, heads=4), seed=seed)
            nats = score(build(run, text), [ids for paradigm in read for pair in paradigm.pairs for ids in pair], "blimp")
            margin = nats[0::2] - nats[1::2]
            right = np.where(np.abs(margin) < TIE, 0.5, margin > 0)
            all_pairs.append(100 * float(right.mean()))
            even.append(100 * float(right[longer == 0].mean()))
        shorter = 50 + 50 * float(np.sign(longer).mean())
        print(f"\n{name}, {kind}: all pairs {np.mean(all_pairs):.2f} % (sd {np.std(all_pairs, ddof=1):.1f}), ", end="")
        print(f"the first five {np.mean(all_pairs[:5]):.2f}, fewer tokens are right in {shorter:.2f}; ", end="")
        print(f"as many on both sides, {100 * (longer == 0).mean():.0f} % of the pairs, {np.mean(even):.2f}")
        assert np.mean(even) == pytest.approx(50, abs=1.5)
        assert np.mean(all_pairs) == pytest.approx(shorter, abs=1.5)


@pytest.mark.parametrize("name", ["bert", "gpt", "xlnet", "t5"])
def test_scores_and_decisions_are_those_of_transformers(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pydocs: Text
) -> None:
    """A checkpoint of the published architecture, trained a little and exported; two pairs of each of the 67 paradigms."""
    pytest.importorskip("transformers")
    run = RunConfig(
        objective=objective(name).Config(),
        backbone=Backbone(width=64, layers=2, heads=2, kind="published"),
        data=Data(corpus="pydocs", vocabulary=1024, context=64),
        budget=Budget(tokens=150_000, readings=1),
    )
    assert fit(run, tmp_path / "run").status == "done"
    model = build(run, pydocs).eval()
    load(model, tmp_path / "run")
    theirs = load_theirs(write(model, pydocs.tokenizer, tmp_path / "out"))
    blimp = Blimp(source=str(BLIMP), pairs=2)
    read = blimp.make(pydocs)
    assert len(read) == 67
    sentences = [ids for paradigm in read for pair in paradigm.pairs for ids in pair]
    continues = [name.startswith("##") for name in pydocs.tokenizer.tokens(range(pydocs.vocabulary.size))]
    for hiding in ("token", "word-l2r") if name == "bert" else ("token",):
        ours = score(model, sentences, "blimp", hiding)  # type: ignore[arg-type]
        naive = np.array([naive_scores.score(name, theirs, ids, continues, hiding) for ids in sentences])
        margin, their_margin = (nats[0::2] - nats[1::2] for nats in (ours, naive))
        clear = np.abs(their_margin) > 1e-4
        apart = np.abs(ours - naive).max()
        tied = int((np.abs(margin) < TIE).sum())
        print(f"\n{name}, {hiding}: {len(sentences)} sentences, at most {apart:.1e} nats apart, {tied} ties, ", end="")
        print(f"accuracy {100 * np.where(clear, their_margin > 0, 0.5).mean():.1f} %")
        assert apart <= 1e-4
        assert (np.sign(margin)[clear] == np.sign(their_margin)[clear]).all()
        assert tied == (np.abs(their_margin) < TIE).sum()


@pytest.mark.parametrize(("name", "minutes"), [("gpt", 2), ("bert", 8)])
def test_the_speed_of_a_full_reading(name: str, minutes: int, pydocs: Text) -> None:
    """134,000 sentences, 2.8 million masked copies of BERT, at the size of a quick tier on two idle cores."""
    threads = torch.get_num_threads()
    try:
        run = RunConfig(
            objective=objective(name).Config(),
            backbone=Backbone(width=128, layers=2, heads=4),
            runtime=Runtime(threads=2),
        )
        model = build(run, pydocs)
        started, before = time.perf_counter(), time.process_time()
        Blimp(source=str(BLIMP), pairs=0).measure(model, pydocs)
        seconds, busy = time.perf_counter() - started, time.process_time() - before
        print(f"\n{name}: {seconds:.0f} s, the cores busy for {busy:.0f} s of work")
        assert seconds < 60 * minutes
    finally:
        torch.set_num_threads(threads)
