"""The default corpus: on a sample of its files always, as a whole in the smoke session."""

from __future__ import annotations

import importlib.metadata
import json
import socket
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from ablate.config import ConfigError
from ablate.data.corpora import pydocs
from ablate.data.corpora.pydocs import PACKAGES, PyDocs, source_files

ROOTS = "torch lightning optuna numpy pandas pyarrow scipy statsmodels seaborn matplotlib tokenizers safetensors jinja2 rich"


@pytest.fixture(autouse=True)
def forget_versions() -> None:
    pydocs._versions.cache_clear()


def test_every_package_is_required_without_extras() -> None:
    required, waiting = set(), ROOTS.split()
    while waiting:
        name = waiting.pop().lower().replace("_", "-")
        if name not in required:
            required.add(name)
            wanted = map(Requirement, importlib.metadata.requires(name) or [])
            waiting += [need.name for need in wanted if need.marker is None or need.marker.evaluate({"extra": ""})]
    assert set(PACKAGES.values()) <= required


def test_files_lie_where_they_should_and_tests_are_not_read() -> None:
    files = source_files()
    labels = {label for _, label in files}
    assert labels == {"language", "stdlib", *PACKAGES}
    paths = [path for path, label in files if label == "stdlib"]
    assert not any({"site-packages", "test", "tkinter", "idlelib"} & set(path.parts) for path in paths)
    assert len({path for path, _ in files}) == len(files)


@pytest.fixture
def sampled(monkeypatch: pytest.MonkeyPatch) -> None:
    every = source_files()
    monkeypatch.setattr(pydocs, "source_files", lambda: every[:80])


@pytest.mark.usefixtures("sampled")
def test_documents_are_prose_in_the_order_of_the_files_however_many_readers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_network(*arguments: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", no_network)
    before = set(sys.modules)
    two = list(PyDocs().documents())
    assert two == list(PyDocs().documents())
    monkeypatch.setenv("ABLATE_CACHE", str(tmp_path / "other"))
    monkeypatch.setattr(pydocs, "READERS", 1)
    assert two == list(PyDocs().documents())
    assert {document.label for document in two} == {"language", "stdlib"}
    assert sum(len(sentence.split()) for document in two for sentence in document.sentences) > 20_000
    assert not {name for name in set(sys.modules) - before if name.split(".")[0] in ("tkinter", "asyncore", "antigravity")}


@pytest.mark.usefixtures("sampled")
def test_a_reader_that_fails_fails_the_build(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    monkeypatch.setattr(pydocs, "source_files", lambda: [(Path("/nowhere/at/all.py"), "stdlib")])
    with pytest.raises(RuntimeError, match="exit status 1"):
        list(PyDocs().documents())
    assert not [path for path in (cache / "pydocs").iterdir() if path.is_dir()]


def test_the_fingerprint_names_versions_and_code(monkeypatch: pytest.MonkeyPatch) -> None:
    first = PyDocs().fingerprint()
    assert first == PyDocs().fingerprint()
    real = importlib.metadata.version
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "0.0" if name == "scipy" else real(name))
    pydocs._versions.cache_clear()
    second = PyDocs().fingerprint()
    monkeypatch.setattr(pydocs, "source_digest", lambda *modules: "other code")
    assert len({first, second, PyDocs().fingerprint()}) == 3


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        if name == "sympy":
            raise importlib.metadata.PackageNotFoundError(name)
        return "1"

    monkeypatch.setattr(importlib.metadata, "version", missing)
    with pytest.raises(ConfigError, match="documentation of sympy, which is not installed: pip install sympy"):
        PyDocs().fingerprint()


@pytest.mark.smoke
def test_the_whole_corpus_is_large_labelled_fresh_and_quickly_had(cache: Path) -> None:
    started = time.perf_counter()
    folder = PyDocs().build()
    built = time.perf_counter() - started
    started = time.perf_counter()
    documents = list(PyDocs().documents())
    loaded = time.perf_counter() - started
    words = sum(len(sentence.split()) for document in documents for sentence in document.sentences)
    print(json.dumps({"words": words, "documents": len(documents), "built": built, "loaded": loaded}))
    assert words >= 1_500_000
    assert built < 90
    assert loaded < 2
    assert folder.parent == cache / "pydocs"
    labels = Counter(document.label for document in documents)
    assert len(labels) == len(PACKAGES) + 2
    repeated = Counter(sentence for document in documents for sentence in document.sentences)
    assert sum(count - 1 for count in repeated.values()) < 0.001 * len(repeated)
