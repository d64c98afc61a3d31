"""An objective makes targets from text and has a loss on them. The contract is abstract here; each objective is final in a file
of its own.

    windows -> collate (pure, in a loader's worker) -> Batch -> losses -> Losses

Capabilities are protocols for what a trained model can do besides its own loss. An objective has one by having its methods.
Evaluations need a capability, never an objective.

Shape letters: B batch, T position, D width, V vocabulary, M predicted positions.
"""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol, Self, runtime_checkable

import numpy as np
import torch
from lightning import LightningModule
from torch import Tensor, nn

from ablate.config import Backbone, ConfigError, Optimization, RunConfig

if TYPE_CHECKING:
    from ablate.collators.pseudo_likelihood import Hiding
    from ablate.data.module import Windows
    from ablate.data.token_store import TokenStore
    from ablate.data.tokenizer import Vocabulary
    from ablate.nn.decoding import Decoding

Noise = Callable[[str, int], np.random.Generator]
"""(stream, index) -> generator: `ablate.seeds.generator` with its seed already given."""


class Losses(NamedTuple):
    """The loss of one batch."""

    loss: Tensor
    """The minimised mean in nats per target; the sum of the parts."""
    parts: dict[str, Tensor]
    """Its summands by name, e.g. `mlm`, `nsp`."""


class Objective(LightningModule, ABC):
    """The contract. A subclass is final: it nests `Config` and `Batch` and implements the abstract methods."""

    name: ClassVar[str]
    Config: ClassVar[type[Any]]
    """Frozen, keyword-only dataclass with the objective's `name`."""
    Batch: ClassVar[type[Any]]
    """NamedTuple of tensors and two integers: `tokens`, source tokens read, and `targets`, predictions the loss is taken on."""

    def __init__(self, config: Any, backbone: Backbone, vocabulary: Vocabulary, context: int) -> None:
        super().__init__()
        self.config, self.backbone, self.vocabulary, self.context = config, backbone, vocabulary, context
        self.optimization = Optimization()
        self.seed = 0
        self.last_losses: Losses | None = None
        """Losses of the latest training step, detached, for logging."""

    @classmethod
    def from_run(cls, run: RunConfig, vocabulary: Vocabulary) -> Self:
        """Return a newly initialised model. Its weights are a function of torch's global seed."""
        if not isinstance(run.objective, cls.Config):
            raise ConfigError(f"objective = {run.objective!r}, but {cls.__name__} takes a {cls.__name__}.Config")
        model = cls(run.objective, run.backbone, vocabulary, run.data.context)
        model.optimization, model.seed = run.optimization, run.seed
        return model

    @classmethod
    @abstractmethod
    def windows(cls, store: TokenStore, config: Any, context: int) -> Windows:
        """The pieces of text that one example is made of."""

    @staticmethod
    @abstractmethod
    def collate(
        windows: Sequence[Any], noise: Noise, progress: float, *, config: Any, vocabulary: Vocabulary, context: int
    ) -> Any:
        """Windows to a `Batch`: pure, and each example a function of its own window and noise alone.

        `progress` in [0, 1] is the share of the token budget that was read before this batch; schedules follow it.
        """

    def collator(self) -> functools.partial[Any]:
        """`collate(windows, noise, progress)` that loader workers can carry: it holds no weights."""
        return functools.partial(type(self).collate, config=self.config, vocabulary=self.vocabulary, context=self.context)

    @abstractmethod
    def losses(self, batch: Any) -> Losses:
        """The loss of one batch, with gradient."""

    @abstractmethod
    def predictions(self, batch: Any) -> dict[str, Tensor]:
        """What each part of the loss is computed from: name of the part -> logits, a row for each prediction.

        The first head predicts the batch's targets, [M, V] in one fixed order; V counts every type that it can answer with.
        """

    @abstractmethod
    def sees(self, batch: Any) -> dict[str, dict[str, Tensor]]:
        """What each prediction of each head may depend on: head -> field of the batch -> bool [M, N], N numbers in that field.

        It follows the definition and not the masks of the network: `ablate.testing` compares the two. A number that a
        prediction may not see can change without a bit of its logits changing. A field that one head names and another does
        not is hidden from the other. Name the fields of truths too, with False everywhere.
        """

    @abstractmethod
    def flops(self, batch: Any) -> float:
        """Floating-point operations of a training step on this batch, by exact pairs: `ablate.nn.flops`."""

    def dense_flops(self, batch: Any) -> float:
        """The same by the dense convention, which counts all pairs. It differs only for causal attention."""
        return self.flops(batch)

    def training_step(self, batch: Any, batch_index: int = 0) -> Tensor:
        losses = self.losses(batch)
        self.last_losses = Losses(losses.loss.detach(), {name: part.detach() for name, part in losses.parts.items()})
        return losses.loss

    def configure_optimizers(self) -> Any:
        """AdamW (Loshchilov and Hutter 2019) in one fused kernel; the training loop sets the rate of each step.

        An objective with several optimizers, or none, sets `automatic_optimization = False` and steps them itself.
        """
        decayed, spared = self.parameter_groups()
        settings = self.optimization
        return torch.optim.AdamW(
            [{"params": decayed, "weight_decay": settings.weight_decay}, {"params": spared, "weight_decay": 0.0}],
            lr=settings.learning_rate,
            betas=(settings.beta1, settings.beta2),
            fused=True,
        )

    def configure_gradient_clipping(
        self, optimizer: Any, gradient_clip_val: float | None = None, gradient_clip_algorithm: str | None = None
    ) -> None:
        """Clip to the largest norm. Lightning's own way refuses a fused optimizer under mixed precision, for the sake of a
        loss scaler that bfloat16 does not have."""
        if gradient_clip_val:
            nn.utils.clip_grad_norm_(self.parameters(), gradient_clip_val)

    def parameter_groups(self) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
        """Return (decayed, not decayed) parameters. Biases and norms have no weight decay, as in BERT's released optimizer."""
        parameters = [parameter for parameter in self.parameters() if parameter.requires_grad]
        return [p for p in parameters if p.ndim >= 2], [p for p in parameters if p.ndim < 2]


