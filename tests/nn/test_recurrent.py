"""The LSTM against the equations in float64, documents against reading each by itself, the width against counting."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ablate.config import Backbone
from ablate.nn.recurrent import Recurrent, matching_hidden
from ablate.nn.transformer import Encoder

D, H = 6, 9


def build(layers: int = 2) -> Recurrent:
    torch.manual_seed(0)
    model = Recurrent(D, H, layers).double().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.3)
    return model


def by_the_equations(model: Recurrent, x_TD: np.ndarray, layers: int) -> np.ndarray:
    weights = {name: parameter.detach().numpy() for name, parameter in model.named_parameters()}
    sequence = list(x_TD)
    for layer in range(layers):
        w, u = weights[f"lstm.weight_ih_l{layer}"], weights[f"lstm.weight_hh_l{layer}"]
        b = weights[f"lstm.bias_ih_l{layer}"] + weights[f"lstm.bias_hh_l{layer}"]
        h, c, outputs = np.zeros(H), np.zeros(H), []
        for x in sequence:
            i, f, g, o = np.split(w @ x + u @ h + b, 4)
            i, f, o = (1 / (1 + np.exp(-gate)) for gate in (i, f, o))
            c = f * c + i * np.tanh(g)
            h = o * np.tanh(c)
            outputs.append(h)
        sequence = outputs
    return np.stack(sequence) @ weights["out.weight"].T + weights["out.bias"]


@pytest.mark.parametrize("layers", [1, 3])
def test_it_computes_the_equations(layers: int) -> None:
    model = build(layers)
    x = torch.randn(2, 7, D, dtype=torch.float64)
    found, _ = model(x)
    expected = np.stack([by_the_equations(model, row, layers) for row in x.numpy()])
    assert np.abs(found.detach().numpy() - expected).max() < 1e-12


def test_a_carried_state_goes_on_where_it_stopped() -> None:
    model, x = build(), torch.randn(3, 8, D, dtype=torch.float64)
    whole, end = model(x)
    first, state = model(x[:, :5])
    second, last = model(x[:, 5:], state)
    assert torch.allclose(torch.cat([first, second], dim=1), whole, atol=1e-12)
    assert all(torch.allclose(a, b, atol=1e-12) for a, b in zip(end, last, strict=True))


@settings(deadline=None, max_examples=40)
@given(lengths=st.lists(st.lists(st.integers(1, 8), min_size=1, max_size=8), min_size=1, max_size=4))
def test_every_document_is_read_as_if_by_itself(lengths: list[list[int]]) -> None:
    model, T = build(), 8
    documents = torch.tensor(
        [np.repeat(np.arange(len(row)), row)[:T].tolist() + [len(row)] * (T - sum(row)) for row in lengths]
    )
    x = torch.randn(len(lengths), T, D, dtype=torch.float64)
    found = model.within_documents(x, documents)
    for row, numbers in enumerate(documents):
        for number in numbers.unique():
            own = numbers == number
            assert torch.allclose(found[row, own], model(x[row, own][None])[0][0], atol=1e-12)


def test_a_document_number_may_return_in_the_next_row() -> None:
    """Rows are numbered alike when one document goes on from window to window; each still begins at zero."""
    model, x = build(), torch.randn(2, 4, D, dtype=torch.float64)
    assert torch.allclose(model.within_documents(x, torch.zeros(2, 4, dtype=torch.long)), model(x)[0], atol=1e-12)


def test_forget_gates_start_open() -> None:
    model = Recurrent(D, H, layers=2)
    for layer in range(2):
        gates = getattr(model.lstm, f"bias_ih_l{layer}") + getattr(model.lstm, f"bias_hh_l{layer}")
        assert gates.tolist() == [0.0] * H + [1.0] * H + [0.0] * 2 * H


def test_dropout_falls_on_what_goes_up_and_not_on_the_state() -> None:
    torch.manual_seed(0)
    model, x = Recurrent(D, H, layers=1, dropout=0.5), torch.randn(1, 4, D)
    trained, (h, c) = model(x)
    evaluated, (h_whole, c_whole) = model.eval()(x)
    assert not torch.equal(trained, evaluated)
    assert torch.equal(h, h_whole)
    assert torch.equal(c, c_whole)


@pytest.mark.parametrize("recurrent_layers", [1, 2, 4])
@pytest.mark.parametrize("backbone", [Backbone(), Backbone(width=32, layers=1, heads=2), Backbone(width=256, layers=6)])
def test_the_matching_width_is_the_nearest(backbone: Backbone, recurrent_layers: int) -> None:
    target = sum(parameter.numel() for parameter in Encoder(backbone, 16).parameters())
    hidden = matching_hidden(target, backbone.width, recurrent_layers)
    sizes = {
        h: sum(parameter.numel() for parameter in Recurrent(backbone.width, h, recurrent_layers).parameters())
        for h in (hidden - 1, hidden, hidden + 1)
    }
    assert min(sizes, key=lambda h: abs(sizes[h] - target)) == hidden
    assert sizes[hidden] == pytest.approx(target, rel=0.02)
