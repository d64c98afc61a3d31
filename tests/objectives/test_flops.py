"""Arithmetic by formula against torch's counter, for every architecture on both backbones, forward and backward."""

from __future__ import annotations

import functools
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from ablate.config import Backbone, Optimization
from ablate.data.tokenizer import SEP, Vocabulary
from ablate.data.windows import Pair, Window
from ablate.nn import flops
from ablate.nn.two_stream import in_order
from ablate.objectives import objective
from ablate.objectives.gan import Gan
from ablate.seeds import generator
from ablate.testing.arithmetic import counted, plain, unrolled

V, CONTEXT, ROWS, WIDTH, LAYERS = 300, 64, 8, 64, 3
VOCABULARY = Vocabulary(V)
NOISE = functools.partial(generator, 0)
STORE: Any = SimpleNamespace(
    split="train",
    tokens=np.full(5000, SEP + 2),
    sentence_starts=np.array([0, 5000]),
    document_starts=np.array([0, 1]),
    documents=1,
)
CASES = [
    ("bert", {}, "controlled"),
    ("bert", {"next_sentence": "off"}, "controlled"),
    ("bert", {"mask_rate": 0.4}, "published"),
    ("gpt", {}, "controlled"),
    ("gpt", {}, "published"),
    ("xlnet", {}, "controlled"),
    ("xlnet", {"memory": 16}, "controlled"),
    ("xlnet", {"predict_fraction": 1.0}, "controlled"),
    ("xlnet", {}, "published"),
    ("xlnet", {"memory": 16}, "published"),
    ("t5", {}, "controlled"),
    ("t5", {"corruption": "prefix"}, "controlled"),
    ("t5", {"corruption": "bert"}, "published"),
    ("vae", {}, "controlled"),
    ("vae", {"decoder": "transformer"}, "controlled"),
    ("lstm", {}, "controlled"),
    ("lstm", {"recurrent_layers": 1}, "controlled"),
    ("gan", {"pretrain_share": 1.0, "discriminator_share": 0.0}, "controlled"),
    ("gan", {"pretrain_share": 1.0, "discriminator_share": 0.0, "recurrent_layers": 2}, "published"),
]
PACKED = [case for case in CASES if case[0] not in ("vae", "gan") and (case[0] != "bert" or "next_sentence" in case[1])]
"""Where two documents can stand in one row."""
ids = ["-".join([name, *map(str, fields.values()), kind]) for name, fields, kind in CASES]


def build(name: str, fields: dict[str, Any], kind: Any) -> Any:
    torch.manual_seed(0)
    backbone = Backbone(kind=kind, width=WIDTH, layers=LAYERS, heads=4)
    return objective(name)(objective(name).Config(**fields), backbone, VOCABULARY, CONTEXT)


def batch_of(model: Any, packed: bool = False, progress: float = 0.5) -> Any:
    """Windows as the objective cuts them; `packed`: two documents in each."""
    rng = np.random.default_rng(0)

    def text(length: int) -> np.ndarray:
        return rng.integers(SEP + 2, V, length)

    windows: list[Any] = []
    for i in range(ROWS):
        if model.name == "bert" and model.config.next_sentence != "off":
            windows.append(Pair(i, text(30), text(CONTEXT - 33), text(CONTEXT - 33), i))
            continue
        if model.name in ("vae", "gan"):
            length = CONTEXT - 2 - 2 * i
        else:
            cut = model.windows(STORE, model.config, CONTEXT)
            length = cut.length + cut.before
        tokens, documents = text(length), np.zeros(length, np.int32)
        if packed:
            tokens[20], documents[21:] = SEP, 1
        windows.append(Window(i, tokens, documents, i))
    return model.collator()(windows, NOISE, progress)


@pytest.mark.parametrize(
    ("name", "fields", "kind", "packed"), [*((*case, False) for case in CASES), *((*case, True) for case in PACKED)]
)
def test_training_arithmetic_is_what_torch_counts(name: str, fields: dict[str, Any], kind: str, packed: bool) -> None:
    """Dense, because the counter does not see masks; forward and backward together, to one per cent."""
    model = build(name, fields, kind)
    batch = batch_of(model, packed)
    found = counted(
        lambda: model.losses(batch).parts["generator"].backward() if name == "gan" else model.losses(batch).loss.backward()
    ).total
    written = model.generator.flops(ROWS * CONTEXT) + model.discriminator.flops(2 * ROWS, CONTEXT) if name == "gan" else 0
    assert model.dense_flops(batch) + written == pytest.approx(found, rel=0.01)
    assert model.flops(batch) <= model.dense_flops(batch)


@pytest.mark.parametrize(("name", "fields", "kind"), CASES, ids=ids)
def test_backward_is_twice_the_forward(name: str, fields: dict[str, Any], kind: str) -> None:
    """To half a per cent, where an LSTM's first state and the published XLNet's distances have no gradient."""
    model = build(name, fields, kind)
    batch = batch_of(model)
    found: list[torch.Tensor] = []
    forward = counted(lambda: found.append(loss_of(model, batch))).total
    backward = counted(found[0].backward).total
    if name == "gan":
        forward -= model.generator.flops(ROWS * CONTEXT) + model.discriminator.flops(2 * ROWS, CONTEXT)
    fixed = model.network.fixed_flops(model.backbone, CONTEXT + model.config.memory) if name == "xlnet" else 0
    assert backward == pytest.approx(2 * forward - fixed, rel=0.005)
    if not any(isinstance(module, nn.LSTM) for module in model.modules()):
        assert backward == 2 * forward - fixed


