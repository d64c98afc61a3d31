"""Discriminator: a convolutional classifier over windows of tokens that separates real texts from written ones.

    e     = E x,  x one-hot, or a relaxation of it that a gradient can pass
    f_w   = max over t of  ReLU(F_w e(t .. t+w-1) + b_w)                            one vector for each window width w
    f     = g * ReLU(A f + a) + (1 - g) * f,   g = sigmoid(G f + h)                 highway layer
    d     = v . dropout(f) + c                                                      logit of "real"

With S representations the embedding is cut into S parts. The same filters read each part, and each part has its own logit; the
losses are means over them. Windows that begin behind the end of the text are left out, so padding has no effect.

    standard       1/2 [ -log sigmoid(d(real)) - log(1 - sigmoid(d(written))) ]     nats per text; log 2 when undecided
    relativistic   -log sigmoid(d(real) - d(written))                               nats per pair; log 2 when undecided

Sources: Kim 2014, section 2 (windows, maximum over positions); Srivastava et al. 2015, section 2 (highway). Yu et al. 2017,
section 3.3 and released code (sizes, both together). Nie et al. 2019, sections 3.2 (several representations) and 4.1 (sizes);
Jolicoeur-Martineau 2019, section 4.1 (relativistic loss).

Shape letters: B batch, T position, D width, V vocabulary, S representation, C channel (D / S), F filter.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import pad, softplus

from ablate.nn import flops

Game = Literal["standard", "relativistic"]

SEQGAN = {1: 100, 2: 200, 3: 200, 4: 200, 5: 200, 6: 100, 7: 100, 8: 100, 9: 100, 10: 100, 15: 160, 20: 160}
"""Window width in tokens -> filters. Yu et al. 2017, released code, for texts of 20 tokens."""
RELGAN = {2: 300, 3: 300, 4: 300, 5: 300}
"""Nie et al. 2019, released code."""


WIDEST = 5
"""Tokens in the widest window of a controlled discriminator."""


def controlled(width: int) -> dict[int, int]:
    """Window width in tokens -> filters: as many of each width as the embedding is wide."""
    return dict.fromkeys(range(1, WIDEST + 1), width)


class Discriminator(nn.Module):
    """Texts to logits [B, S]; positive means real."""

    def __init__(
        self,
        vocabulary: int,
        width: int,
        filters: Mapping[int, int],
        representations: int = 1,
        dropout: float = 0.0,
        game: Game = "standard",
    ) -> None:
        super().__init__()
        self.filters, self.representations, self.game = filters, representations, game
        self.token = nn.Embedding(vocabulary, width)
        channels = width // representations
        self.windows = nn.ModuleList(nn.Conv1d(channels, count, size) for size, count in filters.items())
        features = sum(filters.values())
        self.transform, self.gate = nn.Linear(features, features), nn.Linear(features, features)
        self.dropout = nn.Dropout(dropout)
        # The relativistic loss depends on differences, in which a common bias cancels.
        self.out = nn.Linear(features, 1, bias=game == "standard")
        # Features of order one from the start, as with the published uniform embeddings in [-1, 1].
        nn.init.normal_(self.token.weight)

    def forward(self, texts: Tensor, written_BT: Tensor) -> Tensor:
        """Return logits [B, S] of int64 tokens [B, T], or of float mixtures [B, T, V]; `written_BT` marks places that count."""
        e_BTD = texts @ self.token.weight if texts.is_floating_point() else self.token(texts)
        B, T, D = e_BTD.shape
        S = self.representations
        e_RCT = (e_BTD * written_BT[..., None]).view(B, T, S, D // S).permute(0, 2, 3, 1).reshape(B * S, D // S, T)
        inside_R1T = written_BT.repeat_interleave(S, dim=0)[:, None]
        f_RF = torch.cat([_pooled(window, e_RCT, inside_R1T) for window in self.windows], dim=1)
        gate_RF = self.gate(f_RF).sigmoid()
        f_RF = gate_RF * self.transform(f_RF).relu() + (1 - gate_RF) * f_RF
        # In the precision of the weights: a text's advantage is a difference of logits that are almost equal.
        with torch.autocast(f_RF.device.type, enabled=False):
            logits_R1: Tensor = self.out(self.dropout(f_RF).to(self.out.weight.dtype))
        return logits_R1.view(B, S)

    def flops(self, texts: int, length: int) -> int:
        """Forward FLOPs on `texts` texts of `length` tokens."""
        features, channels = self.transform.in_features, self.token.embedding_dim // self.representations
        windows = sum(flops.linear(length, size * channels, count) for size, count in self.filters.items())
        head = 2 * flops.linear(1, features, features) + flops.linear(1, features, 1)
        return texts * self.representations * (windows + head)

    def probability(self, texts: Tensor, written_BT: Tensor) -> Tensor:
        """Probability of being real [B], mean over the representations."""
        return self(texts, written_BT).sigmoid().mean(dim=1)


def _pooled(window: nn.Module, e_RCT: Tensor, inside_R1T: Tensor) -> Tensor:
    """The largest response of each filter [R, F] to the windows that begin inside the text."""
    assert isinstance(window, nn.Conv1d)
    response_RFT = window(pad(e_RCT, (0, window.kernel_size[0] - 1))).relu()
    # ReLU is never negative, so zeros outside the text never exceed the true maximum.
    pooled_RF: Tensor = (response_RFT * inside_R1T).amax(dim=-1)
    return pooled_RF


def discrimination(real_BS: Tensor, written_BS: Tensor, game: Game) -> Tensor:
    """The discriminator's loss; row i of the real texts pairs with row i of the written ones."""
    if game == "relativistic":
        return softplus(written_BS - real_BS).mean()
    return (softplus(-real_BS).mean() + softplus(written_BS).mean()) / 2


def deception(real_BS: Tensor, written_BS: Tensor) -> Tensor:
    """The generator's loss when gradients reach it: the relativistic loss with real and written exchanged."""
    return softplus(real_BS - written_BS).mean()
