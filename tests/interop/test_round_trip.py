"""Out to a folder, into transformers and back: the same ids, the same weights, the same vectors, for every architecture."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from ablate.data.text import Text
from ablate.data.tokenizer import PAD, Tokenizer, given, train
from ablate.interop import architecture_of, start_from
from ablate.interop.export import write
from ablate.objectives.base import Objective

transformers = pytest.importorskip("transformers")

Build = Callable[..., Objective]
STACKS = {
    "bert": lambda hf: hf.bert,
    "gpt": lambda hf: hf.transformer,
    "xlnet": lambda hf: hf.transformer,
    "t5": lambda hf: hf.encoder,
}
"""What gives the vectors that `encode` gives."""


def load(folder: Path) -> Any:
    """The class that config.json names, without a line of our code."""
    kind = getattr(transformers, json.loads((folder / "config.json").read_text())["architectures"][0])
    model, found = kind.from_pretrained(folder, output_loading_info=True)
    assert not found["unexpected_keys"]
    assert not found["missing_keys"]
    assert not found["mismatched_keys"]
    return model.eval()


def rows(vocabulary: int, lengths: tuple[int, ...] = (21, 9, 3)) -> tuple[Tensor, Tensor]:
    tokens = torch.from_numpy(np.random.default_rng(0).integers(5, vocabulary, (len(lengths), max(lengths))))
    visible = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    return torch.where(visible, tokens, PAD), visible


def same_state(one: Objective, other: Objective) -> bool:
    a, b = one.state_dict(), other.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[path], b[path]) for path in a)


def test_transformers_reads_what_is_written(name: str, build: Build, text: Text, tmp_path: Path) -> None:
    model = build(name)
    theirs = load(write(model, text.tokenizer, tmp_path / "out"))
    state = theirs.state_dict()
    for path, tensor in architecture_of(name).export(model).items():
        assert torch.equal(state[path], tensor), path
    tokens, visible = rows(text.vocabulary.size)
    with torch.no_grad():
        expected = STACKS[name](theirs)(input_ids=tokens, attention_mask=visible.long()).last_hidden_state
        assert (model.encode(tokens, visible) - expected)[visible].abs().max() <= 1e-5  # type: ignore[operator]


def test_auto_classes_find_it(name: str, build: Build, text: Text, tmp_path: Path) -> None:
    folder = write(build(name), text.tokenizer, tmp_path / "out")
    config = transformers.AutoConfig.from_pretrained(folder)
    assert config.vocab_size == len(transformers.AutoTokenizer.from_pretrained(folder))
    assert type(transformers.AutoModel.from_pretrained(folder)).__name__.endswith("Model")


def test_ids_are_those_of_the_run(name: str, build: Build, text: Text, sentences: list[str], tmp_path: Path) -> None:
    model = build(name)
    theirs = transformers.AutoTokenizer.from_pretrained(write(model, text.tokenizer, tmp_path / "out"))
    framed = [model.frame(text.tokenizer.encode(sentence)) for sentence in sentences]  # type: ignore[operator]
    assert [theirs(sentence).input_ids for sentence in sentences] == framed
    assert theirs.model_max_length == model.context
    assert (theirs.pad_token_id, theirs.unk_token_id, theirs.eos_token_id, theirs.mask_token_id) == (0, 1, 3, 4)
    assert theirs("[MASK]", add_special_tokens=False).input_ids == [4]


def test_a_run_starts_from_what_was_written(name: str, build: Build, text: Text, tmp_path: Path) -> None:
    model, other = build(name), build(name, seed=1)
    folder = write(model, text.tokenizer, tmp_path / "out")
    assert not same_state(model, other)
    start_from(other, text, folder)
    assert same_state(model, other)


def test_a_run_starts_from_what_transformers_saved(name: str, build: Build, text: Text, tmp_path: Path) -> None:
    """Its own random weights and its own files, with our tokenizer: then both give the same vectors."""
    first = write(build(name), text.tokenizer, tmp_path / "out")
    theirs = load(first)
    torch.manual_seed(5)
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.normal_(std=0.2)
    theirs.save_pretrained(tmp_path / "theirs")
    transformers.AutoTokenizer.from_pretrained(first).save_pretrained(tmp_path / "theirs")
    model = build(name)
    start_from(model, text, tmp_path / "theirs")
    tokens, visible = rows(text.vocabulary.size)
    with torch.no_grad():
        expected = STACKS[name](theirs)(input_ids=tokens, attention_mask=visible.long()).last_hidden_state
        got = model.encode(tokens, visible)  # type: ignore[operator]
    assert (got - expected)[visible].abs().max() <= 1e-5 * float(expected.abs().max().clamp(min=1))


def bert_logits(ours: Any, theirs: Any, tokens: Tensor, visible: Tensor) -> tuple[Tensor, Tensor]:
    return ours.fill(tokens, visible, visible.nonzero()), theirs(tokens, visible.long()).prediction_logits[visible]


def gpt_scores(ours: Any, theirs: Any, tokens: Tensor, visible: Tensor) -> tuple[Tensor, Tensor]:
    """One token at a time, so that a sum of many hides nothing."""
    log_p = theirs(tokens, attention_mask=visible.long()).logits[:, :-1].log_softmax(-1)
    log_p = log_p.gather(-1, tokens[:, 1:, None])[..., 0]
    places = visible[:, 1:].nonzero()
    each = [ours.score(tokens[r : r + 1], visible[r : r + 1], torch.arange(21)[None] == c + 1)[0] for r, c in places.tolist()]
    return torch.stack(each), log_p[visible[:, 1:]]


def xlnet_logits(ours: Any, theirs: Any, tokens: Tensor, visible: Tensor) -> tuple[Tensor, Tensor]:
    """The second and third token of each row, from all others of it."""
    places = torch.tensor([[row, column] for row in range(len(tokens)) for column in (1, 2)])
    hidden = torch.zeros(*tokens.shape, tokens.shape[1])
    hidden[:, :, 1:3] = 1
    asked = torch.zeros(len(tokens), 2, tokens.shape[1])
    asked[:, [0, 1], [1, 2]] = 1
    logits = theirs(tokens, attention_mask=visible.float(), perm_mask=hidden, target_mapping=asked).logits
    return ours.fill(tokens, visible, places), logits.flatten(0, 1)


def t5_logits(ours: Any, theirs: Any, tokens: Tensor, visible: Tensor) -> tuple[Tensor, Tensor]:
    """Of each place of the answer "7 30 9", its end included."""
    fed = torch.tensor([[PAD, 7, 30, 9]]).expand(len(tokens), -1)
    memory = ours._read(tokens, visible.to(torch.int32) - 1)
    logits = ours.network.logits(ours._decode(fed, memory, torch.zeros_like(fed)))
    return logits, theirs(tokens, attention_mask=visible.long(), decoder_input_ids=fed).logits


LOGITS = {"bert": bert_logits, "gpt": gpt_scores, "xlnet": xlnet_logits, "t5": t5_logits}


def test_what_is_read_says_the_same(name: str, build: Build, text: Text, tmp_path: Path) -> None:
    model = build(name)
    theirs = load(write(model, text.tokenizer, tmp_path / "out"))
    with torch.no_grad():
        got, expected = LOGITS[name](model, theirs, *rows(text.vocabulary.size))
    assert got.shape == expected.shape
    assert (got - expected).abs().max() <= 1e-5


def test_pairs_of_texts_are_framed_as_bert_frames_them(build: Build, text: Text, sentences: list[str], tmp_path: Path) -> None:
    theirs = transformers.AutoTokenizer.from_pretrained(write(build("bert"), text.tokenizer, tmp_path / "out"))
    a, b = sentences[0], "A river."
    first, second = text.tokenizer.encode(a), text.tokenizer.encode(b)
    pair = theirs(a, b)
    assert pair.input_ids == [2, *first, 3, *second, 3]
    assert pair.token_type_ids == [0] * (len(first) + 2) + [1] * (len(second) + 1)


@pytest.mark.parametrize("kind", ["wordpiece", "bpe", "unigram", "word", "byte", "char"])
def test_every_kind_of_tokenizer_goes_out_and_comes_back(kind: str, build: Build, sentences: list[str], tmp_path: Path) -> None:
    own: Tokenizer = train(sentences[:300], kind, 300, "f")
    folder = write(build("gpt", vocabulary=own.vocabulary), own, tmp_path / "out")
    theirs = transformers.AutoTokenizer.from_pretrained(folder)
    again = given(f"folder:{folder}", "g")
    assert again.kind == kind
    assert again.vocabulary.spelled == own.vocabulary.spelled
    for sentence in [*sentences[:40], "Zebra, 12", "  two  spaces ", "naïve\tcafé"]:
        assert theirs(sentence, add_special_tokens=False).input_ids == own.encode(sentence)
        assert again.encode(sentence) == own.encode(sentence)
    spelled = "[MASK] [PAD] a[SEP]b [CLS]"
    assert again.encode(spelled) == own.encode(spelled)
    assert min({*again.encode(spelled)} - {1}, default=5) >= 5
