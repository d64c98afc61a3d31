"""The two networks of a text autoencoder: a reader infers a latent vector from a text, a writer generates a text from it.

    q(z | x) = N(mean(x), diag exp(log_variance(x))),   (mean, log_variance) = Linear(pool(encode(x)))
    p(x | z) = product over t of  softmax(E write(x(<t), z)(t) + b),   E the writer's token embedding (tied)

| kind | pool | how z reaches the writer | source |
| --- | --- | --- | --- |
| lstm | vector at the last token | with every input, and as first state: c = Linear(z), h = tanh(c) | He et al. 2019, code |
| transformer | mean of the text's vectors | added to every input embedding | Li et al. 2020, code |

The networks share no weight, so either can be trained while the other is frozen. The width of an LSTM makes a stack as large as
the same number of transformer blocks. The additional parameters for a latent vector are counted by the report.

Shape letters: B batch, T position, D width, V vocabulary, Z latent, H hidden width of an LSTM.
"""

from __future__ import annotations

import dataclasses
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from ablate.config import Backbone
from ablate.nn import flops
from ablate.nn.attention import Causal
from ablate.nn.attention.packing import padding
from ablate.nn.embedding import Embedding
from ablate.nn.recurrent import Lstm, Recurrent, State, matching_hidden, open_forget_gates
from ablate.nn.transformer import NORM_EPSILON, Block, Cache, Encoder, initialize

Kind = Literal["lstm", "transformer"]
Memory = State | Cache
"""The recurrent state of a writer: an LSTM's state, or a transformer's keys and values."""


def hidden_width(backbone: Backbone) -> int:
    """H at which a stack of LSTM layers is nearest in parameters to as many transformer blocks."""
    with torch.device("meta"):
        block = sum(parameter.numel() for parameter in Block(backbone).parameters())
    return matching_hidden(block * backbone.layers, backbone.width, backbone.layers)


def without_positions(vocabulary: int, backbone: Backbone) -> Embedding:
    """Token embedding and norm alone: an LSTM needs no positions."""
    return Embedding(vocabulary, dataclasses.replace(backbone, positions="alibi"), context=0)


class Reader(nn.Module):
    """Tokens [B, T] and their visibility, bool [B, T] -> mean and log-variance of q(z | x), each [B, Z]."""

    def __init__(self, kind: Kind, vocabulary: int, backbone: Backbone, context: int, latent: int) -> None:
        super().__init__()
        self.kind, self.backbone, self.hidden = kind, backbone, hidden_width(backbone)
        self.body: Recurrent | Encoder
        if kind == "lstm":
            self.embedding = without_positions(vocabulary, backbone)
            self.body = Recurrent(backbone.width, self.hidden, backbone.layers, backbone.dropout)
        else:
            self.embedding = Embedding(vocabulary, backbone, context)
            self.body = Encoder(backbone, context)
        self.posterior = nn.Linear(backbone.width, 2 * latent)
        initialize(self, backbone)

    def encode(self, tokens_BT: Tensor, visible_BT: Tensor) -> Tensor:
        """Return the last layer's vectors [B, T, D]."""
        x_BTD = self.embedding(tokens_BT)
        if isinstance(self.body, Encoder):
            hidden_BTD: Tensor = self.body(x_BTD, padding(visible_BT))
            return hidden_BTD
        # Padding follows the text, so the LSTM's vectors of the text do not depend on it.
        hidden_BTD, _ = self.body(x_BTD)
        return hidden_BTD

    def forward(self, tokens_BT: Tensor, visible_BT: Tensor) -> tuple[Tensor, Tensor]:
        hidden_BTD, lengths_B = self.encode(tokens_BT, visible_BT), visible_BT.sum(dim=1)
        if self.kind == "lstm":
            pooled_BD = hidden_BTD[torch.arange(len(hidden_BTD), device=hidden_BTD.device), lengths_B - 1]
        else:
            pooled_BD = (hidden_BTD * visible_BT[:, :, None]).sum(dim=1) / lengths_B[:, None]
        # In the precision of the weights: a small KL is a difference of numbers that are almost equal.
        with torch.autocast(pooled_BD.device.type, enabled=False):
            mean_BZ, log_variance_BZ = self.posterior(pooled_BD.to(self.posterior.weight.dtype)).chunk(2, dim=-1)
        return mean_BZ, log_variance_BZ

    def flops(self, batch: int, length: int) -> int:
        """Forward FLOPs on `batch` rows of `length` tokens."""
        width, positions = self.backbone.width, batch * length
        head = flops.linear(batch, width, self.posterior.out_features)
        if self.kind == "transformer":
            return head + flops.encoder(self.backbone, batch, length)
        stack = flops.lstm(positions, width, self.hidden, self.backbone.layers)
        return stack + flops.linear(positions, self.hidden, width) + head


