"""Every test of the data floor builds into a cache of its own."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from ablate.data.token_store import TokenStore, TokenWriter, token_type


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ABLATE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def make_store(tmp_path: Path) -> Callable[..., TokenStore]:
    """A token store of given documents, each a list of sentences of ids."""
    count = 0

    def make(documents: Sequence[Sequence[Sequence[int]]], split: str = "train", vocabulary: int = 100) -> TokenStore:
        nonlocal count
        count += 1
        folder = tmp_path / f"store {count}"
        folder.mkdir()
        writer = TokenWriter(folder, split, vocabulary)
        for document in documents:
            writer.write(document, -1)
        writer.close()
        facts = {"label_names": [], "token_type": token_type(vocabulary).name, "splits": {split: writer.sizes}}
        (folder / "facts.json").write_text(json.dumps(facts))
        return TokenStore(folder, split)

    return make
