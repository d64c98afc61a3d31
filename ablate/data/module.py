"""Batches as a pure function of the seed: batch n holds examples n B to (n + 1) B - 1, in every worker process."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import torch
from lightning import LightningDataModule
from torch.utils.data import DataLoader, Dataset, Sampler

from ablate.seeds import generator


class Windows(Protocol):
    """The methods of `PackedWindows` and `SegmentPairs` that the module calls."""

    tokens_per_example: float

    def __len__(self) -> int:
        """Examples in an epoch."""
        ...

    def __getitem__(self, place: int) -> Any:
        """Example `place` in corpus order, for evaluation."""
        ...

    def draw(self, seed: int, index: int) -> Any:
        """Example `index` of the training sequence under `seed`."""
        ...


class TextModule(LightningDataModule):
    """Training batches without end; the loop stops when the budget is read.

    `collator(windows, noise, progress)` makes a batch. `noise(stream, index)` is `ablate.seeds.generator` under the run's seed.
    `progress` in [0, 1] is the share of the budget read before batch n: n B L / budget, with L the mean tokens of an example.
    """

    def __init__(
        self,
        *,
        windows: Windows,
        collator: Callable[[Sequence[Any], Callable[[str, int], Any], float], Any],
        seed: int,
        batch: int,
        budget: int,
        start: int = 0,
        num_workers: int = 0,
    ) -> None:
        """`budget` in tokens; `start`: the first batch number, for a run that resumes; `num_workers` never changes a batch."""
        super().__init__()
        self.batches = Batches(windows, collator, seed, batch, budget)
        self.start, self.num_workers = start, num_workers

    def train_dataloader(self) -> DataLoader[Any]:
        """Batches `start`, `start + 1`, ..."""
        # The loader seeds its workers from a generator; one of its own leaves torch's global stream to the model.
        return DataLoader(
            self.batches,
            batch_size=None,
            sampler=From(self.start),
            num_workers=self.num_workers,
            collate_fn=_as_it_is,
            generator=torch.Generator(),
        )


class Batches(Dataset[Any]):
    """Batch n by its number."""

    def __init__(self, windows: Windows, collator: Callable[..., Any], seed: int, batch: int, budget: int) -> None:
        self.windows, self.collator, self.seed, self.batch, self.budget = windows, collator, seed, batch, budget
        self._noise = functools.partial(generator, seed)

    def __getitem__(self, number: int) -> Any:
        first = number * self.batch
        drawn = [self.windows.draw(self.seed, index) for index in range(first, first + self.batch)]
        return self.collator(drawn, self._noise, min(1.0, first * self.windows.tokens_per_example / self.budget))


class From(Sampler[int]):
    """`start`, `start + 1`, ... without end, hence without a length."""

    def __init__(self, start: int) -> None:
        self.start = start

    def __iter__(self) -> Iterator[int]:
        return itertools.count(self.start)


def _as_it_is(batch: Any) -> Any:
    return batch
