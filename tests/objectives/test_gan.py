"""Who learns in which phase, what a likelihood means, and whether playing the game brings the oracle's text nearer."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from ablate.config import Backbone, Budget, ConfigError, Data, Optimization, RunConfig, override
from ablate.data.corpora.oracle import Oracle
from ablate.data.text import Text, prepare
from ablate.data.tokenizer import MASK, PAD, SEP, Vocabulary
from ablate.data.windows import Window
from ablate.nn.decoding import Decoding
from ablate.objectives.base import Encodes, Samples, Scores
from ablate.objectives.gan import Gan
from ablate.records import DONE
from ablate.seeds import generator
from ablate.training import fit
from ablate.training.clock import Clock
from ablate.training.fit import arithmetic, build, load, run_trainer
from ablate.training.loop import Spent, TokenBudget

V, CONTEXT = 20, 8
VOCABULARY = Vocabulary(V)
RUN = RunConfig(
    objective=Gan.Config(pretrain_share=0.5, discriminator_share=0.1, rollouts=4),
    backbone=Backbone(width=16, layers=1, heads=2),
    data=Data(corpus="oracle:7:59", tokenizer="word", vocabulary=64, context=CONTEXT),
    optimization=Optimization(batch=64, learning_rate=1e-2, warmup=0.0, decay=0.0),
    budget=Budget(tokens=60_000, readings=10),
)


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Text:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ABLATE_CACHE", str(tmp_path_factory.mktemp("cache")))
        return prepare(RUN.data)


def play(run: RunConfig, text: Text, watch: Callable[[Gan, float], None] | None = None) -> tuple[Gan, Spent]:
    """A whole training; `watch` is called at every reading with the share of the budget read."""
    model = build(run, text)
    assert isinstance(model, Gan)
    clock = Clock("cpu")

    def read(mean_loss: float) -> None:
        assert math.isfinite(mean_loss)
        if watch is not None:
            watch(model, budget.progress)

    budget = TokenBudget(run, clock, read, lambda *arguments, **named: None)
    with arithmetic(run):
        run_trainer(run, model, text, budget, clock)
    return model, budget.spent


def nll_oracle(model: Gan, text: Text) -> float:
    """Of 3,000 texts of the given length, from the same uniforms at every call."""
    assert isinstance(text.corpus, Oracle)
    like = torch.full((3_000, CONTEXT), SEP + 1)
    like[:, -1] = SEP
    uniforms = torch.rand(like.shape, generator=torch.Generator().manual_seed(0))
    rows = model.written(like, uniforms)[:, :-1].tolist()
    return text.corpus.nll([text.tokenizer.decode(row) for row in rows])


def small(**fields: Any) -> Gan:
    torch.manual_seed(0)
    return Gan(Gan.Config(**fields), Backbone(width=16, layers=1, heads=2), VOCABULARY, CONTEXT)


def batch_of(model: Gan, texts: list[list[int]], progress: float = 0.0) -> Any:
    windows = [Window(i, np.array(ids), np.zeros(len(ids), np.int32), i) for i, ids in enumerate(texts)]
    return model.collator()(windows, lambda stream, index: generator(0, stream, index), progress)


def weights(model: torch.nn.Module) -> list[Tensor]:
    return [parameter.detach().clone() for parameter in model.parameters()]


@pytest.mark.parametrize("training", ["policy-gradient", "gumbel"])
def test_each_phase_moves_whose_turn_it_is(training: str, text: Text) -> None:
    fields = {"objective.training": training, "objective.rollouts": 1, "objective.discriminator_share": 0.3}
    run = override(RUN, {**fields, "budget.tokens": 30_000})
    last: list[list[Tensor]] = []
    seen: list[tuple[float, bool, bool, int]] = []

    def watch(model: Gan, progress: float) -> None:
        now = [weights(model.generator), weights(model.discriminator)]
        if last:
            moved = [any(not torch.equal(a, b) for a, b in zip(*pair, strict=True)) for pair in zip(last, now, strict=True)]
            seen.append((progress, moved[0], moved[1], model.generated_tokens))
        last[:] = now

    play(run, text, watch)
    # A reading looks back over a tenth of the budget; those that lie across a boundary are left out.
    mle = [found for progress, *found in seen if progress < 0.5]
    judging = [found for progress, *found in seen if 0.64 < progress < 0.8]
    playing = [found for progress, *found in seen if progress > 0.94]
    assert mle and all(found == [True, False, 0] for found in mle)
    assert judging and all(found[:2] == [False, True] and found[2] > 0 for found in judging)
    assert playing and all(found[:2] == [True, True] for found in playing)


def test_the_game_lowers_the_oracles_loss(text: Text) -> None:
    """From where maximum likelihood stood. Policy gradient needs minutes for as much; see the published protocol."""
    run = override(
        RUN,
        {
            "objective.training": "gumbel",
            "objective.adversarial_rate": 0.1,
            "objective.discriminator_steps": 2,
            "objective.discriminator_width": 32,
            "budget.tokens": 150_000,
        },
    )
    readings: list[tuple[float, float]] = []
    play(run, text, lambda model, progress: readings.append((progress, nll_oracle(model, text))))
    pretrained = min(value for progress, value in readings if progress < 0.6)
    assert min(value for progress, value in readings if progress > 0.7) < pretrained - 0.3


def test_what_is_read_is_the_text_and_what_is_written_ends_it() -> None:
    batch = batch_of(small(), [[7, 8, 9], [10, 11, 12, 13, 14, 15, 16]])
    assert batch.inputs_BT.tolist() == [[SEP, 7, 8, 9, 0, 0, 0, 0], [SEP, 10, 11, 12, 13, 14, 15, 16]]
    assert batch.targets_BT.tolist() == [[7, 8, 9, SEP, 0, 0, 0, 0], [10, 11, 12, 13, 14, 15, 16, SEP]]
    assert (batch.tokens, batch.targets) == (10, 12)


@torch.no_grad()
def test_losses_are_the_exact_likelihood_and_a_classification() -> None:
    model = small().double()
    batch = batch_of(model, [[7, 8, 9], [10, 11, 12, 13, 14, 15, 16]])
    parts = model.losses(batch).parts
    framed = torch.cat([torch.full((2, 1), SEP), batch.targets_BT], dim=1)
    visible = framed != PAD
    scored = visible.clone()
    scored[:, 0] = False
    nll = model.generator_nll(framed, visible, scored)
    by_hand = torch.zeros(2, dtype=torch.float64)
    for row in range(2):
        for place in torch.nonzero(scored[row]).flatten().tolist():
            hidden, _ = model.generator.hidden(framed[row : row + 1, :place])
            by_hand[row] -= model.generator.logits(hidden)[0, -1].log_softmax(-1)[framed[row, place]]
    assert torch.allclose(nll, by_hand)
    assert float(parts["generator"]) == pytest.approx(float(by_hand.sum()) / 12)
    # Nobody has learned anything: a coin for each text, spread over six tokens each.
    assert float(parts["discriminator"]) == pytest.approx(math.log(2) * 2 / 12, rel=0.2)
    unscored = scored & (framed != SEP)
    assert (model.generator_nll(framed, visible, unscored) < nll).all()


def test_samples_follow_their_prompt_and_their_generator() -> None:
    model = small()
    prompts = torch.tensor([[SEP, 7, 8], [SEP, 9, 10]])

    def write(seed: int, rows: Tensor, greedy: bool = False) -> Tensor:
        return model.sample(rows, 12, Decoding(greedy=greedy), torch.Generator().manual_seed(seed))

    assert torch.equal(write(0, prompts), write(0, prompts))
    assert not torch.equal(write(0, prompts), write(1, prompts))
    written = write(0, prompts.repeat(100, 1))
    assert not ((written == MASK) | (written == 2)).any()
    for row in written.tolist():
        assert set(row[row.index(SEP) + 1 :]) <= {PAD} if SEP in row else PAD not in row
    whole = write(0, torch.tensor([[SEP]]), greedy=True)
    begun = torch.cat([torch.tensor([[SEP]]), whole[:, :4]], dim=1)
    assert torch.equal(write(0, begun, greedy=True)[:, :8], whole[:, 4:])
    with pytest.raises(ConfigError, match="the prompt is empty"):
        write(0, prompts[:, :0])


def test_a_gan_writes_and_encodes_and_gives_no_score() -> None:
    model = small()
    assert isinstance(model, Samples) and isinstance(model, Encodes) and not isinstance(model, Scores)
    assert model.frame([]) == [SEP]


def test_arithmetic_grows_with_the_phase_and_the_roll_outs() -> None:
    model = small(training="policy-gradient", discriminator_steps=1, rollouts=2)
    texts = [[7, 8, 9, 10, 11, 12]] * 4
    reading, judging, playing = (model.flops(batch_of(model, texts, progress)) for progress in (0.0, 0.75, 0.9))
    H, D = model.generator.recurrent.lstm.hidden_size, 16
    token = 2 * (D + H) * 4 * H + 2 * H * D + 2 * D * V
    assert reading == 3 * token * 28
    # All columns are written and judged. A step of the game: write, learn from 28 tokens, read 4 beginnings and continue
    # 4 x 2 x 6 prefixes by 3.5 tokens on average.
    columns = model.context
    assert judging == token * 28 + token * 4 * columns + 3 * 8 * model.discriminator.flops(1, columns)
    judged = model.discriminator.flops(1, 7)
    assert playing - judging == token * 4 * columns + 3 * token * 28 + (4 + 168) * token + (48 + 4) * judged
    assert small().flops(batch_of(model, texts, 0.9)) > 0


def test_published_sizes_are_the_papers() -> None:
    backbone = Backbone(width=32, layers=1, heads=1, kind="published")
    vocabulary = Vocabulary(5000)
    model = Gan(Gan.Config(training="policy-gradient"), backbone, vocabulary, 21)
    lstm = model.generator.recurrent.lstm
    assert (lstm.input_size, lstm.hidden_size, lstm.num_layers) == (32, 32, 1)
    assert sum(model.discriminator.filters.values()) == 1720
    relgan = Gan(Gan.Config(training="gumbel", representations=64), backbone, vocabulary, 21)
    assert relgan.discriminator.filters == {2: 300, 3: 300, 4: 300, 5: 300}
    assert relgan.discriminator.token.weight.shape == (5000, 64)


def test_the_same_run_twice_gives_the_same_generator(text: Text, tmp_path: Path) -> None:
    run = dataclasses.replace(RUN, budget=Budget(tokens=8_000, readings=1))
    first, spent = play(run, text)
    again, _ = play(run, text)
    assert all(torch.equal(a, b) for a, b in zip(weights(first), weights(again), strict=True))
    assert first.generated_tokens == again.generated_tokens > 0
    assert spent.tokens < 8_000 + 64 * 7, "what is generated is no token read"


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("training", ["policy-gradient", "gumbel"])
def test_a_whole_run_moves_every_parameter_of_both_optimizers(training: str, precision: str, tmp_path: Path) -> None:
    fields = {"objective.training": training, "objective.rollouts": 1, "runtime.precision": precision}
    data = Data(corpus="grammar", vocabulary=128, context=24)
    # Without decay, which moves what no gradient reaches.
    optimization = Optimization(batch=8, weight_decay=0.0)
    run = dataclasses.replace(RUN, data=data, optimization=optimization, budget=Budget(tokens=2_000, readings=2))
    run = override(run, fields)
    record = fit(run, tmp_path)
    assert (record.status, record.error) == (DONE, None)
    assert record.facts["generated_tokens"] > 0
    begun, trained = (build(run, prepare(data)) for _ in range(2))
    load(trained, tmp_path, record)
    for optimizer, network in zip(begun.configure_optimizers(), ("generator", "discriminator"), strict=True):
        stepped = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
        after = dict(trained.get_submodule(network).named_parameters())
        for name, before in begun.get_submodule(network).named_parameters():
            assert id(before) in stepped and not torch.equal(before, after[name]), f"{network}.{name}"
        assert len(stepped) == len(after)


@pytest.mark.parametrize("training", ["policy-gradient", "gumbel"])
def test_half_precision_gives_nearly_the_same_step(training: str) -> None:
    model = small(training=training).eval()
    batch = batch_of(model, [[7, 8, 9, 10], [10, 11, 12, 13, 14, 15, 16]] * 8)
    found = []
    for half in (False, True):
        model.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            losses = model.losses(batch)
        losses.loss.backward()
        gradient = torch.cat([p.grad.flatten() for p in model.generator.parameters() if p.grad is not None])
        assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
        found.append(({name: float(part.detach()) for name, part in losses.parts.items()}, gradient))
    (single, downhill), (half_parts, half_downhill) = found
    assert half_parts == pytest.approx(single, rel=0.05)
    assert float(torch.cosine_similarity(downhill, half_downhill, dim=0)) > 0.99
