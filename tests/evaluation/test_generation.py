"""Writers whose texts are known, so that every number can be had another way."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pytest
import torch
from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu

from ablate.config import Backbone, ConfigError
from ablate.data.corpora.oracle import Oracle
from ablate.data.tokenizer import PAD, SEP
from ablate.evaluation.generation import Generation, write
from ablate.nn.decoding import Decoding
from ablate.objectives import OBJECTIVES, objective
from ablate.objectives.base import Samples

EVALUATION = Generation(texts=30, length=12, temperatures=(1.0,), references=40, judged=2000)


def writer(fakes: Any, texts: list[list[int]]) -> Any:
    """Writes the given texts in turn, an end behind each that has room for one."""

    class Writer(fakes.Model):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.asked: list[tuple[list[int], int, Decoding]] = []

        def sample(self, prompts: torch.Tensor, length: int, decoding: Decoding, generator: torch.Generator) -> torch.Tensor:
            self.asked.append((prompts.tolist(), length, decoding))
            rows = [([*texts[i % len(texts)], SEP] + [PAD] * length)[:length] for i in range(len(prompts))]
            return torch.tensor(rows)

    return Writer()


def values(reading: Any, condition: str = "temperature=1") -> dict[str, float]:
    return {row.metric: row.value for row in reading.rows if row.condition == condition}


def sentences(text: Any, split: str, count: int, length: int = 12) -> list[list[int]]:
    store = text.split(split)
    total = len(store.sentence_starts) - 1
    return [store.sentence(i * total // count)[:length].tolist() for i in range(count)]


def split(text: str) -> list[str]:
    """Runs of letters, and marks of punctuation one by one: all that this text of English letters has."""
    return re.findall(r"[a-z]+|[^a-z ]", text)


def test_bleu_and_self_bleu_are_those_of_nltk_on_words(english: Any, fakes: Any) -> None:
    rng = np.random.default_rng(0)
    texts = [rng.permutation(ids)[: rng.integers(1, 12)].tolist() for ids in sentences(english, "test", 30)]
    found = values(EVALUATION.measure(writer(fakes, texts), english))
    words = [split(english.tokenizer.decode(ids)) for ids in texts]
    store = english.split("test")
    references = [split(english.tokenizer.decode(ids)) for ids in sentences(english, "test", 40)]
    total = len(store.sentence_starts) - 1
    for number in (i * total // 40 for i in range(40)):
        document = int(np.searchsorted(store.document_starts, number, side="right")) - 1
        rest = [store.sentence(i) for i in range(number, store.document_starts[document + 1])]
        references.append(split(english.tokenizer.decode(np.concatenate(rest)[:12].tolist())))
    smoothing = SmoothingFunction().method1
    for n in (2, 3, 4, 5):
        weights = (1.0 / n,) * n
        bleu = [sentence_bleu(references, text, weights, smoothing_function=smoothing) for text in words]
        others = [
            sentence_bleu(words[:i] + words[i + 1 :], text, weights, smoothing_function=smoothing)
            for i, text in enumerate(words)
        ]
        assert found[f"bleu_{n}"] == pytest.approx(np.mean(bleu), abs=1e-12)
        assert found[f"self_bleu_{n}"] == pytest.approx(np.mean(others), abs=1e-12)


def test_texts_without_spaces_are_compared_by_their_characters(fakes: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """BLEU-2 and distinct-1 are those of nltk and a set on single characters, and special tokens are one word each."""
    monkeypatch.setattr("ablate.data.words.ICU", None)
    rng = np.random.default_rng(0)
    made = ["".join(rng.choice(list("老师学生读书写字")) for _ in range(9)) + "。" for _ in range(60)]
    tokenizer = fakes.WordTokenizer([*made, *(one[::-1] for one in made)])
    text = fakes.Text([fakes.Document((one,), "") for one in made], tokenizer)
    texts = [[1, *tokenizer.encode(one[::-1])] for one in made[:30]]
    found = values(EVALUATION.measure(writer(fakes, texts), text))
    words = [["[UNK]", *one[::-1]] for one in made[:30]]
    kept = [list(made[i * 60 // 40]) for i in range(40)]
    smoothing = SmoothingFunction().method1
    bleu = [sentence_bleu(kept, one, (0.5, 0.5), smoothing_function=smoothing) for one in words]
    assert found["bleu_2"] == pytest.approx(np.mean(bleu), abs=1e-12)
    assert found["distinct_1"] == len({word for one in words for word in one}) / sum(map(len, words))


def test_quality_and_diversity_are_told_apart(english: Any, fakes: Any) -> None:
    """Real sentences, one real sentence again and again, and noise."""
    real = sentences(english, "validation", 30)
    noise = np.random.default_rng(0).integers(5, english.vocabulary.size, (30, 12)).tolist()
    of = {
        name: values(EVALUATION.measure(writer(fakes, texts), english))
        for name, texts in {"real": real, "one": real[:1], "noise": noise}.items()
    }
    for metric in ("forward_nats_kn5", "reverse_nats_kn5"):
        assert of["real"][metric] < of["noise"][metric] - 0.5
    assert of["one"]["forward_nats_kn5"] < of["real"]["forward_nats_kn5"] + 0.5
    assert of["one"]["reverse_nats_kn5"] > of["real"]["reverse_nats_kn5"] + 0.5
    assert of["one"]["self_bleu_5"] == pytest.approx(1.0)
    assert of["one"]["distinct_1"] < of["real"]["distinct_1"]
    assert of["real"]["bleu_4"] > of["noise"]["bleu_4"] + 0.3


def test_real_text_is_its_own_row_and_the_same_for_every_model(english: Any, fakes: Any) -> None:
    real = sentences(english, "validation", 30)
    reading = EVALUATION.measure(writer(fakes, real), english)
    assert values(reading, "real text") == values(reading)
    assert values(EVALUATION.measure(writer(fakes, [[7]]), english), "real text") == values(reading, "real text")


def test_temperatures_are_asked_for_from_the_beginning_of_a_text(english: Any, fakes: Any) -> None:
    model = writer(fakes, [[6, 7], [8]])
    reading = Generation(texts=300, length=5, temperatures=(0.5, 2.0)).measure(model, english)
    assert [(len(prompts), length, decoding.temperature) for prompts, length, decoding in model.asked] == [
        (256, 5, 0.5), (44, 5, 0.5), (256, 5, 2.0), (44, 5, 2.0),
    ]  # fmt: skip
    assert all(prompt == model.frame([]) for prompts, *_ in model.asked for prompt in prompts)
    assert {row.condition for row in reading.rows} == {"real text", "temperature=0.5", "temperature=2"}
    assert values(reading, "temperature=2")["tokens_per_text"] == 1.5


def test_variety_is_read_where_texts_are_as_likely_as_real_ones(english: Any, fakes: Any) -> None:
    """A writer of sentences when cold and of noise when hot: the number is that of the straight line between the two."""
    easy = sentences(english, "train", 1) * 4
    noise = np.random.default_rng(0).integers(5, english.vocabulary.size, (30, 12)).tolist()

    class Heated(type(writer(fakes, easy))):  # type: ignore[misc]
        def sample(self, prompts: torch.Tensor, length: int, decoding: Decoding, generator: torch.Generator) -> torch.Tensor:
            model = writer(fakes, easy if decoding.temperature < 1 else noise)
            return model.sample(prompts, length, decoding, generator)

    evaluation = Generation(texts=30, length=12, temperatures=(2.0, 0.5), references=40, judged=2000)
    reading = evaluation.measure(Heated(), english)
    cold, hot, real = (values(reading, f) for f in ("temperature=0.5", "temperature=2", "real text"))
    forward, reverse = "forward_nats_kn5", "reverse_nats_kn5"
    assert cold[forward] < real[forward] < hot[forward]
    share = (real[forward] - cold[forward]) / (hot[forward] - cold[forward])
    (found,) = (row for row in reading.rows if row.condition == "as likely as real text")
    assert found.metric == "matched_reverse_nats_kn5"
    assert found.value == pytest.approx(cold[reverse] + share * (hot[reverse] - cold[reverse]))
    always = evaluation.measure(writer(fakes, noise), english)
    assert not any(row.condition == "as likely as real text" for row in always.rows)


def test_texts_end_before_their_end(english: Any, fakes: Any) -> None:
    texts = write(writer(fakes, [[6, 7, 8], [], [9] * 5]), 3, 5, 1.0)
    assert [ids.tolist() for ids in texts] == [[6, 7, 8], [], [9] * 5]


def test_texts_without_a_word_are_read(english: Any, fakes: Any) -> None:
    found = values(EVALUATION.measure(writer(fakes, [[]]), english))
    assert {found[f"bleu_{n}"] for n in (2, 3, 4, 5)} == {found[f"self_bleu_{n}"] for n in (2, 3, 4, 5)} == {0.0}
    assert found["distinct_1"] == found["tokens_per_text"] == 0.0
    assert found["reverse_nats_kn5"] == pytest.approx(math.log(english.vocabulary.size))
    assert "forward_nats_kn5" not in found


def test_one_word_texts_are_shorter_than_every_ngram(english: Any, fakes: Any) -> None:
    found = values(EVALUATION.measure(writer(fakes, [english.tokenizer.encode(word) for word in ("the", "a")]), english))
    assert found["distinct_2"] == 0.0
    assert 0 < found["bleu_5"] < found["bleu_2"] < 1


def test_an_oracle_judges_what_was_written_in_its_language(fakes: Any) -> None:
    oracle = Oracle(length=6, words=30)
    documents = [fakes.Document(document.sentences, "") for document in list(oracle.documents())[:400]]
    tokenizer = fakes.WordTokenizer([*(document.sentences[0] for document in documents), "x"])
    text = fakes.Text(documents, tokenizer, oracle)
    written = ["w1 w2 w3 w4 w5 w6", "w7 x w8"]
    evaluation = Generation(texts=2, length=6, temperatures=(1.0,), references=20, judged=300)
    reading = evaluation.measure(writer(fakes, [tokenizer.encode(sentence) for sentence in written]), text)
    assert values(reading)["nll_oracle"] == oracle.nll(written)
    assert {row.metric: row.items for row in reading.rows if row.condition == "temperature=1"}["nll_oracle"] == 7
    many = Generation(texts=300, length=6, temperatures=(1.0,), references=20, judged=300)
    assert values(many.measure(writer(fakes, [[6]]), text), "real text")["nll_oracle"] == pytest.approx(oracle.entropy, abs=0.2)
    nothing = evaluation.measure(writer(fakes, [tokenizer.encode("x")]), text)
    assert "nll_oracle" not in values(nothing)


@pytest.mark.parametrize("name", [name for name in OBJECTIVES if isinstance(objective(name), Samples)])
def test_every_model_that_writes_is_read(name: str, english: Any) -> None:
    torch.manual_seed(0)
    model = objective(name)(objective(name).Config(), Backbone(width=16, layers=2, heads=2), english.vocabulary, 20)
    evaluation = Generation(texts=8, length=10, temperatures=(0.01, 1.0), references=20, judged=500)
    evaluation.check(model, english)
    reading = evaluation.measure(model, english)
    assert evaluation.measure(model, english) == reading
    cold, warm = values(reading, "temperature=0.01"), values(reading)
    assert {"bleu_2", "self_bleu_5", "distinct_3", "forward_nats_kn5", "reverse_nats_kn5"} <= warm.keys()
    assert name == "ngram" or cold != warm
    assert {sample["kind"] for sample in reading.samples} == {"written"}


def test_models_that_write() -> None:
    assert {name for name in OBJECTIVES if isinstance(objective(name), Samples)} >= {"gpt", "vae", "gan", "lstm", "t5", "ngram"}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"temperatures": (1.0, 0.0)}, "generation temperature = 0.0, but must be positive and finite"),
        ({"temperatures": (-1.0,)}, "generation temperature = -1.0"),
        ({"temperatures": (math.inf,)}, "generation temperature = inf"),
        ({"temperatures": ()}, "at least one"),
        ({"temperatures": (1.0, 1.0)}, "all different"),
        ({"texts": 0}, "generation texts = 0, but must be at least 2"),
        ({"length": 0}, "generation length = 0"),
        ({"references": 0}, "generation references = 0"),
        ({"order": 0}, "generation order = 0"),
        ({"judged": 0}, "generation judged = 0"),
    ],
)
def test_settings_that_cannot_be_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Generation(**fields)


def test_texts_that_do_not_fit_the_model_are_refused_before_training(english: Any, fakes: Any) -> None:
    with pytest.raises(ConfigError, match="generation shows 63 tokens of text and 2 special ones"):
        Generation(length=63).check(writer(fakes, [[6]]), english)
    with pytest.raises(ConfigError, match="needs the capability Samples"):
        EVALUATION.check(fakes.Constant(), english)