class LstmWriter(nn.Module):
    """Decoder inputs [B, T] and z [B, Z] -> vectors [B, T, D] whose products with the embedding are logits."""

    def __init__(self, vocabulary: int, backbone: Backbone, context: int, latent: int) -> None:
        super().__init__()
        self.backbone, self.hidden, self.latent = backbone, hidden_width(backbone), latent
        self.embedding = without_positions(vocabulary, backbone)
        self.bias = nn.Parameter(torch.zeros(vocabulary))
        self.dropout = nn.Dropout(backbone.dropout)
        between = backbone.dropout if backbone.layers > 1 else 0.0
        self.lstm = Lstm(backbone.width + latent, self.hidden, backbone.layers, batch_first=True, dropout=between)
        self.cell = nn.Linear(latent, backbone.layers * self.hidden, bias=False)
        self.out = nn.Linear(self.hidden, backbone.width)
        self.norm = nn.LayerNorm(backbone.width, eps=NORM_EPSILON)
        initialize(self, backbone)
        open_forget_gates(self.lstm)

    def begin(self, z_BZ: Tensor) -> Memory:
        """The state before the first input."""
        c = self.cell(z_BZ).view(len(z_BZ), self.backbone.layers, self.hidden).transpose(0, 1).contiguous()
        return torch.tanh(c), c

    def forward(self, inputs_BT: Tensor, z_BZ: Tensor, memory: Memory | None = None) -> tuple[Tensor, Memory]:
        """Return vectors and the state after them; without `memory` the inputs begin a text."""
        x_BTD = self.embedding(inputs_BT)
        z_BTZ = z_BZ[:, None].expand(-1, inputs_BT.shape[1], -1)
        hidden_BTH, memory = self.lstm(torch.cat([x_BTD, z_BTZ], dim=-1), self.begin(z_BZ) if memory is None else memory)
        return self.norm(self.out(self.dropout(hidden_BTH))), memory

    def logits(self, hidden_MD: Tensor) -> Tensor:
        """Logits [M, V] of vectors [M, D]."""
        return linear(hidden_MD, self.embedding.token.weight, self.bias)

    def flops(self, batch: int, length: int, dense: bool = False) -> int:
        """Forward FLOPs on `batch` rows of `length` inputs, logits excluded; `dense`: see `ablate.nn.flops`."""
        width, positions, layers = self.backbone.width, batch * length, self.backbone.layers
        stack = flops.lstm(positions, width + self.latent, self.hidden, layers) + flops.linear(positions, self.hidden, width)
        return stack + flops.linear(batch, self.latent, layers * self.hidden)


class TransformerWriter(nn.Module):
    """`LstmWriter` with causal transformer blocks."""

    def __init__(self, vocabulary: int, backbone: Backbone, context: int, latent: int) -> None:
        super().__init__()
        self.backbone, self.latent = backbone, latent
        self.embedding = Embedding(vocabulary, backbone, context)
        self.lift = nn.Linear(latent, backbone.width)
        self.body = Encoder(backbone, context)
        self.bias = nn.Parameter(torch.zeros(vocabulary))
        initialize(self, backbone)

    def begin(self, z_BZ: Tensor) -> Memory:
        return Cache()

    def forward(self, inputs_BT: Tensor, z_BZ: Tensor, memory: Memory | None = None) -> tuple[Tensor, Memory]:
        cache = memory if isinstance(memory, Cache) else None
        x_BTD = self.embedding(inputs_BT, first=cache.length if cache else 0) + self.lift(z_BZ)[:, None]
        return self.body(x_BTD, Causal(), cache=cache), cache or Cache()

    def logits(self, hidden_MD: Tensor) -> Tensor:
        return linear(hidden_MD, self.embedding.token.weight, self.bias)

    def flops(self, batch: int, length: int, dense: bool = False) -> int:
        blocks = flops.encoder(self.backbone, batch, length, causal=not dense)
        return blocks + flops.linear(batch, self.latent, self.backbone.width)


WRITERS: dict[Kind, type[LstmWriter | TransformerWriter]] = {"lstm": LstmWriter, "transformer": TransformerWriter}
