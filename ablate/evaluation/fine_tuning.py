"""Fine-tuning: how much better a classifier becomes from a trained model than from random weights.

    p(class | text) = softmax(W dropout(v) + b)      v the vector that the objective's literature takes (`Summarizes`)
    loss            = cross entropy; of a regression, squared error of the standardised number, with one row in W

| objective | v |
| --- | --- |
| BERT | CLS, through the pooler if pre-training has one (Devlin et al. 2019, section 4.1) |
| GPT, LSTM | the last token, an extract token behind the text (Radford et al. 2018, section 3.2) |
| XLNet | mean of the content stream (Yang et al. 2019, released code: `summary_type`; its extra tanh layer is left out) |
| T5 | mean of the encoder (Ni et al. 2022, section 3.1); its own way is `text_to_text` |

With `summary="mean"` v is the mean of `encode` over the tokens of the text for all objectives (Reimers and Gurevych 2019,
section 3). This vector needs no special token from pre-training, which matters after little pre-training. After two million
tokens of film reviews (width 128, 2,000 examples of SST-2, one seed) GPT's extract token scores 0.60 to 0.64, and the mean
0.69.

All weights are trained, for the same epochs, at each rate of the same grid (`tuning`). The validation part chooses the epoch,
and the reported examples measure it. Tasks, their splits and their metrics: `ablate.evaluation.tasks`.

    score = mean of a task's metrics;   overall: mean over the tasks          (Wang et al. 2019, section 3)
    gain  = score - score of the same procedure from random weights

The gain is paired: within a run both starts have one architecture, the same new layer, and the same examples in the same order.
Two more baselines are reported: TF-IDF with a linear model on the same tokens (`tfidf`), and the most common class. A
regression has no most common class.

A text longer than `length` tokens loses its end; of a pair, the longer text is cut first (Devlin et al. 2019, released code).
The length belongs to the evaluation and not to the model, so all arms read the same tokens. `truncated` is the share of
examples that were cut.

Error: with 500 reported examples the binomial standard error at accuracy 0.8 is 0.018. The error of a difference between models
is smaller, because they read the same examples. n is the number of pre-training seeds. The choice of training examples is a
larger source of error (Dodge et al. 2020 find as much for their order and for the new layer). `draws` averages over it. The
draws are the same for all arms and seeds, so they are a fixed part of the question and add nothing to n. Samples come from the
first draw.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple, final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss

from ablate.config import ConfigError
from ablate.data.text import Text
from ablate.data.tokenizer import PAD
from ablate.evaluation import tasks, tuning
from ablate.evaluation.effort import Effort, samples
from ablate.evaluation.framing import ORDINARY
from ablate.evaluation.judging import OWN, RANDOM, Judged, averaged, references, rows, score
from ablate.evaluation.reading import Reading, check_capability, report_progress
from ablate.evaluation.tasks.posed import NO_CLASS, Posed
from ablate.evaluation.tuning import Kept, StepCounter
from ablate.measure import Progress
from ablate.objectives.base import Summarizes

SAMPLES = 3
"""Reported examples of each task that are stored as samples."""
AT_ONCE = 128
"""Examples in one forward pass without gradient."""
NEW_LAYER_SD = 0.02


@final
@dataclass(frozen=True, kw_only=True)
class FineTuning(Effort):
    name: ClassVar[str] = "fine-tuning"
    VERSION: ClassVar[int] = 3
    needs: ClassVar[type] = Summarizes

    summary: Literal["standard", "mean"] = "standard"
    """The input of the new layer: the vector of the objective's literature, or the mean of all tokens."""

    def check(self, model: Any, text: Text) -> None:
        check_capability(self, model)
        for task in tasks.load(self.tasks, text):
            second = self.length // 2 if task.paired else 0
            special = len(model.join([ORDINARY] * (self.length - second), [ORDINARY] * second)) - self.length
            if self.length + special > model.context:
                raise ConfigError(
                    f"{self.name} shows {self.length} tokens of text and {special} special ones for task {task.name}, but "
                    f"data.context = {model.context}; give the evaluation at most {model.context - special}, in all arms"
                )

    def measure(self, model: Any, text: Text, progress: Progress = report_progress) -> Reading:
        """Return the metrics of each task and its baselines."""
        self.check(model, text)
        readings = [self._draw(model, text, progress, number) for number in range(self.draws)]
        return Reading(rows=averaged([reading.rows for reading in readings]), samples=readings[0].samples)

    def _draw(self, model: Any, text: Text, progress: Progress, number: int) -> Reading:
        judged: list[Judged] = []
        shown: list[dict[str, Any]] = []
        for posed in self.posed(text, number):
            counter = self.step_counter(progress, [posed], number)
            joined = Joined(*([model.join(one.first, one.second) for one in part.shown] for part in posed.parts))
            with tuning.isolated(model):
                kept, predicted_N = self._tuned(functools.partial(tuning.twin, model), posed, joined, counter)
                _, random_N = self._tuned(functools.partial(tuning.random_start, model), posed, joined, counter)
            judged.append(Judged(posed, {OWN: predicted_N, RANDOM: random_N, **references(posed)}, kept))
            answers = [f"{one:.2f}" if posed.regression else posed.classes[int(one)] for one in predicted_N[:SAMPLES]]
            shown += samples("task", posed, answers, [str(example.label) for example in posed.test.examples])
        return Reading(rows=rows(self.name, judged), samples=tuple(shown))

    def _tuned(self, start: Callable[[], Any], posed: Posed, joined: Joined, counter: StepCounter) -> tuple[Kept, np.ndarray]:
        """Return the best weights on the validation part, and their predictions for the reported examples."""
        target_N, wanted_N = (torch.from_numpy(_standardised(posed, part.truth_N)) for part in posed.parts[:2])
        known_N = torch.from_numpy(posed.validation.truth_N != NO_CLASS)

        def begin() -> Classifier:
            model = start()
            # The evaluation's own seed draws the new layer, so it does not depend on what the start has drawn.
            torch.manual_seed(tuning.SEED)
            return Classifier(model, 1 if posed.regression else len(posed.classes), self.summary)

        def batches(epoch: int) -> list[list[int]]:
            return tuning.in_batches([len(row) for row in joined.train], self.batch, "fine-tuning/order", epoch)

        def loss(learner: Classifier, batch: list[int]) -> Tensor:
            return _loss(learner([joined.train[i] for i in batch]), target_N[batch])

        def judge(learner: Classifier) -> dict[str, tuple[float, ...]]:
            outputs_NC = _outputs(learner, joined.validation)
            value = score(posed, posed.validation, _predictions(posed, outputs_NC))
            # Few validation examples give many ties; the epoch with the lower loss wins.
            certainty = -float(_loss(outputs_NC[known_N], wanted_N[known_N])) if known_N.any() else 0.0
            return {posed.task.name: (value, certainty)}

        kept = tuning.tune(begin, batches, loss, judge, self.rates, self.epochs, counter)[posed.task.name]
        best = begin()
        best.load_state_dict(kept.state)
        best.eval()
        with torch.no_grad():
            return kept, _predictions(posed, _outputs(best, joined.test))


