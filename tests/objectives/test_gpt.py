"""GPT beyond the contract: what its batches hold, how it scores, and that a cache changes nothing it writes."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from ablate.config import Backbone, ConfigError
from ablate.data.tokenizer import PAD, SEP, Vocabulary
from ablate.data.windows import Window
from ablate.nn import flops
from ablate.nn.decoding import Decoding
from ablate.objectives.base import Encodes, FillsMasks, Samples, Scores
from ablate.objectives.bert import Bert
from ablate.objectives.gpt import Gpt, GptBatch

V, CONTEXT = 30, 16
BACKBONES = {
    "rotary": Backbone(width=32, heads=2),
    "alibi": Backbone(width=32, heads=2, positions="alibi"),
    "learned": Backbone(width=32, heads=2, positions="learned", norm="post"),
    "published": Backbone(width=32, heads=2, kind="published"),
}
DECODINGS = (
    Decoding(greedy=True),
    Decoding(),
    Decoding(temperature=0.7),
    Decoding(top_k=5),
    Decoding(top_p=0.8),
    Decoding(temperature=1.5, top_k=8, top_p=0.9),
)


def build(kind: str = "rotary", size: int = V, context: int = CONTEXT) -> Gpt:
    torch.manual_seed(0)
    model = Gpt(Gpt.Config(), BACKBONES[kind], Vocabulary(size), context).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.1)
    return model


def collate(*windows: Any) -> GptBatch:
    vocabulary = Vocabulary(V)
    drawn = [Window(i, np.array(tokens), np.array(documents, np.int32)) for i, (tokens, documents) in enumerate(windows)]
    return Gpt.collate(drawn, lambda stream, index: None, 0.0, config=Gpt.Config(), vocabulary=vocabulary, context=CONTEXT)


def random_tokens(rows: int, length: int, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).integers(5, V, (rows, length)))


def test_it_has_the_capabilities() -> None:
    assert all(isinstance(build(), capability) for capability in (Encodes, Scores, Samples))
    assert not isinstance(build(), FillsMasks)


def test_a_separator_ends_one_document_and_begins_the_next() -> None:
    batch = collate(([7, 8, SEP, 9, 10, SEP], [0, 0, 0, 1, 1, 1]), ([11, 12, 13, 14, 15, 16], [1, 1, 1, 1, 1, 1]))
    assert batch.inputs_BT.tolist() == [[7, 8, SEP, 9, 10], [11, 12, 13, 14, 15]]
    assert batch.targets_BT.tolist() == [[8, SEP, 9, 10, SEP], [12, 13, 14, 15, 16]]
    assert batch.documents_BT is not None
    assert batch.documents_BT.tolist() == [[0, 0, 1, 1, 1], [1, 1, 1, 1, 1]]
    assert (batch.tokens, batch.targets) == (8, 10)


def test_rows_of_one_document_need_no_mask() -> None:
    """The first token of a window belongs to what is predicted from it, not to what it ends."""
    assert collate(([SEP, 8, 9], [0, 1, 1])).documents_BT is None


def test_a_packed_document_is_predicted_as_if_by_itself() -> None:
    batch = collate(([7, 8, SEP, 9, 10, 11, SEP], [0, 0, 0, 1, 1, 1, 1]))
    alone = collate(([SEP, 9, 10, 11, SEP], [1, 1, 1, 1, 1]))
    for kind in ("rotary", "alibi"):
        model = build(kind)
        assert torch.allclose(model.predictions(batch)["lm"][2:], model.predictions(alone)["lm"], atol=1e-5)


@pytest.mark.parametrize("kind", BACKBONES)
def test_scores_are_the_chain_rule_and_sum_to_one(kind: str) -> None:
    """Over all texts of three tokens of a small vocabulary."""
    model = build(kind, size=7)
    texts = torch.tensor([[SEP, *text] for text in itertools.product(range(7), repeat=3)])
    scored = torch.ones_like(texts, dtype=torch.bool)
    scored[:, 0] = False
    nats = model.score(texts, torch.ones_like(scored), scored)
    assert float(nats.exp().sum()) == pytest.approx(1.0, abs=1e-5)
    only_last = torch.zeros_like(scored)
    only_last[:, 3] = True
    rest = scored & ~only_last
    parts = model.score(texts, torch.ones_like(scored), only_last) + model.score(texts, torch.ones_like(scored), rest)
    assert torch.allclose(parts, nats, atol=1e-5)


def test_scores_are_the_loss_on_the_same_text() -> None:
    model = build()
    text = random_tokens(1, 9).tolist()[0]
    batch = collate(([SEP, *text], [0] * 10))
    framed = torch.tensor([model.frame(text)])
    nats = model.score(framed, torch.ones_like(framed, dtype=torch.bool), framed != SEP)
    assert float(nats) == pytest.approx(-9 * float(model.losses(batch).loss.detach()), rel=1e-5)


def test_drawn_texts_are_as_frequent_as_their_score_says() -> None:
    model, draws = build(size=7), 20_000
    prompts = torch.tensor([[SEP, 5]]).expand(draws, -1)
    written = model.sample(prompts, 2, Decoding(), torch.Generator().manual_seed(0))
    texts = torch.tensor([[SEP, 5, first, second] for first, second in itertools.product(range(7), repeat=2) if first != SEP])
    scored = torch.tensor([[False, False, True, True]]).expand_as(texts)
    expected = model.score(texts, torch.ones_like(scored), scored).exp()
    found = (written[None] == texts[:, None, 2:]).all(dim=2).float().mean(dim=1)
    assert ((found - expected).abs() < 5 * (expected / draws).sqrt() + 1e-4).all()


@pytest.mark.parametrize("kind", BACKBONES)
@pytest.mark.parametrize("decoding", DECODINGS, ids=str)
def test_the_cache_changes_no_token(kind: str, decoding: Decoding) -> None:
    model = build(kind)
    prompts = torch.cat([torch.full((6, 1), SEP), random_tokens(6, 3)], dim=1)
    cached = model.sample(prompts, 10, decoding, torch.Generator().manual_seed(3))
    generator, texts, ended = torch.Generator().manual_seed(3), prompts, torch.zeros(6, dtype=torch.bool)
    with torch.no_grad():
        for _ in range(10):
            hidden = model.encode(texts, torch.ones_like(texts, dtype=torch.bool))
            token = decoding.pick(model.network.logits(hidden)[:, -1], generator)
            texts = torch.cat([texts, token[:, None]], dim=1)
    uncached = texts[:, 4:].clone()
    for column in range(10):
        uncached[:, column][ended] = PAD
        ended |= uncached[:, column] == SEP
    assert torch.equal(cached, uncached)


def test_after_the_end_there_is_only_padding() -> None:
    model = build()
    with torch.no_grad():
        model.network.head.bias[SEP] += 2.0
    written = model.sample(torch.full((200, 1), SEP), 8, Decoding(), torch.Generator().manual_seed(0))
    ends = (written == SEP).int()
    assert 0 < int(ends.any(dim=1).sum()) < 200
    after = ends.cumsum(dim=1) - ends > 0
    assert (written[after] == PAD).all()
    assert ends.sum(dim=1).max() == 1


def test_the_last_position_is_used_and_none_beyond() -> None:
    model, everything = build(), Decoding(greedy=True)
    full = torch.full((1, 1), SEP)
    assert model.sample(full, CONTEXT, everything, torch.Generator()).shape == (1, CONTEXT)
    with pytest.raises(ConfigError, match=r"a prompt of 1 tokens and 17 more need 17 positions, .* data\.context = 16"):
        model.sample(full, CONTEXT + 1, everything, torch.Generator())
    long = random_tokens(1, CONTEXT + 1)
    with pytest.raises(ConfigError, match=r"17 tokens, .* data\.context = 16"):
        model.encode(long, torch.ones_like(long, dtype=torch.bool))
    longer = random_tokens(1, CONTEXT + 2)
    visible = torch.ones_like(longer, dtype=torch.bool)
    with pytest.raises(ConfigError, match=r"17 tokens, .* data\.context = 16"):
        model.score(longer, visible, visible & (torch.arange(CONTEXT + 2) > 0))


def test_nothing_comes_from_nothing() -> None:
    model = build()
    with pytest.raises(ConfigError, match=r"the prompt is empty; begin a text with frame\(\[\]\)"):
        model.sample(torch.empty(2, 0, dtype=torch.long), 3, Decoding(), torch.Generator())
    with pytest.raises(ConfigError, match="length = 0, but must be at least 1 token"):
        model.sample(torch.tensor([[SEP, 7]]), 0, Decoding(), torch.Generator())
    text = random_tokens(1, 4)
    everything = torch.ones_like(text, dtype=torch.bool)
    with pytest.raises(ConfigError, match="no token precedes it"):
        model.score(text, everything, everything)
    assert model.frame([]) == [SEP]


def test_the_controlled_backbone_has_the_size_of_berts() -> None:
    backbone = Backbone(width=32, heads=2, layers=3)
    vocabulary = Vocabulary(V)
    bert = Bert(Bert.Config(next_sentence="off"), backbone, vocabulary, CONTEXT)
    gpt = Gpt(Gpt.Config(), backbone, vocabulary, CONTEXT)
    assert sum(p.numel() for p in gpt.parameters()) == sum(p.numel() for p in bert.parameters())


@pytest.mark.parametrize("kind", BACKBONES)
def test_flops_are_those_that_torch_counts_less_the_pairs_that_do_not_see_each_other(kind: str) -> None:
    model, B, T = build(kind).train(), 3, 12
    tokens = random_tokens(B, T + 1)
    batch = GptBatch(tokens[:, :-1], tokens[:, 1:], None, B * T, B * T)
    # The reference kernel is made of matrix products, which is what torch can count on a CPU.
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counted:
        model.losses(batch).loss.backward()
    unseen = model.backbone.layers * 2 * 2 * B * (T * (T - 1) // 2) * model.backbone.width
    assert model.flops(batch) + flops.TRAINING * unseen == pytest.approx(counted.get_total_flops())
