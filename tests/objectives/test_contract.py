"""What every objective must keep, whoever wrote it: being in the registry enrols it here."""

from __future__ import annotations

import dataclasses
import functools
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ablate.config import Backbone, ConfigError, Optimization, RunConfig
from ablate.data.token_store import TokenStore, TokenWriter, token_type
from ablate.data.tokenizer import SEP, Vocabulary
from ablate.objectives import OBJECTIVES, objective
from ablate.objectives.base import Answers, Encodes, FillsMasks, Objective, Scores, Summarizes
from ablate.seeds import generator

V, CONTEXT, BATCH = 60, 24, 4
VOCABULARY = Vocabulary(size=V, continues=np.arange(V) >= 50)
BACKBONE = Backbone(width=32, layers=2, heads=2)
NOISE = functools.partial(generator, 0)

VARIANTS: dict[str, tuple[dict[str, Any], ...]] = {
    "t5": (
        {},
        {"corruption": "iid", "corruption_rate": 0.5},
        {"corruption": "bert"},
        {"corruption": "mass"},
        {"corruption": "prefix"},
        {"corruption": "deshuffling"},
    ),
    "bert": (
        {},
        {"next_sentence": "sop", "selection": "span"},
        {"next_sentence": "pairs", "mask_rate": 0.3},
        {"next_sentence": "nsp", "pair_of": "sentences"},
        {"next_sentence": "off", "selection": "whole_word", "static_masks": 2},
        {"next_sentence": "off", "mask_rate": 0.1, "prediction_rate": 0.4, "final_mask_rate": 0.2},
    ),
    "gan": ({"representations": 2, "recurrent_layers": 2}, {"training": "policy-gradient"}),
    "ngram": ({}, {"order": 8}),
    "xlnet": (
        {},
        {"factorization_order": "left-to-right", "predict_fraction": 1.0},
        {"factorization_order": "right-to-left", "predict_fraction": 0.5, "memory": 8},
        {"factorization_order": "fixed", "predict_fraction": 1.0, "memory": 1},
        {"factorization_order": "block", "block_length": 3, "left_to_right_share": 0.3, "predict_fraction": 0.5},
        {"left_to_right_share": 0.5, "predict_fraction": 0.3, "span_targets": True, "scoring_orders": 3},
    ),
    "lstm": ({}, {"recurrent_layers": 1}),
    "vae": (
        {},
        {"decoder": "transformer", "schedule": "cyclical", "word_dropout": 0.3},
        {"latent": 4, "schedule": "linear", "free_bits": 0.1},
        {"aggressive": True, "kl_weight": 0.2},
    ),
}
PUBLISHED = ("bert", "gpt", "xlnet", "t5")
"""Objectives whose paper has an architecture of its own; the contract holds for it too."""
CASES = [
    pytest.param(name, fields, id=f"{name}-{i}") for name in OBJECTIVES for i, fields in enumerate(VARIANTS.get(name, ({},)))
]
CASES += [pytest.param(name, {"backbone": "published"}, id=f"{name}-published") for name in PUBLISHED if name in OBJECTIVES]
CASES += [pytest.param(name, {"backbone": "no bias"}, id=f"{name}-without-bias") for name in PUBLISHED if name in OBJECTIVES]


