"""LSTM language model: the recurrent baseline, which predicts each token from a recurrent state.

    lm = - 1/M  sum over positions t of  log p(x(t) | x(<t))         [nats per token],   M = B T
    p(. | x(<t)) = softmax(E Norm(out(t-1))),   out as in `ablate.nn.recurrent`,   E the token embedding (tied)

It reads the same windows as GPT, and every document of a window begins at a zero state. As in the shared transformer, a norm
follows the embedding and precedes the softmax. The hidden width makes the number of parameters nearest to the transformer's (12
L D^2 and biases, embedding excluded). The two therefore differ in recurrence or attention, and not in size.

Sources: Hochreiter and Schmidhuber 1997; Mikolov et al. 2010, section 2 (recurrent language model). Zaremba et al. 2014,
sections 3.1 and 4.1 (places of dropout, two layers); Press and Wolf 2017, section 3 (tied embeddings).

Shape letters: B batch, T position, D width, V vocabulary, M predicted positions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, final

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, linear

from ablate.config import Backbone, ConfigError, require
from ablate.data.tokenizer import CLS, PAD, SEP
from ablate.data.windows import PackedWindows
from ablate.nn import flops
from ablate.nn.decoding import write
from ablate.nn.recurrent import Recurrent, State, matching_hidden
from ablate.nn.transformer import NORM_EPSILON, Encoder, initialize
from ablate.objectives.base import Losses, Noise, Objective, row_sums
from ablate.objectives.gpt import Gpt, GptBatch, from_the_left, last_visible, require_a_beginning

if TYPE_CHECKING:
    from ablate.data.token_store import TokenStore
    from ablate.data.tokenizer import Vocabulary
    from ablate.nn.decoding import Decoding


@dataclass(frozen=True, kw_only=True)
class LstmConfig:
    """Width, the number of parameters to match and dropout come from the backbone."""

    name: ClassVar[str] = "lstm"

    recurrent_layers: int = 2
    """Stacked LSTM layers. Zaremba et al. 2014, section 4.1: 2."""

    def __post_init__(self) -> None:
        require(self.recurrent_layers >= 1, "objective.recurrent_layers", self.recurrent_layers, "at least 1")


@final
class Lstm(Objective):
    """Zaremba et al. 2014, with tied embeddings, norms, and windows that begin at a zero state."""

    name = "lstm"
    Config = LstmConfig
    Batch = GptBatch
    estimator = "exact"

    def __init__(self, config: LstmConfig, backbone: Backbone, vocabulary: Vocabulary, context: int) -> None:
        super().__init__(config, backbone, vocabulary, context)
        require(backbone.kind == "controlled", "backbone.kind", backbone.kind, "controlled: lstm has no published transformer")
        with torch.device("meta"):
            matched = sum(parameter.numel() for parameter in Encoder(backbone, context).parameters())
        self.hidden = matching_hidden(matched, backbone.width, config.recurrent_layers)
        self.token = nn.Embedding(vocabulary.size, backbone.width)
        self.token_norm = nn.LayerNorm(backbone.width, eps=NORM_EPSILON)
        self.dropout = nn.Dropout(backbone.dropout)
        self.recurrent = Recurrent(backbone.width, self.hidden, config.recurrent_layers, backbone.dropout)
        self.norm = nn.LayerNorm(backbone.width, eps=NORM_EPSILON)
        initialize(self, backbone)

    @classmethod
    def windows(cls, store: TokenStore, config: LstmConfig, context: int) -> PackedWindows:
        return PackedWindows(store, context, before=1)

    @staticmethod
    def collate(
        windows: Sequence[Any], noise: Noise, progress: float, *, config: LstmConfig, vocabulary: Vocabulary, context: int
    ) -> GptBatch:
        return Gpt.collate(windows, noise, progress, config=Gpt.Config(), vocabulary=vocabulary, context=context)

    def losses(self, batch: GptBatch) -> Losses:
        lm = cross_entropy(self.predictions(batch)["lm"], batch.targets_BT.flatten())
        return Losses(lm, {"lm": lm})

    def predictions(self, batch: GptBatch) -> dict[str, Tensor]:
        x_BTD = self._embed(batch.inputs_BT)
        if batch.documents_BT is None:
            out_BTD, _ = self.recurrent(x_BTD)
        else:
            out_BTD = self.recurrent.within_documents(x_BTD, batch.documents_BT)
        return {"lm": self._logits(self.norm(out_BTD).flatten(0, 1))}

    def sees(self, batch: GptBatch) -> dict[str, dict[str, Tensor]]:
        """Its place in the row and those before it, as far as they belong to its document; never a target."""
        return {"lm": from_the_left(batch)}

    def _embed(self, tokens_BT: Tensor) -> Tensor:
        x_BTD: Tensor = self.dropout(self.token_norm(self.token(tokens_BT)))
        return x_BTD

    def _logits(self, hidden_MD: Tensor) -> Tensor:
        return linear(hidden_MD, self.token.weight)

    def frame(self, ids: list[int]) -> list[int]:
        """[SEP] text."""
        return [SEP, *ids]

    def encode(self, tokens_BT: Tensor, visible_BT: Tensor) -> Tensor:
        """Vectors [B, T, D], each of the text up to its place; padding must end the row."""
        if bool((visible_BT[:, 1:] & ~visible_BT[:, :-1]).any()):
            raise ConfigError("padding precedes a token, so the LSTM would read it; put padding at the end of a row")
        hidden_BTD: Tensor = self.norm(self.recurrent(self._embed(tokens_BT))[0])
        return hidden_BTD

    def join(self, first: list[int], second: list[int]) -> list[int]:
        """[SEP] first [CLS] or [SEP] first [SEP] second [CLS], as GPT. Dai and Le 2015, section 2, read the last state too."""
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
        nats_M = -cross_entropy(self._logits(hidden_BTD[scored]), tokens_BT[:, 1:][scored], reduction="none")
        return row_sums(nats_M, scored.nonzero()[:, 0], len(tokens_BT))

    @torch.no_grad()
    def sample(self, prompts_BT: Tensor, length: int, decoding: Decoding, generator: torch.Generator) -> Tensor:
        """Write `length` further tokens of each prompt, int64 [B, length]; the state is carried, so length is unlimited."""
        state: State | None = None

        def step(unread_BT: Tensor) -> Tensor:
            nonlocal state
            out_BTD, state = self.recurrent(self._embed(unread_BT), state)
            return decoding.pick(self._logits(self.norm(out_BTD[:, -1])), generator)

        return write(step, prompts_BT, length, end=SEP, padding=PAD)

    def flops(self, batch: GptBatch) -> float:
        """Training FLOPs of the LSTM, its output matrix and the softmax."""
        positions, width = batch.inputs_BT.numel(), self.backbone.width
        forward = flops.lstm(positions, width, self.hidden, self.config.recurrent_layers)
        forward += flops.linear(positions, self.hidden, width) + flops.linear(positions, width, self.vocabulary.size)
        return float(flops.TRAINING * forward)