def row_sums(nats_M: Tensor, row_M: Tensor, rows: int) -> Tensor:
    """The sum of each row's terms, [rows], added in float64 where the device has it.

    In single precision those of a sentence came out up to 7e-5 nats from their sum.
    """
    exact_M = nats_M if nats_M.device.type == "mps" else nats_M.double()
    return exact_M.new_zeros(rows).index_add_(0, row_M, exact_M).to(nats_M.dtype)


@runtime_checkable
class Samples(Protocol):
    """Writes text."""

    def sample(self, prompts_BT: Tensor, length: int, decoding: Decoding, generator: torch.Generator) -> Tensor:
        """`length` further tokens of each framed prompt, int64 [B, length]; after a SEP, the end of a text, only PAD."""
        ...

    def frame(self, ids: list[int]) -> list[int]:
        """What precedes the continuation of `ids`; without ids, the beginning of a text."""
        ...


@runtime_checkable
class Encodes(Protocol):
    """Turns text into contextual vectors."""

    def encode(self, tokens_BT: Tensor, visible_BT: Tensor) -> Tensor:
        """The last layer's vectors [B, T, D]; `visible_BT` is False on padding."""
        ...

    def frame(self, ids: list[int]) -> list[int]:
        """A text's tokens with the special tokens that the objective puts around a text."""
        ...


@runtime_checkable
class Summarizes(Protocol):
    """Puts a text or a pair of texts into one vector, the one on which its paper trains a classifier."""

    def join(self, first: list[int], second: list[int]) -> list[int]:
        """A text, and a second one unless it is empty, with the special tokens that the objective puts around them."""
        ...

    def summarize(self, tokens_BT: Tensor, visible_BT: Tensor) -> Tensor:
        """One vector [B, D] for each joined row, with gradient; `visible_BT` is False on padding, which ends a row."""
        ...


