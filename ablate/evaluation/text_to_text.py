"""Text to text: the same tasks as in `fine_tuning`, but the model writes the name of the class instead of choosing it.

    "sst2 sentence: a gorgeous film"  ->  "positive"            "stsb sentence1: ... sentence2: ..."  ->  "3.8"

Raffel et al. 2020, section 2.4: all tasks share one architecture, one loss and one way to decode; a prefix names the task. The
wording follows appendix D. A language model reads the question, `target:` and the answer as one text (section 3.2.1), and here
its loss is on the answer alone. All weights are trained as in `tuning`. Decoding is greedy.

An answer that names no class counts as wrong, and `no_answer` is the share of such answers. STS-B rounds its numbers to
multiples of 0.2. An answer that is no number counts as -1, as in the released code.

With `mixture` one model learns all tasks at once, in the proportions of `mixing`, with as many steps as all single models
together. Each task is then measured at its own best epoch, which is the paper's relaxed multi-task learning (section 3.5.2).
Without `mixture`, each task has a model of its own. Scores, gains and baselines are those of `judging`.

The text is shorter than in `fine_tuning`, because the prefix must fit beside it, and in a language model `target:` and the
answer too. The length belongs to the evaluation and is the same for all arms.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, final

import numpy as np
import torch
from torch import Tensor

from ablate.config import ConfigError, require
from ablate.data.text import Text
from ablate.data.tokenizer import SEP, Tokenizer
from ablate.evaluation import framing, mixing, tasks, tuning
from ablate.evaluation.effort import Effort, samples
from ablate.evaluation.judging import OWN, RANDOM, Judged, averaged, references, rows, score
from ablate.evaluation.reading import Reading, check_capability, device_of, report_progress
from ablate.evaluation.tasks.posed import Part, Posed, Shown
from ablate.evaluation.tasks.task import Task
from ablate.evaluation.tuning import Kept, StepCounter
from ablate.measure import Progress
from ablate.objectives.base import Answers

SAMPLES = 3
"""Reported examples of each task that are stored as samples."""
NO_NUMBER = -1.0
TOKENS_AT_ONCE = 8192


class Exchange(NamedTuple):
    """Token ids of one example's question and of its right answer."""

    question: list[int]
    answer: list[int]


@final
@dataclass(frozen=True, kw_only=True)
class TextToText(Effort):
    """`length` excludes the prefix and the answer."""

    name: ClassVar[str] = "text-to-text"
    VERSION: ClassVar[int] = 3
    needs: ClassVar[type] = Answers

    mixture: bool = False
    """One model for all tasks, instead of one for each."""
    limit: int = 2**19
    """K, the most examples that a task counts for. Section 3.5.3: 2^19."""
    temperature: float = 1.0
    """T of the proportions. Table 11: 2 is the best of 1, 2, 4 and 8 in most cases, with a large K."""

    def __post_init__(self) -> None:
        Effort.__post_init__(self)
        require(self.limit >= 1, f"{self.name} limit", self.limit, "at least 1 example")
        require(self.temperature > 0, f"{self.name} temperature", self.temperature, "positive")

    def check(self, model: Any, text: Text) -> None:
        check_capability(self, model)
        for task in tasks.load(self.tasks, text):
            second = self.length // 2 if task.paired else 0
            ids = Shown([framing.ORDINARY] * (self.length - second), [framing.ORDINARY] * second, False)
            longest = max(map(len, _answers(task, text.tokenizer)))
            room = len(model.frame(_question(task, ids, text.tokenizer, model.cue)))
            room += longest if model.cue else 0
            if room > model.context:
                raise ConfigError(
                    f"{self.name} shows {self.length} tokens of text and needs {room} with question and answer of task "
                    f"{task.name}, but data.context = {model.context}; give it {room - model.context} fewer, in all arms"
                )
            _check_answers(task, text.tokenizer)

    def measure(self, model: Any, text: Text, progress: Progress = report_progress) -> Reading:
        """Return the same rows as `FineTuning.measure`."""
        self.check(model, text)
        readings = [self._draw(model, text, progress, number) for number in range(self.draws)]
        return Reading(rows=averaged([reading.rows for reading in readings]), samples=readings[0].samples)

    def _draw(self, model: Any, text: Text, progress: Progress, number: int) -> Reading:
        posed = self.posed(text, number)
        judged: list[Judged] = []
        shown: list[dict[str, Any]] = []
        for together in [posed] if self.mixture and posed else [[one] for one in posed]:
            counter = self.step_counter(progress, together, number)
            with tuning.isolated(model):
                own = self._tuned(functools.partial(tuning.twin, model), together, text.tokenizer, counter)
                random = self._tuned(functools.partial(tuning.random_start, model), together, text.tokenizer, counter)
            for one in together:
                kept, predicted_N, written = own[one.task.name]
                judged.append(Judged(one, {OWN: predicted_N, RANDOM: random[one.task.name][1], **references(one)}, kept))
                shown += samples("answer", one, written[:SAMPLES], [_in_words(one.task, e.label) for e in one.test.examples])
        return Reading(rows=rows(self.name, judged), samples=tuple(shown))

    def _tuned(
        self, start: Callable[[], Any], posed: Sequence[Posed], tokenizer: Tokenizer, counter: StepCounter
    ) -> dict[str, tuple[Kept, np.ndarray, list[str]]]:
        """Return for each task its best weights, the predictions for its reported examples, and the answers as text."""
        cue = start().cue
        exchanges = [[_exchange(one, one.train, i, tokenizer, cue) for i in range(len(one.train.shown))] for one in posed]
        sizes = [len(one) for one in exchanges]
        probabilities = mixing.rates(sizes, self.limit, self.temperature)
        order = mixing.sequence(sizes, probabilities, self.epochs * sum(sizes), "text-to-text")

        def batches(epoch: int) -> list[list[tuple[int, int]]]:
            drawn = order[(epoch - 1) * sum(sizes) : epoch * sum(sizes)]
            lengths = [len(exchanges[task][i].question) for task, i in drawn]
            groups = tuning.in_batches(lengths, self.batch, "text-to-text/batches", epoch)
            return [[drawn[i] for i in group] for group in groups]

        def loss(learner: Any, batch: list[tuple[int, int]]) -> Tensor:
            chosen = [exchanges[task][i] for task, i in batch]
            texts = learner.text_to_text([one.question for one in chosen], [one.answer for one in chosen])
            device = device_of(learner)
            moved = type(texts)(*(value.to(device) if isinstance(value, Tensor) else value for value in texts))
            value: Tensor = learner.losses(moved).loss
            return value

        def judge(learner: Any) -> dict[str, tuple[float, ...]]:
            results: dict[str, tuple[float, ...]] = {}
            for one in posed:
                predicted_N, _ = _predictions(learner, one, one.validation, tokenizer)
                results[one.task.name] = (score(one, one.validation, predicted_N),)
            return results

        kept = tuning.tune(start, batches, loss, judge, self.rates, self.epochs, counter)
        results = {}
        for one in posed:
            best = start()
            best.load_state_dict(kept[one.task.name].state)
            best.eval()
            results[one.task.name] = (kept[one.task.name], *_predictions(best, one, one.test, tokenizer))
        return results


