"""The published architecture against Hugging Face's XLNetLMHeadModel: logits, losses and every gradient."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from ablate.config import Backbone, ConfigError
from ablate.data.tokenizer import Vocabulary
from ablate.data.windows import Window
from ablate.interop import xlnet as interop
from ablate.nn.attention import FULL, Dense
from ablate.objectives.xlnet import Xlnet
from ablate.seeds import generator

transformers = pytest.importorskip("transformers")

V, CONTEXT, MEMORY = 90, 24, 7
VOCABULARY = Vocabulary(V)
SHAPES = [
    pytest.param(Backbone(width=48, layers=3, heads=4, kind="published"), 13, id="odd"),
    pytest.param(Backbone(width=32, layers=2, heads=2, feed_forward=3, kind="published"), 24, id="even"),
    pytest.param(Backbone(width=36, layers=1, heads=6, kind="published"), 5, id="short"),
]


def build(backbone: Backbone, **fields: Any) -> Xlnet:
    torch.manual_seed(0)
    model = Xlnet(Xlnet.Config(**fields), backbone, VOCABULARY, CONTEXT)
    with torch.no_grad():
        # Far from the start, where everything is nearly linear and a wrong order of operations could hide.
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.1)
    return model


def theirs_of(ours: Xlnet) -> Any:
    """Hugging Face's model with our weights, through config.json and the names of the interop."""
    theirs = transformers.XLNetLMHeadModel(transformers.XLNetConfig.from_dict(interop.config(ours)))
    missing, unexpected = theirs.load_state_dict(interop.export(ours), strict=False)
    assert (missing, unexpected) == (["lm_loss.weight"], [])
    theirs.tie_weights()
    return theirs.train()


