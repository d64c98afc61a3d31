"""Which objective the contract tests, at which settings, and the random text that it reads.

Random tokens are enough: the contract asks for what holds on any text. Models are as small as an objective allows, so that
every test is a matter of seconds on one core.
"""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ablate.config import Backbone
from ablate.data.token_store import TokenStore, TokenWriter, token_type
from ablate.data.tokenizer import MASK, Vocabulary
from ablate.objectives.base import Objective
from ablate.seeds import generator

V, CONTEXT, BATCH = 60, 24, 4
FIRST = MASK + 1
"""The first token of text; those before it are special."""
VOCABULARY = Vocabulary(V, (b" a",) * 50 + (b"a",) * (V - 50))
BACKBONE = Backbone(width=32, layers=2, heads=2)
NOISE = functools.partial(generator, 0)


@dataclass(frozen=True)
class Case:
    """An objective's class with settings of its `Config` and of the backbone, where they are not the defaults."""

    objective: type[Objective]
    fields: Mapping[str, Any] = field(default_factory=dict)
    backbone: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        set_to = [f"{name}={value}" for name, value in {**self.fields, **self.backbone}.items()]
        return "-".join([self.objective.name, *set_to])

    @property
    def name(self) -> str:
        return self.objective.name

    def keep(self, holds: bool, violation: str) -> None:
        """Fail with one line, which begins with the objective, unless `holds`."""
        keep(holds, f"{self.name}: {violation}")

    def config(self) -> Any:
        return self.objective.Config(**self.fields)

    def network(self, backbone: Backbone = BACKBONE) -> Backbone:
        return dataclasses.replace(backbone, **self.backbone)

    def build(
        self, seed: int = 0, backbone: Backbone = BACKBONE, vocabulary: Vocabulary = VOCABULARY, context: int = CONTEXT
    ) -> Objective:
        """A model with the weights that a seed gives."""
        torch.manual_seed(seed)
        return self.objective(self.config(), self.network(backbone), vocabulary, context)

    def started(self, store: TokenStore, seed: int = 0) -> Objective:
        """A model that tells tokens apart: as it is initialised or, if it only counts, after a batch of its seed's own."""
        model = self.build(seed)
        if not list(model.parameters()):
            learn(model, batch_of(model, store, range(seed * BATCH, (seed + 1) * BATCH)), steps=1)
        return model


def keep(holds: bool, violation: str) -> None:
    """Fail with one line, without a traceback, unless `holds`."""
    if not holds:
        pytest.fail(violation, pytrace=False)


def batch_of(model: Objective, store: TokenStore, indices: Iterable[int], progress: float = 0.0) -> Any:
    """The examples with these numbers, under the contract's noise."""
    windows = model.windows(store, model.config, model.context)
    return model.collator()([windows.draw(0, i) for i in indices], NOISE, progress)


def learn(model: Objective, batch: Any, steps: int, until: float = 0.0) -> float:
    """Steps on one batch, until the loss is below `until`; the last loss. A baseline learns in `training_step` itself."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2, weight_decay=0.0) if list(model.parameters()) else None
    for _ in range(steps):
        if optimizer is None:
            model.training_step(batch)
            continue
        optimizer.zero_grad()
        loss = model.losses(batch).loss
        if float(loss.detach()) < until:
            break
        loss.backward()
        optimizer.step()
    return float(model.losses(batch).loss.detach())


def tensors(batch: Any) -> dict[str, torch.Tensor]:
    """The fields of a batch that are tensors."""
    return {name: value for name, value in batch._asdict().items() if isinstance(value, torch.Tensor)}


def written(folder: Path, sentences: int, lengths: tuple[int, int] = (4, 15), documents: int = 40) -> TokenStore:
    """Random documents of `sentences` sentences, each of `lengths[0]` to `lengths[1]` - 1 tokens."""
    rng = np.random.default_rng(0)
    writer = TokenWriter(folder, "train", V)
    for document in range(documents):
        writer.write([rng.integers(FIRST, V, rng.integers(*lengths)).tolist() for _ in range(sentences)], document % 2)
    writer.close()
    facts = {"label_names": ["a", "b"], "token_type": token_type(V).name, "splits": {"train": {}}}
    (folder / "facts.json").write_text(json.dumps(facts))
    return TokenStore(folder, "train")


class Texts:
    """The fixtures of the contract."""

    @pytest.fixture(autouse=True)
    def one_thread(self) -> Iterator[None]:
        """At these sizes a second thread only waits."""
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        yield
        torch.set_num_threads(threads)

    @pytest.fixture
    def store(self, tmp_path: Path) -> TokenStore:
        """Forty short documents."""
        return written(tmp_path, 3)

    @pytest.fixture(params=["short documents", "long documents"])
    def texts(self, request: pytest.FixtureRequest, tmp_path: Path) -> TokenStore:
        """Rows of short documents hold several, which must not see each other; most rows of long ones hold one."""
        return written(tmp_path, {"short documents": 3, "long documents": 60}[request.param])

    @pytest.fixture
    def full(self, tmp_path: Path) -> TokenStore:
        """Sentences longer than a row, so that no row is padded."""
        return written(tmp_path, 6, lengths=(70, 71), documents=8)
