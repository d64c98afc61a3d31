"""A stack of LSTM layers whose inputs and outputs have the model's width.

    i, f, o = sigmoid(W x(t) + U h(t-1) + b),   g = tanh(W' x(t) + U' h(t-1) + b')
    c(t) = f c(t-1) + i g,   h(t) = o tanh(c(t)),   out(t) = W" h(t) + b"

Sources: Hochreiter and Schmidhuber 1997, section 4, with the forget gate of Gers et al. 2000, which starts open (bias 1:
Jozefowicz et al. 2015, section 3.2). Dropout applies between layers and never between time steps (Zaremba et al. 2014, section
3.1). The hidden width H is free, because a last matrix maps back to the model's width.

Shape letters: B batch, T position, D width, S stretch (the part of one document in one row), N = B x T.
"""

from __future__ import annotations

import functools
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

State = tuple[Tensor, Tensor]
"""h and c after the last position, each [layers, B, H]."""


@functools.cache
def cpu_has_bf16() -> bool:
    """Return whether oneDNN has bf16 kernels for this processor: it needs AVX-512, and without it its LSTM raises."""
    return not torch.backends.mkldnn.is_available() or bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


class Lstm(nn.LSTM):
    """torch's LSTM, in float32 if autocast asks for half precision on a CPU without kernels for it."""

    def forward(self, input: Any, hx: Any = None) -> Any:
        if input.data.device.type != "cpu" or not torch.is_autocast_enabled("cpu") or cpu_has_bf16():
            return super().forward(input, hx)
        with torch.autocast("cpu", enabled=False):
            return super().forward(input.float(), None if hx is None else tuple(part.float() for part in hx))


class Recurrent(nn.Module):
    """[B, T, D] -> [B, T, D]; position t depends on the positions up to t."""

    def __init__(self, width: int, hidden: int, layers: int = 1, dropout: float = 0.0) -> None:
        super().__init__()
        self.lstm = Lstm(width, hidden, layers, batch_first=True, dropout=dropout if layers > 1 else 0.0)
        self.out = nn.Linear(hidden, width)
        self.dropout = nn.Dropout(dropout)
        open_forget_gates(self.lstm)

    def forward(self, x_BTD: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Return the vectors and the final state; without `state` a row begins at zero."""
        hidden, state = self.lstm(x_BTD, state)
        return self.out(self.dropout(hidden)), state

    def within_documents(self, x_BTD: Tensor, documents_BT: Tensor) -> Tensor:
        """Return the vectors, with a zero state at the start of every document of a row. Documents are contiguous."""
        order_N, sizes_T = together(documents_BT)
        hidden, _ = self.lstm(PackedSequence(x_BTD.flatten(0, 1).index_select(0, order_N), sizes_T))
        hidden_ND = hidden.data.index_select(0, order_N.argsort())
        return self.out(self.dropout(hidden_ND)).view_as(x_BTD)


@torch.no_grad()
def open_forget_gates(lstm: nn.LSTM) -> None:
    """Set all biases to 0 except those of the forget gates, whose two sum to 1."""
    for layer in range(lstm.num_layers):
        # The two biases are added; PyTorch orders the gates i, f, g, o.
        lstm.get_parameter(f"bias_hh_l{layer}").zero_()
        lstm.get_parameter(f"bias_ih_l{layer}").zero_()[lstm.hidden_size : 2 * lstm.hidden_size] = 1.0


def together(documents_BT: Tensor) -> tuple[Tensor, Tensor]:
    """Arrange the stretches of each document in a row as separate sequences.

    Return int64 [N], the flat positions in reading order: the first of every stretch before the second of any, longer stretches
    first. Also return int64 [T'] on the CPU: the number of stretches that have a first, a second, ... position.
    """
    begins_BT = torch.ones_like(documents_BT, dtype=torch.bool)
    begins_BT[:, 1:] = documents_BT[:, 1:] != documents_BT[:, :-1]
    begins_N = begins_BT.flatten()
    stretch_N = begins_N.cumsum(0) - 1
    place_N = torch.arange(len(begins_N), device=begins_N.device)
    place_N = place_N - place_N[begins_N][stretch_N]
    rank_S = stretch_N.bincount().argsort(descending=True, stable=True).argsort()
    return (place_N * len(rank_S) + rank_S[stretch_N]).argsort(), place_N.bincount().cpu()


def matching_hidden(target: int, width: int, layers: int) -> int:
    """The hidden width at which a `Recurrent` is nearest to `target` parameters."""
    quadratic, linear, constant = 8 * layers - 4, 5 * width + 8 * layers, width
    root = ((linear**2 + 4 * quadratic * max(0, target - constant)) ** 0.5 - linear) / (2 * quadratic)
    nearest = (max(1, int(root)), int(root) + 1)
    return min(nearest, key=lambda hidden: abs(quadratic * hidden**2 + linear * hidden + constant - target))
