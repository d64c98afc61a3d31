"""T5: an encoder reads a corrupted text, a decoder writes the missing parts; every other task is text to text as well.

    loss = - 1/M  sum over examples and places u of  log p(y(u) | y(<u), x)       [nats per decoder token]

x is the encoder's input and y the decoder's target, with sentinels and the final SEP. The table in `ablate.collators.denoising`
shows x and y for each corruption. Raffel et al. 2020: section 2.4 (text to text), 3.1.2 (maximum likelihood), 3.1.4 and 3.3
(the corruptions). Documents packed into one row are separate examples. No example sees another, and each counts its sentinels
and positions from its beginning. The budget counts the raw tokens read, not x and y.

A continuation has the form of pre-training. By default the encoder reads `prompt <0>` and the decoder writes after `<0>`. With
`bert` and `mass` the encoder reads `prompt MASK`, with `deshuffling` the prompt; the decoder then starts with the prompt. With
`prefix` the encoder reads the prompt, and the decoder writes the continuation. The probability of a text is that of the
continuation of an empty prompt. It is exact, by the chain rule, but pre-training always shows some text and never trains this
case.

Shape letters: B batch, T encoder position, U decoder position, D width, V vocabulary with sentinels, M predicted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, final

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from ablate.collators import text_to_text
from ablate.collators.denoising import Corruption, Kind
from ablate.collators.text_to_text import Example
from ablate.config import Backbone, ConfigError, require
from ablate.data.tokenizer import MASK, PAD, SEP
from ablate.data.windows import PackedWindows
from ablate.nn import flops
from ablate.nn.decoder import EncoderDecoder, Memory, forward_flops
from ablate.nn.decoding import Decoding, write
from ablate.nn.published.t5 import T5Network
from ablate.nn.transformer import Cache
from ablate.objectives.base import Losses, Noise, Objective, row_sums

if TYPE_CHECKING:
    from ablate.data.token_store import TokenStore
    from ablate.data.tokenizer import Vocabulary

PUBLISHED_SENTINELS = 100
"""<extra_id_0> to <extra_id_99> of the released vocabulary."""


@dataclass(frozen=True, kw_only=True)
class T5Config:
    """Sources are sections of Raffel et al. 2020."""

    name: ClassVar[str] = "t5"

    corruption: Kind = "spans"
    """How a text becomes an example: `ablate.collators.denoising`. Sections 3.1.4 and 3.3, tables 3 to 7."""
    corruption_rate: float = 0.15
    """Share of hidden tokens; `prefix` and `deshuffling` have none. Section 3.3.3, table 6."""
    mean_span_length: float = 3.0
    """Tokens in a span, for `corruption="spans"`. Section 3.3.4, table 7."""

    def __post_init__(self) -> None:
        # Above 0.9 a window of raw text would be many times as long as its input.
        require(0 < self.corruption_rate <= 0.9, "objective.corruption_rate", self.corruption_rate, "in (0, 0.9]")
        require(self.mean_span_length >= 1, "objective.mean_span_length", self.mean_span_length, "at least 1 token")


class T5Batch(NamedTuple):
    """Rows of examples: T tokens for the encoder and U for the decoder."""

    inputs_BT: Tensor
    """int64: the encoder's input."""
    documents_BT: Tensor | None
    """int32: a token's example within its row, -1 on padding; None if every row is one example without padding."""
    decoder_inputs_BU: Tensor
    """int64: PAD, which starts an example, then its target without the last token."""
    decoder_documents_BU: Tensor | None
    """int32: as `documents_BT`."""
    predicted_M: Tensor
    """int64: places in the flattened decoder rows that are not padding, ascending."""
    truths_M: Tensor
    """int64: the target tokens; sentinel i is the vocabulary's size + i."""
    tokens: int
    targets: int


