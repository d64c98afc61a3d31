"""`ablate export`: from a finished run to a folder for transformers, and from that folder to the next run."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from ablate.cli import main
from ablate.config import Backbone, Budget, Data, Optimization, RunConfig, override
from ablate.data.text import prepare
from ablate.data.tokenizer import CLS, MASK, SEP, train
from ablate.evaluation.own_loss import OwnLoss
from ablate.interop.export import run_config, write
from ablate.objectives.bert import Bert
from ablate.objectives.ngram import Ngram
from ablate.records import Record, from_json, to_json
from ablate.training import fit
from ablate.training.fit import WEIGHTS, build, load
from ablate.training.pretraining import identify

transformers = pytest.importorskip("transformers")


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ABLATE_RUNS", str(tmp_path / "runs"))


@pytest.fixture
def run(data: Data) -> RunConfig:
    return RunConfig(
        objective=Bert.Config(mask_rate=0.25, next_sentence="off"),
        backbone=Backbone(width=16, layers=1, heads=2, dropout=0.1, kind="published"),
        data=data,
        optimization=Optimization(batch=8, learning_rate=1e-3),
        budget=Budget(tokens=3_000, readings=1),
        evaluations=(OwnLoss(windows=8),),
        seed=3,
    )


def finished(run: RunConfig, root: Path) -> Path:
    folder = root / identify(run).training
    (folder / "record.json").write_bytes(to_json(fit(run, folder)))
    return folder


@pytest.fixture
def run_folder(run: RunConfig, tmp_path: Path) -> Path:
    return finished(run, tmp_path / "runs")


def test_a_run_goes_out_and_the_next_one_starts_from_it(
    run: RunConfig, run_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", run_folder.name[:6], "--to", "hf", "out"]) == 0
    assert "exported: out" in capsys.readouterr().out
    text = prepare(run.data)
    trained = build(run, text)
    load(trained, run_folder, from_json((run_folder / "record.json").read_bytes()))
    theirs = transformers.AutoModelForMaskedLM.from_pretrained("out").eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained("out")
    sentence = "The naïve island, number 12."
    batch = tokenizer(sentence, return_tensors="pt")
    assert batch.input_ids[0].tolist() == trained.frame(text.tokenizer.encode(sentence))  # type: ignore[operator]
    trained.eval()
    seen = torch.ones_like(batch.input_ids, dtype=torch.bool)
    with torch.no_grad():
        ours = trained.fill(batch.input_ids, seen, seen.nonzero())  # type: ignore[operator]
        assert (ours - theirs(**batch).logits[0]).abs().max() <= 1e-5

    started = dataclasses.replace(run, initial="out", seed=9)
    on_its_tokenizer = override(started, {"data.tokenizer": "folder:out"})
    for following in (started, on_its_tokenizer):
        model = build(following, prepare(following.data))
        assert all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), trained.state_dict().values(), strict=True))
    record = fit(on_its_tokenizer, run_folder.parent / "next")
    assert record.status == "done", record.error
    before = [row.value for row in from_json((run_folder / "record.json").read_bytes()).rows if row.evaluation == "own-loss"]
    first, *_ = (row.value for row in record.rows if row.evaluation == "own-loss")
    assert first == pytest.approx(before[-1], rel=1e-5), "the run begins where the other ended"


def test_a_run_is_named_by_what_it_starts_from(run: RunConfig, run_folder: Path) -> None:
    assert main(["export", str(run_folder), "--to", "hf", "out"]) == 0
    fresh = dataclasses.replace(run, initial="")
    started = dataclasses.replace(run, initial="out")
    shutil.copytree("out", "elsewhere")
    assert identify(started).training != identify(fresh).training
    assert identify(dataclasses.replace(run, initial="elsewhere")).training == identify(started).training


def test_a_record_gives_back_its_configuration(run: RunConfig, run_folder: Path) -> None:
    record = from_json((run_folder / "record.json").read_bytes())
    assert run_config(record) == dataclasses.replace(run, evaluations=())


def test_the_tokenizer_is_kept_or_made_again_or_missed(
    run: RunConfig, run_folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the cache by its fingerprint; from the corpus, while it is the same; and not at all once it has changed."""
    assert main(["export", run_folder.name, "--to", "hf", "first"]) == 0
    monkeypatch.setenv("ABLATE_CACHE", str(tmp_path / "another cache"))
    assert main(["export", run_folder.name, "--to", "hf", "second"]) == 0
    for name in ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"):
        assert Path("first", name).read_bytes() == Path("second", name).read_bytes()

    changed = tmp_path / "changed.txt"
    changed.write_text(Path(run.data.corpus.removeprefix("files:")).read_text().replace("river", "brook"))
    path = run_folder / "record.json"
    record = from_json(path.read_bytes())
    config = {**record.config, "data.corpus": f"files:{changed}"}
    path.write_bytes(to_json(dataclasses.replace(record, config=config)))
    monkeypatch.setenv("ABLATE_CACHE", str(tmp_path / "a third cache"))
    assert main(["export", run_folder.name, "--to", "hf", "third"]) == 2
    assert "its tokenizer is no longer the run's" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"config": {"backbone.kind": "controlled"}}, "has the controlled backbone, which no class of transformers implements"),
        (
            {"status": "diverged", "error": "the loss is nan after 25 tokens"},
            "ended as 'diverged': the loss is nan after 25 tokens",
        ),
        ({"config": {"backbone.layers": 2}}, "weights.safetensors: not the weights of this run under the current code"),
        ({"config": {"backbone.depth": 2}}, "unknown field 'backbone.depth'"),
    ],
)
def test_runs_that_cannot_be_exported(
    change: dict[str, object],
    message: str,
    run_folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = run_folder / "record.json"
    record: Record = from_json(path.read_bytes())
    config = {**record.config, **change.get("config", {})}  # type: ignore[dict-item]
    path.write_bytes(to_json(dataclasses.replace(record, **{**change, "config": config})))  # type: ignore[arg-type]
    assert main(["export", run_folder.name, "--to", "hf", "out"]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not Path("out").exists()


def test_other_objectives_are_refused(run: RunConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    controlled = dataclasses.replace(run.backbone, kind="controlled")
    folder = finished(dataclasses.replace(run, objective=Ngram.Config(), backbone=controlled), tmp_path / "runs")
    assert main(["export", folder.name, "--to", "hf", "out"]) == 2
    assert "objective 'ngram' has no architecture in transformers; bert, gpt, xlnet, t5 have one" in capsys.readouterr().err


def test_wrong_names_and_full_folders(run_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for named in ("zzz", ""):
        assert main(["export", named, "--to", "hf", "out"]) == 2
        assert f"no finished run {named!r} among the 1 in" in capsys.readouterr().err
    shutil.copytree(run_folder, run_folder.with_name(run_folder.name[:8] + "-other"))
    assert main(["export", run_folder.name[:8], "--to", "hf", "out"]) == 2
    assert "give more of its identity" in capsys.readouterr().err
    assert main(["export", run_folder.name, "--to", "hf", "out"]) == 0
    assert main(["export", run_folder.name, "--to", "hf", "out"]) == 2
    assert "out exists already; name a new folder" in capsys.readouterr().err
    (run_folder / WEIGHTS).unlink()
    assert main(["export", run_folder.name, "--to", "hf", "new"]) == 2
    assert "kept no weights" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["wordpiece", "word", "bpe", "unigram", "byte", "char"])
def test_a_mask_in_a_text_has_the_ids_of_training(kind: Any, sentences: list[str], run: RunConfig, tmp_path: Path) -> None:
    """A hidden word, or the first letter of one where a token is a letter, as `fill-mask` is asked for it."""
    tokenizer = train(sentences, kind, 600, "f")
    model = build(dataclasses.replace(run, data=Data(context=128)), SimpleNamespace(vocabulary=tokenizer.vocabulary))  # type: ignore[arg-type]
    theirs = transformers.AutoTokenizer.from_pretrained(write(model, tokenizer, tmp_path / "out"))
    for sentence, word in (("The valley river forest 7.", "river"), ("The valley river.", "river"), ("river valley.", "river")):
        whole = tokenizer.encode(sentence)
        hidden = "r" if kind in ("byte", "char") else word
        # A word alone before the point is another word to a tokenizer of words.
        if kind == "word" and f"{word}." in sentence:
            continue
        place = next(i for i, name in enumerate(tokenizer.tokens(whole)) if name.strip("\u0120\u2581") == hidden)
        # No text is before a mask that begins one, and so no space where a space is a token: it must be written.
        before = " " * (hidden == "r" and sentence.startswith(word))
        asked = theirs(before + sentence.replace(word, word.replace(hidden, "[MASK]", 1))).input_ids
        assert asked == [CLS, *whole[:place], MASK, *whole[place + 1 :], SEP]