@pytest.fixture(scope="module", params=["short documents", "long documents"])
def texts(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> TokenStore:
    """Random tokens. Rows of short documents hold several, which must not see each other; most rows of long ones hold one."""
    sentences = {"short documents": 3, "long documents": 60}[request.param]
    return written(tmp_path_factory.mktemp("text"), sentences)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> TokenStore:
    """Forty short documents."""
    return written(tmp_path_factory.mktemp("text"), 3)


def written(folder: Path, sentences: int) -> TokenStore:
    rng = np.random.default_rng(0)
    writer = TokenWriter(folder, "train", V)
    for document in range(40):
        writer.write([rng.integers(5, V, rng.integers(4, 15)).tolist() for _ in range(sentences)], document % 2)
    writer.close()
    facts = {"label_names": ["a", "b"], "token_type": token_type(V).name, "splits": {"train": {}}}
    (folder / "facts.json").write_text(json.dumps(facts))
    return TokenStore(folder, "train")


def build(name: str, fields: dict[str, Any], backbone: Backbone = BACKBONE, seed: int = 0) -> Objective:
    found = objective(name)
    torch.manual_seed(seed)
    return found(config_of(name, fields), backbone_of(fields, backbone), VOCABULARY, CONTEXT)


def config_of(name: str, fields: dict[str, Any]) -> Any:
    return objective(name).Config(**{key: value for key, value in fields.items() if key != "backbone"})


def backbone_of(fields: dict[str, Any], backbone: Backbone) -> Backbone:
    chosen = fields.get("backbone", "controlled")
    return dataclasses.replace(backbone, bias=False) if chosen == "no bias" else dataclasses.replace(backbone, kind=chosen)


def batch_of(model: Objective, store: TokenStore, indices: Iterator[int] | range, progress: float = 0.0) -> Any:
    windows = model.windows(store, model.config, CONTEXT)
    return model.collator()([windows.draw(0, i) for i in indices], NOISE, progress)


def started(name: str, fields: dict[str, Any], store: TokenStore, seed: int = 0) -> Objective:
    """A model that tells tokens apart: as its seed initialises it, or, if it only counts, after a batch of its seed's own."""
    model = build(name, fields, seed=seed)
    if not list(model.parameters()):
        learn(model, batch_of(model, store, range(seed * BATCH, (seed + 1) * BATCH)), steps=1)
    return model


def learn(model: Objective, batch: Any, steps: int) -> None:
    """Steps on one batch; a baseline that counts learns in `training_step` itself."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2, weight_decay=0.0) if list(model.parameters()) else None
    for _ in range(steps):
        if optimizer is None:
            model.training_step(batch)
            continue
        optimizer.zero_grad()
        model.losses(batch).loss.backward()
        optimizer.step()


def tensors(batch: Any) -> dict[str, torch.Tensor]:
    return {name: value for name, value in batch._asdict().items() if isinstance(value, torch.Tensor)}


@pytest.mark.parametrize(("name", "fields"), CASES)
class TestContract:
    def test_loss_starts_near_the_uniform_guess(self, name: str, fields: dict[str, Any], store: TokenStore) -> None:
        if fields.get("backbone") == "published":
            pytest.skip("a published start is its paper's: T5's unscaled softmax begins half a nat above the uniform guess")
        firsts = []
        for seed in range(3):
            model = build(name, fields, seed=seed)
            losses = model.losses(batch_of(model, store, range(32)))
            assert losses.loss.isfinite()
            total = sum(float(part.detach()) for part in losses.parts.values())
            assert float(losses.loss.detach()) == pytest.approx(total, rel=1e-5)
            firsts.append(float(next(iter(losses.parts.values())).detach()))
        types = model.predictions(batch_of(model, store, range(1))).shape[-1]
        assert types >= V
        assert np.mean(firsts) == pytest.approx(math.log(types), abs=0.3)

    def test_every_parameter_gets_a_gradient(self, name: str, fields: dict[str, Any], store: TokenStore) -> None:
        model = build(name, fields)
        if not list(model.parameters()):
            pytest.skip(f"{name} has no parameters")
        model.losses(batch_of(model, store, range(BATCH))).loss.backward()
        without = [path for path, p in model.named_parameters() if p.grad is None or not p.grad.any()]
        # A row of published XLNet holds one segment, which adds the same to all of a query's scores and so nothing; the
        # parity tests, whose rows hold two, take these gradients against Hugging Face's.
        if (name, fields) == ("xlnet", {"backbone": "published"}):
            without = [path for path in without if "segment" not in path]
        assert without == []

    def test_one_batch_can_be_learned_by_heart(self, name: str, fields: dict[str, Any], store: TokenStore) -> None:
        model = build(name, fields)
        batch = batch_of(model, store, range(BATCH))
        start = float(model.losses(batch).loss.detach())
        learn(model, batch, steps=80)
        assert float(model.losses(batch).loss.detach()) < 0.1 * start

    def test_a_training_step_leaves_its_losses_detached(self, name: str, fields: dict[str, Any], store: TokenStore) -> None:
        model = build(name, fields)
        if not model.automatic_optimization:
            pytest.skip(f"{name} steps its own optimizers, under a trainer")
        model.training_step(batch_of(model, store, range(BATCH)))
        assert model.last_losses is not None
        assert not model.last_losses.loss.requires_grad

    def test_same_seed_gives_the_same_bits(self, name: str, fields: dict[str, Any], store: TokenStore) -> None:
        states = []
        for _ in range(2):
            model = build(name, fields, Backbone(width=32, heads=2, dropout=0.1))
            batch = batch_of(model, store, range(BATCH))
            torch.manual_seed(1)
            learn(model, batch, steps=1)
            states.append([*model.state_dict().values(), *tensors(batch).values()])
        assert all(torch.equal(a, b) for a, b in zip(*states, strict=True))

    def test_state_survives_a_round_trip(self, name: str, fields: dict[str, Any], store: TokenStore) -> None:
        model, other = started(name, fields, store), started(name, fields, store, seed=1)
        batch = batch_of(model, store, range(BATCH))
        assert not torch.equal(model.losses(batch).loss, other.losses(batch).loss)
        other.load_state_dict(model.state_dict())
        assert torch.equal(model.losses(batch).loss, other.losses(batch).loss)

    def test_an_example_does_not_depend_on_its_company(self, name: str, fields: dict[str, Any], store: TokenStore) -> None:
        model = build(name, fields)
        together, alone = batch_of(model, store, range(BATCH), 0.5), batch_of(model, store, range(2, 3), 0.5)
        for field, single in tensors(alone).items():
            several = tensors(together)[field]
            if field.endswith(("_BT", "_B")):
                rows = len(single)
                assert torch.equal(several[2 * rows : 3 * rows], single), field
        repeated = batch_of(model, store, range(BATCH), 0.5)
        assert all(torch.equal(a, b) for a, b in zip(tensors(together).values(), tensors(repeated).values(), strict=True))

    def test_what_may_not_be_seen_leaves_every_bit_of_the_logits(
        self, name: str, fields: dict[str, Any], texts: TokenStore
    ) -> None:
        model = started(name, fields, texts).eval()
        batch = batch_of(model, texts, range(BATCH), 0.5)
        rng, noticed = np.random.default_rng(0), 0
        with torch.no_grad():
            before = model.predictions(batch)
            seen = model.sees(batch)
            assert seen, "an objective says what its predictions may depend on"
            for field, may_MN in seen.items():
                value = getattr(batch, field)
                assert may_MN.shape == (len(before), value.numel())
                assert not may_MN.all(), f"{field}: rows never see each other"
                for place in rng.choice(value.numel(), min(40, value.numel()), replace=False):
                    changed = value.clone().flatten()
                    changed[place] = 5 + (changed[place] + 1 - 5) % (V - 5)
                    after = model.predictions(batch._replace(**{field: changed.view_as(value)}))
                    unseen = ~may_MN[:, place]
                    assert torch.equal(before[unseen], after[unseen]), f"{field} at {place} leaks"
                    noticed += int((before[~unseen] != after[~unseen]).any())
        assert noticed > 0, "nothing that was changed was noticed, so the test could not fail"

    def test_counts_are_of_this_batch(self, name: str, fields: dict[str, Any], store: TokenStore) -> None:
        model = build(name, fields)
        batch, single = batch_of(model, store, range(BATCH)), batch_of(model, store, range(1))
        assert 0 < single.tokens < batch.tokens
        assert 0 < single.targets < batch.targets
        assert 0 < model.flops(single) < model.flops(batch)

    def test_weight_decay_spares_biases_and_norms(self, name: str, fields: dict[str, Any], store: TokenStore) -> None:
        model = build(name, fields)
        decayed, spared = model.parameter_groups()
        assert len(decayed) + len(spared) == len(list(model.parameters()))
        names = {id(p): path for path, p in model.named_parameters()}
        assert all(p.ndim == 1 for p in spared)
        assert not any(names[id(p)].endswith(".bias") or "norm" in names[id(p)] for p in decayed)

    def test_capabilities_ignore_padding(self, name: str, fields: dict[str, Any], store: TokenStore) -> None:
        model = build(name, fields).eval()
        texts = [model.frame(ids) for ids in ([7, 8, 9, 20, 21], [30, 31, 32])] if isinstance(model, Encodes) else []
        if not texts:
            pytest.skip(f"{name} does not encode")
        tokens = torch.zeros(2, len(texts[0]), dtype=torch.long)
        visible = torch.zeros(2, len(texts[0]), dtype=torch.bool)
        for row, ids in enumerate(texts):
            tokens[row, : len(ids)], visible[row, : len(ids)] = torch.tensor(ids), True
        short = torch.tensor(texts[1])[None]
        seen = torch.ones_like(short, dtype=torch.bool)
        with torch.no_grad():
            padded, alone = model.encode(tokens, visible)[1, : short.shape[1]], model.encode(short, seen)[0]
            assert torch.allclose(padded, alone, atol=1e-5)
            if isinstance(model, FillsMasks):
                positions = torch.tensor([[1, 1], [1, 2]])
                assert torch.allclose(
                    model.fill(tokens, visible, positions), model.fill(short, seen, positions * torch.tensor([0, 1])), atol=1e-4
                )
            if isinstance(model, Scores):
                scored = (tokens >= 5) & visible
                nats = model.score(tokens, visible, scored)
                assert nats.shape == (2,)
                assert (nats < 0).all()
                assert torch.allclose(nats[1:], model.score(short, seen, short >= 5), atol=1e-4)

    def test_a_summary_reads_the_whole_text_and_no_padding(self, name: str, fields: dict[str, Any], store: TokenStore) -> None:
        model = build(name, fields).eval()
        if not isinstance(model, Summarizes):
            pytest.skip(f"{name} does not summarize")
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(torch.randn_like(parameter), alpha=0.1)
        first, second = [7, 8, 9, 20, 21], [30, 31, 32]
        single, pair, swapped = model.join(second, []), model.join(first, second), model.join(second, first)
        assert [token for token in pair if token >= 5] == [*first, *second]
        assert max(len(pair), len(single)) <= CONTEXT

        def summary(*rows: list[int]) -> torch.Tensor:
            tokens = torch.zeros(len(rows), max(map(len, rows)), dtype=torch.long)
            visible = torch.zeros_like(tokens, dtype=torch.bool)
            for row, ids in enumerate(rows):
                tokens[row, : len(ids)], visible[row, : len(ids)] = torch.tensor(ids), True
            return model.summarize(tokens, visible)

        together, alone = summary(pair, single), summary(single)
        assert together.shape == (2, BACKBONE.width)
        assert torch.allclose(together[1:], alone, atol=1e-5)
        assert not torch.allclose(together[:1], summary(swapped), atol=1e-3)
        for place, token in enumerate(pair):
            changed = [*pair[:place], 5 + (token + 1 - 5) % (V - 5), *pair[place + 1 :]]
            assert token < 5 or not torch.equal(summary(changed)[0], together[0]), f"token {place} is not read"
        together.square().sum().backward()
        assert sum(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in model.parameters()) > 5

    def test_what_is_answered_is_what_the_loss_calls_most_probable(
        self, name: str, fields: dict[str, Any], store: TokenStore
    ) -> None:
        model = build(name, fields).eval()
        if not isinstance(model, Answers):
            pytest.skip(f"{name} does not answer")
        questions, answers = [[7, 8, 9, 20], [30, 31]], [[40, 41], [42]]
        both = model.text_to_text(questions, answers)
        assert both.targets == 5

        def cost(batch: Any) -> float:
            return batch.targets * float(model.losses(batch).loss.detach())

        alone = [model.text_to_text([x], [y]) for x, y in zip(questions, answers, strict=True)]
        assert cost(both) == pytest.approx(sum(map(cost, alone)), rel=1e-5)
        for question in questions:
            written = model.answer(torch.tensor([model.frame(question)]), 4)[0].tolist()
            written = written[: written.index(SEP)] if SEP in written else written[:3]
            logits = model.predictions(model.text_to_text([question], [[*written, 50]]))[-len(written) - 2 :]
            assert logits[: len(written)].argmax(dim=1).tolist() == written

    def test_it_is_built_from_a_run(self, name: str, fields: dict[str, Any], store: TokenStore) -> None:
        found = objective(name)
        chosen = Optimization(learning_rate=3e-4, weight_decay=0.2, beta2=0.9)
        run = RunConfig(objective=config_of(name, fields), backbone=backbone_of(fields, BACKBONE), optimization=chosen)
        model = found.from_run(run, VOCABULARY)
        assert model.context == run.data.context
        optimizers = model.configure_optimizers()
        optimizers = optimizers if isinstance(optimizers, list | tuple) else [optimizers] * bool(list(model.parameters()))
        groups = [group for optimizer in optimizers for group in optimizer.param_groups]
        assert {group["weight_decay"] for group in groups} <= {0.2, 0.0}
        assert sum(len(group["params"]) for group in groups) == len(list(model.parameters()))
        if model.automatic_optimization:
            assert all(group["lr"] == 3e-4 and group["betas"] == (0.9, 0.9) for group in groups)
        with pytest.raises(ConfigError, match=rf"takes a {found.__name__}\.Config"):
            found.from_run(RunConfig(objective=BACKBONE), VOCABULARY)
