"""From a vector to a score for every token type, as on BERT: one layer more, and then the token embedding once more.

    logits = E Norm(GELU(W h + b)) + c,   E the token embedding (tied), one bias c of each type

Source: Devlin et al. 2019, in the released code; Press and Wolf 2017, section 3 (tied embeddings). Every transformer on the
shared blocks that predicts tokens at places of a text has this head, whatever its paper had, so that BERT, GPT, XLNet and T5
differ in what they are asked and not in what answers. GPT also learns faster with it than from E h alone, which begins by
guessing the token just read: 1.92 against 1.99 nats a character after 0.3 million of tinyshakespeare (4 layers, width 128).
The published architectures keep their own.

Shape letters: D width, V vocabulary.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, linear

from ablate.config import Backbone
from ablate.nn.transformer import NORM_EPSILON


class Head(nn.Module):
    """Vectors [..., D] -> logits [..., V]. It has its biases whether or not the blocks have theirs."""

    def __init__(self, vocabulary: int, backbone: Backbone) -> None:
        super().__init__()
        self.transform = nn.Linear(backbone.width, backbone.width)
        self.norm = nn.LayerNorm(backbone.width, eps=NORM_EPSILON)
        self.bias = nn.Parameter(torch.zeros(vocabulary))

    def forward(self, vectors_D: Tensor, token: nn.Embedding) -> Tensor:
        """`token`: the embedding, which belongs to whoever reads."""
        return linear(self.norm(gelu(self.transform(vectors_D))), token.weight, self.bias)