class Joined(NamedTuple):
    """The examples of each part between the special tokens of a model."""

    train: list[list[int]]
    validation: list[list[int]]
    test: list[list[int]]


class Classifier(nn.Module):
    """A model with one new linear layer on its summary vector."""

    def __init__(self, model: Any, outputs: int, summary: str) -> None:
        super().__init__()
        self.model, self.summary = model, summary
        self.dropout = nn.Dropout(tuning.DROPOUT)
        self.out = nn.Linear(model.backbone.width, outputs)
        nn.init.normal_(self.out.weight, std=NEW_LAYER_SD)
        nn.init.zeros_(self.out.bias)
        self.to(next(model.parameters()).device)

    def forward(self, rows: Sequence[Sequence[int]]) -> Tensor:
        """Joined examples -> [B, C]."""
        device = self.out.weight.device
        tokens_BT, visible_BT = (part.to(device) for part in tuning.padded(rows, PAD))
        if self.summary == "standard":
            summary_BD = self.model.summarize(tokens_BT, visible_BT)
        else:
            text_BT = (tokens_BT >= ORDINARY) & visible_BT
            hidden_BTD = self.model.encode(tokens_BT, visible_BT) * text_BT[..., None]
            summary_BD = hidden_BTD.sum(dim=1) / text_BT.sum(dim=1, keepdim=True).clamp(min=1)
        outputs_BC: Tensor = self.out(self.dropout(summary_BD))
        return outputs_BC


def _loss(outputs_BC: Tensor, target_B: Tensor) -> Tensor:
    target_B = target_B.to(outputs_BC.device)
    if target_B.is_floating_point():
        return mse_loss(outputs_BC[:, 0], target_B)
    return cross_entropy(outputs_BC, target_B)


def _standardised(posed: Posed, truth_N: np.ndarray) -> np.ndarray:
    """Class numbers unchanged; numbers in standard deviations from the mean of the training examples."""
    if not posed.regression:
        return truth_N
    learnt_N = posed.train.truth_N
    scale = float(learnt_N.std()) or 1.0
    standardised_N: np.ndarray = ((truth_N - learnt_N.mean()) / scale).astype(np.float32)
    return standardised_N


def _outputs(learner: Classifier, rows: list[list[int]]) -> Tensor:
    """Return outputs [N, C] on the CPU; examples of similar length share a batch."""
    order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
    parts = [learner([rows[i] for i in order[start : start + AT_ONCE]]).cpu() for start in range(0, len(order), AT_ONCE)]
    outputs_NC = torch.cat(parts)
    return outputs_NC[torch.from_numpy(np.argsort(order))]


def _predictions(posed: Posed, outputs_NC: Tensor) -> np.ndarray:
    """Correlations ignore scale, so a standardised number needs no inverse."""
    predicted_N: np.ndarray = (outputs_NC[:, 0] if posed.regression else outputs_NC.argmax(dim=1)).numpy()
    return predicted_N
