"""N-grams as an objective: counts that do not depend on the cut, exact scores, state of any size."""

from __future__ import annotations

import functools
import json
import math
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch

from ablate.config import Backbone, Budget, ConfigError, Data, RunConfig
from ablate.data.token_store import TokenStore, TokenWriter, token_type
from ablate.data.tokenizer import PAD, SEP, Vocabulary
from ablate.evaluation.own_loss import OwnLoss
from ablate.nn.decoding import Decoding
from ablate.nn.kneser_ney import Counts, KneserNey, ngrams
from ablate.objectives.ngram import Ngram, NgramBatch
from ablate.records import Record
from ablate.seeds import generator
from ablate.training import fit
from ablate.training.fit import WEIGHTS, load, save

V, CONTEXT = 40, 12
NOISE = functools.partial(generator, 0)


@pytest.fixture(scope="module")
def documents() -> list[list[int]]:
    rng = generator(0, "test")
    words = np.arange(5, V)
    return [rng.choice(words, rng.integers(2, 30), p=1 / words / (1 / words).sum()).tolist() for _ in range(60)]


@pytest.fixture(scope="module")
def store(documents: list[list[int]], tmp_path_factory: pytest.TempPathFactory) -> TokenStore:
    folder = tmp_path_factory.mktemp("text")
    writer = TokenWriter(folder, "train", V)
    for document in documents:
        writer.write([document], -1)
    writer.close()
    facts = {"label_names": [], "token_type": token_type(V).name, "splits": {"train": {}}}
    (folder / "facts.json").write_text(json.dumps(facts))
    return TokenStore(folder, "train")


def build(order: int = 3) -> Ngram:
    return Ngram(Ngram.Config(order=order), Backbone(), Vocabulary(V, np.zeros(V, bool)), CONTEXT)


def batches(model: Ngram, store: TokenStore, size: int = 4) -> list[NgramBatch]:
    windows = model.windows(store, model.config, CONTEXT)
    starts = range(0, len(windows), size)
    return [model.collator()([windows[i] for i in range(s, min(s + size, len(windows)))], NOISE, 0.0) for s in starts]


def trained(store: TokenStore, order: int = 3) -> Ngram:
    model = build(order)
    for batch in batches(model, store):
        model.training_step(batch)
    return model


