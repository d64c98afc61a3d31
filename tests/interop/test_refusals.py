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

from ablate.config import Backbone, ConfigError, Data, RunConfig
from ablate.data.text import Text
from ablate.interop import MODULES, architecture_of, fingerprint, start_from
from ablate.interop.export import write
from ablate.measure import silent
from ablate.objectives import OBJECTIVES, objective
from ablate.objectives.base import Objective
from ablate.training import PRETRAINING

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
    refused(f"{name} is a pickle, which is never opened; provide model.safetensors instead")
    shutil.move(bert / name, bert / "model.safetensors")
    refused("model.safetensors: not a safetensors file")
    assert not (tmp_path / "trace").exists()


def test_weights_in_several_files(bert: Path, refused: Callable[..., None]) -> None:
    shutil.move(bert / "model.safetensors", bert / "model.safetensors.index.json")
    refused("its weights are in several files")


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json"])
@pytest.mark.parametrize("damaged", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b"9" * 5_000])
def test_damaged_json(name: str, damaged: bytes, bert: Path, refused: Callable[..., None]) -> None:
    (bert / name).write_bytes(damaged)
    refused(f"{name}: not a JSON file")


@pytest.mark.parametrize("added", [[1], "abc", [{"content": "[PAD]"}]])
def test_garbled_added_tokens(added: Any, bert: Path, refused: Callable[..., None]) -> None:
    edit_json(bert / "tokenizer.json", added_tokens=added)
    refused("tokenizer.json: its added token" if isinstance(added, list) else "tokenizer.json: added_tokens = 'abc'")


@pytest.mark.parametrize("vocabulary", [{"a": "0"}, {"a": None}, [1, 2, 3]])
def test_a_garbled_vocabulary(vocabulary: Any, bert: Path, refused: Callable[..., None]) -> None:
    content = json.loads((bert / "tokenizer.json").read_text())
    edit_json(bert / "tokenizer.json", model={**content["model"], "vocab": vocabulary})
    refused("tokenizer.json: its token 'a' has the id" if isinstance(vocabulary, dict) else "its vocabulary holds 1, but must")


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


@pytest.mark.parametrize("named", [["GPT2LMHeadModel"], ["BertForNothing"], [["X"]], [{}], [], None, "BertForPreTraining"])
def test_another_architecture(named: Any, bert: Path, refused: Callable[..., None]) -> None:
    edit_json(bert / "config.json", architectures=named)
    refused(f"architectures = {named!r}, but objective 'bert' reads BertForPreTraining or BertForMaskedLM")


@pytest.mark.parametrize("name", [name for name in OBJECTIVES if name not in MODULES])
def test_an_objective_without_an_architecture(name: str, bert: Path, data: Data) -> None:
    """Before anything is trained."""
    run = RunConfig(objective=objective(name).Config(), data=data, initial=str(bert))
    line = f"objective {name!r} has no architecture in transformers; bert, gpt, xlnet, t5 have one"
    with pytest.raises(ConfigError, match=line):
        PRETRAINING.prepare(run, silent)


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
    refused(f"config.json has {field} = {wrong}, but the run has {right}")


def test_a_config_that_lacks_or_garbles_a_field(bert: Path, refused: Callable[..., None]) -> None:
    edit_json(bert / "config.json", hidden_act="relu")
    refused("hidden_act = 'relu', but BERT has 'gelu'")
    edit_json(bert / "config.json", hidden_act="gelu")
    config = json.loads((bert / "config.json").read_text())
    del config["hidden_size"]
    (bert / "config.json").write_text(json.dumps(config))
    refused("config.json: field 'hidden_size' is missing")


SIZES = {
    "bert": ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads", "max_position_embeddings"),
    "gpt": ("n_embd", "n_inner", "n_layer", "n_head", "n_positions"),
    "xlnet": ("d_model", "d_inner", "n_layer", "n_head", "d_head"),
    "t5": ("d_model", "d_ff", "num_layers", "num_decoder_layers", "num_heads", "d_kv", "n_positions"),
}


@pytest.mark.parametrize("value", [0, -24, 24.7, float("inf"), float("nan"), "24", "wide", True, [24]])
def test_a_size_that_is_no_positive_whole_number(name: str, value: Any, build: Build) -> None:
    architecture = architecture_of(name)
    config = architecture.config(build(name))
    for key in SIZES[name]:
        with pytest.raises(ConfigError) as caught:
            architecture.fields({**config, key: value})
        assert str(caught.value) == f"config.json: {key} = {value!r}, but must be a positive whole number"


def test_a_garbled_size_is_said_with_its_folder(bert: Path, refused: Callable[..., None]) -> None:
    edit_json(bert / "config.json", hidden_size=float("inf"))
    refused(f"{bert}: config.json: hidden_size = inf, but must be a positive whole number")


def test_sizes_that_transformers_does_without(build: Build) -> None:
    for name, key in (("gpt", "n_inner"), ("t5", "num_decoder_layers"), ("t5", "n_positions"), ("xlnet", "d_head")):
        architecture = architecture_of(name)
        config = architecture.config(build(name))
        del config[key]
        assert architecture.fields(config)["backbone.width"] == 24


