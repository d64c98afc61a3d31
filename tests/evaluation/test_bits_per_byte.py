from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ablate.config import Backbone, ConfigError
from ablate.evaluation.bits_per_byte import BitsPerByte
from ablate.evaluation.passages import passages
from ablate.evaluation.reading import check_capability, readable
from ablate.evaluation.unigram import log_unigram
from ablate.objectives.bert import Bert
from ablate.objectives.gan import Gan
from ablate.objectives.gpt import Gpt
from ablate.objectives.vae import Vae

EVALUATION = BitsPerByte(passages=12, length=20, draws=40)
SMALL = Backbone(width=16, layers=2, heads=2)


def bits(reading: Any) -> dict[str, float]:
    return {row.condition: row.value for row in reading.rows if row.metric == "bits_per_byte"}


def test_a_uniform_model_pays_the_same_for_every_token(english: Any, fakes: Any) -> None:
    """log2 V bits a token; the bytes are those of the sentences, counted here from the documents themselves."""

    class Uniform(fakes.Judge):  # type: ignore[misc,name-defined]
        def score(self, tokens_BT: torch.Tensor, visible_BT: torch.Tensor, scored_BT: torch.Tensor) -> torch.Tensor:
            return -math.log(english.vocabulary.size) * scored_BT.sum(1).double()

    everything = BitsPerByte(passages=100_000, length=20)
    reading = everything.measure(Uniform(set(), 0.0, 0.0), english)
    sentences = [sentence for document in english.documents("test") for sentence in document.sentences]
    found = passages(english, 100_000, 20)
    joins = len(sentences) - len(found.read)
    size = sum(len(sentence.encode()) for sentence in sentences) + joins
    tokens = sum(len(english.tokenizer.encode(sentence)) for sentence in sentences)
    assert bits(reading) == {"exact": pytest.approx(tokens * math.log2(english.vocabulary.size) / size)}
    counted = {row.metric: (row.value, row.items) for row in reading.rows if row.metric != "bits_per_byte"}
    unigram = log_unigram(english.unigram_counts())
    ids = [id for sentence in sentences for id in english.tokenizer.encode(sentence)]
    below = -math.log(english.vocabulary.size) - sum(unigram[id] for id in ids) / tokens
    assert counted.pop("nats_below_unigram") == (pytest.approx(below), tokens)
    assert counted == {"left_out": (0, size), "divided": (0, size)}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(
    st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=6), min_size=1, max_size=5), st.integers(1, 8), st.integers(1, 40)
)
def test_passages_keep_every_token_and_never_cross_a_document(
    fakes: Any, lengths: list[list[int]], length: int, count: int
) -> None:
    names = iter(f"w{number:03d}" for number in range(1000))
    documents = [fakes.Document(tuple(" ".join(next(names) for _ in range(n)) for n in sizes), "") for sizes in lengths]
    text = fakes.Text(documents, fakes.WordTokenizer([s for d in documents for s in d.sentences]))
    found = passages(text, 1000, length)
    streams = [[i for s in document.sentences for i in text.tokenizer.encode(s)] for document in documents]
    read = [token for passage in found.read for part in passage.parts for token in part]
    assert read == [token for stream in streams for token in stream]
    assert all(1 <= len(part) <= length for passage in found.read for part in passage.parts)
    owner = {token: number for number, stream in enumerate(streams) for token in stream}
    for passage in found.read:
        tokens = [token for part in passage.parts for token in part]
        assert len({owner[token] for token in tokens}) == 1
        assert passage.bytes == 5 * len(tokens) - 1
    assert len(passages(text, count, length).read) == min(count, len(found.read))


def test_unknown_tokens_have_no_bytes_and_are_counted(english: Any, fakes: Any) -> None:
    documents = [fakes.Document(("the man is old .", "the man is zzz ."), ""), fakes.Document(("a day is old .",), "")]
    text = fakes.Text(documents, english.tokenizer)
    reading = BitsPerByte(length=5).measure(fakes.Judge(set(), 0.0, -math.log(2)), text)
    assert bits(reading) == {"exact": pytest.approx(2 / 30)}
    left_out = next(row for row in reading.rows if row.metric == "left_out")
    assert (left_out.value, left_out.items) == (pytest.approx(16 / 46), 46)
    with pytest.raises(ConfigError, match="every passage of the test split holds an unknown token"):
        EVALUATION.check(fakes.Judge(set(), 0.0, 0.0), fakes.Text([fakes.Document(("zzz",), "")], english.tokenizer))


