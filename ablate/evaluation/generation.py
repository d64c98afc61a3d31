"""Generation: are a model's texts good, and are they varied? One without the other is easy.

Every model writes `texts` texts from their beginning, each cut at its end or after `length` tokens. It does so at several
temperatures. Below 1 texts become better and more alike, so a model is a curve in quality and diversity, not a point. Of two
models the better one has the outer curve (Caccia et al. 2020).

| metric | unit of text | measures |
| --- | --- | --- |
| `bleu_2` to `bleu_5` | words, against test text | quality: `ablate.evaluation.bleu` |
| `self_bleu_2` to `self_bleu_5` | words, against the other texts | lack of diversity |
| `distinct_1` to `distinct_3` | words | diversity: `ablate.evaluation.distinct` |
| `forward_nats_kn5` | tokens, judged by a Kneser-Ney 5-gram of training text | quality: `ablate.evaluation.lm_scores` |
| `reverse_nats_kn5` | tokens of test text, judged by a Kneser-Ney 5-gram of the texts | both |
| `nll_oracle` | tokens, if the corpus knows its own distribution | quality: `ablate.data.corpora.oracle` |
| `tokens_per_text` | | length |
| `matched_reverse_nats_kn5` | as reverse, where forward equals that of real text | both: `ablate.evaluation.matched_quality` |

The last metric has the condition `as likely as real text`. It has no row if real text's forward score lies outside those of the
temperatures. The other metrics have the condition `temperature=T`. The condition `real text` holds the same numbers of as many
validation sentences, which a perfect model of sentences would reach. Words and marks of punctuation are those that
`ablate.data.words` finds in what the tokenizer decodes, in the references too. A text ends before its SEP. A metric that is
undefined, such as the forward score of empty texts, has no row.

A model of documents continues after a sentence, a model of sentences stops. Each test sentence is therefore a reference twice:
alone, and with the text that follows it, both cut after `length` tokens. Self-BLEU, distinct-n and the reverse score depend on
the length of the texts. If `tokens_per_text` differs much between arms, these metrics do not compare.

All arms and temperatures share one random stream. Error: with the default 256 texts the standard error of a mean BLEU is about
0.01 (standard deviation 0.15 between texts). That of the forward score is about 0.03 nats.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch

from ablate.config import require
from ablate.data.text import Text
from ablate.data.token_store import TokenStore
from ablate.data.tokenizer import SPECIAL
from ablate.data.words import segments
from ablate.evaluation import bleu, distinct, framing, held_out, lm_scores
from ablate.evaluation.matched_quality import matched
from ablate.evaluation.reading import Reading, check_capability, noise, undisturbed
from ablate.nn.decoding import Decoding
from ablate.nn.kneser_ney import KneserNey
from ablate.objectives.base import Samples
from ablate.records import Row

TEXTS_AT_ONCE = 256
REAL = "real text"
MATCHED = "as likely as real text"
SAMPLES = 3
"""Texts of each temperature that are shown."""


class Real(NamedTuple):
    """Real text that written text is compared with."""

    references: list[list[str]]
    """Words of test text."""
    test: list[np.ndarray]
    """Tokens of test sentences."""
    judge: KneserNey
    """Kneser-Ney model of training text."""


@dataclass(frozen=True, kw_only=True)
class Generation:
    name: ClassVar[str] = "generation"
    VERSION: ClassVar[int] = 3
    needs: ClassVar[type] = Samples
    smoke: ClassVar[dict[str, Any]] = {"texts": 6, "length": 12, "temperatures": (0.7, 1.0), "references": 20, "judged": 500}
    on_curve: ClassVar[bool] = False

    texts: int = 256
    """Texts at each temperature, and as many real ones."""
    length: int = 24
    """Tokens in the longest text. It does not follow the model's context, which may be a factor."""
    temperatures: tuple[float, ...] = (0.5, 0.75, 1.0, 1.25)
    """Divisors of the logits before a token is drawn; one set of rows each."""
    references: int = 1000
    """Test sentences used as references, evenly spaced over the split; all of them if it has fewer."""
    order: int = 5
    """Tokens in an n-gram of the Kneser-Ney judges."""
    judged: int = 500_000
    """Training tokens that the forward judge reads, at least, in whole documents evenly spaced over the split."""

    def __post_init__(self) -> None:
        require(self.texts >= 2, "generation texts", self.texts, "at least 2, because self-BLEU compares them")
        require(self.length >= 1, "generation length", self.length, "at least 1 token")
        require(bool(self.temperatures), "generation temperatures", self.temperatures, "at least one")
        for temperature in self.temperatures:
            right = 0 < temperature < math.inf
            require(right, "generation temperature", temperature, "positive and finite")
        distinct_ones = len(set(map(_condition, self.temperatures))) == len(self.temperatures)
        require(distinct_ones, "generation temperatures", self.temperatures, "all different")
        require(self.references >= 1, "generation references", self.references, "at least 1 sentence")
        require(1 <= self.order <= 20, "generation order", self.order, "between 1 and 20 tokens")
        require(self.judged >= 1, "generation judged", self.judged, "at least 1 token")

    def check(self, model: Any, text: Text) -> None:
        check_capability(self, model)
        framing.check_fits(model, self.length, self.name)

    def measure(self, model: Any, text: Text) -> Reading:
        """Return a set of rows for each temperature and for real text, and sample texts of each temperature."""
        self.check(model, text)
        real = self._real(text)
        validation = text.split("validation")
        sentences = held_out.spread(len(validation.sentence_starts) - 1, self.texts).tolist()
        rows = self._rows(REAL, [validation.sentence(number)[: self.length] for number in sentences], real, text)
        samples: list[dict[str, Any]] = []
        for temperature in self.temperatures:
            condition = _condition(temperature)
            written = write(model, self.texts, self.length, temperature)
            rows += self._rows(condition, written, real, text)
            samples += (
                {"kind": "written", "input": f"{condition}, text {number}", "output": held_out.show(ids, text.tokenizer)}
                for number, ids in enumerate(written[:SAMPLES], start=1)
            )
        return Reading(rows=(*rows, *self._matched(rows)), samples=tuple(samples))

    def _real(self, text: Text) -> Real:
        train, test = text.split("train"), text.split("test")
        numbers = held_out.spread(len(test.sentence_starts) - 1, self.references).tolist()
        alone = [test.sentence(number)[: self.length] for number in numbers]
        followed = [_from(test, number, self.length) for number in numbers]
        read = list(_documents(train, self.judged))
        return Real(
            [_words(ids, text) for ids in (*alone, *followed)],
            alone,
            lm_scores.judge(read, self.order, text.vocabulary.size),
        )

    def _rows(self, condition: str, texts: list[np.ndarray], real: Real, text: Text) -> list[Row]:
        words = [_words(ids, text) for ids in texts]
        forward, written = lm_scores.nats_per_token(real.judge, texts)
        reverse, tested = lm_scores.nats_per_token(lm_scores.judge(texts, self.order, text.vocabulary.size), real.test)
        rows = [
            *(_row(f"bleu_{n}", condition, s.mean(), len(s), "higher") for n, s in bleu.bleu(words, real.references).items()),
            *(_row(f"self_bleu_{n}", condition, s.mean(), len(s), "lower") for n, s in _self_bleu(words).items()),
            *(_row(f"distinct_{n}", condition, share, len(words), "higher") for n, share in distinct.distinct(words).items()),
            _row(f"forward_nats_kn{self.order}", condition, forward, written, "lower", "nats"),
            _row(f"reverse_nats_kn{self.order}", condition, reverse, tested, "lower", "nats"),
            _row("tokens_per_text", condition, written / len(texts), len(texts), "none", "tokens"),
        ]
        oracle: Any = text.corpus
        if hasattr(oracle, "nll"):
            sentences = [" ".join(text.tokenizer.decode(ids.tolist()).split()) for ids in texts]
            judged = sum(len(oracle.ids(sentence)) for sentence in sentences)
            rows.append(_row("nll_oracle", condition, oracle.nll(sentences), judged, "lower", "nats"))
        return [row for row in rows if not math.isnan(row.value)]

    def _matched(self, rows: Sequence[Row]) -> Iterator[Row]:
        """Yield the diversity at the temperature at which texts are as likely as real ones; nothing if there is none."""
        forward, reverse = (
            {row.condition: row for row in rows if row.metric == f"{way}_nats_kn{self.order}"} for way in ("forward", "reverse")
        )
        swept = [name for name in map(_condition, sorted(self.temperatures)) if name in forward and name in reverse]
        if REAL in forward and swept:
            quality, variety = ([way[name].value for name in swept] for way in (forward, reverse))
            value = matched(quality, variety, forward[REAL].value)
            items = reverse[swept[0]].items
            if not math.isnan(value):
                yield _row(f"matched_reverse_nats_kn{self.order}", MATCHED, value, items, "lower", "nats")