def test_heads_of_another_width(build: Build) -> None:
    for name, key, line in (("xlnet", "d_head", "d_model / n_head"), ("t5", "d_kv", "d_model / num_heads")):
        architecture = architecture_of(name)
        with pytest.raises(ConfigError, match=f"{key} = 64, but must be {line} = 24 / 3"):
            architecture.fields({**architecture.config(build(name)), key: 64})


def test_wrong_shapes_are_both_named(bert: Path, refused: Callable[..., None]) -> None:
    name = "bert.encoder.layer.1.intermediate.dense.weight"
    edit_weights(bert / "model.safetensors", lambda state: state.update({name: torch.zeros(48, 25)}))
    refused(f"{name} is [48, 25], but the run's network has [48, 24]")


@pytest.mark.parametrize("kind", [torch.int8, torch.int64, torch.bool, torch.float8_e4m3fn])
def test_weights_that_are_no_real_numbers(kind: torch.dtype, bert: Path, refused: Callable[..., None]) -> None:
    edit_weights(bert / "model.safetensors", lambda state: state.update({WORDS: state[WORDS].to(kind)}))
    refused(f"{WORDS} is {str(kind)[6:]}, but weights must be one of float32, float16, bfloat16, float64")


@pytest.mark.parametrize(
    ("value", "kind"), [("nan", torch.float32), ("inf", torch.bfloat16), ("-inf", torch.float16), ("1e300", torch.float64)]
)
def test_weights_that_are_not_finite(value: str, kind: torch.dtype, bert: Path, refused: Callable[..., None]) -> None:
    def spoil(state: dict[str, torch.Tensor]) -> None:
        state[WORDS] = state[WORDS].to(kind)
        state[WORDS][7, 3] = float(value)

    edit_weights(bert / "model.safetensors", spoil)
    refused(f"model.safetensors: {WORDS} holds a value that is infinite or not a number")


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_are_read(kind: torch.dtype, bert: Path, build: Build, text: Text) -> None:
    edit_weights(bert / "model.safetensors", lambda state: state.update({n: t.to(kind) for n, t in state.items()}))
    model = build("bert", seed=1)
    start_from(model, text, bert)
    for ours, written in zip(model.parameters(), build("bert").parameters(), strict=True):
        assert torch.equal(ours, written.to(kind).float())


def test_what_is_kept_beside_the_weights_may_be_whole_or_infinite(build: Build, text: Text, tmp_path: Path) -> None:
    beside = {
        "bert": {"bert.embeddings.position_ids": torch.arange(32)[None]},
        "gpt": {"h.0.attn.bias": torch.ones(1, 1, 32, 32).bool(), "h.1.attn.masked_bias": torch.tensor(-torch.inf)},
    }
    beside["gpt"] |= {f"transformer.{name}": tensor.clone() for name, tensor in beside["gpt"].items()}
    for name, extra in beside.items():
        folder = write(build(name), text.tokenizer, tmp_path / name)
        edit_weights(folder / "model.safetensors", lambda state, extra=extra: state.update(extra))
        model = build(name, seed=1)
        start_from(model, text, folder)
        assert all(torch.equal(a, b) for a, b in zip(model.parameters(), build(name).parameters(), strict=True))


def test_one_weight_under_two_names(bert: Path, build: Build, text: Text, tmp_path: Path, refused: Callable[..., None]) -> None:
    gpt = write(build("gpt"), text.tokenizer, tmp_path / "gpt")
    norm = "bert.embeddings.LayerNorm"
    for name, folder, one, other in (
        ("gpt", gpt, "transformer.wte.weight", "wte.weight"),
        ("bert", bert, f"{norm}.weight", f"{norm}.gamma"),
    ):
        place = folder / "model.safetensors"
        edit_weights(place, lambda state, one=one, other=other: state.update({other: state[one] + 1}))
        refused("two different weights are both named", folder=folder, name=name)
        edit_weights(place, lambda state, one=one, other=other: state.update({other: state[one].clone()}))
        start_from(build(name), text, folder)


def test_a_word_embedding_without_rows(bert: Path, refused: Callable[..., None]) -> None:
    edit_weights(bert / "model.safetensors", lambda state: state.update({WORDS: torch.tensor(1.0)}))
    refused(f"{WORDS} is [], but the run's network has [128, 24]")


def test_missing_and_extra_weights_are_named(bert: Path, refused: Callable[..., None]) -> None:
    name = "bert.encoder.layer.1.intermediate.dense.weight"
    edit_weights(bert / "model.safetensors", lambda state: state.update({"bert.extra": state.pop(name)}))
    refused("BERT of 2 layers has no weights named bert.extra")
    edit_weights(bert / "model.safetensors", lambda state: state.pop("bert.extra") is None)
    refused(f"model.safetensors: weight '{name}' is missing")


def test_a_checkpoint_without_the_run_s_task(build: Build, text: Text, tmp_path: Path, refused: Callable[..., None]) -> None:
    from ablate.objectives.bert import Bert

    folder = write(build("bert", objective=Bert.Config(next_sentence="off")), text.tokenizer, tmp_path / "alone")
    refused("weight 'bert.pooler.dense.weight' is missing", folder=folder)


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
