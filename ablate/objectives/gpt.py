"""GPT: predict each token from those before it; the same model generates text.

    lm = - 1/M  sum over positions t of  log p(x(t) | x(<t))         [nats per token],   M = B T
    p(. | x(<t)) = softmax(E h(t-1))             published        E the token embedding (tied)
    p(. | x(<t)) = softmax(head(h(t-1)))         controlled       head as in `ablate.nn.head`

The inputs of a window are its T targets shifted by one place, so every position is a target, including the SEP that ends a
document. SEP also begins the next document: a text by itself is read as [SEP] text. Documents packed into one row do not see
each other; learned positions count from the start of the row.

Sources: Radford et al. 2018, section 3.1 (the loss); Radford et al. 2019, section 2 (the published architecture:
`ablate.nn.published.gpt2`); Press and Wolf 2017, section 3 (tied embeddings). Decoding: `ablate.nn.decoding`.

Shape letters: B batch, T position, D width, V vocabulary, M predicted positions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from ablate.collators import framing
from ablate.config import Backbone, ConfigError
from ablate.data.tokenizer import CLS, MASK, PAD, SEP, UNK
from ablate.data.windows import PackedWindows
from ablate.nn import flops
from ablate.nn.attention import FULL, Causal, Lengths, Mask
from ablate.nn.attention.packing import padding, same_document
from ablate.nn.decoding import Decoding, write
from ablate.nn.embedding import Embedding
from ablate.nn.head import Head
from ablate.nn.published.gpt2 import Gpt2
from ablate.nn.transformer import Cache, Encoder, initialize
from ablate.objectives.base import Losses, Noise, Objective, row_sums

if TYPE_CHECKING:
    from ablate.data.token_store import TokenStore
    from ablate.data.tokenizer import Vocabulary


NOT_ASKED = -100
"""A target without loss: the value that torch's cross entropy ignores."""


@dataclass(frozen=True, kw_only=True)
class GptConfig:
    """The causal language model has no settings but its backbone."""

    name: ClassVar[str] = "gpt"


class GptBatch(NamedTuple):
    """Rows of T places, each with its token and the next one."""

    inputs_BT: Tensor
    """int64"""
    targets_BT: Tensor
    """int64: `inputs_BT` one place later."""
    documents_BT: Tensor | None
    """int32: the document of the target, so a SEP input belongs to the document after it; None if every row holds one
    document."""
    tokens: int
    targets: int


class LeftToRight(nn.Module):
    """The shared encoder with a causal mask: tokens [B, T] -> vectors [B, T, D]."""

    def __init__(self, vocabulary: int, backbone: Backbone, context: int) -> None:
        super().__init__()
        self.embedding = Embedding(vocabulary, backbone, context)
        self.encoder = Encoder(backbone, context)
        self.head = Head(vocabulary, backbone)
        initialize(self, backbone)

    def forward(self, tokens_BT: Tensor, mask: Mask = FULL, cache: Cache | None = None) -> Tensor:
        """Return the vectors. `mask` narrows the causal mask; `cache` is that of `Encoder`."""
        first = cache.length if cache is not None else 0
        return self.encoder(self.embedding(tokens_BT, first=first), Causal() & mask, cache=cache)

    def logits(self, hidden_BTD: Tensor) -> Tensor:
        """[..., D] -> [..., V]."""
        logits_BTV: Tensor = self.head(hidden_BTD, self.embedding.token)
        return logits_BTV


