"""What `tune` found, as a file: which backend is the fastest right one for a call on a machine.

An entry counts only on the machine it was measured on, with as many threads: all of `Call` and `Machine` is its key, because
a field left out of such a key has run a wrong kernel elsewhere (flashinfer#4270).
"""

from __future__ import annotations

import json
import multiprocessing
import reprlib
import sys
import typing
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal, TypeVar

import torch

from ablate.config import ConfigError
from ablate.nn.attention import eligibility, selection
from ablate.nn.attention.call import Call, Machine
from ablate.records import write_atomically

FORMAT = 2
_SAID: set[str] = set()
"""Lines this process has put on stderr: a study loads its file for every run."""
_Kind = TypeVar("_Kind", Call, Machine)


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


def load(path: Path, threads: int | None = None) -> dict[tuple[Call, Machine, int], str]:
    """(call, machine, threads) -> backend, of the entries measured on a machine like this one that may still run.

    Where entries are of no use here, or all of them to a run with `threads`, one line on stderr says why, once in a process.
    `ConfigError` for no such file.
    """
    try:
        written = json.loads(path.read_text(encoding="utf-8"))
        _check_keys(written, ("format", "choices"), "the whole")
        ours = written["format"] == FORMAT
        entries = _entries(written["choices"]) if ours else []
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path} is no file of attention choices: {error}") from None
    if not ours:
        raise ConfigError(f"{path} has format {reprlib.repr(written['format'])}, but this version reads {FORMAT}")
    here = [selection.machine_of(torch.device(name)) for name in ("cpu", "cuda") if name == "cpu" or torch.cuda.is_available()]
    found: dict[tuple[Call, Machine, int], str] = {}
    refused = []
    for call, machine, count, backend in entries:
        if machine in here:
            if why := eligibility.refusal(backend, call, machine):
                refused.append(f"{backend} cannot run {selection.words(call)}: {why}")
            else:
                found[call, machine, count] = backend
    counts = sorted({count for _, _, count in found})
    reasons = refused[:1]
    if counts and threads is not None and threads not in counts:
        reasons.append(f"measured with {' and '.join(map(str, counts))} thread(s); this runs with {threads}")
        counts = []
    elif entries and not found and not refused:
        reasons.append(_elsewhere(entries[0][1], here))
    if reasons:
        some = f"{len(refused)} of {len(entries)} " if counts else ""
        _say(f"{some}attention choices in {path} are ignored: {'; '.join(reasons)}")
    return found


def _say(line: str) -> None:
    # The process that starts others has checked the same runs, with the same file, before.
    if line not in _SAID and multiprocessing.parent_process() is None:
        print(line, file=sys.stderr)
    _SAID.add(line)


def _elsewhere(there: Machine, here: Sequence[Machine]) -> str:
    other = next((machine for machine in here if machine.device == there.device), here[-1])
    shown = ("name", "device", "torch", "cudnn")
    rest = [f.name for f in fields(Machine) if f.name not in shown and getattr(there, f.name) != getattr(other, f.name)]
    # What differs is shown even where both machines have one name.
    rest = rest if _words(there) == _words(other) else []
    return f"it is from {_words(there, rest)}; this is {_words(other, rest)}"


def _words(machine: Machine, rest: Sequence[str] = ()) -> str:
    version = ".".join(map(str, machine.torch))
    named = f"{machine.name or machine.device}, torch {version}" + (f", cuDNN {machine.cudnn}" if machine.cudnn else "")
    return ", ".join([named, *(f"{name} {getattr(machine, name)}" for name in rest)])


def _entries(written: object) -> list[tuple[Call, Machine, int, str]]:
    if not isinstance(written, list):
        raise _wrong("choices", written, "a list")
    found = []
    for number, entry in enumerate(written):
        where = f"choices[{number}]"
        _check_keys(entry, ("call", "machine", "threads", "backend"), where)
        call, machine = _whole(Call, entry["call"], f"{where}.call"), _whole(Machine, entry["machine"], f"{where}.machine")
        threads, backend = (
            _checked(entry[name], kind, f"{where}.{name}") for name, kind in (("threads", int), ("backend", str))
        )
        found.append((call, machine, threads, backend))
    return found


def _whole(kind: type[_Kind], written: Any, where: str) -> _Kind:
    """All fields, and no other: one that was left out would match by its default."""
    hints = typing.get_type_hints(kind)
    _check_keys(written, tuple(hints), where)
    if unknown := [name for name in written if name not in hints]:
        raise ValueError(f"{where} has a field {reprlib.repr(unknown[0])}; known: {', '.join(hints)}")
    return kind(**{name: _checked(written[name], hint, f"{where}.{name}") for name, hint in hints.items()})


def _check_keys(written: object, wanted: Sequence[str], where: str) -> None:
    if not isinstance(written, dict):
        raise _wrong(where, written, f"an object with {', '.join(wanted)}")
    if lacking := [name for name in wanted if name not in written]:
        raise ValueError(f"{where} lacks {', '.join(lacking)}")


def _checked(value: Any, hint: Any, where: str) -> Any:
    if typing.get_origin(hint) is Literal:
        options = typing.get_args(hint)
        if value not in options:
            raise _wrong(where, value, f"one of {', '.join(options)}")
    elif typing.get_origin(hint) is tuple:
        # `bool` is an `int` to Python, and JSON's true is no version.
        if type(value) is not list or [type(part) for part in value] != list(typing.get_args(hint)):
            raise _wrong(where, value, "two whole numbers")
        return tuple(value)
    elif type(value) is not hint:
        raise _wrong(where, value, {int: "a whole number", str: "a text", bool: "true or false"}[hint])
    return value


def _wrong(where: str, value: object, wanted: str) -> ValueError:
    return ValueError(f"{where} = {reprlib.repr(value)}, but must be {wanted}")
