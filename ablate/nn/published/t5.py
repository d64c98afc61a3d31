"""T5: an encoder and a decoder whose only positions are a learned bias on the distance between two tokens.

    x <- x + Attention(RMSNorm(x)),   x <- x + W2 relu(W1 RMSNorm(x))        and across, in the decoder, between the two
    score(t, s) = q(t) . k(s) + b_h(bucket(s - t)),      logits = E RMSNorm(x_L) / sqrt(D),      E the one embedding

No layer has a bias vector, scores are not divided by sqrt(K), and all layers of a side share one table of biases. The table has
32 buckets for each head. Half of them are single distances, the rest grow logarithmically up to distance 128, and the last one
includes all larger distances. The encoder uses half of its buckets for each direction. Cross attention has none.

Sources: Raffel et al. 2020, section 2.1 (architecture, relative positions) and section 3.1.1 (one embedding). The initial
weights and the factor 1 / sqrt(D) are those of the released Mesh TensorFlow code, as in Hugging Face's T5
(`feed_forward_proj="relu"`). `backbone.layers` counts both sides, so T5-small is 12. Attention weights are not dropped, see
`ablate.nn.transformer`.

Shape letters: B batch, T decoder position, S encoder position, D width, H heads, K head width, V vocabulary.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import linear, relu

from ablate.config import Backbone
from ablate.nn.attention import FULL, Causal, Mask, attention
from ablate.nn.attention.packing import same_document
from ablate.nn.biases import BUCKETS, Buckets
from ablate.nn.decoder import Memory, split_layers
from ablate.nn.transformer import Cache

NORM_EPSILON = 1e-6


class RelativeBias(nn.Module):
    """The bias added to the scores, [1, H, T, S]."""

    def __init__(self, heads: int, *, both_sides: bool) -> None:
        super().__init__()
        self.table = nn.Embedding(BUCKETS, heads)
        self.both_sides = both_sides

    def forward(self, queries: int, keys: int) -> Tensor:
        """Return the bias; the last query has the position of the last key."""
        return Buckets(self.table.weight, self.both_sides).dense(queries, keys)


class Attention(nn.Module):
    """Self-attention or cross attention: queries from one side, keys and values from one."""

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.heads = backbone.heads
        self.query = nn.Linear(backbone.width, backbone.width, bias=False)
        self.key_value = nn.Linear(backbone.width, 2 * backbone.width, bias=False)
        self.out = nn.Linear(backbone.width, backbone.width, bias=False)

    def keys_values(self, x_BSD: Tensor) -> tuple[Tensor, Tensor]:
        """Return keys and values, each [B, H, S, K]."""
        k, v = self.key_value(x_BSD).unflatten(-1, (2, self.heads, -1)).permute(2, 0, 3, 1, 4).unbind(0)
        return k, v

    def forward(
        self,
        x_BTD: Tensor,
        keys_values: tuple[Tensor, Tensor],
        mask: Mask,
        bias: Tensor | None = None,
    ) -> Tensor:
        q = self.query(x_BTD).unflatten(-1, (self.heads, -1)).transpose(1, 2)
        z_BHTK = attention(q, *keys_values, mask=mask, bias=bias, scale=1.0)
        return self.out(z_BHTK.transpose(1, 2).flatten(2))


class Block(nn.Module):
    """One layer of either side."""

    def __init__(self, backbone: Backbone, layer: int, *, decoder: bool) -> None:
        super().__init__()
        self.layer, hidden = layer, backbone.feed_forward * backbone.width
        self.attention_norm = nn.RMSNorm(backbone.width, eps=NORM_EPSILON)
        self.attention = Attention(backbone)
        self.cross_norm = nn.RMSNorm(backbone.width, eps=NORM_EPSILON) if decoder else None
        self.cross = Attention(backbone) if decoder else None
        self.feed_forward_norm = nn.RMSNorm(backbone.width, eps=NORM_EPSILON)
        self.up = nn.Linear(backbone.width, hidden, bias=False)
        self.down = nn.Linear(hidden, backbone.width, bias=False)
        self.dropout = nn.Dropout(backbone.dropout)

    def forward(
        self,
        x_BTD: Tensor,
        mask: Mask,
        bias: Tensor,
        *,
        memory: tuple[Tensor, Tensor] | None = None,
        across: Mask = FULL,
        cache: Cache | None = None,
    ) -> Tensor:
        normed_BTD = self.attention_norm(x_BTD)
        keys_values = self.attention.keys_values(normed_BTD)
        if cache is not None:
            keys_values = cache.extend(self.layer, *keys_values)
        x_BTD = x_BTD + self.dropout(self.attention(normed_BTD, keys_values, mask, bias))
        if self.cross is not None and self.cross_norm is not None and memory is not None:
            x_BTD = x_BTD + self.dropout(self.cross(self.cross_norm(x_BTD), memory, across))
        hidden_BTF = self.dropout(relu(self.up(self.feed_forward_norm(x_BTD))))
        return x_BTD + self.dropout(self.down(hidden_BTF))


class Side(nn.Module):
    """The blocks of the encoder or of the decoder, with their table of biases and the final norm."""

    def __init__(self, backbone: Backbone, *, decoder: bool) -> None:
        super().__init__()
        self.bias = RelativeBias(backbone.heads, both_sides=not decoder)
        self.blocks = nn.ModuleList(Block(backbone, layer, decoder=decoder) for layer in range(backbone.layers))
        self.norm = nn.RMSNorm(backbone.width, eps=NORM_EPSILON)


class T5Network(nn.Module):
    """The network with the methods of `ablate.nn.decoder.EncoderDecoder`; it accepts any length."""

    def __init__(self, vocabulary: int, backbone: Backbone) -> None:
        super().__init__()
        reading, writing = split_layers(backbone)
        self.token = nn.Embedding(vocabulary, backbone.width)
        self.encoder, self.decoder = Side(reading, decoder=False), Side(writing, decoder=True)
        self.dropout = nn.Dropout(backbone.dropout)
        self._initialize(backbone)

    def encode(self, tokens_BS: Tensor, documents_BS: Tensor | None) -> Tensor:
        """Return the encoder's vectors [B, S, D]."""
        mask = same_document(documents_BS, documents_BS)
        bias = self.encoder.bias(tokens_BS.shape[1], tokens_BS.shape[1])
        x_BSD = self.dropout(self.token(tokens_BS))
        for block in self.encoder.blocks:
            x_BSD = block(x_BSD, mask, bias)
        vectors_BSD: Tensor = self.dropout(self.encoder.norm(x_BSD))
        return vectors_BSD

    def memory(self, vectors_BSD: Tensor, documents_BS: Tensor | None) -> Memory:
        """Return the decoder's keys and values of the encoder's vectors."""
        crossing = [module.cross for module in self.decoder.blocks if isinstance(module, Block) and module.cross is not None]
        return Memory([cross.keys_values(vectors_BSD) for cross in crossing], documents_BS)

    def decode(self, tokens_BT: Tensor, memory: Memory, documents_BT: Tensor | None, cache: Cache | None = None) -> Tensor:
        """Return vectors [B, T, D]; each attends to the memory, its own token and earlier ones. `cache` as in `Decoder`."""
        own = Causal() & (FULL if cache is not None else same_document(documents_BT, documents_BT))
        across = same_document(documents_BT, memory.documents_BS)
        length = tokens_BT.shape[1]
        bias = self.decoder.bias(length, length + (0 if cache is None else cache.length))
        x_BTD = self.dropout(self.token(tokens_BT))
        for block, keys_values in zip(self.decoder.blocks, memory.layers, strict=True):
            x_BTD = block(x_BTD, own, bias, memory=keys_values, across=across, cache=cache)
        vectors_BTD: Tensor = self.dropout(self.decoder.norm(x_BTD))
        return vectors_BTD

    def logits(self, vectors_MD: Tensor) -> Tensor:
        """Return logits [M, V] of every type."""
        return linear(vectors_MD * vectors_MD.shape[-1] ** -0.5, self.token.weight)

    def _initialize(self, backbone: Backbone) -> None:
        """Matrices from N(0, 1 / input width), queries smaller by 1 / sqrt(K); embeddings from N(0, 1)."""
        width = backbone.width
        nn.init.normal_(self.token.weight, std=1.0)
        for module in self.modules():
            if isinstance(module, Attention):
                nn.init.normal_(module.query.weight, std=(width * width // module.heads) ** -0.5)
                nn.init.normal_(module.key_value.weight, std=width**-0.5)
                nn.init.normal_(module.out.weight, std=width**-0.5)
            elif isinstance(module, Block):
                nn.init.normal_(module.up.weight, std=width**-0.5)
                nn.init.normal_(module.down.weight, std=module.down.in_features**-0.5)
            elif isinstance(module, RelativeBias):
                nn.init.normal_(module.table.weight, std=width**-0.5)