def _question(task: Task, shown: Shown, tokenizer: Tokenizer, cue: str) -> list[int]:
    """`mrpc sentence1: ... sentence2: ...`, and the objective's cue at the end of a question."""
    ids = tokenizer.encode(f"{task.prompt} {task.fields[0]}:") + shown.first
    if task.paired:
        ids += tokenizer.encode(f"{task.fields[1]}:") + shown.second
    return ids + tokenizer.encode(cue) if cue else ids


def _exchange(posed: Posed, part: Part, place: int, tokenizer: Tokenizer, cue: str) -> Exchange:
    answer = _in_words(posed.task, part.examples[place].label)
    return Exchange(_question(posed.task, part.shown[place], tokenizer, cue), tokenizer.encode(answer))


def _in_words(task: Task, label: str | float) -> str:
    """The name of a class; a number rounded to the task's steps."""
    if isinstance(label, str):
        return label
    return f"{round(label * task.steps) / task.steps:.1f}" if task.steps else f"{label:g}"


def _answers(task: Task, tokenizer: Tokenizer) -> list[list[int]]:
    """Ids of every answer in the training examples, each with the end of a text."""
    return [[*tokenizer.encode(words), SEP] for words in sorted({_in_words(task, e.label) for e in task.train})]


def _check_answers(task: Task, tokenizer: Tokenizer) -> None:
    """Raise `ConfigError` for class names that the tokenizer cannot distinguish or cannot write."""
    named: dict[str, str] = {}
    for name in task.classes:
        written = tokenizer.decode(tokenizer.encode(name))
        if not written or written in named:
            same = f"as {named[written]!r}" if written else "as nothing"
            raise ConfigError(f"task {task.name}: the tokenizer spells the class {name!r} {same}; give the class another name")
        named[written] = name


def _predictions(learner: Any, posed: Posed, part: Part, tokenizer: Tokenizer) -> tuple[np.ndarray, list[str]]:
    """Class numbers, -1 for an answer that names no class, or numbers; and the answers as text."""
    longest = max(map(len, _answers(posed.task, tokenizer)))
    framed = [learner.frame(_question(posed.task, shown, tokenizer, learner.cue)) for shown in part.shown]
    written = [""] * len(framed)
    with torch.no_grad():
        for batch in framing.same_length([len(row) for row in framed], TOKENS_AT_ONCE):
            tokens_BT = torch.tensor([framed[i] for i in batch], device=device_of(learner))
            for i, row in zip(batch, learner.answer(tokens_BT, longest).tolist(), strict=True):
                written[i] = tokenizer.decode(row[: row.index(SEP)] if SEP in row else row)
    if posed.regression:
        return np.array([_number(words) for words in written]), written
    number_of = {tokenizer.decode(tokenizer.encode(name)): place for place, name in enumerate(posed.classes)}
    return np.array([number_of.get(words, -1) for words in written], dtype=np.int64), written


def _number(words: str) -> float:
    """The number that `words` spells, also with spaces (`3 . 8`); `NO_NUMBER` if there is none."""
    try:
        value = float(words.replace(" ", ""))
    except ValueError:
        return NO_NUMBER
    return value if np.isfinite(value) else NO_NUMBER
