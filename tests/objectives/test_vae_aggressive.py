"""Aggressive training: when the encoder has had enough, when both train together, and what a step leaves untouched."""

from __future__ import annotations

import functools
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ablate.config import Backbone, Budget, Data, Optimization, RunConfig
from ablate.data.text import prepare
from ablate.data.tokenizer import Vocabulary
from ablate.data.windows import Window
from ablate.objectives.vae import Vae, VaeBatch
from ablate.objectives.vae_aggressive import LOOKS, MOST, WATCHED, WINDOW, Aggressive, information
from ablate.records import DONE
from ablate.seeds import generator
from ablate.training import fit
from ablate.training.fit import build, load

V, CONTEXT = 60, 12


class Posteriors(torch.nn.Module):
    """Says that texts lie `spread` apart in a latent space of one dimension, with variance 1."""

    spread = 0.0

    def posterior(self, tokens_BT: torch.Tensor, visible_BT: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        assert not self.training
        mean_B1 = self.spread * tokens_BT[:, :1].float()
        return mean_B1, torch.zeros_like(mean_B1)


def updates(losses: list[float]) -> str:
    """What each step updates, e, d or b, under these losses."""
    schedule, found = Aggressive(), ""
    for loss in losses:
        found += schedule.updates[0]
        schedule.learned(torch.tensor(loss), 0.0, Posteriors())
    return found


def test_the_encoder_trains_until_a_window_is_worse_than_the_one_before() -> None:
    falling = [10.0 - window for window in range(3) for _ in range(WINDOW)]
    assert updates([*falling, *[9.0] * WINDOW, 0.0, 0.0]) == "e" * 4 * WINDOW + "de"
    # Single batches may rise; what counts is the window.
    uneven = [loss + (0.4 if step % 2 else -0.4) for step, loss in enumerate(falling)]
    assert updates(uneven) == "e" * 3 * WINDOW
    # After the decoder's step the count begins again: two windows at least.
    assert updates([1.0] * WINDOW + [2.0] * WINDOW + [0.0] + [5.0] * WINDOW + [6.0] * (WINDOW + 1)).count("d") == 2


def test_the_encoder_trains_no_longer_than_a_hundred_batches() -> None:
    assert updates([-float(step) for step in range(2 * MOST + 2)]) == ("e" * MOST + "d") * 2


def test_both_train_together_once_the_mutual_information_falls() -> None:
    schedule, model, rows = Aggressive(), Posteriors().train(), torch.arange(WATCHED)[:, None]
    schedule.watch(rows, torch.ones_like(rows, dtype=torch.bool))
    found, looked = [], []
    for look, spread in enumerate([0.0, 1.0, 2.0, 1.5, 9.0]):
        model.spread = spread
        looked.append(schedule.learned(torch.tensor(1.0), look / LOOKS, model))
        looked.append(schedule.learned(torch.tensor(1.0), (look + 0.5) / LOOKS, model))
        found.append(schedule.updates)
    assert found == ["encoder"] * 3 + ["both"] * 2
    assert looked == [0, 0, WATCHED, 0, WATCHED, 0, WATCHED, 0, 0, 0]
    assert model.training


def test_only_the_first_texts_are_watched() -> None:
    schedule, model = Aggressive(), Posteriors()
    model.spread = 50.0
    for batch in range(3 * WATCHED // 32):
        schedule.watch(torch.full((32, 1), batch), torch.ones(32, 1, dtype=torch.bool))
    assert schedule.learned(torch.tensor(1.0), 1.0, model) == WATCHED
    alike = [(torch.full((32, 1), batch), torch.ones(32, 1, dtype=torch.bool)) for batch in range(WATCHED // 32)]
    assert information(model, alike) == pytest.approx(math.log(WATCHED / 32), abs=1e-6)


def collate(**fields: Any) -> VaeBatch:
    rng = np.random.default_rng(0)
    windows = [Window(i, rng.integers(5, V, 8), np.zeros(8, dtype=np.int32), i) for i in range(4)]
    vocabulary = Vocabulary(V)
    return Vae.collate(
        windows, functools.partial(generator, 0), 0.0, config=Vae.Config(**fields), vocabulary=vocabulary, context=CONTEXT
    )


def test_a_step_trains_what_it_says_and_costs_what_it_trains(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    vocabulary = Vocabulary(V)
    model, batch = Vae(Vae.Config(aggressive=True), Backbone(width=32, heads=2), vocabulary, CONTEXT), collate()
    optimizers = model.configure_optimizers()
    monkeypatch.setattr(model, "optimizers", lambda: optimizers)
    monkeypatch.setattr(model, "manual_backward", lambda loss, **named: loss.backward(**named))
    assert model.aggressive is not None
    costs = {}
    for updated in ("encoder", "decoder", "both"):
        model.aggressive.updates = updated
        before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
        model.training_step(batch)
        moved = {name.split(".")[0] for name, p in model.named_parameters() if not torch.equal(p.detach(), before[name])}
        assert moved == ({updated} if updated != "both" else {"encoder", "decoder"})
        assert model.last_losses is not None
        assert not model.last_losses.loss.requires_grad
        costs[updated] = model.flops(batch)
    encoder = model.encoder.flops(4, batch.longest)
    assert costs["both"] - costs["decoder"] == pytest.approx(2 * encoder)
    assert costs["decoder"] - encoder == pytest.approx(3 * (costs["encoder"] - 3 * encoder) / 2)


def test_a_whole_run_reads_every_batch_once_and_trains_both_networks(tmp_path: Path) -> None:
    """So budgets are equal; most batches train one network, so weights and arithmetic are not."""
    records = {}
    for aggressive in (False, True):
        run = RunConfig(
            objective=Vae.Config(latent=4, aggressive=aggressive),
            backbone=Backbone(width=16, heads=2),
            data=Data(corpus="grammar", vocabulary=128, context=24),
            # Without decay, which moves what no gradient reaches.
            optimization=Optimization(batch=8, weight_decay=0.0),
            budget=Budget(tokens=15_000, readings=2),
        )
        records[aggressive] = fit(run, tmp_path / str(aggressive))
        begun, trained = (build(run, prepare(run.data)) for _ in range(2))
        load(trained, tmp_path / str(aggressive), records[aggressive])
        for (name, before), after in zip(begun.named_parameters(), trained.parameters(), strict=True):
            assert not torch.equal(before, after), name
    assert all(record.status == DONE for record in records.values())
    ends = {aggressive: max(record.rows, key=lambda row: row.tokens) for aggressive, record in records.items()}
    assert ends[True].tokens == ends[False].tokens
    assert ends[True].flops != ends[False].flops
    assert ends[False].value < ends[True].value < math.log(128)
