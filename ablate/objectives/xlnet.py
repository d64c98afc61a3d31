"""XLNet: predict the tokens of a text in a random order, each from those before it in that order.

    plm = - 1/M  sum over predicted places m of  log p(x(z(m)) | x(z(1)), ..., x(z(m-1)))      [nats per predicted token]
    p(. | x(z(<m))) = softmax(E g(z(m)) + b)     published       g the query stream's vector, E the token embedding (tied)
    p(. | x(z(<m))) = softmax(head(g(z(m))))     controlled      head as in `ablate.nn.head`

z is a factorization order of the row's positions (`ablate.collators.permutation`). g depends on the position z(m) but not on
its token (`ablate.nn.two_stream`). Tokens that are not predicted are context, which every place sees.

A row is `context` consecutive tokens of the corpus, and the first is always context. SEP ends a document and also begins the
next one, where it is context. A text by itself is read as [SEP] text, so every prediction has a context.

Documents packed into one row do not see each other. A batch with such a row uses masks: on pydocs at context 64 such rows are
44 %, and at 16 rows a batch each of 1000 batches has one. Batches with one document in each row use kernel calls on sorted
rows, without masks.

Memory is the text before the row, read without gradient from the same window, so an example depends on its index alone. Memory
is bidirectional and has no factorization order of its own.

Sources: Yang et al. 2019, sections 2.2 (the objective), 2.3 (two streams; the last 1/K of an order is predicted), 2.4 (memory)
and 3.1 (K = 6, spans). Dai et al. 2019, section 3.2 (memory). Segment pairs (section 2.5) are left out.

Shape letters: B batch, T place in the row, memory included, D width, V vocabulary, M predicted positions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, linear

from ablate.collators import framing, permutation
from ablate.collators.permutation import FactorizationOrder
from ablate.config import Backbone, ConfigError, require
from ablate.data.tokenizer import MASK, SEP, UNK
from ablate.data.windows import PackedWindows
from ablate.nn import flops
from ablate.nn.attention.packing import padding
from ablate.nn.head import Head
from ablate.nn.published.xlnet import XlnetNetwork
from ablate.nn.transformer import initialize
from ablate.nn.two_stream import CountPairs, TwoStream, Visible, every_pair, in_order, pairs, pairs_in_blocks
from ablate.objectives.base import Losses, Noise, Objective, row_sums
from ablate.objectives.gpt import require_a_beginning
from ablate.seeds import generator

if TYPE_CHECKING:
    from ablate.data.token_store import TokenStore
    from ablate.data.tokenizer import Vocabulary

SCORING_SEED = 0


@dataclass(frozen=True, kw_only=True)
class XlnetConfig:
    """Shares refer to the tokens of the text, special tokens excluded."""

    name: ClassVar[str] = "xlnet"

    factorization_order: FactorizationOrder = "random"
    """Order of prediction: `ablate.collators.permutation`. Yang et al. 2019, section 2.2: random. Fixed orders, of positions or
    of blocks, depend on the run's seed. Evaluations have a seed of their own, so `own-loss` reads an order that was not
    trained; `own_ranks` returns the trained one."""
    left_to_right_share: float = 0.0
    """Share of the examples that are predicted left to right instead."""
    block_length: int = 8
    """Tokens in a block, for the orders `block` and `fixed-block`."""
    predict_fraction: float = 1 / 6
    """Share of predicted tokens, 1/K. Yang et al. 2019, section 3.1: K = 6."""
    span_targets: bool = False
    """Predict spans of 1 to 5 tokens instead of the end of the order. Yang et al. 2019, section 3.1."""
    memory: int = 0
    """Tokens before the row that are read without gradient; 0: none. Yang et al. 2019, section 2.4."""
    scoring_orders: int = 0
    """Random orders over which `score` averages the probability; 0: left to right, or right to left if the model is."""

    def __post_init__(self) -> None:
        share = self.left_to_right_share
        require(0 <= share <= 1, "objective.left_to_right_share", share, "in [0, 1]")
        require(self.block_length >= 1, "objective.block_length", self.block_length, "at least 1 token")
        require(0 < self.predict_fraction <= 1, "objective.predict_fraction", self.predict_fraction, "in (0, 1]")
        require(self.memory >= 0, "objective.memory", self.memory, "at least 0 tokens (0: none)")
        require(self.scoring_orders >= 0, "objective.scoring_orders", self.scoring_orders, "at least 0 (0: left to right)")


class XlnetBatch(NamedTuple):
    """Rows of T places: the memory in text order, the context in text order, the targets in the order of prediction."""

    tokens_BT: Tensor
    """int64"""
    positions_BT: Tensor
    """int64: the token's text position, memory included."""
    context_B: Tensor | None
    """int64: places of context after the memory. None if every row has T - memory - queries of them and holds one document."""
    documents_BT: Tensor | None
    """int32: a SEP belongs to the document that it begins; None if every row holds one document."""
    queries: int
    """Number of last places of a row that have a query vector: as many as a full row has targets."""
    predicted_M: Tensor
    """int64: indices of the predicting vectors among all B x queries, ascending."""
    tokens: int
    targets: int