@final
class Gpt(Objective):
    """Radford et al. 2018, 2019."""

    name = "gpt"
    Config = GptConfig
    Batch = GptBatch
    estimator = "exact"
    cue = "target:"
    """Marks where the answer begins, for a language model. Raffel et al. 2020, section 3.2.1."""

    def __init__(self, config: GptConfig, backbone: Backbone, vocabulary: Vocabulary, context: int) -> None:
        super().__init__(config, backbone, vocabulary, context)
        network = Gpt2 if backbone.kind == "published" else LeftToRight
        self.network: Gpt2 | LeftToRight = network(vocabulary.size, backbone, context)

    @classmethod
    def windows(cls, store: TokenStore, config: GptConfig, context: int) -> PackedWindows:
        return PackedWindows(store, context, before=1)

    @staticmethod
    def collate(
        windows: Sequence[Any], noise: Noise, progress: float, *, config: GptConfig, vocabulary: Vocabulary, context: int
    ) -> GptBatch:
        tokens = torch.from_numpy(np.stack([window.tokens_T for window in windows]))
        targets = tokens[:, 1:].contiguous()
        documents = framing.documents([window.documents_T[1:] for window in windows])
        return GptBatch(
            inputs_BT=tokens[:, :-1].contiguous(),
            targets_BT=targets,
            documents_BT=None if documents is None else torch.from_numpy(documents),
            tokens=int(((targets > MASK) | (targets == UNK)).sum()),
            targets=targets.numel(),
        )

    def losses(self, batch: GptBatch) -> Losses:
        lm = cross_entropy(self.predictions(batch)["lm"], batch.targets_BT.flatten())
        return Losses(lm, {"lm": lm})

    def predictions(self, batch: GptBatch) -> dict[str, Tensor]:
        mask = same_document(batch.documents_BT, batch.documents_BT)
        return {"lm": self.network.logits(self._hidden(batch.inputs_BT, mask).flatten(0, 1))}

    def sees(self, batch: GptBatch) -> dict[str, dict[str, Tensor]]:
        """Its place in the row and those before it, as far as they belong to its document; never a target."""
        return {"lm": from_the_left(batch)}

    def _hidden(self, tokens_BT: Tensor, mask: Mask = FULL, cache: Cache | None = None) -> Tensor:
        length = tokens_BT.shape[1] + (cache.length if cache is not None else 0)
        if length > self.context:
            raise ConfigError(f"{length} tokens, but the model has data.context = {self.context} positions")
        hidden_BTD: Tensor = self.network(tokens_BT, mask, cache)
        return hidden_BTD

    def frame(self, ids: list[int]) -> list[int]:
        """[SEP] text."""
        return [SEP, *ids]

    def encode(self, tokens_BT: Tensor, visible_BT: Tensor) -> Tensor:
        """Vectors [B, T, D], each of the text up to its place."""
        mask = padding(visible_BT)
        # Padding at the end comes after every token, so the causal mask hides it.
        return self._hidden(tokens_BT, FULL if isinstance(mask, Lengths) else mask)

    def join(self, first: list[int], second: list[int]) -> list[int]:
        """[SEP] first [CLS], or [SEP] first [SEP] second [CLS]: start, delimiter and extract token.

        Radford et al. 2018, section 3.3. CLS occurs in no other text, so fine-tuning teaches its use, as for their extract
        token.
        """
        return [SEP, *first, *([SEP, *second] if second else []), CLS]

    def summarize(self, tokens_BT: Tensor, visible_BT: Tensor) -> Tensor:
        """The vector of the last token [B, D], which has seen the whole text."""
        return last_visible(self.encode(tokens_BT, visible_BT), visible_BT)

    @torch.no_grad()
    def score(self, tokens_BT: Tensor, visible_BT: Tensor, scored_BT: Tensor) -> Tensor:
        """Sum over the scored tokens of log p(token | those before it), in nats [B]."""
        require_a_beginning(scored_BT)
        hidden_BTD = self.encode(tokens_BT[:, :-1], visible_BT[:, :-1])
        scored = scored_BT[:, 1:]
        nats_M = -cross_entropy(self.network.logits(hidden_BTD[scored]), tokens_BT[:, 1:][scored], reduction="none")
        return row_sums(nats_M, scored.nonzero()[:, 0], len(tokens_BT))

    @torch.no_grad()
    def sample(self, prompts_BT: Tensor, length: int, decoding: Decoding, generator: torch.Generator) -> Tensor:
        """Write `length` further tokens of each prompt, int64 [B, length]; each token is read once."""
        T, cache = prompts_BT.shape[1], Cache()
        if T + length - 1 > self.context:
            needs = f"a prompt of {T} tokens and {length} more need {T + length - 1} positions"
            raise ConfigError(f"{needs}, but the model has data.context = {self.context}")

        def step(unread_BT: Tensor) -> Tensor:
            return decoding.pick(self.network.logits(self._hidden(unread_BT, cache=cache)[:, -1]), generator)

        return write(step, prompts_BT, length, end=SEP, padding=PAD)

    def text_to_text(self, inputs: Sequence[Sequence[int]], targets: Sequence[Sequence[int]]) -> GptBatch:
        """Return a batch for `losses`: each question followed by its answer, the loss on the answers and their SEP."""
        if not targets:
            raise ConfigError("the batch has no example, but must have at least one")
        rows = [[*self.frame(list(x)), *y, SEP] for x, y in zip(inputs, targets, strict=True)]
        tokens_BT, documents_BT = np.full((2, len(rows), max(map(len, rows))), PAD)
        targets_BT = np.full(tokens_BT.shape, NOT_ASKED)
        documents_BT[:] = -1
        for b, (row, answer) in enumerate(zip(rows, targets, strict=True)):
            tokens_BT[b, : len(row)], documents_BT[b, : len(row)] = row, 0
            targets_BT[b, len(row) - len(answer) - 1 : len(row)] = row[len(row) - len(answer) - 1 :]
        return GptBatch(
            inputs_BT=torch.from_numpy(tokens_BT[:, :-1].copy()),
            targets_BT=torch.from_numpy(targets_BT[:, 1:].copy()),
            documents_BT=None if (documents_BT == 0).all() else torch.from_numpy(documents_BT[:, 1:].astype(np.int32)),
            tokens=sum(len(x) + len(y) for x, y in zip(inputs, targets, strict=True)),
            targets=sum(len(y) + 1 for y in targets),
        )

    @torch.no_grad()
    def answer(self, inputs_BT: Tensor, length: int) -> Tensor:
        """Write the greedy continuation of each framed question, int64 [B, length]; after a SEP only PAD."""
        return self.sample(inputs_BT, length, Decoding(greedy=True), torch.Generator())

    def flops(self, batch: GptBatch) -> float:
        """Training FLOPs of the blocks, attention by the pairs that see each other, and of the head."""
        return self._flops(batch, dense=False)

    def dense_flops(self, batch: GptBatch) -> float:
        return self._flops(batch, dense=True)

    def _flops(self, batch: GptBatch, dense: bool) -> float:
        rows, length = batch.inputs_BT.shape
        forward = flops.encoder(self.backbone, rows, length, causal=not dense)
        forward += flops.linear(rows * length, self.backbone.width, self.vocabulary.size)
        if isinstance(self.network, LeftToRight):
            forward += flops.linear(rows * length, self.backbone.width, self.backbone.width)
        return float(flops.TRAINING * forward)


def last_visible(hidden_BTD: Tensor, visible_BT: Tensor) -> Tensor:
    """The vector [B, D] of the last place of each row that is not padding."""
    last_B = visible_BT.sum(dim=1) - 1
    return hidden_BTD[torch.arange(len(last_B), device=last_B.device), last_B]


def require_a_beginning(scored_BT: Tensor) -> None:
    """Refuse to score the first token of a row, which no token precedes."""
    if bool(scored_BT[:, 0].any()):
        raise ConfigError("the first token of a row is scored, but no token precedes it; frame the text")


def from_the_left(batch: GptBatch) -> dict[str, Tensor]:
    """The entries of `Objective.sees` for a causal model."""
    B, T = batch.inputs_BT.shape
    row_M, place_M = torch.arange(B).repeat_interleave(T), torch.arange(T).repeat(B)
    may_MN = (row_M[:, None] == row_M) & (place_M[:, None] >= place_M)
    if batch.documents_BT is not None:
        document_M = batch.documents_BT.flatten()
        may_MN = may_MN & (document_M[:, None] == document_M)
    return {"inputs_BT": may_MN, "targets_BT": torch.zeros_like(may_MN)}
