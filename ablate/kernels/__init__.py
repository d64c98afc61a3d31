"""Kernels: everything that makes attention faster, and everything that measures how fast it is.

`ablate.nn.attention` computes attention with torch alone and does not know this package. `install` registers the backends
here and their order of preference. A run without this package gives the same numbers within rounding.

| file or folder | |
| --- | --- |
| on_cpu, on_cuda, faults | the backends, what each can run, and the order in which they are asked |
| native (.py, .c, .h), key_intervals | attention in C for a CPU, and masks in its form |
| compiled, verified | how that C is built, and how the library is loaded |
| naive | attention as a textbook writes it, for comparison |
| torch_by_name, flex, flash | torch's kernels on CUDA by name, FlexAttention, the packages of FlashAttention 3 and 4 |
| biased, bias_gradient, bias_kernel | fused attention with a bias that learns, in Triton |
| freed_memory | whether freed memory is kept for the next call |
| tuning | the fastest backend for each call of a study, measured on request |
| bench | `ablate bench attention` and the study attention-core |
| report | what a report says of speed; it imports no torch |
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def install() -> None:
    """Register the backends and their order of preference with `ablate.nn.attention`. A second call changes nothing."""
    from ablate.kernels import on_cpu, on_cuda
    from ablate.nn.attention.backends import BACKENDS, prefer, register

    for part in (on_cpu, on_cuda):
        for backend in part.BACKENDS:
            if BACKENDS.get(backend.name) is not backend:
                register(backend)
        prefer(part.PREFERENCE)


@contextmanager
def tuned(file: Path, threads: int) -> Iterator[None]:
    """Inside, `auto` is what `ablate tune` measured here, as `file` has it; see `tuning.choices`."""
    from ablate.kernels.tuning import choices

    with choices.preferred(choices.load(file, threads)):
        yield


@contextmanager
def freed_memory_kept() -> Iterator[None]:
    """Inside, memory that is freed serves the next call; see `freed_memory`."""
    from ablate.kernels import freed_memory

    with freed_memory.kept():
        yield


def provenance() -> dict[str, str]:
    """What a record says of these kernels on a CPU."""
    from ablate.kernels import compiled

    return {"native_attention": compiled.kind()}
