"""T5 beyond the contract: the published windows, packing, likelihoods, and text to text learned by heart."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
import torch

from ablate.collators.denoising import Kind
from ablate.config import Backbone, ConfigError
from ablate.data.tokenizer import MASK, PAD, SEP, Vocabulary
from ablate.data.windows import Window
from ablate.nn.decoding import Decoding
from ablate.objectives.t5 import T5
from ablate.seeds import generator

V, CONTEXT = 40, 24
VOCABULARY = Vocabulary(V)
CONTROLLED = Backbone(width=32, layers=2, heads=2)
PUBLISHED = Backbone(width=32, layers=2, heads=2, kind="published")
GREEDY = Decoding(greedy=True)
S0 = V


def build(backbone: Backbone = CONTROLLED, context: int = CONTEXT, **fields: Any) -> T5:
    torch.manual_seed(0)
    return T5(T5.Config(**fields), backbone, VOCABULARY, context)


def window(index: int, length: int, ends: tuple[int, ...] = ()) -> Window:
    rng = np.random.default_rng(index)
    tokens = rng.integers(5, V, length)
    tokens[list(ends)] = SEP
    documents = np.concatenate([[0], np.cumsum(tokens == SEP)[:-1]])
    return Window(index, tokens, documents.astype(np.int32))


def batch_of(model: T5, windows: list[Window]) -> Any:
    return model.collator()(windows, functools.partial(generator, 0), 0.0)


def learn(model: T5, batch: Any, steps: int = 120, rate: float = 5e-3) -> None:
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    for _ in range(steps):
        optimizer.zero_grad()
        model.losses(batch).loss.backward()
        optimizer.step()
    model.eval()


def test_the_published_window() -> None:
    model = build(context=512)
    batch = batch_of(model, [window(i, 568) for i in range(3)])
    assert batch.inputs_BT.shape == (3, 512)
    assert batch.decoder_inputs_BU.shape == (3, 114)
    assert (batch.tokens, batch.targets) == (3 * 568, 3 * 114)
    # One document each and no padding: nothing to hide, so the fast attention.
    assert batch.documents_BT is None
    assert batch.decoder_documents_BU is None
    assert model.sentinels == 28
    assert build(PUBLISHED, context=512).sentinels == 100
    assert batch.truths_M.view(3, 114)[:, -1].tolist() == [SEP] * 3


def test_documents_of_a_row_are_examples_of_their_own() -> None:
    model = build()
    model.eval()
    windows = [window(0, 26, ends=(7, 15)), window(1, 26, ends=(0, 25))]
    batch = batch_of(model, windows)
    assert batch.documents_BT is not None
    separate = []
    for row in range(2):
        for document in range(3):
            inputs = batch.inputs_BT[row][batch.documents_BT[row] == document].tolist()
            fed = batch.decoder_inputs_BU[row][batch.decoder_documents_BU[row] == document].tolist()
            if fed:
                assert (inputs[-1], fed[0], fed[1]) == (SEP, PAD, S0)
                separate.append((inputs[:-1], fed[1:]))
    alone = model.text_to_text(*zip(*separate, strict=True))
    assert alone.truths_M.tolist() == batch.truths_M.tolist()
    with torch.no_grad():
        assert torch.allclose(model.predictions(alone)["lm"], model.predictions(batch)["lm"], atol=1e-5)


def test_a_decoder_row_does_not_depend_on_its_company() -> None:
    model = build(corruption="prefix")
    windows = [window(i, CONTEXT - 1, ends=(5,)) for i in range(4)]
    together, single = batch_of(model, windows), batch_of(model, windows[2:3])
    length = single.decoder_inputs_BU.shape[1]
    for field in ("decoder_inputs_BU", "decoder_documents_BU"):
        row = getattr(together, field)[2]
        assert torch.equal(row[:length], getattr(single, field)[0])
        assert set(row[length:].tolist()) <= {PAD, -1}


@pytest.mark.parametrize("corruption", ["spans", "mass", "prefix"])
@pytest.mark.parametrize("backbone", [CONTROLLED, PUBLISHED], ids=["controlled", "published"])
def test_a_score_is_a_probability(backbone: Backbone, corruption: Kind) -> None:
    """Over every type the first token's probabilities sum to 1, the second's after a first as well, and they multiply."""
    model = build(backbone, corruption=corruption).eval()
    types = torch.arange(V + model.sentinels)
    rows = torch.stack([torch.full_like(types, 9), types, torch.full_like(types, SEP)], dim=1)
    visible = torch.ones_like(rows, dtype=torch.bool)
    second = torch.zeros_like(visible)
    second[:, 1] = True
    first, both = second.roll(-1, dims=1), second | second.roll(-1, dims=1)
    nats = model.score(rows, visible, second)
    assert float(nats.exp().sum()) == pytest.approx(1, abs=1e-4)
    assert torch.allclose(model.score(rows, visible, both), model.score(rows, visible, first) + nats, atol=1e-4)
    assert float(model.score(rows[:, 1:], visible[:, 1:], first[:, :2]).exp().sum()) == pytest.approx(1, abs=1e-4)


@torch.no_grad()
@pytest.mark.parametrize(("corruption", "read", "begun"), [("iid", [S0], [S0]), ("bert", [MASK], []), ("prefix", [], [])])
def test_a_score_is_the_decoders_likelihood_after_an_empty_prompt(corruption: Kind, read: list[int], begun: list[int]) -> None:
    model = build(corruption=corruption).eval()
    batch = model.text_to_text([read], [[*begun, 8, 9, 10]])
    each = model.predictions(batch)["lm"].log_softmax(dim=-1).gather(1, batch.truths_M[:, None])[len(begun) :, 0]
    text = torch.tensor([[*model.frame([8, 9, 10]), PAD], [*model.frame([8, 9, 10]), 11]])
    visible = torch.tensor([[True] * 4 + [False], [True] * 5])
    scored = torch.tensor([[True, True, True, True, True], [False, True, False, True, False]])
    wanted = torch.stack([each.sum(), each[1] + each[3]])
    assert torch.allclose(model.score(text, visible, scored), wanted, atol=1e-5)


FORMS: list[tuple[Kind, list[int], list[int]]] = [
    ("spans", [S0], [S0]),
    ("iid", [S0], [S0]),
    ("prefix", [], []),
    ("mass", [MASK], [5, 6, 7]),
    ("deshuffling", [], [5, 6, 7]),
]


@pytest.mark.parametrize(("corruption", "gap", "begun"), FORMS)
def test_a_continuation_is_asked_for_in_the_form_of_the_training(corruption: Kind, gap: list[int], begun: list[int]) -> None:
    model = build(corruption=corruption, mean_span_length=1.0)
    # After the prompt 5 6 7 comes 8 9 and the end; a sentinel behind it, where there are sentinels, ends the text as well.
    model_end = [S0 + 1] if corruption == "spans" else []
    learn(model, model.text_to_text([[5, 6, 7, *gap]], [[*begun, 8, 9, *model_end]]), steps=60)
    written = model.sample(torch.tensor([model.frame([5, 6, 7])] * 2), 5, GREEDY, torch.Generator())
    assert written.tolist() == [[8, 9, SEP, PAD, PAD]] * 2


def test_sampling_follows_its_generator_and_refuses_what_does_not_fit() -> None:
    model = build().eval()
    prompts = torch.tensor([model.frame([5, 6]), model.frame([7, 8])])
    draws = [model.sample(prompts, 8, Decoding(), torch.Generator().manual_seed(seed)).tolist() for seed in (0, 0, 1)]
    assert draws[0] == draws[1] != draws[2]
    assert all(0 <= token < V for row in draws[0] + draws[2] for token in row)
    assert model.sample(torch.tensor([model.frame([])]), 3, GREEDY, torch.Generator()).shape == (1, 3)
    with pytest.raises(ConfigError, match="prompt is empty"):
        model.sample(prompts[:, :0], 8, GREEDY, torch.Generator())


@pytest.mark.parametrize("backbone", [CONTROLLED, PUBLISHED], ids=["controlled", "published"])
def test_tasks_are_text_to_text(backbone: Backbone) -> None:
    """A label, an answer of two tokens, a copy: inputs and targets of unlike lengths in one padded batch."""
    model = build(backbone)
    inputs = [[10, 11, 12], [10, 12], [20, 21, 22, 23], [20, 22]]
    answers = [[5], [6], [7, 7], [20, 22]]
    batch = model.text_to_text(inputs, answers)
    assert batch.targets == sum(len(answer) + 1 for answer in answers)
    learn(model, batch)
    tokens = torch.full((4, 5), PAD)
    for row, ids in enumerate(inputs):
        tokens[row, : len(ids) + 1] = torch.tensor(model.frame(ids))
    visible = tokens != PAD
    wanted = [[*answer, SEP, PAD, PAD, PAD][:4] for answer in answers]
    assert model.generate(tokens, visible, 4, GREEDY, torch.Generator()).tolist() == wanted

    def nats(text: list[int], answer: list[int]) -> float:
        """What the answer, its end included, costs after the text."""
        pair = model.text_to_text([text], [answer])
        return float(model.losses(pair).loss.detach()) * pair.targets

    cost = np.array([[nats(text, answer) for answer in answers] for text in inputs])
    assert cost.argmin(axis=1).tolist() == [0, 1, 2, 3]
    total = float(model.losses(batch).loss.detach()) * batch.targets
    assert cost.trace() == pytest.approx(total, rel=1e-3, abs=1e-4)


def test_more_tokens_than_positions_are_refused_with_both_numbers() -> None:
    model = build().eval()
    long = torch.full((1, 31), 7)
    with pytest.raises(ConfigError, match=r"31 tokens to be read, but data\.context has 24 positions"):
        model.encode(long, torch.ones_like(long, dtype=torch.bool))
    with pytest.raises(ConfigError, match="31 tokens to be written, but the decoder has 26 positions"):
        model.text_to_text([[5]], [[6] * 30])
    with pytest.raises(ConfigError, match="27 tokens to be written, but the decoder has 26 positions"):
        model.sample(torch.tensor([model.frame([5])]), 26, GREEDY, torch.Generator())
    published = build(PUBLISHED).eval()
    assert published.encode(long, torch.ones_like(long, dtype=torch.bool)).shape == (1, 31, 32)


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("corruption_rate", 0.0, r"in \(0, 0\.9\]"),
        ("corruption_rate", 0.95, r"in \(0, 0\.9\]"),
        ("mean_span_length", 0.5, "at least 1 token"),
    ],
)
def test_bad_numbers_are_named(field: str, value: Any, says: str) -> None:
    with pytest.raises(ConfigError, match=f"objective.{field} = {value}, but must be {says}"):
        T5.Config(**{field: value})


def test_nothing_to_learn_from_or_write_is_refused() -> None:
    model = build()
    tokens = torch.tensor([model.frame([5, 6])])
    visible = torch.ones_like(tokens, dtype=torch.bool)
    with pytest.raises(ConfigError, match="a target is empty"):
        model.text_to_text([[5]], [[]])
    with pytest.raises(ConfigError, match="the batch has no example"):
        model.text_to_text([], [])
    for length in (0, -1):
        with pytest.raises(ConfigError, match=f"length = {length}, but must be at least 1 token"):
            model.sample(tokens, length, GREEDY, torch.Generator())
        with pytest.raises(ConfigError, match=f"length = {length}, but must be at least 1 token"):
            model.generate(tokens, visible, length, GREEDY, torch.Generator())


def test_a_drawn_sentinel_ends_a_text_as_a_separator_does() -> None:
    model = build().eval()
    with torch.no_grad():
        model.network.head.bias[S0:] += 100.0
    written = model.sample(torch.tensor([model.frame([5, 6])]), 4, Decoding(), torch.Generator().manual_seed(0))
    assert written.tolist() == [[SEP, PAD, PAD, PAD]]
