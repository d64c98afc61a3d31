"""The whole contract of an objective: it learns, repeats itself, keeps its weights and says what it read."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from ablate.config import Backbone, ConfigError, Optimization, RunConfig
from ablate.data.token_store import TokenStore
from ablate.testing.capabilities import CapabilitiesContract
from ablate.testing.cases import BACKBONE, BATCH, VOCABULARY, Case, V, batch_of, learn, tensors
from ablate.testing.counts import CountsContract
from ablate.testing.heads import HeadsContract

STEPS = 80
"""In which one batch is learned by heart."""


class ObjectiveContract(HeadsContract, CountsContract, CapabilitiesContract):
    """Subclass it as `Test...` and parametrize `case`; every test of pytest is one promise."""

    def test_loss_starts_near_the_uniform_guess(self, case: Case, store: TokenStore) -> None:
        if case.network().kind == "published":
            pytest.skip("a published start is its paper's: T5's unscaled softmax begins half a nat above the uniform guess")
        firsts = []
        for seed in range(3):
            model = case.build(seed)
            losses = model.losses(batch_of(model, store, range(32)))
            loss, total = float(losses.loss.detach()), sum(float(part.detach()) for part in losses.parts.values())
            case.keep(loss == pytest.approx(total, rel=1e-5), f"loss = {loss:.6g}, but its parts sum to {total:.6g}")
            firsts.append(float(next(iter(losses.parts.values())).detach()))
        head, logits = next(iter(model.predictions(batch_of(model, store, range(1))).items()))
        types = logits.shape[-1]
        case.keep(types >= V, f"{head} predicts {types} types, but the vocabulary has {V}")
        start, uniform = float(np.mean(firsts)), math.log(types)
        near = start == pytest.approx(uniform, abs=0.3)
        case.keep(near, f"the loss {head} starts at {start:.3g} nats, but a uniform guess costs {uniform:.3g}")

    def test_every_parameter_gets_a_gradient(self, case: Case, store: TokenStore) -> None:
        model = case.build()
        if not list(model.parameters()):
            pytest.skip(f"{case.name} has no parameters")
        model.losses(batch_of(model, store, range(BATCH))).loss.backward()
        without = [path for path, p in model.named_parameters() if p.grad is None or not p.grad.any()]
        # A row of published XLNet holds one segment, which adds the same number to all scores of a query and so changes
        # nothing. The parity tests have rows of two segments and compare these gradients with Hugging Face's.
        if case.name == "xlnet" and case.network().kind == "published":
            without = [path for path in without if "segment" not in path]
        case.keep(not without, f"the gradient of {', '.join(without)} is 0, but every parameter needs one")

    def test_one_batch_can_be_learned_by_heart(self, case: Case, store: TokenStore) -> None:
        model = case.build()
        batch = batch_of(model, store, range(BATCH))
        start = float(model.losses(batch).loss.detach())
        end = learn(model, batch, STEPS, until=0.1 * start)
        case.keep(
            end < 0.1 * start,
            f"loss = {end:.3g} after {STEPS} steps on one batch, but must be below {0.1 * start:.3g}",
        )

    def test_a_training_step_leaves_its_losses_detached(self, case: Case, store: TokenStore) -> None:
        model = case.build()
        if not model.automatic_optimization:
            pytest.skip(f"{case.name} steps its own optimizers, under a trainer")
        model.training_step(batch_of(model, store, range(BATCH)))
        losses = model.last_losses
        detached = losses is not None and not losses.loss.requires_grad
        case.keep(detached, f"last_losses = {losses} after a training step, but must be its losses, detached")

    def test_same_seed_gives_the_same_bits(self, case: Case, store: TokenStore) -> None:
        states = []
        for _ in range(2):
            model = case.build(backbone=Backbone(width=32, heads=2, dropout=0.1))
            batch = batch_of(model, store, range(BATCH))
            torch.manual_seed(1)
            learn(model, batch, steps=1)
            states.append({**model.state_dict(), **tensors(batch)})
        differing = [name for name, value in states[0].items() if not torch.equal(value, states[1][name])]
        case.keep(not differing, f"{', '.join(differing)} after a step differ between two runs of one seed")

    def test_state_survives_a_round_trip(self, case: Case, store: TokenStore) -> None:
        model, other = case.started(store), case.started(store, seed=1)
        batch = batch_of(model, store, range(BATCH))
        loss, another = (float(one.losses(batch).loss.detach()) for one in (model, other))
        case.keep(loss != another, f"loss = {loss:.6g} under two seeds, but the seed must change it")
        other.load_state_dict(model.state_dict())
        again = float(other.losses(batch).loss.detach())
        case.keep(
            loss == again,
            f"loss = {again:.9g} with weights loaded from state_dict, but {loss:.9g} with those saved",
        )

    def test_an_example_does_not_depend_on_its_company(self, case: Case, store: TokenStore) -> None:
        model = case.build()
        together, alone = batch_of(model, store, range(BATCH), 0.5), batch_of(model, store, range(2, 3), 0.5)
        for field, single in tensors(alone).items():
            several = tensors(together)[field]
            if field.endswith(("_BT", "_B")):
                rows = len(single)
                same = torch.equal(several[2 * rows : 3 * rows], single)
                case.keep(same, f"{field} of example 2 is one thing alone and another among {BATCH} examples")
        repeated = tensors(batch_of(model, store, range(BATCH), 0.5))
        for field, value in tensors(together).items():
            case.keep(torch.equal(value, repeated[field]), f"{field} of the same examples differs the second time")

    def test_weight_decay_spares_biases_and_norms(self, case: Case) -> None:
        model = case.build()
        decayed, spared = model.parameter_groups()
        found, wanted = len(decayed) + len(spared), len(list(model.parameters()))
        case.keep(found == wanted, f"parameter_groups has {found} parameters, but the model {wanted}")
        paths = {id(p): path for path, p in model.named_parameters()}
        wide = [paths[id(p)] for p in spared if p.ndim != 1]
        case.keep(not wide, f"weight decay spares {', '.join(wide)}, but should spare biases and norms alone")
        norms = [paths[id(p)] for p in decayed if paths[id(p)].endswith(".bias") or "norm" in paths[id(p)]]
        case.keep(not norms, f"weight decay is on {', '.join(norms)}, but should spare biases and norms")

    def test_it_is_built_from_a_run(self, case: Case) -> None:
        chosen = Optimization(learning_rate=3e-4, weight_decay=0.2, beta2=0.9)
        run = RunConfig(objective=case.config(), backbone=case.network(), optimization=chosen)
        model = case.objective.from_run(run, VOCABULARY)
        case.keep(model.context == run.data.context, f"context = {model.context}, but data.context = {run.data.context}")
        optimizers = model.configure_optimizers()
        optimizers = optimizers if isinstance(optimizers, list | tuple) else [optimizers] * bool(list(model.parameters()))
        groups = [group for optimizer in optimizers for group in optimizer.param_groups]
        decays = {group["weight_decay"] for group in groups}
        case.keep(
            decays <= {0.2, 0.0},
            f"weight_decay = {sorted(decays)}, but the run's is 0.2, and 0 on biases and norms",
        )
        stepped, wanted = sum(len(group["params"]) for group in groups), len(list(model.parameters()))
        case.keep(stepped == wanted, f"its optimizers step {stepped} parameters, but it has {wanted}")
        if model.automatic_optimization:
            for group in groups:
                set_to = group["lr"], *group["betas"]
                case.keep(
                    set_to == (3e-4, 0.9, 0.9),
                    f"rate and betas are {set_to}, but the run's are (0.0003, 0.9, 0.9)",
                )
        with pytest.raises(ConfigError, match=rf"takes a {case.objective.__name__}\.Config"):
            case.objective.from_run(RunConfig(objective=BACKBONE), VOCABULARY)
