"""What is wrong with a checkpoint is said in one line that names it, and then nothing is loaded."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from ablate.config import Backbone, ConfigError
from ablate.data.text import Text
from ablate.interop import fingerprint, start_from
from ablate.interop.export import write
from ablate.objectives.base import Objective

Build = Callable[..., Objective]
WORDS = "bert.embeddings.word_embeddings.weight"


def edit_json(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def edit_weights(path: Path, change: Callable[[dict[str, torch.Tensor]], None]) -> None:
    state = safetensors.torch.load_file(path)
    change(state)
    safetensors.torch.save_file(state, path)


@pytest.fixture
def refused(bert: Path, build: Build, text: Text) -> Callable[..., None]:
    """`refused(line)`: the folder as it is now is refused with this line and the model keeps every bit."""

    def check(line: str, folder: Path = bert, **changes: Any) -> None:
        model = build(changes.pop("name", "bert"), **changes)
        before = {path: tensor.clone() for path, tensor in model.state_dict().items()}
        with pytest.raises(ConfigError) as caught:
            start_from(model, text, folder)
        assert line in str(caught.value)
        assert "\n" not in str(caught.value)
        assert all(torch.equal(before[path], tensor) for path, tensor in model.state_dict().items())

    return check


def test_a_folder_that_is_not_there(refused: Callable[..., None], tmp_path: Path) -> None:
    refused("there is no such folder", folder=tmp_path / "nowhere")
    with pytest.raises(ConfigError, match="there is no such folder"):
        fingerprint(tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json"])
def test_a_missing_file_is_named(name: str, bert: Path, refused: Callable[..., None]) -> None:
    (bert / name).unlink()
    refused(f"{name} is missing; a checkpoint has config.json, model.safetensors, tokenizer.json")


class Armed:
    """Unpickling it leaves a trace."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.trace,)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "last.ckpt", "weights.pkl"])
def test_a_pickle_is_never_opened(name: str, bert: Path, refused: Callable[..., None], tmp_path: Path) -> None:
    (bert / "model.safetensors").unlink()
    (bert / name).write_bytes(pickle.dumps(Armed(tmp_path / "trace")))
    refused(f"{name} is a pickle, which is never opened; model.safetensors is wanted in its place")
    shutil.move(bert / name, bert / "model.safetensors")
    refused("model.safetensors: not a safetensors file")
    assert not (tmp_path / "trace").exists()


def test_weights_in_several_files(bert: Path, refused: Callable[..., None]) -> None:
    shutil.move(bert / "model.safetensors", bert / "model.safetensors.index.json")
    refused("its weights are in several files")


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json"])
@pytest.mark.parametrize("damaged", [b"", b"{", b"\xff\xfe", b"[" * 100_000])
def test_damaged_json(name: str, damaged: bytes, bert: Path, refused: Callable[..., None]) -> None:
    (bert / name).write_bytes(damaged)
    refused(f"{name}: not a JSON file")


def test_json_of_something_else(bert: Path, refused: Callable[..., None]) -> None:
    (bert / "tokenizer.json").write_text('{"model": {"type": "WordPiece"}}')
    refused("tokenizer.json: not a tokenizer: it has no vocabulary")
    (bert / "config.json").write_text("[]")
    refused("config.json: must be a JSON object, found list")


@pytest.mark.parametrize("keep", [0, 7, 200, -1])
def test_damaged_weights(keep: int, bert: Path, refused: Callable[..., None]) -> None:
    path = bert / "model.safetensors"
    path.write_bytes(path.read_bytes()[:keep])
    refused("model.safetensors: not a safetensors file")


@pytest.mark.parametrize("named", [["GPT2LMHeadModel"], ["BertForNothing"], [], None, "BertForPreTraining"])
def test_another_architecture(named: Any, bert: Path, refused: Callable[..., None]) -> None:
    edit_json(bert / "config.json", architectures=named)
    refused(f"architectures = {named!r}, but objective 'bert' reads BertForPreTraining or BertForMaskedLM")


def test_an_objective_without_an_architecture(refused: Callable[..., None]) -> None:
    refused("objective 'ngram' has no architecture in transformers; bert, gpt, xlnet, t5 have one", name="ngram")


def test_a_controlled_backbone(refused: Callable[..., None]) -> None:
    line = "backbone.kind = 'controlled', but a run that starts from"
    refused(line, backbone=Backbone(width=24, layers=2, heads=2, feed_forward=2))


