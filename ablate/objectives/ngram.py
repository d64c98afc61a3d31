"""N-grams: predict the next token from the counts of the few tokens before it; the baseline without gradients.

    lm = - 1/M  sum over tokens t of  log p(x(t) | x(t - n + 1) ... x(t - 1))      [nats per token, M tokens]

p is interpolated modified Kneser-Ney, `ablate.nn.kneser_ney`; the order n includes the predicted token. The targets are a
document's tokens and the SEP that ends it. A context goes back to the SEP before the document and no further. Neighbouring
windows overlap by the n - 1 tokens of a context, so counts do not depend on where the text is cut.

Training only counts: no parameter has a gradient, and a training step adds its batch to the counts. Before the first step the
distribution is uniform. The backbone is not used.

Sources: Kneser and Ney 1995; Chen and Goodman 1998 (technical report TR-10-98), sections 2.7 and 4.1.6. Mikolov et al. 2011
("Empirical evaluation and combination of advanced language modeling techniques"), table 1, for its use as a baseline.

Shape letters: B batch, T position, O order, V vocabulary, M predicted positions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, final

import numpy as np
import torch
from torch import Tensor

from ablate.config import Backbone, ConfigError, require
from ablate.data.tokenizer import PAD, SEP
from ablate.data.windows import PackedWindows
from ablate.nn.kneser_ney import Counts, KneserNey, ngrams
from ablate.objectives.base import Losses, Noise, Objective

if TYPE_CHECKING:
    from ablate.data.token_store import TokenStore
    from ablate.data.tokenizer import Vocabulary
    from ablate.nn.decoding import Decoding

OPERATIONS = 4
"""Floating-point operations that an order adds to one probability: subtract, divide, multiply, add."""


@dataclass(frozen=True, kw_only=True)
class NgramConfig:
    name: ClassVar[str] = "ngram"

    order: int = 5
    """Tokens in an n-gram, the predicted one included. Mikolov et al. 2011, table 1: 5."""

    def __post_init__(self) -> None:
        require(1 <= self.order <= 20, "objective.order", self.order, "between 1 and 20 tokens")


class NgramBatch(NamedTuple):
    """Windows with the n - 1 tokens before them."""

    tokens_BT: Tensor
    """int64: every token but the first n - 1 is a target."""
    tokens: int
    targets: int


@final
class Ngram(Objective):
    """Chen and Goodman 1999."""

    name = "ngram"
    Config = NgramConfig
    Batch = NgramBatch
    estimator = "exact"

    def __init__(self, config: NgramConfig, backbone: Backbone, vocabulary: Vocabulary, context: int) -> None:
        super().__init__(config, backbone, vocabulary, context)
        require(backbone.kind == "controlled", "backbone.kind", backbone.kind, "controlled: counts have no published network")
        self.automatic_optimization = False
        self._counts = Counts(config.order, vocabulary.size)
        self._estimate: KneserNey | None = KneserNey(self._counts)
        self._read = 0
        self._running, self._running_read = KneserNey(self._counts), 0

    @classmethod
    def windows(cls, store: TokenStore, config: NgramConfig, context: int) -> PackedWindows:
        return PackedWindows(store, context, before=config.order - 1)

    @staticmethod
    def collate(
        windows: Sequence[Any], noise: Noise, progress: float, *, config: NgramConfig, vocabulary: Vocabulary, context: int
    ) -> NgramBatch:
        tokens_BT = np.stack([window.tokens_T for window in windows])
        guessed_BT = tokens_BT[:, config.order - 1 :]
        return NgramBatch(torch.from_numpy(tokens_BT), int((guessed_BT != SEP).sum()), guessed_BT.size)

    def losses(self, batch: NgramBatch) -> Losses:
        """Losses under all counts so far; without a gradient."""
        return self._losses(self.estimate(), batch)

    def predictions(self, batch: NgramBatch) -> dict[str, Tensor]:
        return {"lm": self._logits(batch.tokens_BT)}

    def sees(self, batch: NgramBatch) -> dict[str, dict[str, Tensor]]:
        """The n - 1 tokens before it, back to the nearest SEP."""
        B, width = batch.tokens_BT.shape
        may_BTBT = torch.zeros(B, width, B, width, dtype=torch.bool)
        for row, tokens_T in enumerate(batch.tokens_BT.tolist()):
            for target in range(self.config.order - 1, width):
                for place in range(target - 1, target - self.config.order, -1):
                    may_BTBT[row, target, row, place] = True
                    if tokens_T[place] == SEP:
                        break
        return {"lm": {"tokens_BT": may_BTBT[:, self.config.order - 1 :].flatten(2).flatten(0, 1)}}

    def training_step(self, batch: NgramBatch, batch_index: int = 0) -> Tensor:
        """Count the batch.

        The stored loss is that of the batch before it is counted. Its estimate is renewed whenever the tokens read have
        doubled: a new estimate for each batch would make the time quadratic.
        """
        if self._read >= 2 * self._running_read:
            self._running, self._running_read = KneserNey(self._counts), self._read
        self.last_losses = self._losses(self._running, batch)
        rows_MO = self._rows(batch.tokens_BT)
        self._counts.add(rows_MO)
        self._read += len(rows_MO)
        self._estimate = None
        return self.last_losses.loss

    def configure_optimizers(self) -> None:
        """Counting needs no optimizer."""

    def estimate(self) -> KneserNey:
        """The distribution of all counts, estimated on first use."""
        if self._estimate is None:
            self._estimate = KneserNey(self._counts)
        return self._estimate

    def frame(self, ids: list[int]) -> list[int]:
        """[SEP] text."""
        return [SEP, *ids]

    @torch.no_grad()
    def score(self, tokens_BT: Tensor, visible_BT: Tensor, scored_BT: Tensor) -> Tensor:
        """Sum over the scored tokens of log p(token | those before it), in nats [B]."""
        rows_BTO = self._rows(torch.where(visible_BT, tokens_BT, SEP), framed=True).reshape(*tokens_BT.shape, -1)
        scored = scored_BT.cpu().numpy()
        nats_BT = np.zeros(scored.shape)
        nats_BT[scored] = self.estimate().log_probability(rows_BTO[scored])
        return torch.from_numpy(nats_BT.sum(axis=1)).to(tokens_BT.device, torch.get_default_dtype())

    def sample(self, prompts_BT: Tensor, length: int, decoding: Decoding, generator: torch.Generator) -> Tensor:
        """Write `length` further tokens of each framed prompt, int64 [B, length]; after a SEP only PAD."""
        if prompts_BT.shape[1] == 0:
            raise ConfigError("the prompt is empty; begin a text with frame([])")
        tokens_BT, end = prompts_BT, prompts_BT.shape[1]
        ended_B = torch.zeros(len(prompts_BT), dtype=torch.bool, device=prompts_BT.device)
        for _ in range(length):
            # The place of the predicted token is ignored but must hold a token.
            recent = torch.nn.functional.pad(tokens_BT[:, -self.config.order :], (self.config.order, 1), value=SEP)
            chosen_B = decoding.pick(self._logits(recent[:, -self.config.order :]), generator)
            chosen_B = torch.where(ended_B, PAD, chosen_B)
            ended_B = ended_B | (chosen_B == SEP)
            tokens_BT = torch.cat([tokens_BT, chosen_B[:, None]], dim=1)
        return tokens_BT[:, end:]

    def flops(self, batch: NgramBatch) -> float:
        """FLOPs of one probability a target, `OPERATIONS` for each order; counting is sorting and has none."""
        return float(OPERATIONS * self.config.order * batch.targets)

    def get_extra_state(self) -> Tensor:
        """The distinct n-grams and their counts, [N, O + 1], int32 if they fit; the size grows with training."""
        table = np.column_stack(self._counts.table())
        return torch.from_numpy(table.astype(np.int32 if table.max(initial=0) < 2**31 else np.int64))

    def set_extra_state(self, state: Tensor) -> None:
        """Restore the state of `get_extra_state`."""
        table = state.cpu().numpy()
        if table.ndim != 2 or table.shape[1] != self.config.order + 1:
            raise ConfigError(f"counts of shape {list(table.shape)} do not fit order {self.config.order}")
        self._counts.restore(table[:, :-1], table[:, -1])
        self._read = int(table[:, -1].sum())
        self._running, self._running_read = KneserNey(self._counts), self._read
        self._estimate = self._running

    def _rows(self, tokens_BT: Tensor, framed: bool = False) -> np.ndarray:
        """N-grams [M, O]; `framed`: of every token, with an empty context before the first."""
        tokens = tokens_BT.cpu().numpy()
        if framed:
            tokens = np.pad(tokens, ((0, 0), (self.config.order - 1, 0)), constant_values=SEP)
        return ngrams(tokens, self.config.order, SEP).reshape(-1, self.config.order)

    def _logits(self, tokens_BT: Tensor) -> Tensor:
        logits_MV = np.log(self.estimate().distribution(self._rows(tokens_BT)))
        return torch.from_numpy(logits_MV).to(tokens_BT.device, torch.get_default_dtype())

    def _losses(self, estimate: KneserNey, batch: NgramBatch) -> Losses:
        nats = -estimate.log_probability(self._rows(batch.tokens_BT)).mean()
        loss = torch.tensor(nats, dtype=torch.get_default_dtype(), device=batch.tokens_BT.device)
        return Losses(loss, {"lm": loss})