def test_a_long_sentence_is_divided_and_counted(english: Any, fakes: Any) -> None:
    documents = [fakes.Document(("the man is old the man is old", "a day"), "")]
    text = fakes.Text(documents, english.tokenizer)
    found = passages(text, 9, 3)
    assert [list(map(len, passage.parts)) for passage in found.read] == [[3, 3, 2], [2]]
    assert (found.bytes, found.divided_bytes, found.unknown_bytes) == (29 + 5, 29, 0)


def test_estimators_never_share_a_column(english: Any) -> None:
    torch.manual_seed(0)
    models = [kind(kind.Config(), SMALL, english.vocabulary, 40) for kind in (Gpt, Bert, Vae)]
    found = [bits(EVALUATION.measure(model, english)) for model in models]
    assert [list(columns) for columns in found] == [["exact"], ["pseudo"], ["bound", "bound, 40 draws"]]
    for model, columns in zip(models, found, strict=True):
        named = EVALUATION.estimators(model)
        assert named == {f"bits-per-byte/bits_per_byte@{column}": column for column in columns}
    assert found[2]["bound, 40 draws"] <= found[2]["bound"]


def test_exact_bits_are_the_models_own_loss_on_the_same_text(english: Any) -> None:
    """GPT's cross-entropy by hand: [SEP] before the passage, every token of it guessed."""
    torch.manual_seed(0)
    model = Gpt(Gpt.Config(), SMALL, english.vocabulary, 40).eval()
    made = EVALUATION.make(english)
    nats = 0.0
    with torch.no_grad():
        for passage in made.read:
            for part in passage.parts:
                row = torch.tensor([[3, *part]])
                logits = model.network.logits(model.encode(row, torch.ones_like(row, dtype=torch.bool)))[0, :-1].double()
                nats -= float(logits.log_softmax(-1)[range(len(part)), list(part)].sum())
    assert bits(EVALUATION.measure(model, english))["exact"] == pytest.approx(nats / math.log(2) / made.bytes, rel=1e-6)


def test_what_has_no_likelihood_is_not_read(english: Any) -> None:
    assert readable((EVALUATION,), Gan) == ()
    with pytest.raises(ConfigError, match="needs the capability Scores, which objective 'gan' does not have"):
        check_capability(EVALUATION, Gan)


def test_too_small_a_context_and_wrong_fields_are_named(english: Any, fakes: Any) -> None:
    model = fakes.Judge(set(), 0.0, 0.0)
    with pytest.raises(ConfigError, match="bits-per-byte shows 63 tokens of text and 2 special ones"):
        BitsPerByte(length=63).check(model, english)
    for field in ({"passages": 0}, {"length": 0}, {"draws": 1}):
        with pytest.raises(ConfigError, match="bits-per-byte"):
            BitsPerByte(**field)


def test_passages_are_spread_over_the_split(english: Any) -> None:
    sizes = np.array([len(passages(english, count, 20).read) for count in (5, 50)])
    assert sizes.tolist() == [5, 50]


def test_a_model_without_a_likelihood_is_refused_before_training_and_at_the_reading(english: Any) -> None:
    model = Gan(Gan.Config(), SMALL, english.vocabulary, 40)
    for ask in (EVALUATION.check, EVALUATION.measure):
        with pytest.raises(ConfigError, match="bits-per-byte needs the capability Scores, which objective 'gan' does not have"):
            ask(model, english)


def test_infinite_bits_are_no_result(english: Any, fakes: Any) -> None:
    with pytest.raises(FloatingPointError, match="bits-per-byte score is -inf"):
        EVALUATION.measure(fakes.Judge(set(), 0.0, -math.inf), english)


def test_rows_say_their_unit_and_their_better_side(english: Any, fakes: Any) -> None:
    rows = {row.metric: row for row in EVALUATION.measure(fakes.Judge(set(), 0.0, -1.0), english).rows}
    sides = {name: (row.unit, row.better) for name, row in rows.items()}
    assert sides == {
        "bits_per_byte": ("bits", "lower"),
        "nats_below_unigram": ("nats", "higher"),
        "left_out": ("share", "none"),
        "divided": ("share", "none"),
    }
    assert rows["bits_per_byte"].items == EVALUATION.make(english).bytes


def test_effort_is_a_decision_and_its_least_is_allowed() -> None:
    """Defaults stand in the identity of every reading: changing one reads every finished run again."""
    assert BitsPerByte() == BitsPerByte(passages=64, length=60, draws=32)
    assert not BitsPerByte.on_curve and BitsPerByte.VERSION == 2
    least = BitsPerByte(passages=1, length=1, draws=2)
    assert (least.passages, least.length, least.draws) == (1, 1, 2)
