"""The output head, as in BERT: one more layer, then a product with the token embedding gives a logit for every type.

    logits = E Norm(GELU(W h + b)) + c,   E the token embedding (tied), one bias c of each type

Sources: Devlin et al. 2019, in the released code; Press and Wolf 2017, section 3 (tied embeddings). Every transformer on the
shared blocks that predicts tokens has this head, whatever its paper had. BERT, GPT, XLNet and T5 therefore differ in their task
and not in their head. GPT also learns faster with it than from E h alone, which begins by guessing the token just read. The
losses are 1.92 against 1.99 nats a character after 0.3 million of tinyshakespeare (4 layers, width 128). The published
architectures keep their own heads.

Shape letters: D width, V vocabulary.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, linear

from ablate.config import Backbone
from ablate.nn.transformer import NORM_EPSILON


class Head(nn.Module):
    """Vectors [..., D] -> logits [..., V]. It has biases even if the blocks have none."""

    def __init__(self, vocabulary: int, backbone: Backbone) -> None:
        super().__init__()
        self.transform = nn.Linear(backbone.width, backbone.width)
        self.norm = nn.LayerNorm(backbone.width, eps=NORM_EPSILON)
        self.bias = nn.Parameter(torch.zeros(vocabulary))

    def forward(self, vectors_D: Tensor, token: nn.Embedding) -> Tensor:
        """Return logits. `token` is the embedding, which the caller owns."""
        return linear(self.norm(gelu(self.transform(vectors_D))), token.weight, self.bias)
