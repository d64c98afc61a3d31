"""Text VAE: infer a latent vector from a sentence, and generate the sentence from it.

    loss           = reconstruction + kl                                                          [nats per target]
    reconstruction = - 1/M  sum over target tokens of       log p(x(t) | x(<t), z),   z ~ q(z | x)
    kl             =   1/M  sum over sentences of  weight . KL(q(z | x) || N(0, I))

At weight 1, - M loss is a lower bound on the sentences' log-probability (the ELBO). A sentence is framed [SEP] text [SEP]. The
encoder reads all of it; the decoder starts from the first SEP and ends with the second. M includes the ends. For the weight,
and other methods that keep the decoder from ignoring z, see `ablate.objectives.vae_collapse`.

Sources: Kingma and Welling 2014, section 2 and appendix B (the bound and its gradient). Bowman et al. 2016, section 3 (text)
and section 6 (paths between sentences). He et al. 2019, sections 2 to 5 (networks, aggressive updates); Burda et al. 2016,
section 3 (the importance-weighted bound). Networks: `ablate.nn.latent`; estimators: `ablate.nn.latent_estimators`.

No published checkpoint of a text VAE exists in a common format, so only a controlled backbone exists.

Shape letters: B batch, T position, D width, V vocabulary, M targets, Z latent, S draws.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, final

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from ablate.collators import framing
from ablate.config import Backbone, ConfigError, require
from ablate.data.tokenizer import PAD, SEP
from ablate.data.windows import Sentences
from ablate.nn import flops, latent_estimators
from ablate.nn.decoder import split_layers
from ablate.nn.decoding import Decoding
from ablate.nn.latent import WRITERS, Reader
from ablate.objectives.alternating import optimizer_for_each
from ablate.objectives.base import Losses, Noise, Objective
from ablate.objectives.vae_aggressive import NETWORKS, Aggressive, Updates
from ablate.objectives.vae_collapse import VaeConfig, drop_words

if TYPE_CHECKING:
    from ablate.data.token_store import TokenStore
    from ablate.data.tokenizer import Vocabulary


class VaeBatch(NamedTuple):
    """A row of `context` columns for each sentence; the networks read the first `longest` of them."""

    tokens_BT: Tensor
    """int64: [SEP] text [SEP] and padding: the encoder's input and, from the second column on, the targets."""
    inputs_BT: Tensor
    """int64: the same with dropped words: the decoder's input."""
    lengths_B: Tensor
    """int64: columns that are not padding."""
    noise_BZ: Tensor
    """float32, N(0, 1): noise of a draw from the posterior."""
    progress: float
    longest: int
    tokens: int
    targets: int


