"""A small text and published models on it, one of each architecture."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from ablate.config import Backbone, Data, RunConfig
from ablate.data.text import Text, prepare
from ablate.data.tokenizer import Vocabulary
from ablate.interop import MODULES
from ablate.interop.export import write
from ablate.objectives import objective
from ablate.objectives.base import Objective
from ablate.seeds import generator

BACKBONE = Backbone(width=24, layers=2, heads=3, feed_forward=2, kind="published")


WORDS = "river mountains valley forest Meadow harbour's (island) naïve canyon. glacier".split()  # noqa: SIM905


@pytest.fixture(scope="session")
def sentences() -> list[str]:
    rng = generator(0, "test")
    return [f"The {' '.join(rng.choice(WORDS, 5))} number {i}." for i in range(900)]


@pytest.fixture(scope="session")
def data(sentences: list[str], tmp_path_factory: pytest.TempPathFactory) -> Data:
    path = tmp_path_factory.mktemp("corpus") / "lines.txt"
    path.write_text("\n".join(sentences), encoding="utf-8")
    return Data(corpus=f"files:{path}", unit="line", vocabulary=128, context=32)


@pytest.fixture(autouse=True, scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ABLATE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def text(cache: None, data: Data) -> Text:
    return prepare(data)


@pytest.fixture
def build(text: Text, data: Data) -> Callable[..., Objective]:
    """A model with weights far from the start; equal seeds, equal weights."""

    def make(name: str, seed: int = 0, vocabulary: Vocabulary | None = None, **changes: Any) -> Objective:
        torch.manual_seed(seed)
        run = RunConfig(objective=objective(name).Config(), backbone=BACKBONE, data=data)
        model = objective(name).from_run(dataclasses.replace(run, **changes), vocabulary or text.vocabulary)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(torch.randn_like(parameter), alpha=0.1)
        return model.eval()

    return make


@pytest.fixture
def bert(build: Callable[..., Objective], text: Text, tmp_path: Path) -> Path:
    """A checkpoint of BERT, to be spoiled."""
    return write(build("bert"), text.tokenizer, tmp_path / "bert")


@pytest.fixture(params=list(MODULES))
def name(request: pytest.FixtureRequest) -> str:
    """Every objective that has an architecture in transformers."""
    return str(request.param)
