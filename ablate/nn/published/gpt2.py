"""GPT-2: a causal transformer with pre-norm blocks.

    x_0(t)  = token[id(t)] + position[t]
    x      <- x + Attention(Norm(x)),   x <- x + W2 GELU(W1 Norm(x) + b1) + b2       in each of L blocks
    h       = Norm(x_L),   logits = E h,   E the token embedding

Sources: Radford et al. 2019, section 2.3 (pre-norm and a norm after the last block, residual matrices that start 1 /
sqrt(number of residual layers) smaller). OpenAI's code of it has weights from N(0, 0.02^2), the tanh form of GELU, 1e-5 in the
norms and no bias in the output. Position vectors start from 0.02 as in Hugging Face's port; OpenAI's code says 0.01. Attention
weights are not dropped, see `ablate.nn.transformer`.

Shape letters: B batch, T position, D width.
"""

from __future__ import annotations

import math
from dataclasses import replace

from torch import Tensor, nn
from torch.nn.functional import gelu, linear

from ablate.config import Backbone
from ablate.nn.attention import FULL, Causal, Mask
from ablate.nn.transformer import Cache, SelfAttention, Sight

INITIAL_SD = 0.02
NORM_EPSILON = 1e-5


class Gpt2(nn.Module):
    """Tokens [B, T] -> vectors [B, T, D] after the final norm; each sees its own place and earlier ones."""

    def __init__(self, vocabulary: int, backbone: Backbone, context: int) -> None:
        super().__init__()
        self.token = nn.Embedding(vocabulary, backbone.width)
        self.position = nn.Embedding(context, backbone.width)
        self.dropout = nn.Dropout(backbone.dropout)
        blocks = replace(backbone, bias=True)
        self.blocks = nn.ModuleList(Gpt2Block(blocks, layer) for layer in range(backbone.layers))
        self.norm = nn.LayerNorm(backbone.width, eps=NORM_EPSILON)
        self._initialize(backbone)

    def forward(self, tokens_BT: Tensor, mask: Mask = FULL, cache: Cache | None = None) -> Tensor:
        """Return the vectors. `mask` narrows the causal mask; `cache` is that of `ablate.nn.transformer.Encoder`."""
        first = cache.length if cache is not None else 0
        x_BTD = self.token(tokens_BT) + self.position.weight[first : first + tokens_BT.shape[1]]
        x_BTD = self.dropout(x_BTD)
        sight = Sight(Causal() & mask, cache=cache)
        for block in self.blocks:
            x_BTD = block(x_BTD, sight)
        return self.norm(x_BTD)

    def logits(self, hidden_BTD: Tensor) -> Tensor:
        """[..., D] -> [..., V]."""
        return linear(hidden_BTD, self.token.weight)

    def _initialize(self, backbone: Backbone) -> None:
        for path, parameter in self.named_parameters():
            if path.endswith(("attention.out.weight", "down.weight")):
                nn.init.normal_(parameter, std=INITIAL_SD / math.sqrt(2 * backbone.layers))
            elif parameter.ndim == 2:
                nn.init.normal_(parameter, std=INITIAL_SD)
            elif path.endswith("bias"):
                nn.init.zeros_(parameter)


class Gpt2Block(nn.Module):
    """One layer: attention and feed-forward, each with pre-norm."""

    def __init__(self, backbone: Backbone, layer: int) -> None:
        super().__init__()
        hidden = backbone.feed_forward * backbone.width
        self.attention_norm = nn.LayerNorm(backbone.width, eps=NORM_EPSILON)
        self.attention = SelfAttention(backbone, layer)
        self.feed_forward_norm = nn.LayerNorm(backbone.width, eps=NORM_EPSILON)
        self.up = nn.Linear(backbone.width, hidden)
        self.down = nn.Linear(hidden, backbone.width)
        self.dropout = nn.Dropout(backbone.dropout)

    def forward(self, x_BTD: Tensor, sight: Sight) -> Tensor:
        x_BTD = x_BTD + self.dropout(self.attention(self.attention_norm(x_BTD), sight))
        hidden_BTF = gelu(self.up(self.feed_forward_norm(x_BTD)), approximate="tanh")
        return x_BTD + self.dropout(self.down(hidden_BTF))
