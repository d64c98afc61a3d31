"""BERT: predict hidden tokens of a text from both sides, and whether a second text follows the first.

    loss = mlm + nsp
    mlm  = - 1/M  sum over predicted positions t of  log p(x(t) | corrupted text)      [nats per predicted token]
    nsp  = - 1/B  sum over pairs of                  log p(label | pair)               [nats per pair]

    p(. | corrupted text) at t = softmax(head(h(t))),   head as in `ablate.nn.head`
    p(. | pair)                = softmax(Linear(tanh(Linear(h([CLS])))))

Sources: Devlin et al. 2019, section 3.1 and appendix A.1-A.2 (the two tasks, 80/10/10 corruption, their sum). Liu et al. 2019,
sections 4.1-4.2 (static or dynamic masks, no next-sentence task); Lan et al. 2020, section 3.1 (sentence order). Wettig et al.
2023, sections 3-5 (mask rate; corruption and prediction rate; MASK alone); Joshi et al. 2020, section 3.1 (spans). Ankner et
al. 2024 (a mask rate that falls); Salazar et al. 2020, section 2 (pseudo-log-likelihood).

The published backbone has learned positions, post-norm and, whatever the task, two segments (Devlin et al. 2019, figure 2 and
section 3). Its matrices start from N(0, 0.02^2) cut at two standard deviations, as in the released code.

Shape letters: B batch, T position, D width, V vocabulary, M predicted positions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from ablate.collators import framing, masking, next_sentence, pseudo_likelihood
from ablate.collators.pseudo_likelihood import Hiding
from ablate.config import Backbone, ConfigError, require
from ablate.data.tokenizer import CLS, MASK, PAD, SEP, UNK
from ablate.data.windows import PackedWindows, SegmentPairs
from ablate.nn import flops
from ablate.nn.attention import FULL, Mask
from ablate.nn.attention.packing import padding, same_document
from ablate.nn.embedding import Embedding
from ablate.nn.head import Head
from ablate.nn.transformer import Encoder, initialize
from ablate.objectives.base import Losses, Noise, Objective

if TYPE_CHECKING:
    from ablate.data.token_store import TokenStore
    from ablate.data.tokenizer import Vocabulary

SCORED_AT_ONCE = 2048
"""Tokens of masked copies in one forward pass of `score`. At width 128 their activations then stay in the cache. For 134,000
sentences of 21 tokens it takes 304 s at 512, 296 at 1,024, 279 at 2,048, 319 at 4,096 and 381 at 8,192 (two cores)."""
PUBLISHED_SD = 0.02


@dataclass(frozen=True, kw_only=True)
class BertConfig:
    """Shares refer to the tokens of the text, special tokens excluded."""

    name: ClassVar[str] = "bert"

    mask_rate: float = 0.15
    """Corrupted share. Devlin et al. 2019, section 3.1; Wettig et al. 2023, section 3."""
    final_mask_rate: float | None = None
    """Rate at the end of the budget, reached linearly; None: constant. Ankner et al. 2024: from 0.30 to 0.15."""
    prediction_rate: float | None = None
    """Predicted share; None: the corrupted share. More than `mask_rate` shows the text in several disjointly masked copies,
    whose tokens count as read again. Wettig et al. 2023, section 4, table 3."""
    mask_share: float = 0.8
    """Share of the corrupted tokens that become MASK. Devlin et al. 2019, section 3.1."""
    random_share: float = 0.1
    """Share of the corrupted tokens that become a random token; the others keep their token."""
    selection: Literal["uniform", "whole_word", "span"] = "uniform"
    """Which tokens are hidden together: `ablate.collators.masking`."""
    mean_span_length: float = 3.8
    """Tokens in a span, for `selection="span"`. Joshi et al. 2020, section 3.1: 3.8."""
    static_masks: int = 0
    """Number of different masks of a text; 0: a new one each time (dynamic). Liu et al. 2019, section 4.1: 10."""
    next_sentence: Literal["off", "pairs", "nsp", "sop"] = "nsp"
    """Task on pairs of texts: `ablate.collators.next_sentence`. `pairs`: the pairs of nsp without its loss (Devlin et al. 2019,
    table 5, "No NSP"). `off`: no pairs, windows are full of running text (Liu et al. 2019, section 4.2)."""
    pair_of: Literal["segments", "sentences"] = "segments"
    """Texts of a pair: as many whole sentences as fit together, or one sentence each. Liu et al. 2019, section 4.2."""

    def __post_init__(self) -> None:
        require(0 < self.mask_rate < 1, "objective.mask_rate", self.mask_rate, "in (0, 1)")
        if self.final_mask_rate is not None:
            require(0 < self.final_mask_rate < 1, "objective.final_mask_rate", self.final_mask_rate, "in (0, 1), or none")
        if self.prediction_rate is not None:
            require(0 < self.prediction_rate <= 1, "objective.prediction_rate", self.prediction_rate, "in (0, 1], or none")
        require(0 <= self.mask_share <= 1, "objective.mask_share", self.mask_share, "in [0, 1]")
        left = 1 - self.mask_share
        require(
            0 <= self.random_share <= left + 1e-9,
            "objective.random_share",
            self.random_share,
            f"in [0, 1 - mask_share = {left:g}]",
        )
        require(self.mean_span_length >= 1, "objective.mean_span_length", self.mean_span_length, "at least 1 token")
        require(self.static_masks >= 0, "objective.static_masks", self.static_masks, "at least 0 (0: dynamic)")


class BertBatch(NamedTuple):
    """Rows of T tokens; an example may have several rows."""

    inputs_BT: Tensor
    """int64: corrupted tokens."""
    segments_BT: Tensor | None
    """int64: 0 for the first text, 1 for the second; None without pairs."""
    visible_BT: Tensor | None
    """bool: False on padding; None without pairs, whose windows are full."""
    documents_BT: Tensor | None
    """int32: documents packed into one row do not see each other; None if every row holds one document."""
    predicted_M: Tensor
    """int64: predicted positions in the flattened rows, ascending."""
    truths_M: Tensor
    """int64: the original tokens at the predicted positions."""
    labels_B: Tensor | None
    """int64: 0 if the second text follows the first; None without a pair task."""
    tokens: int
    targets: int


@final
class Bert(Objective):
    """Devlin et al. 2019."""

    name = "bert"
    Config = BertConfig
    Batch = BertBatch
    estimator = "pseudo"

    def __init__(self, config: BertConfig, backbone: Backbone, vocabulary: Vocabulary, context: int) -> None:
        super().__init__(config, backbone, vocabulary, context)
        pairs, width, published = config.next_sentence != "off", backbone.width, backbone.kind == "published"
        has_pair_task = config.next_sentence in ("nsp", "sop")
        blocks = replace(backbone, positions="learned", norm="post", bias=True) if published else backbone
        self.embedding = Embedding(vocabulary.size, blocks, context, segments=2 if pairs or published else 0)
        self.encoder = Encoder(blocks, context)
        self.head = Head(vocabulary.size, blocks)
        self.pooler = nn.Linear(width, width) if has_pair_task else None
        self.follows = nn.Linear(width, 2) if has_pair_task else None
        initialize(self, blocks)
        if published:
            for module in self.modules():
                if isinstance(module, nn.Linear | nn.Embedding):
                    nn.init.trunc_normal_(module.weight, std=PUBLISHED_SD, a=-2 * PUBLISHED_SD, b=2 * PUBLISHED_SD)

    @classmethod
    def windows(cls, store: TokenStore, config: BertConfig, context: int) -> PackedWindows | SegmentPairs:
        if config.next_sentence == "off":
            return PackedWindows(store, context - 2)
        return SegmentPairs(store, context - 3, most=2 if config.pair_of == "sentences" else None)

    @staticmethod
    def collate(
        windows: Sequence[Any], noise: Noise, progress: float, *, config: BertConfig, vocabulary: Vocabulary, context: int
    ) -> BertBatch:
        segments = labels = documents = None
        if config.next_sentence == "off":
            tokens = framing.frame_windows([window.tokens_T for window in windows], first=CLS, last=SEP)
            # CLS belongs to the first document and the last SEP to the last.
            documents = framing.documents([np.pad(window.documents_T, 1, mode="edge") for window in windows])
        else:
            task: next_sentence.PairTask = "sop" if config.next_sentence == "sop" else "nsp"
            pairs = [
                next_sentence.arrange(task, noise("pair", w.index).random(), w.first, w.following, w.elsewhere) for w in windows
            ]
            tokens, segments = framing.frame_pairs(
                [(p.first, p.second) for p in pairs], context, first=CLS, last=SEP, padding=PAD
            )
            labels = None if config.next_sentence == "pairs" else np.array([p.label for p in pairs])

        source = (tokens > MASK) | (tokens == UNK)
        generators = [_mask_generator(config, noise, window) for window in windows]
        uniforms = masking.draw_noise(generators, tokens.shape[1])
        mask_rate = masking.rate_at(progress, config.mask_rate, config.final_mask_rate)
        prediction_rate = mask_rate if config.prediction_rate is None else config.prediction_rate
        masked = masking.mask(
            tokens,
            masking.places(tokens, source, vocabulary.continues, uniforms, config.selection, config.mean_span_length),
            uniforms,
            mask_rate=mask_rate,
            prediction_rate=prediction_rate,
            mask_share=config.mask_share,
            random_share=config.random_share,
            mask_token=MASK,
            first_ordinary=MASK + 1,
            vocabulary=vocabulary.size,
        )
        number = masking.copies(mask_rate, prediction_rate)
        predicted = np.flatnonzero(masked.predicted)
        return BertBatch(
            inputs_BT=torch.from_numpy(masked.inputs),
            segments_BT=None if segments is None else torch.from_numpy(np.repeat(segments, number, axis=0)),
            visible_BT=None if segments is None else torch.from_numpy(np.repeat(tokens != PAD, number, axis=0)),
            documents_BT=None if documents is None else torch.from_numpy(np.repeat(documents, number, axis=0)),
            predicted_M=torch.from_numpy(predicted),
            truths_M=torch.from_numpy(np.repeat(tokens, number, axis=0).ravel()[predicted]),
            labels_B=None if labels is None else torch.from_numpy(np.repeat(labels, number)),
            tokens=int(source.sum()) * number,
            targets=len(predicted),
        )

    def losses(self, batch: BertBatch) -> Losses:
        heads = self.predictions(batch)
        # No word of the batch may fit the count; the mean over nothing is none.
        mlm = cross_entropy(heads["mlm"], batch.truths_M) if len(batch.truths_M) else heads["mlm"].sum()
        parts = {"mlm": mlm}
        if batch.labels_B is not None:
            parts["nsp"] = cross_entropy(heads["nsp"], batch.labels_B)
        return Losses(torch.stack(list(parts.values())).sum(), parts)

    def predictions(self, batch: BertBatch) -> dict[str, Tensor]:
        hidden_BTD = self._hidden(batch.inputs_BT, batch.segments_BT, _mask(batch))
        heads = {"mlm": self._logits(hidden_BTD, batch.predicted_M)}
        if batch.labels_B is not None:
            heads["nsp"] = self._follows(hidden_BTD)
        return heads

    def sees(self, batch: BertBatch) -> dict[str, dict[str, Tensor]]:
        """The row, as far as it belongs to the same document and is no padding; never a truth."""
        B, T = batch.inputs_BT.shape
        row_N = torch.arange(B).repeat_interleave(T)
        may_MN = row_N[batch.predicted_M][:, None] == row_N
        if batch.documents_BT is not None:
            document_N = batch.documents_BT.flatten()
            may_MN = may_MN & (document_N[batch.predicted_M][:, None] == document_N)
        if batch.visible_BT is not None:
            may_MN = may_MN & batch.visible_BT.flatten()
        seen = {"mlm": {"inputs_BT": may_MN, "truths_M": torch.zeros(len(may_MN), len(may_MN), dtype=torch.bool)}}
        if batch.labels_B is not None and batch.visible_BT is not None:
            own_BN = (torch.arange(B)[:, None] == row_N) & batch.visible_BT.flatten()
            seen["nsp"] = {"inputs_BT": own_BN, "labels_B": torch.zeros(B, B, dtype=torch.bool)}
        return seen

    def _hidden(self, tokens_BT: Tensor, segments_BT: Tensor | None, mask: Mask) -> Tensor:
        self._check_length(tokens_BT)
        return self.encoder(self.embedding(tokens_BT, segments_BT), mask)

    def _check_length(self, tokens_BT: Tensor) -> None:
        if tokens_BT.shape[1] > self.context:
            raise ConfigError(f"a sequence of {tokens_BT.shape[1]} tokens does not fit the model's {self.context} positions")

    def _logits(self, hidden_BTD: Tensor, positions_M: Tensor) -> Tensor:
        logits_MV: Tensor = self.head(hidden_BTD.flatten(0, 1).index_select(0, positions_M), self.embedding.token)
        return logits_MV

    def _follows(self, hidden_BTD: Tensor) -> Tensor:
        assert self.pooler is not None
        assert self.follows is not None
        logits_B2: Tensor = self.follows(torch.tanh(self.pooler(hidden_BTD[:, 0])))
        return logits_B2

    @property
    def judges_pairs(self) -> bool:
        return self.follows is not None

    def judge_pairs(self, pairs: Sequence[tuple[np.ndarray, np.ndarray]], device: torch.device) -> Tensor:
        """Return logits [B, 2] of whether the second text follows the first, with the answers of the trained task."""
        tokens, segments = framing.frame_pairs(pairs, self.context, first=CLS, last=SEP, padding=PAD)
        tokens_BT = torch.from_numpy(tokens).to(device)
        segments_BT = torch.from_numpy(segments).to(device)
        return self._follows(self._hidden(tokens_BT, segments_BT, padding(tokens_BT != PAD)))

    def frame(self, ids: list[int]) -> list[int]:
        """[CLS] text [SEP]."""
        return [CLS, *ids, SEP]

    def encode(self, tokens_BT: Tensor, visible_BT: Tensor) -> Tensor:
        """Contextual vectors [B, T, D]; the text is the first segment."""
        return self._hidden(tokens_BT, None, padding(visible_BT))

    def join(self, first: list[int], second: list[int]) -> list[int]:
        """[CLS] first [SEP], or [CLS] first [SEP] second [SEP]. Devlin et al. 2019, figure 2."""
        return [CLS, *first, SEP, *second, SEP] if second else [CLS, *first, SEP]

    def summarize(self, tokens_BT: Tensor, visible_BT: Tensor) -> Tensor:
        """The vector of CLS [B, D], through the pooler if pre-training on pairs has trained one. Section 4.1."""
        ended_BT = (tokens_BT == SEP).long()
        segments_BT = (ended_BT.cumsum(dim=1) - ended_BT).clamp(max=1) * visible_BT
        hidden_BD = self._hidden(tokens_BT, segments_BT, padding(visible_BT))[:, 0]
        return hidden_BD if self.pooler is None else torch.tanh(self.pooler(hidden_BD))

    def fill(self, tokens_BT: Tensor, visible_BT: Tensor, positions_M2: Tensor) -> Tensor:
        """Logits [M, V] at the (row, column) positions."""
        flat_M = positions_M2[:, 0] * tokens_BT.shape[1] + positions_M2[:, 1]
        return self._logits(self.encode(tokens_BT, visible_BT), flat_M)

    def score(self, tokens_BT: Tensor, visible_BT: Tensor, scored_BT: Tensor) -> Tensor:
        """Sum over the scored tokens of log p(token | all others), in nats [B]; each is masked alone, in its own copy."""
        return self.score_hiding(tokens_BT, visible_BT, scored_BT, "token")

    @torch.no_grad()
    def score_hiding(self, tokens_BT: Tensor, visible_BT: Tensor, scored_BT: Tensor, hiding: Hiding) -> Tensor:
        """`score` with more of a token's word hidden in its copy: `ablate.collators.pseudo_likelihood`."""
        self._check_length(tokens_BT)
        # Summed in float64 on the CPU, because not every device has it: twenty terms in single precision err by 1e-5.
        nats_B = torch.zeros(len(tokens_BT), dtype=torch.float64)
        continues_BT = torch.from_numpy(self.vocabulary.continues(tokens_BT.cpu().numpy())).to(tokens_BT.device)
        word_number_BT = pseudo_likelihood.word_numbers(continues_BT, scored_BT)
        end_B = (visible_BT * torch.arange(1, visible_BT.shape[1] + 1, device=visible_BT.device)).amax(dim=1)
        positions = scored_BT.nonzero()
        # Copies of similar length share a chunk, so that little is padded.
        positions = positions[end_B[positions[:, 0]].argsort(stable=True)]
        for chunk in positions.split(max(1, SCORED_AT_ONCE // tokens_BT.shape[1])):
            row, column = chunk.unbind(dim=1)
            width = int(end_B[row].max())
            truth = tokens_BT[row, column]
            hidden = pseudo_likelihood.hidden(word_number_BT[row, :width], column, hiding)
            visible = visible_BT[row, :width]
            embedded = self.embedding(tokens_BT[row, :width].masked_fill(hidden, MASK))
            vectors = self.encoder.at(embedded, column, padding(visible))
            logits = self.head(vectors, self.embedding.token)
            nats_B.index_add_(0, row.cpu(), -cross_entropy(logits, truth, reduction="none").cpu().double())
        return nats_B.to(tokens_BT.device, torch.get_default_dtype())

    def flops(self, batch: BertBatch) -> float:
        """Training FLOPs of the encoder on all rows, and of the heads on the predicted positions."""
        rows, length = batch.inputs_BT.shape
        width = self.backbone.width
        forward = flops.encoder(self.backbone, rows, length)
        forward += flops.linear(batch.targets, width, width) + flops.linear(batch.targets, width, self.vocabulary.size)
        if batch.labels_B is not None:
            forward += flops.linear(rows, width, width) + flops.linear(rows, width, 2)
        return float(flops.TRAINING * forward)


def _mask(batch: BertBatch) -> Mask:
    """The attention mask: full, without padding, or within each document."""
    if batch.documents_BT is not None:
        return same_document(batch.documents_BT, batch.documents_BT)
    return FULL if batch.visible_BT is None else padding(batch.visible_BT)


def _mask_generator(config: BertConfig, noise: Noise, window: Any) -> np.random.Generator:
    """Dynamic masks follow the example, so each epoch differs; static ones follow the window, in one of k versions."""
    if config.static_masks == 0:
        return noise("mask", window.index)
    version = int(noise("mask/version", window.index).integers(config.static_masks))
    return noise(f"mask/static/{version}", window.place)
