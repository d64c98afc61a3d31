"""BERT beyond the contract: what it hides, what it may not see, and how it scores."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from ablate.collators import framing
from ablate.collators.pseudo_likelihood import Hiding
from ablate.config import Backbone, ConfigError, RunConfig, override
from ablate.data.tokenizer import CLS, MASK, PAD, SEP, Vocabulary
from ablate.data.windows import Pair, Window
from ablate.nn import flops
from ablate.nn.attention import backend
from ablate.nn.attention.packing import padding
from ablate.objectives.base import Encodes, FillsMasks, Scores
from ablate.objectives.bert import Bert, BertBatch
from ablate.seeds import generator

V, CONTEXT = 60, 24
VOCABULARY = Vocabulary(V, (b" a",) * 50 + (b"a",) * (V - 50))


def window(index: int, place: int | None = None) -> Window:
    place = index if place is None else place
    tokens = np.random.default_rng(place).integers(5, V, CONTEXT - 2)
    return Window(index, tokens, np.zeros(CONTEXT - 2, dtype=np.int32), place)


def collate(windows: list[Any], seed: int = 0, progress: float = 0.0, **fields: Any) -> BertBatch:
    config = Bert.Config(**{"next_sentence": "off", **fields})
    return Bert.collate(
        windows, functools.partial(generator, seed), progress, config=config, vocabulary=VOCABULARY, context=CONTEXT
    )


def build(**fields: Any) -> Bert:
    torch.manual_seed(0)
    return Bert(Bert.Config(**{"next_sentence": "off", **fields}), Backbone(width=32, heads=2), VOCABULARY, CONTEXT).eval()


def test_it_has_the_capabilities() -> None:
    assert all(isinstance(build(), capability) for capability in (Encodes, FillsMasks, Scores))


def test_a_batch_can_be_put_together_again() -> None:
    windows = [window(i) for i in range(4)]
    batch = collate(windows, mask_rate=0.3)
    restored = batch.inputs_BT.flatten().index_copy(0, batch.predicted_M, batch.truths_M).view(4, CONTEXT)
    assert (restored[:, 0] == CLS).all()
    assert (restored[:, -1] == SEP).all()
    assert (restored[:, 1:-1].numpy() == np.stack([w.tokens_T for w in windows])).all()
    assert batch.tokens == 4 * (CONTEXT - 2)
    assert batch.targets == 4 * round(0.3 * (CONTEXT - 2))
    assert batch.visible_BT is None
    assert batch.segments_BT is None


def test_the_token_under_a_mask_cannot_be_seen() -> None:
    first = window(0)
    batch = collate([first], mask_share=1.0, random_share=0.0)
    changed = first.tokens_T.copy()
    changed[batch.predicted_M.numpy() - 1] = 5 + (changed[batch.predicted_M.numpy() - 1] - 4) % (V - 5)
    other = collate([first._replace(tokens_T=changed)], mask_share=1.0, random_share=0.0)
    assert not torch.equal(batch.truths_M, other.truths_M)
    model = build()
    seen, unseen = (model.encode(b.inputs_BT, torch.ones_like(b.inputs_BT, dtype=torch.bool)) for b in (batch, other))
    assert torch.equal(seen, unseen)


def test_static_masks_follow_the_window_and_dynamic_ones_the_example() -> None:
    readings = [window(index, place=7) for index in range(40)]
    hidden = {k: {tuple(collate([w], static_masks=k).predicted_M.tolist()) for w in readings} for k in (0, 1, 3)}
    assert (len(hidden[1]), len(hidden[3])) == (1, 3)
    assert len(hidden[0]) > 30


def test_rate_follows_its_schedule() -> None:
    batches = [collate([window(0)], mask_rate=0.5, final_mask_rate=0.1, progress=progress) for progress in (0.0, 0.5, 1.0)]
    assert [batch.targets for batch in batches] == [11, 7, 2]


def test_copies_are_tokens_read_again() -> None:
    batch = collate([window(0)], mask_rate=0.1, prediction_rate=0.4)
    assert len(batch.inputs_BT) == 4
    assert batch.tokens == 4 * (CONTEXT - 2)
    assert batch.targets == round(0.4 * (CONTEXT - 2))
    assert len(set((batch.predicted_M % CONTEXT).tolist())) == batch.targets


def test_pairs_are_framed_labelled_and_padded() -> None:
    pair = Pair(3, np.arange(10, 16), np.arange(20, 25), np.arange(30, 34))
    batch = collate([pair], next_sentence="nsp")
    assert batch.segments_BT is not None
    assert batch.visible_BT is not None
    assert batch.labels_B is not None
    restored = batch.inputs_BT.flatten().index_copy(0, batch.predicted_M, batch.truths_M).tolist()
    second = [20, 21, 22, 23, 24] if batch.labels_B.item() == 0 else [30, 31, 32, 33]
    expected = [CLS, *range(10, 16), SEP, *second, SEP]
    assert restored == expected + [PAD] * (CONTEXT - len(expected))
    assert batch.visible_BT[0].tolist() == [t < len(expected) for t in range(CONTEXT)]
    assert batch.tokens == len(expected) - 3


def test_pairs_of_which_nothing_is_asked_are_those_of_next_sentence_prediction() -> None:
    pairs = [Pair(i, np.arange(10, 16), np.arange(20, 25), np.arange(30, 34)) for i in range(6)]
    asked, shown = (collate(pairs, next_sentence=task) for task in ("nsp", "pairs"))
    assert shown.labels_B is None
    assert asked.labels_B is not None and 0 < asked.labels_B.sum() < 6
    for field in ("inputs_BT", "segments_BT", "visible_BT", "predicted_M", "truths_M"):
        assert torch.equal(getattr(asked, field), getattr(shown, field))
    model = build(next_sentence="pairs")
    assert not model.judges_pairs
    assert set(model.losses(shown).parts) == {"mlm"}
    assert model.flops(shown) < build(next_sentence="nsp").flops(asked)


def test_a_pair_is_summarized_as_pretraining_has_framed_it() -> None:
    """The same tokens and segments as in next-sentence prediction, whose pooler reads CLS."""
    model, first, second = build(next_sentence="nsp"), np.array([7, 8, 9]), np.array([30, 31])
    tokens, segments = framing.frame_pairs([(first, second)], CONTEXT, first=CLS, last=SEP, padding=PAD)
    joined = model.join(first.tolist(), second.tolist())
    assert tokens[0].tolist() == joined + [PAD] * (CONTEXT - len(joined))
    rows, visible = torch.from_numpy(tokens), torch.from_numpy(tokens != PAD)
    mask = padding(visible)
    cls = model.encoder(model.embedding(rows, torch.from_numpy(segments)), mask)[:, 0]
    assert torch.allclose(model.summarize(rows, visible), torch.tanh(model.pooler(cls)), atol=1e-6)
    single = torch.tensor([model.join(first.tolist(), [])])
    assert torch.allclose(
        model.summarize(single, torch.ones_like(single) > 0),
        torch.tanh(model.pooler(model.encode(single, torch.ones_like(single) > 0)[:, 0])),
    )


def test_pseudo_log_likelihood_is_the_sum_of_single_masks() -> None:
    model = build()
    rows = [model.frame([9, 12, 33, 17, 41]), model.frame([8, 50])]
    tokens = torch.tensor([row + [PAD] * (7 - len(row)) for row in rows])
    visible, scored = tokens != PAD, tokens >= 5
    expected = torch.zeros(2, dtype=torch.float64)
    for row, column in scored.nonzero().tolist():
        masked = tokens.clone()
        masked[row, column] = MASK
        logits = model.fill(masked, visible, torch.tensor([[row, column]]))[0]
        expected[row] += float(logits.detach().double().log_softmax(dim=-1)[tokens[row, column]])
    assert torch.allclose(model.score(tokens, visible, scored).double(), expected, atol=1e-4)


@pytest.mark.parametrize("hiding", ["word-l2r", "whole-word"])
def test_the_pieces_of_a_word_are_hidden_together(hiding: Hiding) -> None:
    """Kauf and Ivanova 2023: the later pieces of the word, or all; equal to the token alone where every word is one piece."""
    model = build()
    tokens = torch.tensor([model.frame([9, 12, 33, 17, 41])])
    visible, scored = torch.ones_like(tokens, dtype=torch.bool), tokens >= 5
    assert torch.equal(model.score_hiding(tokens, visible, scored, hiding), model.score(tokens, visible, scored))
    model.vocabulary = Vocabulary(V, tuple(b"a" if token in (33, 17) else b" a" for token in range(V)))
    expected = 0.0
    for column, later, whole in ((1, [], []), (2, [3, 4], [3, 4]), (3, [4], [2, 4]), (4, [], [2, 3]), (5, [], [])):
        masked = tokens.clone()
        masked[0, [column, *(later if hiding == "word-l2r" else whole)]] = MASK
        logits = model.fill(masked, visible, torch.tensor([[0, column]]))[0]
        expected += float(logits.detach().double().log_softmax(dim=-1)[tokens[0, column]])
    assert float(model.score_hiding(tokens, visible, scored, hiding)) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("next_sentence", ["off", "nsp"])
def test_flops_are_what_torch_counts(next_sentence: str) -> None:
    model = build(next_sentence=next_sentence)
    pairs = [Pair(i, np.arange(5, 12), np.arange(12, 20), np.arange(20, 28)) for i in range(4)]
    batch = collate([window(i) for i in range(4)] if next_sentence == "off" else pairs, next_sentence=next_sentence)
    counter = FlopCounterMode(display=False)
    with backend("reference"), counter:
        model.losses(batch)
    assert flops.TRAINING * counter.get_total_flops() == pytest.approx(model.flops(batch), rel=0.01)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"mask_rate": 0.0}, r"objective.mask_rate = 0.0, but must be in \(0, 1\)"),
        ({"mask_rate": 1.0}, "objective.mask_rate"),
        ({"final_mask_rate": 1.5}, "objective.final_mask_rate"),
        ({"prediction_rate": 0.0}, "objective.prediction_rate"),
        ({"mask_share": 1.1}, "objective.mask_share"),
        ({"mask_share": 0.8, "random_share": 0.3}, r"objective.random_share = 0.3, but must be in \[0, 1 - mask_share = 0.2\]"),
        ({"mean_span_length": 0.5}, "objective.mean_span_length"),
        ({"static_masks": -1}, "objective.static_masks"),
    ],
)
def test_wrong_numbers_are_named(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Bert.Config(**fields)


def test_every_field_can_be_overridden_by_its_path() -> None:
    run = override(RunConfig(objective=Bert.Config()), {"objective.mask_rate": 0.4, "objective.prediction_rate": 0.2})
    assert (run.objective.mask_rate, run.objective.prediction_rate) == (0.4, 0.2)
    with pytest.raises(ConfigError, match="must be one of uniform, whole_word, span"):
        override(run, {"objective.selection": "words"})