def loss_of(model: Any, batch: Any) -> torch.Tensor:
    """What is learned from; of a GAN the likelihood, because nothing minimises the sum of both players' losses."""
    losses = model.losses(batch)
    return losses.parts["generator"] if model.name == "gan" else losses.loss


def hidden_pairs(model: Any, batch: Any) -> int:
    """Queries and keys of all layers that are multiplied in the dense form though the order of the text hides them."""

    def later(length: int) -> int:
        return length * (length - 1) // 2

    match model.name:
        case "gpt":
            return LAYERS * ROWS * later(CONTEXT)
        case "t5":
            return LAYERS // 2 * ROWS * later(batch.decoder_inputs_BU.shape[1])
        case "vae" if model.config.decoder == "transformer":
            return LAYERS // 2 * ROWS * later(batch.longest - 1)
        case "xlnet":
            places, memory = batch.tokens_BT.shape[1], model.config.memory
            front = places - batch.queries
            content, query = in_order(places, batch.queries, memory, torch.tensor([front - memory]))
            blocks = content.clone()
            # Memory reads memory alone; all other places are one block.
            blocks[:, 0 if model.backbone.kind == "published" else memory :] = True
            multiplied = batch.queries * (places if model.backbone.kind == "published" else places - 1)
            return ROWS * int(LAYERS * (multiplied - query.sum()) + (LAYERS - 1) * (blocks.sum() - content.sum()))
    return 0


@pytest.mark.parametrize(("name", "fields", "kind"), CASES, ids=ids)
def test_exact_pairs_leave_out_what_the_order_hides(name: str, fields: dict[str, Any], kind: str) -> None:
    """Scores and averages of a hidden pair: 2 x 2 D, and three times that in training."""
    model = build(name, fields, kind)
    batch = batch_of(model)
    hidden = flops.TRAINING * 4 * WIDTH * hidden_pairs(model, batch)
    assert model.dense_flops(batch) - model.flops(batch) == hidden
    assert (hidden > 0) == (name in ("gpt", "t5", "xlnet") or fields.get("decoder") == "transformer")


@pytest.mark.parametrize("training", ["gumbel", "policy-gradient"])
@pytest.mark.parametrize("kind", ["controlled", "published"])
def test_every_phase_of_the_game_is_what_torch_counts(training: Any, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The adversarial phase over one turn: `discriminator_steps` batches, of which the generator learns from one."""
    k = 3
    fields = {"training": training, "discriminator_steps": k, "rollouts": 2, "pretrain_share": 0.3, "discriminator_share": 0.3}
    model = build("gan", fields, kind)
    assert isinstance(model, Gan)
    model.optimization = Optimization(clip_norm=0.0)
    optimizers = [plain(optimizer) for optimizer in model.configure_optimizers()]
    monkeypatch.setattr(model, "optimizers", lambda: optimizers)
    monkeypatch.setattr(model, "manual_backward", lambda loss: loss.backward())
    for progress, steps in ((0.1, 1), (0.5, 1), (0.9, k)):
        batch = batch_of(model, progress=progress)
        found = sum(counted(lambda step=step, batch=batch: model.training_step(batch, step)).total for step in range(steps))
        assert steps * model.flops(batch) == pytest.approx(found, rel=0.01), model.config.phase(progress)


@pytest.mark.parametrize("updated", ["encoder", "decoder", "both"])
def test_aggressive_updates_are_what_torch_counts(updated: Any) -> None:
    model = build("vae", {"aggressive": True}, "controlled")
    batch = batch_of(model)
    networks = [model.encoder, model.decoder] if updated == "both" else [model.get_submodule(updated)]
    trained = [p for network in networks for p in network.parameters()]
    found = counted(lambda: model.losses(batch).loss.backward(inputs=trained)).total
    model.updated = updated
    assert model.flops(batch) == pytest.approx(found, rel=0.01)


@pytest.mark.parametrize("packed", [False, True])
def test_an_unrolled_lstm_is_the_module(packed: bool) -> None:
    """Otherwise something else would have been counted."""
    torch.manual_seed(0)
    module = nn.LSTM(5, 7, 2, batch_first=True)
    x: Any = torch.randn(3, 6, 5)
    if packed:
        x = nn.utils.rnn.pack_padded_sequence(x, torch.tensor([6, 4, 1]), batch_first=True)
    (truth, (h, c)), (found, (its_h, its_c)) = module(x), unrolled(module, x)
    truth, found = (truth.data, found.data) if packed else (truth, found)
    torch.testing.assert_close(found, truth)
    if not packed:
        torch.testing.assert_close((its_h, its_c), (h, c))


def test_a_model_without_attention_from_left_to_right_has_one_count() -> None:
    for name in ("bert", "lstm", "gan", "ngram"):
        model = build(name, {}, "controlled")
        batch = batch_of(model)
        assert model.dense_flops(batch) == model.flops(batch) > 0
