"""The two networks against the equations in float64, token by token against all at once, and their arithmetic and size."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from ablate.config import Backbone
from ablate.nn import flops
from ablate.nn.attention import Causal, backend
from ablate.nn.latent import WRITERS, Kind, LstmWriter, Reader, TransformerWriter
from ablate.nn.transformer import Encoder

V, T, Z = 50, 12, 5
BACKBONE = Backbone(width=32, heads=2)
KINDS: tuple[Kind, ...] = ("lstm", "transformer")


def shaken(model: nn.Module) -> nn.Module:
    """Parameters that are all of consequence, in float64."""
    model = model.double().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.2)
    return model


def reader(kind: Kind, backbone: Backbone = BACKBONE) -> Reader:
    torch.manual_seed(0)
    model = shaken(Reader(kind, V, backbone, T, Z))
    assert isinstance(model, Reader)
    return model


def writer(kind: Kind, backbone: Backbone = BACKBONE) -> LstmWriter | TransformerWriter:
    torch.manual_seed(1)
    model = shaken(WRITERS[kind](V, backbone, T, Z))
    assert isinstance(model, LstmWriter | TransformerWriter)
    return model


def tokens(rows: int = 3) -> torch.Tensor:
    return torch.randint(5, V, (rows, T), generator=torch.Generator().manual_seed(2))


def visible(*lengths: int) -> torch.Tensor:
    return torch.arange(T) < torch.tensor(lengths)[:, None]


@pytest.mark.parametrize("kind", KINDS)
def test_a_posterior_knows_the_whole_text_and_no_padding(kind: Kind) -> None:
    model, text = reader(kind), tokens()
    before = torch.cat(model(text, visible(7, 12, 1)), dim=1)
    for row, column, matters in [(0, 0, True), (0, 6, True), (0, 7, False), (0, 11, False), (1, 11, True), (2, 1, False)]:
        other = text.clone()
        other[row, column] = 5 + (text[row, column] - 4) % (V - 5)
        after = torch.cat(model(other, visible(7, 12, 1)), dim=1)
        assert bool((before != after).any(dim=1)[row]) == matters
        assert torch.equal(before[[r for r in range(3) if r != row]], after[[r for r in range(3) if r != row]])
    alone = torch.cat(model(text[:1, :7], visible(7)[:, :7]), dim=1)
    assert torch.allclose(before[:1], alone, atol=1e-12)


def test_an_lstm_reads_its_posterior_off_the_last_token_and_a_transformer_off_the_mean() -> None:
    text, lengths = tokens(), (7, 12, 1)
    pooled = {
        "lstm": lambda rows: torch.stack([row[length - 1] for row, length in zip(rows, lengths, strict=True)]),
        "transformer": lambda rows: torch.stack([row[:length].mean(dim=0) for row, length in zip(rows, lengths, strict=True)]),
    }
    for kind in KINDS:
        model = reader(kind)
        found = torch.cat(model(text, visible(*lengths)), dim=1)
        expected = pooled[kind](model.encode(text, visible(*lengths))) @ model.posterior.weight.T + model.posterior.bias
        assert torch.allclose(found, expected, atol=1e-12)


def test_an_lstm_writes_by_the_equations() -> None:
    """z stands beside every input; c begins as Linear(z) and h as tanh(c), in every layer."""
    model = writer("lstm", Backbone(width=32, heads=2, layers=2))
    assert isinstance(model, LstmWriter)
    z = torch.randn(3, Z, dtype=torch.float64)
    found = model(tokens(), z)[0].detach().numpy()
    weights = {name: parameter.detach().numpy() for name, parameter in model.named_parameters()}
    for row, latent, result in zip(tokens(), z.numpy(), found, strict=True):
        embedded = normed(weights["embedding.token.weight"][row], weights, "embedding.norm")
        sequence = np.concatenate([embedded, np.tile(latent, (T, 1))], axis=1)
        for layer, c in enumerate(np.split(weights["cell.weight"] @ latent, 2)):
            w, u = weights[f"lstm.weight_ih_l{layer}"], weights[f"lstm.weight_hh_l{layer}"]
            b, h, outputs = weights[f"lstm.bias_ih_l{layer}"] + weights[f"lstm.bias_hh_l{layer}"], np.tanh(c), []
            for x in sequence:
                i, f, g, o = np.split(w @ x + u @ h + b, 4)
                i, f, o = (1 / (1 + np.exp(-gate)) for gate in (i, f, o))
                c = f * c + i * np.tanh(g)
                h = o * np.tanh(c)
                outputs.append(h)
            sequence = np.array(outputs)
        expected = normed(sequence @ weights["out.weight"].T + weights["out.bias"], weights, "norm")
        assert np.abs(result - expected).max() < 1e-10


def normed(x_TD: np.ndarray, weights: dict[str, np.ndarray], name: str) -> np.ndarray:
    standard = (x_TD - x_TD.mean(axis=1, keepdims=True)) / x_TD.std(axis=1, keepdims=True)
    return standard * weights[f"{name}.weight"] + weights[f"{name}.bias"]


def test_a_writers_forget_gates_start_open() -> None:
    model = LstmWriter(V, Backbone(width=32, heads=2, layers=2), T, Z)
    H = model.hidden
    for layer in range(2):
        gates = getattr(model.lstm, f"bias_ih_l{layer}") + getattr(model.lstm, f"bias_hh_l{layer}")
        assert gates.tolist() == [0.0] * H + [1.0] * H + [0.0] * 2 * H


def test_a_transformer_adds_one_vector_to_every_input() -> None:
    model = writer("transformer")
    assert isinstance(model, TransformerWriter)
    z = torch.randn(3, Z, dtype=torch.float64)
    added = z @ model.lift.weight.T + model.lift.bias
    expected = model.body(model.embedding(tokens()) + added[:, None], Causal())
    assert torch.allclose(model(tokens(), z)[0], expected, atol=1e-12)


@pytest.mark.parametrize("positions", ["rotary", "alibi", "learned"])
@pytest.mark.parametrize("kind", KINDS)
def test_token_by_token_is_all_at_once(kind: Kind, positions: str) -> None:
    model = writer(kind, Backbone(width=32, heads=2, layers=2, positions=positions))  # type: ignore[arg-type]
    z = torch.randn(3, Z, dtype=torch.float64)
    whole, _ = model(tokens(), z)
    memory, steps = model.begin(z), []
    for column in range(T):
        hidden, memory = model(tokens()[:, column : column + 1], z, memory)
        steps.append(hidden)
    assert torch.allclose(torch.cat(steps, dim=1), whole, atol=1e-10)


@pytest.mark.parametrize("kind", KINDS)
def test_a_posterior_begins_near_the_prior(kind: Kind) -> None:
    torch.manual_seed(0)
    mean, log_variance = Reader(kind, V, BACKBONE, T, Z).eval()(tokens(), visible(7, 12, 4))
    assert float(mean.detach().abs().max()) < 2
    assert float(log_variance.detach().abs().max()) < 2


@pytest.mark.parametrize("layers", [1, 3])
def test_an_lstm_is_as_large_as_its_transformer_but_for_what_z_needs(layers: int) -> None:
    backbone = Backbone(layers=layers)
    blocks = size(Encoder(backbone, T))
    read, write = Reader("lstm", V, backbone, T, Z), LstmWriter(V, backbone, T, Z)
    assert size(read.body) == pytest.approx(blocks, rel=0.02)
    latent = size(write.cell) + 4 * write.hidden * Z
    assert size(write.lstm) + size(write.out) - 4 * write.hidden * Z == pytest.approx(blocks, rel=0.02)
    assert latent == (layers + 4) * write.hidden * Z


def size(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def test_arithmetic_is_what_torch_counts() -> None:
    """Of the transformer, whose causal products torch counts in full; LSTM cells are counted by their matrices."""
    read, write, z = reader("transformer"), writer("transformer"), torch.randn(3, Z, dtype=torch.float64)
    counter = FlopCounterMode(display=False)
    with backend("reference"), counter:
        read(tokens(), visible(7, 12, 4))
    assert read.flops(3, T) == counter.get_total_flops()
    counter = FlopCounterMode(display=False)
    with backend("reference"), counter:
        write(tokens(), z)
    unseen = 2 * 2 * 3 * (T * T - T * (T + 1) // 2) * BACKBONE.width * BACKBONE.layers
    assert write.flops(3, T) == counter.get_total_flops() - unseen
    for model, rows in ((reader("lstm"), 3 * T), (writer("lstm"), 3 * T)):
        matrices = {name: p for name, p in model.named_parameters() if p.ndim == 2 and "embedding" not in name}
        once = {"posterior.weight", "cell.weight"}
        assert model.flops(3, T) == sum(flops.linear(3 if n in once else rows, *p.shape) for n, p in matrices.items())