@runtime_checkable
class Answers(Protocol):
    """Writes the answer to a question, and learns to from examples."""

    cue: ClassVar[str]
    """The words at the end of a question; empty if a model separates question and answer in another way."""

    def frame(self, ids: list[int]) -> list[int]: ...

    def text_to_text(self, inputs: Sequence[Sequence[int]], targets: Sequence[Sequence[int]]) -> Any:
        """A batch for `losses`: questions and answers without special tokens, the loss on the answers and their ends."""
        ...

    def answer(self, inputs_BT: Tensor, length: int) -> Tensor:
        """The most probable tokens one after the other, int64 [B, length], to framed questions of one length; after SEP PAD."""
        ...


@runtime_checkable
class FillsMasks(Protocol):
    """Predicts a hidden token from both sides."""

    def fill(self, tokens_BT: Tensor, visible_BT: Tensor, positions_M2: Tensor) -> Tensor:
        """Logits [M, V] at the (row, column) positions, int64 [M, 2]; the tokens hold MASK where something is missing."""
        ...

    def frame(self, ids: list[int]) -> list[int]: ...


@runtime_checkable
class Scores(Protocol):
    """Gives the probability of a text."""

    estimator: str
    """`exact`, `pseudo` (one conditional a token, which need not multiply to a distribution) or `bound`."""

    def score(self, tokens_BT: Tensor, visible_BT: Tensor, scored_BT: Tensor) -> Tensor:
        """Log-likelihood in nats [B] of the tokens where `scored_BT` is True; the tokens are framed."""
        ...

    def frame(self, ids: list[int]) -> list[int]: ...


@runtime_checkable
class ScoresInOrder(Protocol):
    """Gives the probability of each token of a text from the earlier tokens of a given order."""

    def score_in_order(self, tokens_BT: Tensor, visible_BT: Tensor, scored_BT: Tensor, rank_BT: Tensor) -> Tensor:
        """log p of each scored token, nats [B, T], 0 elsewhere. A row is predicted by ascending rank, after its first token."""
        ...

    def own_ranks(self, rows: int, length: int, noise: Noise) -> Tensor:
        """The orders that the model was trained with, [B, T]."""
        ...

    def frame(self, ids: list[int]) -> list[int]: ...


@runtime_checkable
class HidesPieces(Protocol):
    """A pseudo-likelihood that can hide more of a token's word than the token."""

    def score_hiding(self, tokens_BT: Tensor, visible_BT: Tensor, scored_BT: Tensor, hiding: Hiding) -> Tensor:
        """As `Scores.score`, which is `hiding` = `token`: see `ablate.collators.pseudo_likelihood`."""
        ...


@runtime_checkable
class JudgesPairs(Protocol):
    """Predicts whether a second text follows a first."""

    judges_pairs: bool
    """Whether the model has such a head."""

    def judge_pairs(self, pairs: Sequence[tuple[np.ndarray, np.ndarray]], device: torch.device) -> Tensor:
        """Logits [B, 2] of the answers of `ablate.collators.next_sentence`; a pair is token ids without special ones."""
        ...


@runtime_checkable
class Latent(Protocol):
    """Has a latent vector for a text. Texts are framed, `visible_BT` is False on padding."""

    def posterior(self, tokens_BT: Tensor, visible_BT: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of q(z | x), each [B, Z]."""
        ...

    def reconstruction(self, tokens_BT: Tensor, scored_BT: Tensor, z_BZ: Tensor) -> Tensor:
        """log p of the scored tokens given z, nats [B]."""
        ...

    def importance_weighted(self, tokens_BT: Tensor, visible_BT: Tensor, scored_BT: Tensor, samples: int) -> Tensor:
        """Bound on the log-probability of the scored tokens from `samples` draws of z, nats [B]."""
        ...

    def write(self, z_BZ: Tensor, length: int, decoding: Decoding, generator: torch.Generator) -> Tensor:
        """At most `length` tokens from each z, int64 [B, length]; after a SEP, the end of a text, only PAD."""
        ...
