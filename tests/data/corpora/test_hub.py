"""Data sets from local folders, as the hub lays them out; the hub itself is never asked."""

from __future__ import annotations

import importlib.metadata
import json
from pathlib import Path

import datasets
import pytest

from ablate.config import ConfigError
from ablate.data.corpora.hub import Hub
from ablate.data.document import Document

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "hf")
    found = tmp_path / "set"
    found.mkdir()
    for split, texts in {"train": ["One. Two here.", "", "Three."], "test": ["Four."]}.items():
        rows = (json.dumps({"body": text, "label": len(text)}) for text in texts)
        (found / f"{split}.jsonl").write_text("\n".join(rows))
    return found


def test_a_folder_of_files_is_streamed_by_split(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert list(Hub(str(folder), "body").documents()) == [Document(("One.", "Two here."), "14"), Document(("Three.",), "6")]
    assert list(Hub(f"{folder}@test", "body").documents()) == [Document(("Four.",), "5")]
    assert capfd.readouterr().err == ""


def test_a_saved_data_set_gives_its_class_names(tmp_path: Path) -> None:
    features = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["bad", "good"])})
    rows = datasets.Dataset.from_dict({"text": ["A film.", "No film."], "label": [1, -1]}, features=features)
    rows.save_to_disk(str(tmp_path / "one"))
    datasets.DatasetDict({"train": rows, "held": rows}).save_to_disk(str(tmp_path / "many"))
    wanted = [Document(("A film.",), "good"), Document(("No film.",), "-1")]
    assert list(Hub(str(tmp_path / "one"), "text").documents()) == wanted
    assert list(Hub(f"{tmp_path / 'many'}@held", "text").documents()) == wanted
    with pytest.raises(ConfigError, match="its splits: train, held"):
        list(Hub(f"{tmp_path / 'many'}@test", "text").documents())


def test_the_fingerprint_follows_the_files(folder: Path) -> None:
    first = Hub(str(folder), "body").fingerprint()
    assert first == Hub(str(folder), "body").fingerprint() != Hub(f"{folder}@test", "body").fingerprint()
    (folder / "test.jsonl").write_text(json.dumps({"body": "Other.", "label": 1}))
    assert Hub(str(folder), "body").fingerprint() != first


def test_what_is_missing_is_named(folder: Path) -> None:
    with pytest.raises(ConfigError, match="no column 'text'; its columns: body, label"):
        list(Hub(str(folder), "text").documents())
    with pytest.raises(ConfigError, match="split 'valid', cannot be read"):
        list(Hub(f"{folder}@valid", "body").documents())
    with pytest.raises(ConfigError, match="there is no folder"):
        Hub(str(folder / "none"), "body")
    with pytest.raises(ConfigError, match="must be hub:NAME"):
        Hub("@train", "body")


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    with pytest.raises(ConfigError, match=r"pip install 'ablate\[hub\]'"):
        Hub("wikitext", "text")


def test_a_name_is_taken_apart() -> None:
    corpus = Hub("user/set:config-1@validation#abc123", "text")
    assert (corpus.dataset, corpus.config, corpus.split, corpus.revision) == ("user/set", "config-1", "validation", "abc123")
    assert (Hub("set", "text").config, Hub("set", "text").split) == (None, "train")


def test_an_unpinned_name_is_pinned_at_first_use(monkeypatch: pytest.MonkeyPatch) -> None:
    class Api:
        commit = "first"

        def dataset_info(self, name: str, timeout: float) -> Api:
            self.sha = Api.commit
            return self

    monkeypatch.setattr("huggingface_hub.HfApi", Api)
    first = Hub("user/set", "text").fingerprint()
    Api.commit = "second"
    assert Hub("user/set", "text").fingerprint() == first == Hub("user/set#first", "text").fingerprint()


def test_a_silent_hub_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    class Api:
        def dataset_info(self, name: str, timeout: float) -> None:
            raise ConnectionError("no route\nto host")

    monkeypatch.setattr("huggingface_hub.HfApi", Api)
    with pytest.raises(ConfigError, match=r"the hub does not answer for 'user/set' \(no route to host\)"):
        Hub("user/set", "text").fingerprint()
