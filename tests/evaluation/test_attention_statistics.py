"""Statistics of attention against the definition, head by head and query by query, and on planted scores."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from ablate.config import Backbone
from ablate.evaluation.attention_statistics import AttentionStatistics, Tally, entropy, softmax_gradient
from ablate.nn.attention import Causal, Full, Lengths, attention
from ablate.nn.attention.observation import Seen, watched
from ablate.objectives.gpt import Gpt
from ablate.objectives.ngram import Ngram


def noise(*shape: int, seed: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_the_norm_is_that_of_the_jacobian_of_the_softmax() -> None:
    scores = 2 * noise(5, 7, seed=0)
    for row, found in zip(scores, softmax_gradient(scores), strict=True):
        jacobian = torch.autograd.functional.jacobian(lambda x: torch.softmax(x, dim=-1), row)
        assert float(found) == pytest.approx(float(jacobian.norm()), rel=1e-10)


def test_entropy_of_known_distributions() -> None:
    hidden = -math.inf
    scores = torch.tensor([[0.0, 0.0, 0.0, 0.0], [0.0, 0.0, hidden, hidden], [0.0, hidden, hidden, hidden]])
    assert entropy(scores).tolist() == pytest.approx([math.log(4), math.log(2), 0.0])
    assert softmax_gradient(torch.tensor([[100.0, 0.0, 0.0]])).tolist() == pytest.approx([0.0], abs=1e-6)


@pytest.mark.parametrize("mask", [Full(), Causal(), Lengths(torch.tensor([2, 5]))], ids=["full", "causal", "lengths"])
def test_a_tally_is_the_mean_over_queries_that_have_a_choice(mask: Any) -> None:
    B, H, T, K = 2, 3, 5, 4
    q, k = noise(B, H, T, K, seed=1), noise(B, H, T, K, seed=2)
    tally = Tally()
    with watched(tally):
        attention(q, k, k, mask=mask, scale=0.7)
    seen = mask.dense(T, T, q.device).expand(B, H, T, T)
    spread, let_through, largest = [], [], 0.0
    for b in range(B):
        for h in range(H):
            for t in range(T):
                scores = 0.7 * (k[b, h] @ q[b, h, t])[seen[b, h, t]]
                largest = max(largest, float(scores.abs().max()))
                if len(scores) > 1:
                    p = scores.softmax(0)
                    spread.append(float(-(p * p.log()).sum()) / math.log(len(p)))
                    let_through.append(float((p.diag() - p[:, None] * p).norm()))
    found = {row.metric: row.value for row in tally.rows()}
    assert found["relative_entropy"] == pytest.approx(sum(spread) / len(spread), rel=1e-5)
    assert found["softmax_gradient"] == pytest.approx(sum(let_through) / len(let_through), rel=1e-5)
    assert found["largest_logit"] == pytest.approx(largest, rel=1e-5)


def test_the_watcher_is_shown_what_the_kernel_gets_and_only_inside() -> None:
    q = noise(1, 1, 3, 4, seed=3)
    calls: list[Seen] = []
    with watched(calls.append):
        attention(q, q, q, mask=Causal(), bias=torch.ones(1, 1, 3, 3), scale=2.0)
    attention(q, q, q)
    (call,) = calls
    scores, seen = call.scores()
    wanted = (2 * q @ q.mT + 1).float()
    assert torch.allclose(scores[seen], wanted[seen])
    assert (scores[~seen] == -math.inf).all()
    assert seen[0, 0].tolist() == torch.ones(3, 3).tril().bool().tolist()


def test_sharper_scores_show_and_a_model_without_attention_has_no_numbers(english: Any) -> None:
    def read(factor: float) -> dict[str, float]:
        torch.manual_seed(0)
        backbone = Backbone(width=32, layers=1, heads=2, attention_scale="qk-norm-fixed", attention_scale_factor=factor)
        model = Gpt(Gpt.Config(), backbone, english.vocabulary, 40)
        return {row.metric: row.value for row in AttentionStatistics(windows=8).measure(model, english).rows}

    blunt, sharp = read(0.1), read(4.0)
    assert blunt["relative_entropy"] > 0.99 > sharp["relative_entropy"]
    assert sharp["largest_logit"] == pytest.approx(40 * blunt["largest_logit"], rel=1e-4)
    assert sharp["largest_logit"] <= 4.0 * math.sqrt(16)
    ngram = Ngram(Ngram.Config(), Backbone(), english.vocabulary, 40)
    assert AttentionStatistics(windows=4).measure(ngram, english).rows == ()
