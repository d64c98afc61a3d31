"""FLOPs of the networks by formula: floating-point operations of the matrix products, multiply-add = 2.

Forward, for N = B x T positions of width D, L layers and a feed-forward layer of width F:

    per layer   2 N (3 D D)  queries, keys, values    2 N (D D)  output
                2 (2 N T D)  scores and averages      2 (2 N D F)  feed-forward

with H K in place of D for queries, keys and scores if a head's keys have a width K of their own.

An LSTM layer of H units that reads vectors of width I takes 2 N (4 H (I + H)).

Causal attention has two counts, and records hold both:

    exact pairs    queries and keys that see each other, B T (T + 1) / 2: what the task needs, and a kernel that skips the rest
    dense          all products of the two matrices, B T T: what the plain form computes and torch's counter counts

They differ by at most half of the third term. Neither separates documents packed into one row.

Norms, activations, softmax and additions are left out (they are below one per cent of the arithmetic). Padding is counted,
because it is computed. Backward is twice the forward: one product for the gradient of the input and one for that of the matrix
(Kaplan et al. 2020, section 2.1). Training is therefore three times the forward. This includes the first layer, because its
input is a learned embedding.

A product whose input has no gradient takes twice the forward in training. This applies to the distances of the published XLNet
and to the mixtures a discriminator learns from. It is ignored for an LSTM's first state of zeros, which is one of a row's
recurrent products. Recomputation in a fused kernel, which saves memory, is not counted.
"""

from __future__ import annotations

from ablate.config import Backbone

TRAINING = 3
"""Training FLOPs in multiples of the forward pass."""


def linear(positions: int, width_in: int, width_out: int) -> int:
    """FLOPs of a matrix applied to `positions` vectors."""
    return 2 * positions * width_in * width_out


def encoder(backbone: Backbone, batch: int, length: int, causal: bool = False) -> int:
    """Forward FLOPs of the encoder on `batch` windows of `length` tokens, embeddings and heads excluded."""
    positions, width = batch * length, backbone.width
    keys = backbone.heads * backbone.head_keys
    projections = linear(positions, width, 2 * keys + width) + linear(positions, width, width)
    pairs = batch * (length * (length + 1) // 2 if causal else length * length)
    feed_forward = 2 * linear(positions, width, backbone.feed_forward * width)
    return backbone.layers * (projections + core(backbone, pairs) + feed_forward)


def core(backbone: Backbone, pairs: int) -> int:
    """FLOPs of the scores and averages of one layer's attention, by pairs of a query and a key."""
    return 2 * pairs * (backbone.heads * backbone.head_keys + backbone.width)


def lstm(positions: int, width_in: int, hidden: int, layers: int) -> int:
    """Forward FLOPs of stacked LSTM layers of `hidden` units, the first of which reads vectors of `width_in`."""
    first = linear(positions, width_in + hidden, 4 * hidden)
    return first + (layers - 1) * linear(positions, 2 * hidden, 4 * hidden)
