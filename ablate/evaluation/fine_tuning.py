"""Fine-tuning: what a model is worth as the start of a classifier, beside the same model at random weights.

    p(class | text) = softmax(W dropout(v) + b)      v the vector that the objective's literature takes (`Summarizes`)
    loss            = cross entropy; of a regression, squared error of the standardised number, with one row in W

| objective | v |
| --- | --- |
| BERT | CLS, through the pooler where pre-training has one (Devlin et al. 2019, section 4.1) |
| GPT, LSTM | the last token, an extract token behind the text (Radford et al. 2018, section 3.2) |
| XLNet | mean of the content stream (Yang et al. 2019, released code: `summary_type`; its extra tanh layer is left out) |
| T5 | mean of the encoder (Ni et al. 2022, section 3.1); its own way is `text_to_text` |

With `summary="mean"` v is the mean of `encode` over the tokens of the text (Reimers and Gurevych 2019, section 3), for all of
them: a vector that needs no special token to have been pre-trained. It matters when little was read: after two million tokens
of film reviews (width 128, 2,000 examples of SST-2, one seed) GPT's extract token gives 0.60 to 0.64, and the mean 0.69.

All weights are trained, for the same epochs, at each rate of the same grid (`tuning`); the best epoch on the validation part
is read on the reported examples. Tasks, their splits and their metrics: `ablate.evaluation.tasks`.

    score = mean of a task's metrics;   overall: mean over the tasks          (Wang et al. 2019, section 3)
    gain  = score - score of the same procedure from random weights

so the gain is paired: within a run both start from one architecture, see the same examples in the same order and get the
same new layer. Two further references stand beside it: TF-IDF with a linear model on the same tokens (`tfidf`), and the
most common class (of a regression: none).

A text longer than `length` tokens loses its end, of a pair the longer text first (Devlin et al. 2019, released code). The
length is the yardstick's and not the model's, so all arms see the same tokens; `truncated` says how many texts it concerns.

Reading error: with 500 reported examples the binomial standard error at accuracy 0.8 is 0.018, and less for a difference
between models that judge the same examples. n is the number of pre-training seeds. Which examples were learnt from is the
larger error of one reading (Dodge et al. 2020 find as much for their order and for the new layer). `draws` averages over it;
the draws are the same for all arms and seeds, so they are a fixed part of the question and add nothing to n. The
examples to look at are those of the first.
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
from ablate.evaluation.reading import Reading, check_capability, say
from ablate.evaluation.tasks.posed import NO_CLASS, Posed
from ablate.evaluation.tuning import Kept, Progress
from ablate.measure import Report
from ablate.objectives.base import Summarizes

SAMPLES = 3
"""Reported examples of each task that are kept to look at."""
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
    """The vector under the new layer: that of the objective's literature, or the mean of all tokens."""

    def check(self, model: Any, text: Text) -> None:
        check_capability(self, model)
        for task in tasks.load(self.tasks, text):
            second = self.length // 2 if task.paired else 0
            special = len(model.join([ORDINARY] * (self.length - second), [ORDINARY] * second)) - self.length
            if self.length + special > model.context:
                raise ConfigError(
                    f"{self.name} shows {self.length} tokens of text and {special} special ones for task {task.name}, but "
                    f"data.context = {model.context}; give the yardstick at most {model.context - special}, in all arms"
                )

    def measure(self, model: Any, text: Text, report: Report = say) -> Reading:
        """The metrics of each task and its references; no rows where the corpus cannot give the only task."""
        self.check(model, text)
        readings = [self._draw(model, text, report, number) for number in range(self.draws)]
        return Reading(rows=averaged([reading.rows for reading in readings]), samples=readings[0].samples)

    def _draw(self, model: Any, text: Text, report: Report, number: int) -> Reading:
        judged: list[Judged] = []
        shown: list[dict[str, Any]] = []
        for posed in self.posed(text, number):
            progress = self.progress(report, [posed], number)
            joined = Joined(*([model.join(one.first, one.second) for one in part.shown] for part in posed.parts))
            with tuning.apart(model):
                kept, predicted_N = self._tuned(functools.partial(tuning.twin, model), posed, joined, progress)
                _, random_N = self._tuned(functools.partial(tuning.afresh, model), posed, joined, progress)
            judged.append(Judged(posed, {OWN: predicted_N, RANDOM: random_N, **references(posed)}, kept))
            said = [f"{one:.2f}" if posed.regression else posed.classes[int(one)] for one in predicted_N[:SAMPLES]]
            shown += samples("task", posed, said, [str(example.label) for example in posed.test.examples])
        return Reading(rows=rows(self.name, judged), samples=tuple(shown))

    def _tuned(self, start: Callable[[], Any], posed: Posed, joined: Joined, progress: Progress) -> tuple[Kept, np.ndarray]:
        """The best classifier on the validation part, and what it says of the reported examples."""
        target_N, wanted_N = (torch.from_numpy(_standardised(posed, part.truth_N)) for part in posed.parts[:2])
        known_N = torch.from_numpy(posed.validation.truth_N != NO_CLASS)

        def begin() -> Classifier:
            model = start()
            # The new layer is drawn from the yardstick's own seed, whatever the start has drawn before.
            torch.manual_seed(tuning.SEED)
            return Classifier(model, 1 if posed.regression else len(posed.classes), self.summary)

        def batches(epoch: int) -> list[list[int]]:
            return tuning.in_batches([len(row) for row in joined.train], self.batch, "fine-tuning/order", epoch)

        def loss(learner: Classifier, batch: list[int]) -> Tensor:
            return _loss(learner([joined.train[i] for i in batch]), target_N[batch])

        def judge(learner: Classifier) -> dict[str, tuple[float, ...]]:
            outputs_NC = _outputs(learner, joined.validation)
            found = score(posed, posed.validation, _predictions(posed, outputs_NC))
            # Of two epochs with one score the more certain is better; few validation examples have many ties.
            certain = -float(_loss(outputs_NC[known_N], wanted_N[known_N])) if known_N.any() else 0.0
            return {posed.task.name: (found, certain)}

        kept = tuning.tune(begin, batches, loss, judge, self.rates, self.epochs, progress)[posed.task.name]
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
    """A model under one new linear layer."""

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
    """Class numbers as they are; numbers in standard deviations from the mean of those learnt from."""
    if not posed.regression:
        return truth_N
    learnt_N = posed.train.truth_N
    scale = float(learnt_N.std()) or 1.0
    standardised_N: np.ndarray = ((truth_N - learnt_N.mean()) / scale).astype(np.float32)
    return standardised_N


def _outputs(learner: Classifier, rows: list[list[int]]) -> Tensor:
    """[N, C] on the CPU; neighbours in length are read together."""
    order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
    parts = [learner([rows[i] for i in order[start : start + AT_ONCE]]).cpu() for start in range(0, len(order), AT_ONCE)]
    outputs_NC = torch.cat(parts)
    return outputs_NC[torch.from_numpy(np.argsort(order))]


def _predictions(posed: Posed, outputs_NC: Tensor) -> np.ndarray:
    """Correlations do not mind the scale, so a standardised number is as good as the number."""
    found: np.ndarray = (outputs_NC[:, 0] if posed.regression else outputs_NC.argmax(dim=1)).numpy()
    return found
