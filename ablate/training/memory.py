"""Whether a model can fit into the machine, found out before it is built.

    bytes = parameters x 4 x (1 untrained, 4 trained: weights, gradients and the two moments of Adam)

The parameters are counted on torch's meta device, which holds shapes and no numbers. Activations come on top, so the estimate
is a lower bound: what it refuses cannot run.
"""

from __future__ import annotations

import contextlib
import os
import resource
from pathlib import Path

import torch

from ablate.config import RunConfig
from ablate.data.text import Text
from ablate.objectives import objective_of

TRAINED = 4
"""Weights, gradients and two moments, in units of the weights."""


def check_memory(run: RunConfig, text: Text) -> None:
    """Raise `MemoryError` with both sizes if weights, gradients and optimizer alone need more memory than there is."""
    needed, there = needed_bytes(run, text), memory_bytes(run.runtime.device)
    if needed > there:
        state = "weights, gradients and optimizer" if run.pretrain else "weights"
        raise MemoryError(f"needs about {_gib(needed)} for {state}, but this machine has {_gib(there)}")


def needed_bytes(run: RunConfig, text: Text) -> int:
    """Bytes of the model's weights, and of gradients and moments if it is trained."""
    state = torch.random.get_rng_state()
    try:
        with torch.device("meta"):
            model = objective_of(run.objective).from_run(run, text.vocabulary)
    finally:
        torch.random.set_rng_state(state)
    weights = sum(parameter.numel() * parameter.element_size() for parameter in model.parameters())
    return weights * (TRAINED if run.pretrain else 1)


def memory_bytes(device: str) -> int:
    """Bytes of memory that a process on this device may use: of the GPU, or of the machine, its container and its limits."""
    if device == "cuda":
        return int(torch.cuda.mem_get_info()[1])
    found = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    found += [limit] if limit != resource.RLIM_INFINITY else []
    # There may be no container, or one without a limit.
    with contextlib.suppress(OSError, ValueError):
        found.append(int(Path("/sys/fs/cgroup/memory.max").read_text()))
    return min(found)


def _gib(size: int) -> str:
    return f"{size / 2**30:,.1f} GiB"
