"""The file that `tune` writes: the fastest right backend for each call on a machine.

An entry holds only on the machine where it was measured, with the same number of threads. The key is all of `Call` and
`Machine`, because a field missing from such a key has run a wrong kernel in another project (flashinfer#4270).
"""

from __future__ import annotations

import functools
import json
import multiprocessing
import platform
import reprlib
import sys
import typing
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

import torch

from ablate.config import ConfigError
from ablate.disk import files
from ablate.nn.attention.backends import PREFERENCES, Call, Machine, Preference, machine_of, prefer, refusal

FORMAT = 3
_SAID: set[str] = set()
"""Lines that this process has written to stderr; a study loads its file for every run."""
_Kind = TypeVar("_Kind", Call, Machine)


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The measurement of one call."""

    call: Call
    machine: Machine
    threads: int
    backend: str
    static: str
    """What would run without tuning."""
    seconds: Mapping[str, float]
    """Backend -> median of a forward pass, and a backward pass if the call wants gradients."""
    floor: float
    """Relative difference of the static choice from itself."""
    wrong: Mapping[str, float | None]
    """Backend -> its error in units of its limit, None for nan or a failure; such a backend is not timed."""


def save(found: Sequence[Choice], path: Path) -> None:
    """JSON; folders are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    written = {"format": FORMAT, "choices": [asdict(choice) for choice in found]}
    files.write(path, json.dumps(written, indent=1, allow_nan=False) + "\n")


def load(path: Path, threads: int | None = None) -> dict[tuple[Call, Machine, int], str]:
    """(call, machine, threads) -> backend, for the entries that were measured on a machine like this one and can still run.

    Where entries are ignored here, or all of them by a run with `threads`, one line on stderr says why, once in a process.
    `ConfigError` for a file that does not exist or is no such file.
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
    here = [machine_here(torch.device(name)) for name in ("cpu", "cuda") if name == "cpu" or torch.cuda.is_available()]
    found: dict[tuple[Call, Machine, int], str] = {}
    refused = []
    for call, machine, count, backend in entries:
        if machine in here:
            if why := refusal(backend, call, machine):
                refused.append(f"{backend} cannot run {call}: {why}")
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


@contextmanager
def preferred(choices: Mapping[tuple[Call, Machine, int], str]) -> Iterator[None]:
    """Inside, `auto` is what `choices` say; for other calls the order of preference holds."""

    def order(call: Call, machine: Machine) -> tuple[str, ...]:
        chosen = choices.get((call, named(machine), torch.get_num_threads()))
        return () if chosen is None else (chosen,)

    preference = Preference(order, tuple(dict.fromkeys(choices.values())))
    prefer(preference)
    try:
        yield
    finally:
        PREFERENCES.remove(preference)


def machine_here(device: torch.device) -> Machine:
    """The machine behind a device, with the name of its processor."""
    return named(machine_of(device))


@functools.cache
def named(machine: Machine) -> Machine:
    """The machine with the name of this processor, if it is a CPU."""
    if machine.device != "cpu":
        return machine
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.is_file() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return replace(machine, name=next(names, platform.machine()))


def _say(line: str) -> None:
    # A child process is silent, because its parent has loaded the same file before.
    if line not in _SAID and multiprocessing.parent_process() is None:
        print(line, file=sys.stderr)
    _SAID.add(line)


def _elsewhere(there: Machine, here: Sequence[Machine]) -> str:
    other = next((machine for machine in here if machine.device == there.device), here[-1])
    shown = ("name", "device", "torch", "cudnn")
    rest = [f.name for f in fields(Machine) if f.name not in shown and getattr(there, f.name) != getattr(other, f.name)]
    # Two machines of one name differ in another field, which is shown.
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
    """Exactly all fields; a missing one would match by its default."""
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
    elif hint == tuple[str, ...]:
        if type(value) is not list or any(type(part) is not str for part in value):
            raise _wrong(where, value, "a list of texts")
        return tuple(value)
    elif typing.get_origin(hint) is tuple:
        # To Python a `bool` is an `int`, but true is no version.
        if type(value) is not list or [type(part) for part in value] != list(typing.get_args(hint)):
            raise _wrong(where, value, "two whole numbers")
        return tuple(value)
    elif type(value) is not hint:
        raise _wrong(where, value, {int: "a whole number", str: "a text", bool: "true or false"}[hint])
    return value


def _wrong(where: str, value: object, wanted: str) -> ValueError:
    return ValueError(f"{where} = {reprlib.repr(value)}, but must be {wanted}")
