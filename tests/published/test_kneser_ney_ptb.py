"""Perplexity of the modified Kneser-Ney 5-gram on the Penn Treebank: 141.2 (Mikolov et al. 2011, table 1)."""

from __future__ import annotations

import dataclasses
import math
import os
import time
from pathlib import Path

import numpy as np
import pytest

from ablate.config import Backbone, Budget, Data, RunConfig
from ablate.data.corpora import open_corpus
from ablate.data.text import prepare
from ablate.nn.kneser_ney import Counts, KneserNey, ngrams
from ablate.objectives.ngram import Ngram
from ablate.training.clock import Clock
from ablate.training.fit import build, run_trainer
from ablate.training.loop import TokenBudget

pytestmark = pytest.mark.published

PTB = Path(os.environ.get("ABLATE_DATA", "")) / "ptb"
ORDER, PUBLISHED = 5, 141.2
TRAINING_TOKENS, TEST_TOKENS = 929_589, 82_430
"""Words and sentence ends."""


@pytest.fixture(scope="module")
def data() -> Data:
    if not os.environ.get("ABLATE_DATA") or not PTB.is_dir():
        pytest.skip("needs $ABLATE_DATA/ptb")
    # 9,999 words, `<unk>` among them, and five special tokens, of which SEP is the sentence end.
    return Data(corpus=f"files:{PTB}", unit="line", tokenizer="word", vocabulary=10_004, context=64)


def test_the_published_perplexity_in_twenty_seconds(data: Data) -> None:
    """Each line a sentence, its end guessed; a vocabulary of 10,000."""
    sentences: dict[str, list[list[str]]] = {"train": [], "test": []}
    for document in open_corpus(data).documents():
        sentences.get(document.split, []).append(document.sentences[0].split())
    words = sorted({word for sentence in sentences["train"] for word in sentence})
    ids = {word: number for number, word in enumerate(words, start=1)}
    streams = {
        split: np.array([0] * (ORDER - 1) + [token for s in held for token in [*(ids[word] for word in s), 0]])
        for split, held in sentences.items()
    }
    assert len(words) + 1 == 10_000
    assert len(streams["train"]) - ORDER + 1 == TRAINING_TOKENS

    started = time.process_time()
    counts = Counts(ORDER, len(words) + 1)
    for part in np.array_split(ngrams(streams["train"], ORDER, start=0), 100):
        counts.add(part)
    nats = -KneserNey(counts).log_probability(ngrams(streams["test"], ORDER, start=0))
    seconds = time.process_time() - started
    assert len(nats) == TEST_TOKENS
    assert math.exp(nats.mean()) == pytest.approx(PUBLISHED, abs=0.3)
    assert seconds < 20


def test_the_published_perplexity_through_a_run(data: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The word tokenizer, packed windows, the training loop: one pass over the text, in shuffled windows."""
    monkeypatch.setenv("ABLATE_CACHE", str(tmp_path))
    text = prepare(data)
    assert text.vocabulary.size == 10_004
    run = RunConfig(objective=Ngram.Config(order=ORDER), backbone=Backbone(), data=data)
    model = build(run, text)
    assert isinstance(model, Ngram)
    store = text.split("train")
    windows = model.windows(store, model.config, data.context)
    run = dataclasses.replace(run, budget=Budget(tokens=len(store.tokens) - data.context, readings=1))
    run_trainer(run, model, text, TokenBudget(run, Clock("cpu"), lambda loss: None, lambda *a, **k: None), Clock("cpu"))
    counted = model._counts.table()[1].sum()
    # Whole windows in whole batches: the odd end of the text is read in a second epoch or not at all.
    assert abs(counted - TRAINING_TOKENS) <= (run.optimization.batch + 1) * windows.length

    held_out = text.split("test")
    stream = [3] * (ORDER - 1) + [token for s in range(held_out.sentences) for token in [*held_out.sentence(s).tolist(), 3]]
    nats = -model.estimate().log_probability(ngrams(np.array(stream), ORDER, start=3))
    assert len(nats) == TEST_TOKENS
    assert math.exp(nats.mean()) == pytest.approx(PUBLISHED, abs=0.3)