@final
class T5(Objective):
    """Raffel et al. 2020."""

    name = "t5"
    Config = T5Config
    Batch = T5Batch
    estimator = "exact"
    cue = ""

    def __init__(self, config: T5Config, backbone: Backbone, vocabulary: Vocabulary, context: int) -> None:
        super().__init__(config, backbone, vocabulary, context)
        published = backbone.kind == "published"
        corruption = _corruption(config)
        self.sentinels = max(corruption.sentinels(context), PUBLISHED_SENTINELS if published else 0)
        types = vocabulary.size + self.sentinels
        # A framed text of `context` tokens can be written behind a start and a sentinel.
        self.decoder_context = max(corruption.longest_target(context), context + 2)
        self.network: EncoderDecoder | T5Network = (
            T5Network(types, backbone) if published else EncoderDecoder(types, backbone, context, self.decoder_context)
        )

    @classmethod
    def windows(cls, store: TokenStore, config: T5Config, context: int) -> PackedWindows:
        return PackedWindows(store, _corruption(config).raw_length(context))

    @staticmethod
    def collate(
        windows: Sequence[Any], noise: Noise, progress: float, *, config: T5Config, vocabulary: Vocabulary, context: int
    ) -> T5Batch:
        corruption, rows, tokens = _corruption(config), [], 0
        for window in windows:
            ends = np.flatnonzero(window.tokens_T == SEP)
            pieces = (piece[piece != SEP] for piece in np.split(window.tokens_T, ends + 1))
            texts = [piece for piece in pieces if len(piece)]
            examples, used = corruption.corrupt(texts, noise("corruption", window.index), vocabulary.size, context)
            rows.append(examples)
            tokens += used
        return _batch(rows, tokens, room=context)

    def losses(self, batch: T5Batch) -> Losses:
        lm = cross_entropy(self.predictions(batch)["lm"], batch.truths_M)
        return Losses(lm, {"lm": lm})

    def predictions(self, batch: T5Batch) -> dict[str, Tensor]:
        memory = self._read(batch.inputs_BT, batch.documents_BT)
        hidden_BUD = self.network.decode(batch.decoder_inputs_BU, memory, batch.decoder_documents_BU)
        return {"lm": self.network.logits(hidden_BUD.flatten(0, 1).index_select(0, batch.predicted_M))}

    def sees(self, batch: T5Batch) -> dict[str, dict[str, Tensor]]:
        """Of its own example: all that the encoder reads, and what the decoder has been given so far; never a truth."""
        (B, T), U = batch.inputs_BT.shape, batch.decoder_inputs_BU.shape[1]
        row_M, place_M = batch.predicted_M // U, batch.predicted_M % U
        read_MN = row_M[:, None] == torch.arange(B).repeat_interleave(T)
        given_MN = row_M[:, None] == torch.arange(B).repeat_interleave(U)
        given_MN &= place_M[:, None] >= torch.arange(U).repeat(B)
        if batch.documents_BT is not None and batch.decoder_documents_BU is not None:
            own_M1 = batch.decoder_documents_BU.flatten()[batch.predicted_M][:, None]
            read_MN &= own_M1 == batch.documents_BT.flatten()
            given_MN &= own_M1 == batch.decoder_documents_BU.flatten()
        truths_MM = torch.zeros(len(row_M), len(row_M), dtype=torch.bool)
        return {"lm": {"inputs_BT": read_MN, "decoder_inputs_BU": given_MN, "truths_M": truths_MM}}

    def _read(self, tokens_BT: Tensor, documents_BT: Tensor | None) -> Memory:
        return self.network.memory(self._encode(tokens_BT, documents_BT), documents_BT)

    def _encode(self, tokens_BT: Tensor, documents_BT: Tensor | None) -> Tensor:
        self._check(tokens_BT.shape[1], self.context, "to be read", "data.context")
        return self.network.encode(tokens_BT, documents_BT)

    def _decode(self, tokens_BU: Tensor, memory: Memory, documents_BU: Tensor | None, cache: Cache | None = None) -> Tensor:
        length = tokens_BU.shape[1] + (0 if cache is None else cache.length)
        self._check(length, self.decoder_context, "to be written", "the decoder")
        return self.network.decode(tokens_BU, memory, documents_BU, cache)

    def _check(self, length: int, positions: int, what: str, whose: str) -> None:
        """Refuse a length beyond the positions; the published relative positions have no limit."""
        if length > positions and isinstance(self.network, EncoderDecoder):
            raise ConfigError(f"{length} tokens {what}, but {whose} has {positions} positions")

    def frame(self, ids: list[int]) -> list[int]:
        """Text [SEP], as the encoder reads it."""
        return [*ids, SEP]

    def encode(self, tokens_BT: Tensor, visible_BT: Tensor) -> Tensor:
        """Vectors [B, T, D] of the encoder."""
        return self._encode(tokens_BT, _one_document(visible_BT))

    def join(self, first: list[int], second: list[int]) -> list[int]:
        """first [SEP], or first [SEP] second [SEP], as the encoder reads it."""
        return [*first, SEP, *second, SEP] if second else [*first, SEP]

    def summarize(self, tokens_BT: Tensor, visible_BT: Tensor) -> Tensor:
        """The encoder's vectors averaged over the row [B, D]. Ni et al. 2022 (Sentence-T5), section 3.1, encoder-only mean."""
        hidden_BTD = self.encode(tokens_BT, visible_BT) * visible_BT[..., None]
        return hidden_BTD.sum(dim=1) / visible_BT.sum(dim=1, keepdim=True)

    @torch.no_grad()
    def score(self, tokens_BT: Tensor, visible_BT: Tensor, scored_BT: Tensor) -> Tensor:
        """Sum over the scored tokens of log p(token | earlier ones, the empty prompt), in nats [B]; padding must come last."""
        inputs_BT, start_BU = self._ask(tokens_BT[:, :0])
        memory = self._read(inputs_BT, None)
        # A scored SEP ends the text and the decoder's output.
        fed_BU = torch.cat([start_BU, tokens_BT[:, :-1]], dim=1)
        hidden_BTD = self._decode(fed_BU, memory, None)[:, start_BU.shape[1] - 1 :]
        scored = scored_BT & visible_BT
        nats_M = -cross_entropy(self.network.logits(hidden_BTD[scored]), tokens_BT[scored], reduction="none")
        return row_sums(nats_M, scored.nonzero()[:, 0], len(tokens_BT))

    @torch.no_grad()
    def sample(self, prompts_BT: Tensor, length: int, decoding: Decoding, generator: torch.Generator) -> Tensor:
        """Write `length` further tokens of each framed prompt, int64 [B, length]; a further sentinel ends a text like SEP."""
        if prompts_BT.shape[1] == 0:
            raise ConfigError("the prompt is empty; begin a text with frame([])")
        inputs_BT, start_BU = self._ask(prompts_BT[:, :-1])
        return self._write(self._read(inputs_BT, None), start_BU, length, decoding, generator)

    def _ask(self, prompts_BT: Tensor) -> tuple[Tensor, Tensor]:
        """Return the encoder's input and the decoder's first tokens for the continuation of a text."""

        def column(token: int) -> Tensor:
            return prompts_BT.new_full((len(prompts_BT), 1), token)

        sentinel = column(self.vocabulary.size)
        match self.config.corruption:
            case "spans" | "iid":
                read, start = [prompts_BT, sentinel], [sentinel]
            case "bert" | "mass":
                read, start = [prompts_BT, column(MASK)], [prompts_BT]
            case "deshuffling":
                read, start = [prompts_BT], [prompts_BT]
            case "prefix":
                read, start = [prompts_BT], []
        return torch.cat([*read, column(SEP)], dim=1), torch.cat([column(PAD), *start], dim=1)

    def _write(self, memory: Memory, start_BU: Tensor, length: int, decoding: Decoding, generator: torch.Generator) -> Tensor:
        """Write the decoder's further tokens, int64 [B, length], each read once."""
        self._check(start_BU.shape[1] + length - 1, self.decoder_context, "to be written", "the decoder")
        cache = Cache()

        def step(unread_BU: Tensor) -> Tensor:
            documents_BU = None if memory.documents_BS is None else torch.zeros_like(unread_BU)
            hidden_BUD = self._decode(unread_BU, memory, documents_BU, cache)
            picked_B = decoding.pick(self.network.logits(hidden_BUD[:, -1]), generator)
            return picked_B.masked_fill(picked_B >= self.vocabulary.size, SEP)

        return write(step, start_BU, length, end=SEP, padding=PAD)

    def text_to_text(self, inputs: Sequence[Sequence[int]], targets: Sequence[Sequence[int]]) -> T5Batch:
        """Return a batch for `losses`: one example a row, both sides without their SEP."""
        if not targets:
            raise ConfigError("the batch has no example, but must have at least one")
        if not all(map(len, targets)):
            raise ConfigError("a target is empty, but must have at least one token")
        self._check(max(map(len, targets)) + 1, self.decoder_context, "to be written", "the decoder")
        pairs = [Example(np.asarray(x, np.int64), np.asarray(y, np.int64)) for x, y in zip(inputs, targets, strict=True)]
        return _batch([[pair] for pair in pairs], sum(len(x) + len(y) for x, y in pairs))

    @torch.no_grad()
    def generate(
        self, inputs_BT: Tensor, visible_BT: Tensor, length: int, decoding: Decoding, generator: torch.Generator
    ) -> Tensor:
        """Write the decoder's answer to each framed input, int64 [B, length]; after a SEP only PAD."""
        memory = self._read(inputs_BT, _one_document(visible_BT))
        return self._write(memory, torch.full_like(inputs_BT[:, :1], PAD), length, decoding, generator)

    def answer(self, inputs_BT: Tensor, length: int) -> Tensor:
        """Write the decoder's greedy answer to each framed question, int64 [B, length]."""
        visible_BT = torch.ones_like(inputs_BT, dtype=torch.bool)
        return self.generate(inputs_BT, visible_BT, length, Decoding(greedy=True), torch.Generator())

    def flops(self, batch: T5Batch) -> float:
        """Training FLOPs of both halves on all rows, and of the head on the targets."""
        return self._flops(batch, dense=False)

    def dense_flops(self, batch: T5Batch) -> float:
        return self._flops(batch, dense=True)

    def _flops(self, batch: T5Batch, dense: bool) -> float:
        (rows, source), length = batch.inputs_BT.shape, batch.decoder_inputs_BU.shape[1]
        width = self.backbone.width
        forward = forward_flops(self.backbone, rows, source, length, dense)
        forward += flops.linear(batch.targets, width, self.vocabulary.size + self.sentinels)
        if isinstance(self.network, EncoderDecoder):
            forward += flops.linear(batch.targets, width, width)
        return float(flops.TRAINING * forward)