@pytest.mark.parametrize(
    ("field", "key", "value", "wrong", "right"),
    [
        ("backbone.width", "hidden_size", 48, 48, 24),
        ("backbone.layers", "num_hidden_layers", 3, 3, 2),
        ("backbone.heads", "num_attention_heads", 4, 4, 3),
        ("data.context", "max_position_embeddings", 512, 512, 32),
    ],
)
def test_a_config_of_another_size(
    field: str, key: str, value: int, wrong: int, right: int, bert: Path, refused: Callable[..., None]
) -> None:
    edit_json(bert / "config.json", **{key: value})
    refused(f"config.json is of {field} = {wrong}, but the run has {right}")


def test_a_config_that_lacks_or_garbles_a_field(bert: Path, refused: Callable[..., None]) -> None:
    edit_json(bert / "config.json", hidden_act="relu")
    refused("hidden_act = 'relu', but BERT has 'gelu'")
    edit_json(bert / "config.json", hidden_act="gelu", hidden_size="wide")
    refused("invalid literal for int()")
    config = json.loads((bert / "config.json").read_text())
    del config["hidden_size"]
    (bert / "config.json").write_text(json.dumps(config))
    refused("config.json: it has no 'hidden_size'")


def test_wrong_shapes_are_both_named(bert: Path, refused: Callable[..., None]) -> None:
    name = "bert.encoder.layer.1.intermediate.dense.weight"
    edit_weights(bert / "model.safetensors", lambda state: state.update({name: torch.zeros(48, 25)}))
    refused(f"{name} is [48, 25], but the run's network has [48, 24]")


def test_missing_and_extra_weights_are_named(bert: Path, refused: Callable[..., None]) -> None:
    name = "bert.encoder.layer.1.intermediate.dense.weight"
    edit_weights(bert / "model.safetensors", lambda state: state.update({"bert.extra": state.pop(name)}))
    refused("BERT of 2 layers has no weights named bert.extra")
    edit_weights(bert / "model.safetensors", lambda state: state.pop("bert.extra") is None)
    refused(f"model.safetensors: it has no weight '{name}'")


def test_a_checkpoint_without_the_run_s_task(build: Build, text: Text, tmp_path: Path, refused: Callable[..., None]) -> None:
    from ablate.objectives.bert import Bert

    folder = write(build("bert", objective=Bert.Config(next_sentence="off")), text.tokenizer, tmp_path / "alone")
    refused("it has no weight 'bert.pooler.dense.weight'", folder=folder)


def test_a_tokenizer_of_another_size_than_the_weights(bert: Path, refused: Callable[..., None]) -> None:
    edit_json(bert / "config.json", vocab_size=200)
    refused("tokenizer.json: 128 tokens do not match the weights: config.json has vocab_size = 200")


def test_a_tokenizer_that_is_not_the_run_s(bert: Path, refused: Callable[..., None]) -> None:
    path = bert / "tokenizer.json"
    content = json.loads(path.read_text())
    swapped = dict(content["model"]["vocab"])
    a, b = list(swapped)[50:52]
    swapped[a], swapped[b] = swapped[b], swapped[a]
    edit_json(path, model={**content["model"], "vocab": swapped})
    refused(f"is not the run's tokenizer (id 50 is '{b}' there and '{a}' in the run); set data.tokenizer = 'folder:{bert}'")
    edit_json(path, model=content["model"], normalizer=None)
    refused("is not the run's tokenizer (its normalizer is another)")


def test_a_tokenizer_without_special_tokens(bert: Path, refused: Callable[..., None]) -> None:
    path = bert / "tokenizer.json"
    content = json.loads(path.read_text())
    vocabulary = {("[mask]" if name == "[MASK]" else name): number for name, number in content["model"]["vocab"].items()}
    kept = [token for token in content["added_tokens"] if token["content"] != "[MASK]"]
    edit_json(path, model={**content["model"], "vocab": vocabulary}, added_tokens=kept)
    refused("tokenizer.json: it has no token [MASK], which training here needs")


def test_a_fingerprint_is_of_every_file(bert: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ABLATE_CACHE", str(tmp_path / "cache"))
    found = [fingerprint(bert)]
    shutil.copytree(bert, tmp_path / "copy")
    assert fingerprint(tmp_path / "copy") == found[0]
    edit_weights(bert / "model.safetensors", lambda state: state.update({WORDS: state[WORDS] + 1}))
    found.append(fingerprint(bert))
    for name in ("config.json", "tokenizer.json"):
        edit_json(bert / name, note="changed")
        found.append(fingerprint(bert))
    assert len(set(found)) == 4