@pytest.mark.parametrize("order", [1, 2, 4, 6])
def test_windows_give_the_ngrams_of_whole_documents(order: int, store: TokenStore, documents: list[list[int]]) -> None:
    model = trained(store, order)
    counts = Counts(order, V)
    stream = [SEP] * order + [token for document in documents for token in [*document, SEP]]
    rows = ngrams(np.array(stream[1:]), order, SEP)
    # Windows tile the text; the last incomplete one is left out.
    counts.add(rows[: len(rows) // CONTEXT * CONTEXT])
    assert all(np.array_equal(a, b) for a, b in zip(counts.table(), model._counts.table(), strict=True))


def test_losses_predictions_and_scores_agree(store: TokenStore, documents: list[list[int]]) -> None:
    model = trained(store)
    batch = batches(model, store)[1]
    log_p = model.predictions(batch)["lm"]
    truths = batch.tokens_BT[:, 2:].flatten()
    assert torch.allclose(log_p.exp().sum(-1), torch.ones(len(log_p)), atol=1e-5)
    nats = -log_p[torch.arange(len(truths)), truths].mean()
    assert torch.allclose(model.losses(batch).loss, nats, atol=1e-6)

    framed = [model.frame(document) for document in documents[:2]]
    tokens = torch.full((2, max(map(len, framed)) + 3), PAD)
    for row, ids in enumerate(framed):
        tokens[row, : len(ids)] = torch.tensor(ids)
    # Two SEP fill the context of the first token; the farther one is out of sight.
    rows = [ngrams(np.array([SEP, SEP, *document]), 3, SEP) for document in documents[:2]]
    expected = [model.estimate().log_probability(r).sum() for r in rows]
    assert model.score(tokens, tokens != PAD, tokens > SEP).tolist() == pytest.approx(expected, rel=1e-6)


def test_it_starts_uniform_and_learns(store: TokenStore) -> None:
    model = build()
    batch = batches(model, store)[0]
    before = float(model.losses(batch).loss)
    assert before == pytest.approx(math.log(V), abs=1e-6)
    model.training_step(batch)
    assert float(model.losses(batch).loss) < 0.7 * before


def test_a_prediction_sees_its_context_and_nothing_else(store: TokenStore) -> None:
    model = trained(store).eval()
    batch = batches(model, store)[2]
    assert (batch.tokens_BT[:, :-1] == SEP).any(), "no document ends within these windows"
    may_MN, before = model.sees(batch)["lm"]["tokens_BT"], model.predictions(batch)["lm"]
    noticed = 0
    for place in range(batch.tokens_BT.numel()):
        changed = batch.tokens_BT.clone().flatten()
        changed[place] = 5 + (changed[place] - 4) % (V - 5)
        after = model.predictions(batch._replace(tokens_BT=changed.view_as(batch.tokens_BT)))["lm"]
        assert torch.equal(before[~may_MN[:, place]], after[~may_MN[:, place]])
        noticed += int((before[may_MN[:, place]] != after[may_MN[:, place]]).any())
    assert noticed > batch.tokens_BT.numel() / 2


def test_state_of_any_size_goes_through_safetensors(store: TokenStore, tmp_path: Path) -> None:
    model, other = trained(store), build()
    load(other, tmp_path, Record(identity="x", files={WEIGHTS: save(model, tmp_path)}))
    batch = batches(model, store)[3]
    assert torch.equal(model.losses(batch).loss, other.losses(batch).loss)
    # Both go on counting from there alike.
    for each in (model, other):
        each.training_step(batch)
    assert torch.equal(model.predictions(batch)["lm"], other.predictions(batch)["lm"])
    held = safetensors.torch.load((tmp_path / "weights.safetensors").read_bytes())
    assert sum(int(table[:, -1].sum()) for table in held.values()) == sum(b.targets for b in batches(model, store))

    with pytest.raises(ConfigError, match=r"shape \[\d+, 4\] do not fit order 5"):
        build(order=5).load_state_dict(model.state_dict())


def test_an_untrained_state_survives_too(tmp_path: Path) -> None:
    model, other = build(), build()
    load(other, tmp_path, Record(identity="x", files={WEIGHTS: save(model, tmp_path)}))
    assert np.allclose(other.estimate().distribution(np.array([[5, 6, 7]])), 1 / V)


def test_training_makes_few_estimates(store: TokenStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """One whenever the tokens read have doubled, and one when a loss is asked for: not one a step."""
    made = []
    initialise = KneserNey.__init__
    monkeypatch.setattr(KneserNey, "__init__", lambda self, counts: (made.append(1), initialise(self, counts))[1])
    model = build()
    batch = batches(model, store)[0]
    made.clear()
    for _ in range(300):
        model.training_step(batch)
    assert len(made) <= 2 + math.log2(300)
    assert model.last_losses is not None
    assert float(model.last_losses.loss) < 0.5
    for _ in range(3):
        model.losses(batch)
    assert len(made) <= 3 + math.log2(300)


def test_it_writes_text_it_has_read() -> None:
    model = build(order=4)
    text = torch.tensor([[SEP, SEP, SEP, 7, 8, 9, 10, SEP]] * 50)
    model.training_step(NgramBatch(text, 200, 250))
    draw = torch.Generator().manual_seed(0)
    prompts = torch.tensor([model.frame([]), model.frame([])])
    assert model.sample(prompts, 6, Decoding(greedy=True), draw).tolist() == [[7, 8, 9, 10, SEP, PAD]] * 2
    assert model.sample(torch.tensor([model.frame([7, 8])]), 2, Decoding(greedy=True), draw).tolist() == [[9, 10]]
    with pytest.raises(ConfigError, match="the prompt is empty"):
        model.sample(torch.empty(1, 0, dtype=torch.long), 2, Decoding(), draw)


def test_draws_follow_the_distribution(store: TokenStore) -> None:
    model = trained(store, order=2)
    prompts = torch.tensor([model.frame([6])] * 4000)
    drawn = model.sample(prompts, 1, Decoding(), torch.Generator().manual_seed(0)).flatten()
    p = model.estimate().distribution(np.array([[6, 0]]))[0]
    assert np.abs(np.bincount(drawn.numpy(), minlength=V) / 4000 - p).max() < 4 * math.sqrt(0.25 / 4000)


def test_a_run_counts_its_budget(tmp_path: Path) -> None:
    run = RunConfig(
        objective=Ngram.Config(order=3),
        data=Data(corpus="grammar", vocabulary=128, context=32),
        budget=Budget(tokens=20_000, readings=4),
        evaluations=(OwnLoss(windows=64),),
    )
    record = fit(run, tmp_path)
    assert record.status == "done", record.error
    curve = [row.value for row in record.rows if row.evaluation == "own-loss"]
    assert len(curve) == 5
    assert curve == sorted(curve, reverse=True)
    assert curve[-1] < 0.8 * curve[0]
    assert record.facts["parameters"] == 0
    assert all(row.flops == 4 * 3 * row.targets for row in record.rows)


def test_the_order_is_checked() -> None:
    with pytest.raises(ConfigError, match=r"objective\.order = 0, but must be between 1 and 20 tokens"):
        Ngram.Config(order=0)


def test_there_is_no_published_one() -> None:
    with pytest.raises(ConfigError, match=r"^backbone.kind = 'published', but must be controlled: counts have no published"):
        Ngram(Ngram.Config(), Backbone(kind="published"), Vocabulary(V, np.zeros(V, bool)), CONTEXT)
