"""Text GAN: a recurrent language model writes texts, a convolutional discriminator separates them from real ones.

    generator       - 1/M  sum over tokens of  log G(x(t) | x(<t))                              [nats per token]
    discriminator   the discriminator's loss on real and written texts, as in `ablate.nn.discriminator`,
                    times B / M, so that both parts are nats per token: undecided it is log 2 / mean tokens of a text

`losses` is their sum, on texts that the generator writes from the uniforms of the batch; no gradient passes between the two.
Training does not minimise this sum. It has three phases, likelihood, judging and adversarial: `ablate.objectives.gan_phases`.

Adversarial training has no likelihood. `generator_nll` is the exact likelihood of the generator as a language model (NLL_gen).
In the adversarial phase each written text has the length of the real text beside it. The generator learns when to stop in the
likelihood phase alone, and this may drift in the adversarial phase.

The generator is the LSTM baseline's, or, published, an untied LSTM whose hidden width is the backbone's width. It has no
dropout: the same network writes a token and receives its credit.

Sources: Yu et al. 2017, sections 3.1 to 3.3, algorithm 1, and released code (SeqGAN). Nie et al. 2019, sections 3.2 and 3.3 and
released code (RelGAN, here its variant with an LSTM for the relational memory).

Shape letters: B batch, T position, D width, V vocabulary, M predicted positions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, cast, final

import numpy as np
import torch
from lightning.pytorch.core.optimizer import LightningOptimizer
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from ablate.config import Backbone, ConfigError
from ablate.data.tokenizer import CLS, MASK, PAD, SEP
from ablate.data.windows import Sentences
from ablate.nn import discriminator as judge
from ablate.nn import flops, policy_gradient
from ablate.nn.generator import Generator, by_uniform
from ablate.nn.recurrent import State, matching_hidden
from ablate.nn.straight_through import relaxed_texts
from ablate.nn.transformer import Encoder, initialize
from ablate.objectives.alternating import optimizer_for_each
from ablate.objectives.base import Losses, Noise, Objective
from ablate.objectives.gan_phases import GanConfig

if TYPE_CHECKING:
    from ablate.data.token_store import TokenStore
    from ablate.data.tokenizer import Vocabulary
    from ablate.nn.decoding import Decoding


class GanBatch(NamedTuple):
    """One text a row, at most T tokens including the final SEP, then padding."""

    inputs_BT: Tensor
    """int64: the generator's input, SEP and the text."""
    targets_BT: Tensor
    """int64: its target, the text and SEP; also the discriminator's real texts."""
    uniforms_BT: Tensor
    """float32: the random numbers of the written texts."""
    progress: float
    """Share of the budget read before this batch."""
    tokens: int
    targets: int


