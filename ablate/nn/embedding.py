"""The transformer's input: the normalised sum of a token's, a position's and a segment's vector.

    x(t) = Norm(token[id(t)] + position[t] + segment[s(t)])          Devlin et al. 2019, section 3 and figure 2

The position table exists only if the backbone has learned absolute positions. The segment table exists only if the objective
has more than one segment: a table that never varies would be a bias in disguise.
"""

from __future__ import annotations

from torch import Tensor, nn

from ablate.config import Backbone
from ablate.nn.transformer import NORM_EPSILON


class Embedding(nn.Module):
    """ids [B, T], segments [B, T] or None -> [B, T, D]."""

    def __init__(self, vocabulary: int, backbone: Backbone, context: int, segments: int = 0) -> None:
        super().__init__()
        self.token = nn.Embedding(vocabulary, backbone.width)
        self.position = nn.Embedding(context, backbone.width) if backbone.positions == "learned" else None
        self.segment = nn.Embedding(segments, backbone.width) if segments else None
        self.norm = nn.LayerNorm(backbone.width, eps=NORM_EPSILON)
        self.dropout = nn.Dropout(backbone.dropout)

    def forward(
        self, tokens_BT: Tensor, segments_BT: Tensor | None = None, positions_BT: Tensor | None = None, first: int = 0
    ) -> Tensor:
        """Without `segments_BT` every token has segment 0; without `positions_BT` a row starts at position `first`."""
        x_BTD = self.token(tokens_BT)
        if self.position is not None:
            row = self.position.weight[first : first + tokens_BT.shape[1]]
            x_BTD = x_BTD + (row if positions_BT is None else self.position(positions_BT))
        if self.segment is not None:
            x_BTD = x_BTD + (self.segment.weight[0] if segments_BT is None else self.segment(segments_BT))
        return self.dropout(self.norm(x_BTD))