def _corruption(config: T5Config) -> Corruption:
    return Corruption(config.corruption, config.corruption_rate, config.mean_span_length)


def _batch(rows: list[list[Example]], tokens: int, room: int = 0) -> T5Batch:
    packed = text_to_text.pack(rows, start=PAD, end=SEP, padding=PAD, room=room)
    one_each = bool((packed.documents_BT == 0).all() and (packed.decoder_documents_BU == 0).all())
    predicted = np.flatnonzero(packed.decoder_documents_BU >= 0)
    return T5Batch(
        inputs_BT=torch.from_numpy(packed.inputs_BT),
        documents_BT=None if one_each else torch.from_numpy(packed.documents_BT),
        decoder_inputs_BU=torch.from_numpy(packed.decoder_inputs_BU),
        decoder_documents_BU=None if one_each else torch.from_numpy(packed.decoder_documents_BU),
        predicted_M=torch.from_numpy(predicted),
        truths_M=torch.from_numpy(packed.decoder_targets_BU.ravel()[predicted]),
        tokens=tokens,
        targets=len(predicted),
    )


def _one_document(visible_BT: Tensor) -> Tensor | None:
    """Document numbers that exclude the padding of one example in each row; None without padding."""
    return None if bool(visible_BT.all()) else visible_BT.to(torch.int32) - 1