def write(model: Any, count: int, length: int, temperature: float) -> list[np.ndarray]:
    """Return `count` texts of at most `length` tokens, int64, without the SEP that ends one; a text may be empty."""
    texts: list[np.ndarray] = []
    seed = int(noise("generation").integers(2**63))
    with undisturbed(model) as device:
        generator = torch.Generator(device).manual_seed(seed)
        beginning_1T = torch.tensor([model.frame([])], device=device)
        for start in range(0, count, TEXTS_AT_ONCE):
            prompts_BT = beginning_1T.repeat(min(TEXTS_AT_ONCE, count - start), 1)
            written_BT = model.sample(prompts_BT, length, Decoding(temperature=temperature), generator)
            texts += [held_out.before_its_end(row) for row in written_BT.cpu().numpy()]
    return texts


def _self_bleu(words: Sequence[list[str]]) -> dict[int, np.ndarray]:
    # The validation split may have one sentence only, and self-BLEU needs two.
    return bleu.self_bleu(words) if len(words) > 1 else {}


def _words(ids: np.ndarray, text: Text) -> list[str]:
    # Names of special tokens stand between spaces, and each is one word.
    parts = text.tokenizer.decode(ids.tolist()).split()
    return [word for part in parts for word in ([part] if part in SPECIAL else segments(part))]


def _from(store: TokenStore, sentence: int, length: int) -> np.ndarray:
    """Return at most `length` tokens from a sentence on, within its document."""
    starts = np.asarray(store.sentence_starts)
    document = int(np.searchsorted(store.document_starts, sentence, side="right"))
    begin, end = int(starts[sentence]), int(starts[store.document_starts[document]])
    return store.tokens[begin : min(end, begin + length)].astype(np.int64)


def _documents(store: TokenStore, tokens: int) -> Iterator[np.ndarray]:
    """Yield whole documents, evenly spaced over a split; their number gives `tokens` tokens at the mean length."""
    count = math.ceil(store.documents * min(1.0, tokens / len(store.tokens)))
    for number in held_out.spread(store.documents, count).tolist():
        yield store.document(number)


def _condition(temperature: float) -> str:
    return f"temperature={temperature:g}"


def _row(metric: str, condition: str, value: float, items: int, better: str, unit: str = "share") -> Row:
    return Row(
        evaluation=Generation.name,
        metric=metric,
        condition=condition,
        value=float(value),
        unit=unit,
        better=better,
        items=items,
    )
