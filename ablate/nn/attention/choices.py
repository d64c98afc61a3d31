"""What `tune` found, as a file: which backend is the fastest right one for a call on a machine.

An entry counts only on the machine it was measured on, with as many threads: all of `Call` and `Machine` is its key, because
a field left out of such a key has run a wrong kernel elsewhere (flashinfer#4270).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from ablate.config import ConfigError
from ablate.nn.attention import eligibility, selection
from ablate.nn.attention.call import Call, Machine
from ablate.records import write_atomically

FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What was found for one call."""

    call: Call
    machine: Machine
    threads: int
    backend: str
    static: str
    """What would run without this."""
    seconds: Mapping[str, float]
    """Backend -> median of a forward pass, and a backward pass if the call wants gradients."""
    floor: float
    """Relative difference of the static choice from itself."""
    wrong: Mapping[str, float | None]
    """Backend -> how many times its limit it was off, None for what is no number or failed; never timed."""


def save(found: Sequence[Choice], path: Path) -> None:
    """JSON; folders are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    written = {"format": FORMAT, "choices": [asdict(choice) for choice in found]}
    write_atomically(path, json.dumps(written, indent=1, allow_nan=False) + "\n")


def load(path: Path) -> dict[tuple[Call, Machine, int], str]:
    """(call, machine, threads) -> backend, of the entries measured on a machine like this one.

    When there are entries but none from here, one line on stderr says whose they are. `ConfigError` for no such file.
    """
    try:
        written = json.loads(path.read_text(encoding="utf-8"))
        entries = [(_machine(entry["machine"]), entry) for entry in written["choices"]]
        calls = [(Call(**entry["call"]), int(entry["threads"]), str(entry["backend"])) for _, entry in entries]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{path} is no file of attention choices: {error}") from None
    if written.get("format") != FORMAT:
        raise ConfigError(f"{path} has format {written.get('format')}, but this version reads {FORMAT}")
    here = [selection.machine_of(torch.device(name)) for name in ("cpu", "cuda") if name == "cpu" or torch.cuda.is_available()]
    found = {
        (call, machine, threads): backend
        for (machine, _), (call, threads, backend) in zip(entries, calls, strict=True)
        if machine in here and not eligibility.refusal(backend, call, machine)
    }
    if entries and not found:
        there, other = entries[0][0], here[-1]
        words = "; ".join(f"{name} {_words(machine)}" for name, machine in (("it is from", there), ("this is", other)))
        print(f"attention choices in {path} are ignored: {words}", file=sys.stderr)
    return found


def _machine(entry: Mapping[str, Any]) -> Machine:
    fields: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in entry.items()}
    return Machine(**fields)


def _words(machine: Machine) -> str:
    version = ".".join(map(str, machine.torch))
    return f"{machine.name or machine.device}, torch {version}" + (f", cuDNN {machine.cudnn}" if machine.cudnn else "")