@final
class Xlnet(Objective):
    """Yang et al. 2019."""

    name = "xlnet"
    Config = XlnetConfig
    Batch = XlnetBatch
    estimator = "exact"

    def __init__(self, config: XlnetConfig, backbone: Backbone, vocabulary: Vocabulary, context: int) -> None:
        super().__init__(config, backbone, vocabulary, context)
        published = backbone.kind == "published"
        relative = published or backbone.positions != "learned"
        right = "0 with backbone.positions = 'learned': memory needs rotary or alibi, which encode distances"
        require(config.memory == 0 or relative, "objective.memory", config.memory, right)
        network = XlnetNetwork if published else TwoStream
        self.network: XlnetNetwork | TwoStream = network(vocabulary.size, backbone, config.memory + context)
        self.decoder_bias = nn.Parameter(torch.zeros(vocabulary.size)) if published else None
        self.head = None if published else Head(vocabulary.size, backbone)
        if self.head is not None:
            initialize(self.head, backbone)

    @classmethod
    def windows(cls, store: TokenStore, config: XlnetConfig, context: int) -> PackedWindows:
        return PackedWindows(store, context - 1, before=config.memory + 1)

    @staticmethod
    def collate(
        windows: Sequence[Any], noise: Noise, progress: float, *, config: XlnetConfig, vocabulary: Vocabulary, context: int
    ) -> XlnetBatch:
        memory = config.memory
        tokens = np.stack([window.tokens_T for window in windows])
        documents = framing.documents([_beginning_with_sep(window) for window in windows])
        row = tokens[:, memory:]
        source = (row > MASK) | (row == UNK)
        source[:, 0] = False

        uniforms = permutation.draw_noise([noise("permutation", window.index) for window in windows], context)
        rank = permutation.ranks(
            config.factorization_order,
            uniforms,
            noise("permutation/fixed", 0).random(context),
            block_length=config.block_length,
            left_to_right_share=config.left_to_right_share,
        )
        number = permutation.number_of_targets(source.sum(axis=1), config.predict_fraction)
        if config.span_targets:
            target = permutation.spans(source, uniforms, number)
        else:
            target = permutation.last_of_order(source, rank, number)
        permuted = permutation.permute(rank, target)
        before = np.broadcast_to(np.arange(memory), (len(row), memory))
        columns = np.concatenate([before, memory + permuted.columns_BT], axis=1)

        # As many as a row without special tokens has, so that all batches have one shape.
        queries = int(permutation.number_of_targets(np.array([context - 1]), config.predict_fraction)[0])
        predicted = np.arange(context - queries, context) >= permuted.context_B[:, None]
        alike = documents is None and bool((number == queries).all())
        return XlnetBatch(
            tokens_BT=torch.from_numpy(np.take_along_axis(tokens, columns, axis=1)),
            positions_BT=torch.from_numpy(columns),
            context_B=None if alike else torch.from_numpy(permuted.context_B),
            documents_BT=None if documents is None else torch.from_numpy(np.take_along_axis(documents, columns, axis=1)),
            queries=queries,
            predicted_M=torch.from_numpy(np.flatnonzero(predicted)),
            tokens=int(source.sum()),
            targets=int(number.sum()),
        )

    def losses(self, batch: XlnetBatch) -> Losses:
        truths_M = batch.tokens_BT[:, -batch.queries :].flatten().index_select(0, batch.predicted_M)
        plm = cross_entropy(self.predictions(batch)["plm"], truths_M)
        return Losses(plm, {"plm": plm})

    def predictions(self, batch: XlnetBatch) -> dict[str, Tensor]:
        hidden_BMD = self.network(
            batch.tokens_BT,
            batch.positions_BT,
            batch.queries,
            memory=self.config.memory,
            visible=self._visible(batch),
        )
        return {"plm": self._logits(hidden_BMD.flatten(0, 1).index_select(0, batch.predicted_M))}

    def sees(self, batch: XlnetBatch) -> dict[str, dict[str, Tensor]]:
        """What stands before it in the row, which is sorted by the order of prediction, as far as its document goes."""
        B, T = batch.tokens_BT.shape
        row_N, place_N = torch.arange(B).repeat_interleave(T), torch.arange(T).repeat(B)
        row_M, place_M = batch.predicted_M // batch.queries, T - batch.queries + batch.predicted_M % batch.queries
        may_MN = (row_M[:, None] == row_N) & (place_N < place_M[:, None])
        if batch.documents_BT is not None:
            may_MN = may_MN & (batch.documents_BT[row_M, place_M][:, None] == batch.documents_BT.flatten())
        return {"plm": {"tokens_BT": may_MN}}

    def _visible(self, batch: XlnetBatch) -> Visible | None:
        if batch.context_B is None:
            return None
        places, memory = batch.tokens_BT.shape[1], self.config.memory
        return in_order(places, batch.queries, memory, batch.context_B, batch.documents_BT)

    def _logits(self, hidden_MD: Tensor) -> Tensor:
        if self.head is None:
            return linear(hidden_MD, self.network.token.weight, self.decoder_bias)
        logits_MV: Tensor = self.head(hidden_MD, self.network.token)
        return logits_MV

    def frame(self, ids: list[int]) -> list[int]:
        """[SEP] text."""
        return [SEP, *ids]

    def encode(self, tokens_BT: Tensor, visible_BT: Tensor) -> Tensor:
        """The content stream's vectors [B, T, D], with the whole text visible."""
        self._check_length(tokens_BT)
        hidden_BTD: Tensor = self.network.encode(tokens_BT, padding(visible_BT))
        return hidden_BTD

    def join(self, first: list[int], second: list[int]) -> list[int]:
        """[SEP] first, or [SEP] first [SEP] second."""
        return [SEP, *first, SEP, *second] if second else [SEP, *first]

    def summarize(self, tokens_BT: Tensor, visible_BT: Tensor) -> Tensor:
        """The content stream's vectors averaged over the row [B, D], without a mask inside the text.

        `summary_type="mean"` of the released code, whose default reads a CLS behind the text. There CLS is pre-trained, in
        segment pairs (section 2.5). Here it would be untrained, and on SST-2 it was 0.016 to 0.05 worse (one seed, width 128).
        """
        hidden_BTD = self.encode(tokens_BT, visible_BT) * visible_BT[..., None]
        return hidden_BTD.sum(dim=1) / visible_BT.sum(dim=1, keepdim=True)

    def fill(self, tokens_BT: Tensor, visible_BT: Tensor, positions_M2: Tensor) -> Tensor:
        """Logits [M, V] at the (row, column) positions, from all tokens that are neither MASK nor at these positions."""
        self._check_length(tokens_BT)
        row_M, column_M = positions_M2.unbind(dim=1)
        missing_BT = tokens_BT == MASK
        missing_BT[row_M, column_M] = True
        columns_BT = (2 * missing_BT.int() + (~visible_BT).int()).argsort(dim=1, stable=True)
        context_B1T = (visible_BT & ~missing_BT).gather(1, columns_BT)[:, None]
        queries = int(missing_BT.sum(dim=1).max())
        hidden_BMD = self.network(
            tokens_BT.gather(1, columns_BT), columns_BT, queries, visible=Visible(context_B1T, context_B1T)
        )
        place_M = columns_BT.argsort(dim=1)[row_M, column_M]
        return self._logits(hidden_BMD[row_M, place_M - (tokens_BT.shape[1] - queries)])

    @torch.no_grad()
    def score(self, tokens_BT: Tensor, visible_BT: Tensor, scored_BT: Tensor) -> Tensor:
        """Sum over the scored tokens of log p(token | those before it in the order), in nats [B].

        A model that predicts a share of each order has learned to continue long contexts, and predicts badly from a short one.
        """
        self._check_length(tokens_BT)
        require_a_beginning(scored_BT)
        T = tokens_BT.shape[1]
        if self.config.scoring_orders:
            drawn = torch.Generator().manual_seed(SCORING_SEED)
            orders = torch.rand(self.config.scoring_orders, self.context, generator=drawn)[:, :T]
        else:
            orders = torch.arange(T).float()[None] * (-1 if self.config.factorization_order == "right-to-left" else 1)
        nats_OB = torch.stack(
            [
                self._score_in(rank_T.expand(len(tokens_BT), -1), tokens_BT, visible_BT, scored_BT)
                for rank_T in orders.to(tokens_BT.device)
            ]
        )
        return nats_OB.logsumexp(dim=0) - math.log(len(nats_OB))

    def _score_in(self, rank_BT: Tensor, tokens_BT: Tensor, visible_BT: Tensor, scored_BT: Tensor) -> Tensor:
        """Nats [B] under one order."""
        nats_M, row_M, _ = self._terms(rank_BT, tokens_BT, visible_BT, scored_BT)
        return row_sums(nats_M, row_M, len(tokens_BT))

    @torch.no_grad()
    def score_in_order(self, tokens_BT: Tensor, visible_BT: Tensor, scored_BT: Tensor, rank_BT: Tensor) -> Tensor:
        """log p(token | those before it in the row's order) of each scored token, nats [B, T]; 0 elsewhere."""
        self._check_length(tokens_BT)
        require_a_beginning(scored_BT)
        nats_M, row_M, column_M = self._terms(rank_BT, tokens_BT, visible_BT, scored_BT)
        nats_BT = nats_M.new_zeros(tokens_BT.shape)
        nats_BT[row_M, column_M] = nats_M
        return nats_BT

    def own_ranks(self, rows: int, length: int, noise: Noise) -> Tensor:
        """The orders that this model was trained with, for `rows` rows of `length` tokens: [B, T]."""
        ranks = permutation.ranks(
            self.config.factorization_order,
            permutation.draw_noise([noise("permutation", row) for row in range(rows)], self.context),
            generator(self.seed, "permutation/fixed", 0).random(self.context),
            block_length=self.config.block_length,
            left_to_right_share=self.config.left_to_right_share,
        )
        return torch.from_numpy(ranks[:, :length]).float()

    def _terms(
        self, rank_BT: Tensor, tokens_BT: Tensor, visible_BT: Tensor, scored_BT: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Nats of the scored tokens, and their rows and columns.

        A row is sorted: the first token, the text by rank, the padding.
        """
        rank_BT = rank_BT.masked_fill(~visible_BT, math.inf)
        rank_BT[:, 0] = -math.inf
        columns_BT = rank_BT.argsort(dim=1, stable=True)
        sorted_BT, scored = tokens_BT.gather(1, columns_BT), scored_BT.gather(1, columns_BT)[:, 1:]
        hidden_BMD = self.network(sorted_BT, columns_BT, sorted_BT.shape[1] - 1)
        nats_M = -cross_entropy(self._logits(hidden_BMD[scored]), sorted_BT[:, 1:][scored], reduction="none")
        return nats_M, scored.nonzero()[:, 0], columns_BT[:, 1:][scored]

    def _check_length(self, tokens_BT: Tensor) -> None:
        if tokens_BT.shape[1] > self.context:
            raise ConfigError(f"{tokens_BT.shape[1]} tokens, but the model has data.context = {self.context} positions")

    def flops(self, batch: XlnetBatch) -> float:
        """Training FLOPs of both streams, by the pairs that see each other, and of the head on the targets."""
        return self._flops(batch, pairs)

    def dense_flops(self, batch: XlnetBatch) -> float:
        in_blocks = batch.context_B is None and isinstance(self.network, TwoStream)
        return self._flops(batch, pairs_in_blocks if in_blocks else every_pair)

    def _flops(self, batch: XlnetBatch, count: CountPairs) -> float:
        rows, places = batch.tokens_BT.shape
        forward = self.network.forward_flops(self.backbone, rows, places, batch.queries, self.config.memory, count)
        forward += flops.linear(batch.targets, self.backbone.width, self.vocabulary.size)
        if self.head is not None:
            forward += flops.linear(batch.targets, self.backbone.width, self.backbone.width)
        return float(flops.TRAINING * forward - self.network.fixed_flops(self.backbone, places))


def _beginning_with_sep(window: Any) -> np.ndarray:
    """Document of each position, where a SEP belongs to the document that it begins and not to the one it ends."""
    after_the_last = window.documents_T[-1] + (window.tokens_T[-1] == SEP)
    return np.append(window.documents_T[1:], after_the_last).astype(window.documents_T.dtype)
