"""Attention of a run: its backend, and what of it is part of the run's identity.

This is the one place where training meets `ablate.kernels`, whose kernels are faster. A house without that package trains on
torch's operations and gives the same numbers within rounding.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import ModuleType

import torch

from ablate import sources
from ablate.config import ConfigError, Runtime
from ablate.measure import digest
from ablate.nn.attention.backends import AUTO, BACKENDS, PREFERENCES, Machine, backend, is_for, machine_of

KERNELS = "ablate.kernels"
TUNED = "tuned"
"""`runtime.attention = "tuned:FILE"`"""


def kernels() -> ModuleType | None:
    """`ablate.kernels` with its backends installed, or None in a house without it."""
    if importlib.util.find_spec(KERNELS) is None:
        return None
    # By name: an import statement would make every kernel a part of every run's source text.
    found = importlib.import_module(KERNELS)
    found.install()
    return found


@contextmanager
def attention_of(runtime: Runtime) -> Iterator[None]:
    """Attention inside runs as `runtime.attention` says. On a CPU freed memory is kept, because the next step needs it again.

    Keeping it makes training of GPT 7 % faster (width 64, 2 layers; its logits are 4 MiB). `ConfigError` for an unknown backend
    and for a file without choices.
    """
    found = kernels()
    wanted, _, file = runtime.attention.partition(":")
    if wanted == TUNED and found is None:
        raise ConfigError(f"runtime.attention = {runtime.attention!r}, but this installation lacks the package {KERNELS}")
    chosen = found.tuned(Path(file), runtime.threads) if wanted == TUNED and found else backend(runtime.attention)
    kept = found.freed_memory_kept() if found and runtime.device == "cpu" else nullcontext()
    with chosen, kept:
        yield


def fingerprints(runtime: Runtime) -> dict[str, str]:
    """Ingredients of a run's identity: the backends that it may use on this machine with their source, and tuned choices."""
    kernels()
    machine = machine_of(torch.device(runtime.device))
    wanted, _, file = runtime.attention.partition(":")
    names = candidates(machine)
    found = {}
    if wanted == TUNED:
        names = tuple(dict.fromkeys((*names, *_offered(machine))))
        found["attention choices"] = digest(_bytes(Path(file)).hex())
    elif runtime.attention != AUTO:
        names = (runtime.attention,)
    return {**found, "attention": digest(names, sources.fingerprint(modules(names, machine)))}


def candidates(machine: Machine) -> tuple[str, ...]:
    """What `auto` may choose on this machine, the most preferred first."""
    offered = _offered(machine)
    preferred = [name for p in PREFERENCES if is_for(p.devices, machine.device) for name in p.names]
    return tuple(dict.fromkeys(name for name in preferred if name in offered))


def modules(names: tuple[str, ...], machine: Machine) -> tuple[str, ...]:
    """The modules that compute these backends, refuse calls for them, and order them on this machine."""
    used = [BACKENDS[name] for name in names if name in BACKENDS]
    orders = {p.order.__module__ for p in PREFERENCES if is_for(p.devices, machine.device)}
    rules = {getattr(one.refusal, "func", one.refusal).__module__ for one in used}
    return tuple(sorted(orders | rules | {one.attend.partition(":")[0] for one in used}))


def _offered(machine: Machine) -> tuple[str, ...]:
    return tuple(one.name for one in BACKENDS.values() if is_for(one.devices, machine.device) and one.name not in machine.lacks)


def _bytes(file: Path) -> bytes:
    if not file.is_file():
        raise ConfigError(f"runtime.attention = 'tuned:{file}', but there is no such file; `ablate tune` writes one")
    return file.read_bytes()