def draw(length: int, rows: int = 3, seed: int = 1) -> tuple[Tensor, Tensor, Tensor]:
    """Tokens, a permutation mask (1: hidden) from random orders of which the last half is predicted, and its positions."""
    rng = np.random.default_rng(seed)
    tokens = torch.from_numpy(rng.integers(5, V, (rows, length)))
    targets = max(1, length // 2)
    perm = torch.zeros(rows, length, length)
    positions = torch.zeros(rows, targets, dtype=torch.long)
    for row in range(rows):
        chain = 1 + rng.permutation(length - 1)[:targets]
        positions[row] = torch.from_numpy(chain)
        for m, hidden in enumerate(chain):
            perm[row, :, hidden] = 1
            perm[row, chain[m + 1 :], hidden] = 0
    return tokens, perm, positions


def one_hot(positions: Tensor, length: int) -> Tensor:
    return torch.nn.functional.one_hot(positions, length).float()


def compare(ours: Xlnet, theirs: Any, our_logits: Tensor, their_logits: Tensor, labels: Tensor) -> None:
    assert (our_logits - their_logits).abs().max() <= 1e-5
    our_loss, their_loss = (cross_entropy(logits.flatten(0, -2), labels.flatten()) for logits in (our_logits, their_logits))
    assert abs(float(our_loss.detach()) - float(their_loss.detach())) <= 3e-6
    our_loss.backward()
    their_loss.backward()
    their_gradients = {name: p.grad for name, p in theirs.named_parameters()}
    gradients = {name: torch.zeros_like(p) if p.grad is None else p.grad for name, p in ours.named_parameters()}
    as_theirs = interop.export(with_state(ours, gradients))
    assert as_theirs.keys() == their_gradients.keys()
    for name, gradient in as_theirs.items():
        wanted = their_gradients[name]
        wanted = torch.zeros_like(gradient) if wanted is None else wanted
        assert ((gradient - wanted).abs() <= torch.clamp(1e-4 * wanted.abs(), min=1e-6)).all(), name


def with_state(model: Xlnet, state: dict[str, Tensor]) -> Xlnet:
    """Another model of the same shape that holds `state`."""
    other = Xlnet(model.config, model.backbone, VOCABULARY, CONTEXT)
    other.load_state_dict(state)
    return other


@pytest.mark.parametrize("segments", [False, True])
@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize(("backbone", "length"), SHAPES)
def test_two_streams(backbone: Backbone, length: int, padded: bool, segments: bool) -> None:
    ours = build(backbone)
    theirs = theirs_of(ours)
    tokens, perm, positions = draw(length)
    padding = torch.zeros(len(tokens), length)
    if padded:  # the first place is never padding, so that no query is left with nothing
        padding[1, -2:] = padding[2, -1:] = 1
    kinds = (torch.arange(length) > length // 3).long().expand(len(tokens), -1)
    hidden = (perm + padding[:, None]) > 0
    itself = torch.eye(length, dtype=torch.bool)
    query_visible = ~hidden.gather(1, positions[..., None].expand(-1, -1, length))
    vectors = ours.network.streams(
        tokens,
        torch.arange(length)[None],
        Dense((~hidden | itself)[:, None]),
        positions,
        Dense(query_visible[:, None]),
        segments_BT=kinds if segments else None,
        query_segments_BM=kinds.gather(1, positions) if segments else None,
    )
    result = theirs(
        tokens,
        input_mask=padding if padded else None,
        perm_mask=perm,
        target_mapping=one_hot(positions, length),
        token_type_ids=kinds if segments else None,
        use_mems=False,
    )
    assert query_visible.any(dim=-1).all()
    compare(ours, theirs, ours._logits(vectors), result.logits, tokens.gather(1, positions))


@pytest.mark.parametrize(("backbone", "length"), SHAPES)
def test_content_stream_with_padding_and_segments(backbone: Backbone, length: int) -> None:
    ours = build(backbone)
    theirs = theirs_of(ours)
    tokens, _, _ = draw(length)
    visible = torch.ones(len(tokens), length, dtype=torch.bool)
    visible[1, -2:] = False
    assert torch.allclose(ours.network.encode(tokens), theirs.transformer(tokens).last_hidden_state, atol=1e-5, rtol=0)
    kinds = (torch.arange(length) > length // 3).long().expand(len(tokens), -1)
    itself = torch.eye(length, dtype=torch.bool)
    vectors = ours.network.streams(
        tokens,
        torch.arange(length)[None],
        Dense((visible[:, None] | itself)[:, None]),
        segments_BT=kinds,
        query_segments_BM=kinds,
    )
    result = theirs(tokens, attention_mask=visible.float(), token_type_ids=kinds, use_mems=False)
    compare(ours, theirs, ours._logits(vectors), result.logits, tokens.roll(-1, dims=1))


@pytest.mark.parametrize(("backbone", "length"), SHAPES)
def test_memory_over_two_segments(backbone: Backbone, length: int) -> None:
    ours = build(backbone, memory=MEMORY)
    theirs = theirs_of(ours)
    earlier = draw(MEMORY, seed=2)[0]
    tokens, perm, positions = draw(length)
    mems = theirs(earlier, use_mems=True).mems
    assert mems[0].shape[0] == MEMORY
    result = theirs(
        tokens,
        mems=mems,
        perm_mask=perm,
        target_mapping=one_hot(positions, length),
        token_type_ids=torch.zeros_like(tokens),
        use_mems=True,
    )
    everything = torch.cat([earlier, tokens], dim=1)
    places = everything.shape[1]
    content = torch.zeros(len(tokens), places, places, dtype=torch.bool)
    content[:, :, :MEMORY] = True
    content[:, MEMORY:, MEMORY:] = (perm == 0) | torch.eye(length, dtype=torch.bool)
    query = torch.ones(len(tokens), positions.shape[1], places, dtype=torch.bool)
    query[:, :, MEMORY:] = perm.gather(1, positions[..., None].expand(-1, -1, length)) == 0
    vectors = ours.network.streams(
        everything,
        torch.arange(places)[None],
        Dense(content[:, None]),
        positions + MEMORY,
        Dense(query[:, None]),
        memory=MEMORY,
        segments_BT=torch.zeros_like(everything),
        query_segments_BM=torch.zeros_like(positions),
    )
    compare(ours, theirs, ours._logits(vectors), result.logits, tokens.gather(1, positions))


@pytest.mark.parametrize("fields", [{}, {"predict_fraction": 1.0}, {"predict_fraction": 0.5, "span_targets": True}])
def test_the_objective_on_its_sorted_batch(fields: dict[str, Any]) -> None:
    ours = build(Backbone(width=48, layers=2, heads=4, kind="published"), **fields)
    theirs = theirs_of(ours)
    rng = np.random.default_rng(3)
    windows = [Window(i, rng.integers(5, V, CONTEXT), np.zeros(CONTEXT, np.int32)) for i in range(4)]
    batch = ours.collator()(windows, functools.partial(generator, 0), 0.0)
    tokens = torch.from_numpy(np.stack([window.tokens_T for window in windows]))
    chain = batch.positions_BT[:, -batch.queries :]
    perm = torch.zeros(4, CONTEXT, CONTEXT)
    for row, order in enumerate(chain.tolist()):
        for m, hidden in enumerate(order):
            perm[row, :, hidden] = 1
            perm[row, order[m + 1 :], hidden] = 0
    result = theirs(tokens, perm_mask=perm, target_mapping=one_hot(chain, CONTEXT), use_mems=False)
    logits = ours.predictions(batch)["plm"].view(4, batch.queries, V)
    compare(ours, theirs, logits, result.logits, tokens.gather(1, chain))
    assert float(ours.losses(batch).loss.detach()) == pytest.approx(
        float(cross_entropy(result.logits.flatten(0, 1), tokens.gather(1, chain).flatten()).detach()), abs=3e-6
    )


def test_weights_return_as_they_left() -> None:
    ours = build(Backbone(width=48, layers=3, heads=4, kind="published"))
    state = interop.restore(theirs_of(ours).state_dict(), ours)
    assert state.keys() == ours.state_dict().keys()
    assert all(torch.equal(state[name], value) for name, value in ours.state_dict().items())


def test_what_is_not_the_papers_is_refused() -> None:
    ours = build(Backbone(width=48, layers=1, heads=4, kind="published"))
    config, state = interop.config(ours), interop.export(ours)
    assert interop.fields(config) == {
        "backbone.width": 48,
        "backbone.layers": 1,
        "backbone.heads": 4,
        "backbone.feed_forward": 4,
    }
    with pytest.raises(ConfigError, match="attn_type = 'uni'"):
        interop.fields({**config, "attn_type": "uni"})
    with pytest.raises(ConfigError, match="d_inner = 50"):
        interop.fields({**config, "d_inner": 50})
    with pytest.raises(ConfigError, match="no weights named x"):
        interop.restore({**state, "x": torch.zeros(1)}, ours)
    with pytest.raises(ConfigError, match=r"lm_loss\.weight differs"):
        interop.restore({**state, "lm_loss.weight": torch.zeros(V, 48)}, ours)
    with pytest.raises(KeyError):
        interop.restore({name: value for name, value in state.items() if name != "lm_loss.bias"}, ours)


def test_a_query_that_sees_nothing_reads_nothing() -> None:
    """Where the released code gives the mean over all values, the hidden ones included."""
    ours = build(Backbone(width=32, layers=1, heads=2, kind="published"))
    tokens, other = draw(5)[0], draw(5, seed=9)[0]
    nothing = Dense(torch.zeros(1, 1, 1, 5, dtype=torch.bool))
    first, second = (
        ours.network.streams(t, torch.arange(5)[None], FULL, torch.zeros(3, 1).long(), nothing) for t in (tokens, other)
    )
    assert torch.equal(first, second)