@final
class Gan(Objective):
    """SeqGAN, or a RelGAN with an LSTM."""

    name = "gan"
    Config = GanConfig
    Batch = GanBatch

    def __init__(self, config: GanConfig, backbone: Backbone, vocabulary: Vocabulary, context: int) -> None:
        super().__init__(config, backbone, vocabulary, context)
        self.automatic_optimization = False
        published, width = backbone.kind == "published", backbone.width
        with torch.device("meta"):
            matched = sum(parameter.numel() for parameter in Encoder(backbone, context).parameters())
        hidden = width if published else matching_hidden(matched, width, config.recurrent_layers)
        filters = judge.controlled(config.discriminator_width)
        if published:
            filters = judge.SEQGAN if config.training == "policy-gradient" else judge.RELGAN
        self.generator = Generator(
            vocabulary.size,
            width,
            hidden,
            config.recurrent_layers,
            end=SEP,
            padding=PAD,
            never=(PAD, CLS, MASK),
            tied=not published,
        )
        initialize(self.generator, backbone)
        game: judge.Game = "relativistic" if config.training == "gumbel" else "standard"
        self.discriminator = judge.Discriminator(
            vocabulary.size, config.discriminator_width, filters, config.representations, backbone.dropout, game
        )
        self.generated_tokens = 0
        """Tokens written in training, roll-outs included; they do not count as tokens read."""
        self._adversarial = False

    @classmethod
    def windows(cls, store: TokenStore, config: GanConfig, context: int) -> Sentences:
        return Sentences(store, context - 1)

    @staticmethod
    def collate(
        windows: Sequence[Any], noise: Noise, progress: float, *, config: GanConfig, vocabulary: Vocabulary, context: int
    ) -> GanBatch:
        inputs = np.full((len(windows), context), PAD, dtype=np.int64)
        targets = inputs.copy()
        for read, write, window in zip(inputs, targets, windows, strict=True):
            length = len(window.tokens_T)
            read[0], read[1 : length + 1] = SEP, window.tokens_T
            write[:length], write[length] = window.tokens_T, SEP
        uniforms = np.stack([noise("writing", window.index).random(context, dtype=np.float32) for window in windows])
        tokens = sum(len(window.tokens_T) for window in windows)
        return GanBatch(
            inputs_BT=torch.from_numpy(inputs),
            targets_BT=torch.from_numpy(targets),
            uniforms_BT=torch.from_numpy(uniforms),
            progress=progress,
            tokens=tokens,
            targets=tokens + len(windows),
        )

    def losses(self, batch: GanBatch) -> Losses:
        heads = self.predictions(batch)
        real_BS, written_BS = heads["discriminator"].chunk(2)
        discriminator = judge.discrimination(real_BS, written_BS, self.discriminator.game)
        parts = {
            "generator": cross_entropy(heads["generator"], batch.targets_BT[batch.targets_BT != PAD]),
            "discriminator": discriminator * len(real_BS) / batch.targets,
        }
        return Losses(torch.stack(list(parts.values())).sum(), parts)

    def predictions(self, batch: GanBatch) -> dict[str, Tensor]:
        """Of the discriminator the batch's texts and then the generator's, [2 B, S]."""
        written_BT = self.written(batch.targets_BT, batch.uniforms_BT)
        judged = [self.discriminator(texts_BT, texts_BT != PAD) for texts_BT in (batch.targets_BT, written_BT)]
        return {"generator": self._next_tokens(batch), "discriminator": torch.cat(judged)}

    def sees(self, batch: GanBatch) -> dict[str, dict[str, Tensor]]:
        """The generator: the text up to the place that is guessed. The discriminator: a text alone; of one that the generator
        wrote its uniforms, and of the text beside it the length."""
        B, T = batch.targets_BT.shape
        row_N, place_N = torch.arange(B).repeat_interleave(T), torch.arange(T).repeat(B)
        asked_N = (batch.targets_BT != PAD).flatten()
        may_MN = (row_N[asked_N][:, None] == row_N) & (place_N[asked_N][:, None] >= place_N)
        own_BN = torch.arange(B)[:, None] == row_N
        ends_N = ((batch.targets_BT == PAD) | (batch.targets_BT == SEP)).flatten()
        return {
            "generator": {"inputs_BT": may_MN, "uniforms_BT": torch.zeros_like(may_MN)},
            "discriminator": {
                "targets_BT": torch.cat([own_BN, own_BN & ends_N]),
                "uniforms_BT": torch.cat([torch.zeros_like(own_BN), own_BN]),
            },
        }

    def _next_tokens(self, batch: GanBatch) -> Tensor:
        """The generator's logits [M, V] of the targets."""
        longest = int((batch.targets_BT != PAD).sum(dim=1).max())
        hidden_BTD, _ = self.generator.hidden(batch.inputs_BT[:, :longest])
        return self.generator.logits(hidden_BTD[batch.targets_BT[:, :longest] != PAD])

    def training_step(self, batch: GanBatch, batch_index: int = 0) -> Tensor:
        """Take one step of the current phase; `last_losses` has the generator's likelihood in every phase."""
        of_generator, of_discriminator = cast(list[LightningOptimizer], self.optimizers())
        phase = self.config.phase(batch.progress)
        if phase == "likelihood":
            likelihood = self._likelihood(batch)
            self._step(of_generator, self.generator, likelihood)
            parts = {"generator": likelihood.detach()}
        else:
            with torch.no_grad():
                likelihood = self._likelihood(batch)
            if phase == "adversarial" and batch_index % self.config.discriminator_steps == 0:
                self._deceive(of_generator, batch)
            parts = {"generator": likelihood, "discriminator": self._judge(of_discriminator, batch)}
        self.last_losses = Losses(torch.stack(list(parts.values())).sum(), parts)
        return self.last_losses.loss

    def configure_optimizers(self) -> list[torch.optim.Optimizer]:
        """AdamW for each network; the discriminator has its own rate."""
        rates = {self.generator: 1.0, self.discriminator: self.config.discriminator_rate}
        return optimizer_for_each(super().configure_optimizers(), rates)

    def _judge(self, optimizer: LightningOptimizer, batch: GanBatch) -> Tensor:
        """Take a step of the discriminator on new texts; return its part of the loss."""
        if self.config.training == "policy-gradient":
            written_BT = self._write_again(batch)
            loss = self._discrimination(batch.targets_BT, written_BT, written_BT)
        else:
            with torch.no_grad():
                drawn_BT, mixtures_BTV = self._relaxed(batch)
            loss = self._discrimination(batch.targets_BT, mixtures_BTV, drawn_BT)
        self._step(optimizer, self.discriminator, loss)
        return loss.detach() * len(batch.targets_BT) / batch.targets

    def _deceive(self, optimizer: LightningOptimizer, batch: GanBatch) -> None:
        """Take a step of the generator against the frozen discriminator."""
        if not self._adversarial:
            # Second moments of the likelihood's gradients would scale the gradients of another loss.
            self._adversarial = True
            optimizer.optimizer.state.clear()
        training = self.discriminator.training
        self.discriminator.eval()
        if self.config.training == "policy-gradient":
            written_BT = self._write_again(batch)
            written_BT = written_BT[:, : int((written_BT != PAD).sum(dim=1).max())]
            words_B = ((written_BT != PAD) & (written_BT != SEP)).sum(dim=1)
            self.generated_tokens += self.config.rollouts * int((words_B * (words_B - 1) // 2).sum())
            loss = policy_gradient.loss(self.generator, written_BT, self.config.rollouts, self._reward, self.config.baseline)
        else:
            drawn_BT, mixtures_BTV = self._relaxed(batch)
            with torch.no_grad():
                real_BS = self.discriminator(batch.targets_BT, batch.targets_BT != PAD)
            loss = judge.deception(real_BS, self.discriminator(mixtures_BTV, drawn_BT != PAD))
        for group in optimizer.param_groups:
            group["lr"] *= self.config.adversarial_rate
        self._step(optimizer, self.generator, loss)
        self.discriminator.train(training)

    def _step(self, optimizer: LightningOptimizer, module: nn.Module, loss: Tensor) -> None:
        optimizer.zero_grad()
        self.manual_backward(loss)
        if self.optimization.clip_norm:
            nn.utils.clip_grad_norm_(module.parameters(), self.optimization.clip_norm)
        optimizer.step()
        # The generator's loss leaves gradients in the discriminator, which no optimizer may use.
        self.zero_grad(set_to_none=True)

    def _likelihood(self, batch: GanBatch) -> Tensor:
        return cross_entropy(self._next_tokens(batch), batch.targets_BT[batch.targets_BT != PAD])

    def _discrimination(self, real_BT: Tensor, written: Tensor, written_BT: Tensor) -> Tensor:
        real_BS = self.discriminator(real_BT, real_BT != PAD)
        return judge.discrimination(real_BS, self.discriminator(written, written_BT != PAD), self.discriminator.game)

    def _reward(self, texts_BT: Tensor) -> Tensor:
        logits_BS: Tensor = self.discriminator(texts_BT, texts_BT != PAD)
        return (logits_BS if self.config.reward == "logit" else logits_BS.sigmoid()).mean(dim=1)

    def _write_again(self, batch: GanBatch) -> Tensor:
        self.generated_tokens += batch.tokens
        return self.written(batch.targets_BT, torch.rand(batch.targets_BT.shape, device=batch.targets_BT.device))

    def _relaxed(self, batch: GanBatch) -> tuple[Tensor, Tensor]:
        beta = self.config.inverse_temperature_at(batch.progress)
        self.generated_tokens += batch.tokens
        return relaxed_texts(self.generator, batch.targets_BT, beta, self.config.relaxation)

    @torch.no_grad()
    def written(self, like_BT: Tensor, uniforms_BT: Tensor) -> Tensor:
        """Write texts as long as those given, for the discriminator and for the oracle's protocol."""
        texts_BT = self.generator.write(len(like_BT), like_BT.shape[1], by_uniform(uniforms_BT), ends=False)
        return self.generator.close(texts_BT, like_BT)

    def frame(self, ids: list[int]) -> list[int]:
        """[SEP] text."""
        return [SEP, *ids]

    def encode(self, tokens_BT: Tensor, visible_BT: Tensor) -> Tensor:
        """The generator's vectors [B, T, D], each of the text up to its place; padding must end the row."""
        if bool((visible_BT[:, 1:] & ~visible_BT[:, :-1]).any()):
            raise ConfigError("padding precedes a token, so the LSTM would read it; put padding at the end of a row")
        return self.generator.hidden(tokens_BT)[0]

    @torch.no_grad()
    def generator_nll(self, tokens_BT: Tensor, visible_BT: Tensor, scored_BT: Tensor, ends: bool = True) -> Tensor:
        """NLL_gen: - sum over the scored tokens of log G(token | those before it), in nats [B]; the tokens are framed.

        It measures the generator and not the game: the discriminator may reject texts that the generator finds likely. With
        `ends=False` lengths are given, as in the game, and the end of a text costs nothing.
        """
        tokens_BT = tokens_BT[:, 1:].masked_fill(~visible_BT[:, 1:], PAD)
        return -(self.generator.log_probabilities(tokens_BT, ends) * scored_BT[:, 1:]).sum(dim=1)

    @torch.no_grad()
    def sample(self, prompts_BT: Tensor, length: int, decoding: Decoding, generator: torch.Generator) -> Tensor:
        """Write `length` further tokens of each prompt, int64 [B, length]; the state is carried, so length is unlimited."""
        if prompts_BT.shape[1] == 0:
            raise ConfigError("the prompt is empty; begin a text with frame([])")
        state: State | None = None
        if prompts_BT.shape[1] > 1:
            _, state = self.generator.hidden(prompts_BT[:, :-1])
        return self.generator.write(
            len(prompts_BT), length, lambda logits_BV, t: decoding.pick(logits_BV, generator), prompts_BT[:, -1], state
        )

    def flops(self, batch: GanBatch) -> float:
        """FLOPs of the batch's phase; the cost of the generator's rarer steps is spread over its batches.

        Texts are written and judged on all columns of the batch, and read up to the end of the longest.
        """
        config, phase = self.config, self.config.phase(batch.progress)
        texts, columns = batch.targets_BT.shape
        longest = int((batch.targets_BT != PAD).sum(dim=1).max())
        likelihood = self.generator.flops(texts * longest, batch.targets)
        if phase == "likelihood":
            return float(flops.TRAINING * likelihood)
        soft = config.training == "gumbel"
        writing = self.generator.flops(texts * columns)
        judging = self.discriminator.flops(texts, columns)
        mixing = flops.linear(texts * columns, self.vocabulary.size, config.discriminator_width)
        # Texts are written, and with `gumbel` read once more, without a gradient; the mixtures are then fixed inputs.
        total = likelihood + (1 + soft) * writing + 2 * flops.TRAINING * judging + 2 * soft * mixing
        if phase == "adversarial":
            step = writing
            if soft:
                step += flops.TRAINING * (writing + judging + mixing) + judging
            else:
                continued = texts * config.rollouts * (longest - 1)
                step += self.generator.flops(policy_gradient.rolled_out(texts, longest, config.rollouts))
                step += self.discriminator.flops(texts + continued, longest)
                step += flops.TRAINING * self.generator.flops(texts * longest)
            total += step / config.discriminator_steps
        return float(total)