@final
class Vae(Objective):
    """Bowman et al. 2016."""

    name = "vae"
    Config = VaeConfig
    Batch = VaeBatch
    estimator = "bound"

    def __init__(self, config: VaeConfig, backbone: Backbone, vocabulary: Vocabulary, context: int) -> None:
        super().__init__(config, backbone, vocabulary, context)
        require(backbone.kind == "controlled", "backbone.kind", backbone.kind, "controlled: no text VAE has published weights")
        reader, writer = split_layers(backbone)
        self.encoder = Reader(config.decoder, vocabulary.size, reader, context, config.latent)
        self.decoder = WRITERS[config.decoder](vocabulary.size, writer, context, config.latent)
        self.automatic_optimization = not config.aggressive
        self.aggressive = Aggressive() if config.aggressive else None
        self.updated: Updates = "both"
        self.looked = 0
        """Networks that the latest step trained, and texts it only looked at: `flops` counts both."""

    @classmethod
    def windows(cls, store: TokenStore, config: VaeConfig, context: int) -> Sentences:
        return Sentences(store, context - 2)

    @staticmethod
    def collate(
        windows: Sequence[Any], noise: Noise, progress: float, *, config: VaeConfig, vocabulary: Vocabulary, context: int
    ) -> VaeBatch:
        lengths = np.array([len(window.tokens_T) + 2 for window in windows])
        tokens = np.full((len(windows), context), PAD, dtype=np.int64)
        for row, window, length in zip(tokens, windows, lengths, strict=True):
            row[:length] = framing.frame_windows([window.tokens_T], first=SEP, last=SEP)[0]
        inputs = tokens.copy()
        if config.word_dropout:
            uniform = np.stack([noise("words", window.index).random(context) for window in windows])
            inputs = drop_words(tokens, lengths, uniform, config.word_dropout)
        normal = np.stack([noise("latent", window.index).standard_normal(config.latent) for window in windows])
        return VaeBatch(
            tokens_BT=torch.from_numpy(tokens),
            inputs_BT=torch.from_numpy(inputs),
            lengths_B=torch.from_numpy(lengths),
            noise_BZ=torch.from_numpy(normal.astype(np.float32)),
            progress=progress,
            longest=int(lengths.max()),
            tokens=int((lengths - 2).sum()),
            targets=int((lengths - 1).sum()),
        )

    def losses(self, batch: VaeBatch) -> Losses:
        posterior = self._posterior(batch)
        logits_MV, truths_M = self._predict(batch, latent_estimators.draw(*posterior, batch.noise_BZ))
        kl = latent_estimators.with_free_bits(latent_estimators.kl_to_prior(*posterior), self.config.free_bits)
        sentences_per_target = len(batch.tokens_BT) / batch.targets
        parts = {
            "reconstruction": cross_entropy(logits_MV, truths_M),
            "kl": self.config.weight_at(batch.progress) * sentences_per_target * kl,
        }
        return Losses(parts["reconstruction"] + parts["kl"], parts)

    def predictions(self, batch: VaeBatch) -> dict[str, Tensor]:
        """Of `kl` the posterior's mean and log-variance, side by side [B, 2 Z]."""
        posterior = self._posterior(batch)
        logits_MV, _ = self._predict(batch, latent_estimators.draw(*posterior, batch.noise_BZ))
        return {"reconstruction": logits_MV, "kl": torch.cat(posterior, dim=1)}

    def sees(self, batch: VaeBatch) -> dict[str, dict[str, Tensor]]:
        """A token: of its own sentence all that is encoded, the decoder's inputs before it, and the noise. The posterior: its
        own sentence."""
        B, T = batch.tokens_BT.shape
        row_M, before_M = _targets(batch.lengths_B, T).nonzero().unbind(dim=1)
        row_N, column_N = torch.arange(B).repeat_interleave(T), torch.arange(T).repeat(B)
        own_MN, text_N = row_M[:, None] == row_N, column_N < batch.lengths_B[row_N]
        return {
            "reconstruction": {
                "tokens_BT": own_MN & text_N,
                "inputs_BT": own_MN & (column_N <= before_M[:, None]),
                "noise_BZ": row_M[:, None] == torch.arange(B).repeat_interleave(self.config.latent),
            },
            "kl": {"tokens_BT": (torch.arange(B)[:, None] == row_N) & text_N},
        }

    def _posterior(self, batch: VaeBatch) -> tuple[Tensor, Tensor]:
        mean_BZ, log_variance_BZ = self.encoder(batch.tokens_BT[:, : batch.longest], _columns(batch.longest, batch.lengths_B))
        return mean_BZ, log_variance_BZ

    def _predict(self, batch: VaeBatch, z_BZ: Tensor) -> tuple[Tensor, Tensor]:
        """Logits [M, V] of all targets and the truths [M]."""
        steps = batch.longest - 1
        hidden_BTD, _ = self.decoder(batch.inputs_BT[:, :steps], z_BZ)
        targets_BT = _targets(batch.lengths_B, steps)
        return self.decoder.logits(hidden_BTD[targets_BT]), batch.tokens_BT[:, 1 : batch.longest][targets_BT]

    def training_step(self, batch: VaeBatch, batch_index: int = 0) -> Tensor:
        if self.aggressive is None:
            return super().training_step(batch, batch_index)
        self.aggressive.watch(batch.tokens_BT, _columns(self.context, batch.lengths_B))
        losses, updated = self.losses(batch), self.aggressive.updates
        optimizers: Any = self.optimizers()
        chosen = [optimizer for optimizer, name in zip(optimizers, NETWORKS, strict=True) if updated in (name, "both")]
        trained = [p for optimizer in chosen for group in optimizer.param_groups for p in group["params"]]
        for optimizer in chosen:
            optimizer.zero_grad()
        self.manual_backward(losses.loss, inputs=trained)
        if self.optimization.clip_norm:
            torch.nn.utils.clip_grad_norm_(trained, self.optimization.clip_norm)
        for optimizer in chosen:
            optimizer.step()
        self.last_losses = Losses(losses.loss.detach(), {name: part.detach() for name, part in losses.parts.items()})
        self.updated, self.looked = updated, self.aggressive.learned(self.last_losses.loss, batch.progress, self)
        return self.last_losses.loss

    def configure_optimizers(self) -> Any:
        """One optimizer, or one for each network with the same settings if the encoder trains ahead."""
        joint = super().configure_optimizers()
        if self.aggressive is None:
            return joint
        return optimizer_for_each(joint, {self.get_submodule(name): 1.0 for name in NETWORKS})

    def frame(self, ids: list[int]) -> list[int]:
        """[SEP] text [SEP]; without a text the SEP that begins every text."""
        return [SEP, *ids, SEP] if ids else [SEP]

    def encode(self, tokens_BT: Tensor, visible_BT: Tensor) -> Tensor:
        """The encoder's vectors [B, T, D], from which the posterior is computed; an LSTM's depend on earlier tokens only."""
        self._refuse_too_long(tokens_BT)
        _refuse_gaps(visible_BT)
        return self.encoder.encode(tokens_BT, visible_BT)

    def posterior(self, tokens_BT: Tensor, visible_BT: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of q(z | x), each [B, Z]."""
        self._refuse_too_long(tokens_BT)
        _refuse_gaps(visible_BT)
        mean_BZ, log_variance_BZ = self.encoder(tokens_BT, visible_BT)
        return mean_BZ, log_variance_BZ

    def reconstruction(self, tokens_BT: Tensor, scored_BT: Tensor, z_BZ: Tensor) -> Tensor:
        """Sum over the scored tokens of log p(token | tokens before, z), nats [B]."""
        self._refuse_too_long(tokens_BT)
        if bool(scored_BT[:, 0].any()):
            raise ConfigError("the first token of a row is scored, but no token precedes it; frame the text")
        hidden_BTD, _ = self.decoder(tokens_BT[:, :-1], z_BZ)
        targets_BT = scored_BT[:, 1:]
        nats_M = -cross_entropy(self.decoder.logits(hidden_BTD[targets_BT]), tokens_BT[:, 1:][targets_BT], reduction="none")
        row_M = targets_BT.nonzero()[:, 0]
        return nats_M.new_zeros(len(tokens_BT)).index_add(0, row_M, nats_M)

    @torch.no_grad()
    def score(self, tokens_BT: Tensor, visible_BT: Tensor, scored_BT: Tensor) -> Tensor:
        """The ELBO, nats [B]: reconstruction, at a fixed draw and its mirror image, minus the KL.

        It bounds log p of the scored tokens under the prior, each given all tokens before it, scored or not.
        """
        posterior = self.posterior(tokens_BT, visible_BT)
        noise_Z = self._fixed_noise(1)[0]
        drawn = [
            self.reconstruction(tokens_BT, scored_BT, latent_estimators.draw(*posterior, sign * noise_Z)) for sign in (1, -1)
        ]
        return torch.stack(drawn).mean(dim=0) - latent_estimators.kl_to_prior(*posterior).sum(dim=-1)

    @torch.no_grad()
    def importance_weighted(self, tokens_BT: Tensor, visible_BT: Tensor, scored_BT: Tensor, samples: int) -> Tensor:
        """A bound on the quantity of `score`, tighter with more draws, nats [B]."""
        posterior = self.posterior(tokens_BT, visible_BT)
        weights_SB = []
        for noise_Z in self._fixed_noise(samples):
            z_BZ = latent_estimators.draw(*posterior, noise_Z)
            nats_B = self.reconstruction(tokens_BT, scored_BT, z_BZ)
            weights_SB.append(nats_B + latent_estimators.log_weight(z_BZ, *posterior))
        return latent_estimators.log_mean_exp(torch.stack(weights_SB))

    def _refuse_too_long(self, tokens_BT: Tensor) -> None:
        length = tokens_BT.shape[1]
        if self.config.decoder == "transformer" and length > self.context:
            raise ConfigError(f"{length} tokens, but the model has data.context = {self.context} positions")

    def _fixed_noise(self, samples: int) -> Tensor:
        """N(0, 1) [S, Z], the same for every row and call, so that a text's score depends on the text alone."""
        return torch.randn(samples, self.config.latent, generator=torch.Generator().manual_seed(0)).to(self.device)

    def sample(self, prompts_BT: Tensor, length: int, decoding: Decoding, generator: torch.Generator) -> Tensor:
        """Write a text from the prior for each row, int64 [B, length]; z does not depend on a prompt, so none is allowed."""
        prompts = [prompt for prompt in prompts_BT.tolist() if prompt != [SEP]]
        require(not prompts, "prompt", prompts[:1], f"[{SEP}], the beginning of a text: a VAE continues none")
        z_BZ = torch.randn(len(prompts_BT), self.config.latent, generator=generator, device=generator.device)
        return self.write(z_BZ.to(self.device), length, decoding, generator)

    @torch.no_grad()
    def write(self, z_BZ: Tensor, length: int, decoding: Decoding, generator: torch.Generator) -> Tensor:
        """Write at most `length` tokens from each z, int64 [B, length]; after a SEP, the end of a text, only PAD."""
        require(1 <= length < self.context, "length", length, f"between 1 and data.context - 1 = {self.context - 1} tokens")
        written_BT = torch.full((len(z_BZ), length), PAD, device=z_BZ.device)
        last_B, ended_B = torch.full_like(written_BT[:, 0], SEP), torch.zeros_like(written_BT[:, 0], dtype=torch.bool)
        memory = self.decoder.begin(z_BZ)
        for step in range(length):
            hidden_B1D, memory = self.decoder(last_B[:, None], z_BZ, memory)
            last_B = decoding.pick(self.decoder.logits(hidden_B1D[:, 0]), generator).masked_fill(ended_B, PAD)
            written_BT[:, step] = last_B
            ended_B |= last_B == SEP
            if bool(ended_B.all()):
                break
        return written_BT

    def flops(self, batch: VaeBatch) -> float:
        """Training FLOPs; after an aggressive step, those of the updated networks: a frozen network has no backward pass."""
        return self._flops(batch, dense=False)

    def dense_flops(self, batch: VaeBatch) -> float:
        return self._flops(batch, dense=True)

    def _flops(self, batch: VaeBatch, dense: bool) -> float:
        sentences, steps = len(batch.tokens_BT), batch.longest - 1
        encoder = self.encoder.flops(sentences, batch.longest)
        decoder = self.decoder.flops(sentences, steps, dense)
        decoder += flops.linear(batch.targets, self.backbone.width, self.vocabulary.size)
        # The encoder's gradient comes through the decoder, whose weights' gradient is half of its backward.
        times = {"both": (flops.TRAINING, flops.TRAINING), "encoder": (flops.TRAINING, 2), "decoder": (1, flops.TRAINING)}
        looked = self.encoder.flops(self.looked, self.context) if self.looked else 0
        return float(times[self.updated][0] * encoder + times[self.updated][1] * decoder + looked)


def _columns(width: int, lengths_B: Tensor) -> Tensor:
    """bool [B, width]: True on the first `lengths_B` columns."""
    return torch.arange(width, device=lengths_B.device) < lengths_B[:, None]


def _refuse_gaps(visible_BT: Tensor) -> None:
    if bool((visible_BT[:, 1:] & ~visible_BT[:, :-1]).any()):
        raise ConfigError("padding precedes a token, so the decoder would read it; put padding at the end of a row")


def _targets(lengths_B: Tensor, width: int) -> Tensor:
    """bool [B, width]: True on decoder inputs that have a target."""
    return _columns(width, lengths_B - 1)
