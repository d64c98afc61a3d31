"""A checkpoint made elsewhere, laid out as BERT's release: its special tokens stand at 0 and 100 to 103."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from ablate.config import Backbone, ConfigError, Data, RunConfig
from ablate.data.text import Text, prepare
from ablate.data.tokenizer import given
from ablate.interop import start_from
from ablate.interop.export import write
from ablate.objectives.bert import Bert
from ablate.training.fit import build

transformers = pytest.importorskip("transformers")


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights, transformers' own classes and files."""
    folder = tmp_path_factory.mktemp("released")
    letters = [chr(97 + i) for i in range(26)] + list("0123456789.'()")
    words = "the river mountain valley forest meadow harbour island naive canyon glacier number".split()  # noqa: SIM905
    pieces = ["[PAD]", *(f"[unused{i}]" for i in range(99)), "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    pieces += [*letters, *(f"##{letter}" for letter in letters), *words]
    tokenizer = transformers.BertTokenizer(vocab={piece: i for i, piece in enumerate(pieces)})
    assert tokenizer("[CLS]", add_special_tokens=False).input_ids == [101]
    config = transformers.BertConfig(
        vocab_size=len(pieces),
        hidden_size=24,
        num_hidden_layers=2,
        num_attention_heads=3,
        intermediate_size=48,
        max_position_embeddings=32,
        initializer_range=0.3,
    )
    torch.manual_seed(0)
    model = transformers.BertForPreTraining(config)
    with torch.no_grad():
        model.cls.predictions.bias.normal_()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def run(released: Path, data: Data) -> RunConfig:
    return RunConfig(
        objective=Bert.Config(),
        backbone=Backbone(width=24, layers=2, heads=3, feed_forward=2, kind="published"),
        data=dataclasses.replace(data, tokenizer=f"folder:{released}"),
        initial=str(released),
    )


@pytest.fixture(scope="module")
def foreign(run: RunConfig) -> Text:
    return prepare(run.data)


def test_logits_are_the_same_up_to_the_order_of_the_ids(
    run: RunConfig, foreign: Text, released: Path, sentences: list[str]
) -> None:
    ours: Any = build(run, foreign).eval()
    theirs = transformers.BertForPreTraining.from_pretrained(released).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(released)
    names = tokenizer.convert_ids_to_tokens(range(len(tokenizer)))
    own_names = foreign.tokenizer.tokens(range(foreign.vocabulary.size))
    assert own_names[:6] == ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[unused0]"]
    column = [names.index(name) for name in own_names]
    assert sorted(column) == list(range(len(names)))
    for sentence in sentences[:5]:
        batch = tokenizer(sentence, return_tensors="pt")
        ids = ours.frame(foreign.tokenizer.encode(sentence))
        assert [column[i] for i in ids] == batch.input_ids[0].tolist()
        tokens = torch.tensor([ids])
        seen = torch.ones_like(tokens, dtype=torch.bool)
        with torch.no_grad():
            logits = ours.fill(tokens, seen, seen.nonzero())
            assert (logits - theirs(**batch).prediction_logits[0][:, column]).abs().max() <= 1e-5


def test_text_under_its_tokenizer_is_ordinary_text(foreign: Text) -> None:
    stored = foreign.split("train").tokens
    assert stored.min() >= 1
    assert ((stored == 1) | (stored >= 5)).all()
    assert foreign.tokenizer.kind == "wordpiece"
    names = foreign.tokenizer.tokens(some := stored[:500].astype(int))
    assert foreign.vocabulary.continues(some).tolist() == [name.startswith("##") for name in names]


def test_it_goes_out_again_in_our_order(run: RunConfig, foreign: Text, tmp_path: Path, sentences: list[str]) -> None:
    ours: Any = build(run, foreign)
    folder = write(ours, foreign.tokenizer, tmp_path / "out")
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    assert tokenizer(sentences[0]).input_ids == ours.frame(foreign.tokenizer.encode(sentences[0]))
    again: Any = build(dataclasses.replace(run, initial=str(folder), seed=5), foreign)
    assert all(torch.equal(a, b) for a, b in zip(ours.state_dict().values(), again.state_dict().values(), strict=True))


def test_an_architecture_that_cannot_be_rearranged_says_so(build: Any, foreign: Text, tmp_path: Path) -> None:
    model = build("gpt", vocabulary=foreign.vocabulary)
    folder = write(model, foreign.tokenizer, tmp_path / "out")
    content = json.loads((folder / "tokenizer.json").read_text())
    vocabulary = {**content["model"]["vocab"], "[PAD]": 7, "[unused2]": 0}
    assert sorted(vocabulary.values()) == list(range(len(vocabulary)))
    added = [{**token, "id": vocabulary[token["content"]]} for token in content["added_tokens"]]
    changed = {**content, "model": {**content["model"], "vocab": vocabulary}, "added_tokens": added}
    (folder / "tokenizer.json").write_text(json.dumps(changed))
    under_its_tokenizer: Any = SimpleNamespace(tokenizer=given(f"folder:{folder}", "f"))
    with pytest.raises(ConfigError, match=r"the special tokens must have the ids \[PAD\] 0, \[UNK\] 1, \[CLS\] 2, \[SEP\] 3"):
        start_from(model, under_its_tokenizer, folder)


def test_a_tokenizer_without_our_special_tokens_is_refused(tmp_path: Path) -> None:
    """GPT-2's has one special token, and training here needs five."""
    vocabulary = {"<|endoftext|>": 0, "a": 1, "b": 2}
    tokenizer = transformers.GPT2Tokenizer(vocab=vocabulary, merges=[])
    tokenizer.save_pretrained(tmp_path)
    with pytest.raises(ConfigError, match=r"it has no token \[PAD\], \[UNK\], \[CLS\], \[SEP\], \[MASK\]|added token"):
        prepare(Data(corpus="grammar", tokenizer=f"folder:{tmp_path}"))
