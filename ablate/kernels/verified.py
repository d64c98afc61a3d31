"""A shared library that is loaded only if it is, to the bit, what its build wrote where others cannot write.

    native.so            the library
    native.so.sha256     its digest, as `sha256sum` writes it

Loading runs code, a flipped bit gives wrong sums, and a file cut short ends the process. Both files are read as
`ablate.disk.private` reads. The bytes whose digest is right then go to a sealed file in memory, and the loader gets that one.
So what was checked is what runs, also when the file on the disk changes while the process lives.
"""

from __future__ import annotations

import ctypes
import fcntl
import hashlib
import os
from pathlib import Path

from ablate.disk import private
from ablate.disk.files import DamagedError

SEALS = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL if hasattr(fcntl, "F_SEAL_SEAL") else 0


def sign(library: Path) -> None:
    """Write the digest beside a library that was just built."""
    signature = _signature(library)
    signature.write_text(f"{hashlib.sha256(library.read_bytes()).hexdigest()}  {library.name}\n", encoding="utf-8")
    signature.chmod(0o600)


def load(library: Path) -> ctypes.CDLL:
    """The library at this place.

    Raises `DamagedError` if it or its digest is missing or wrong, and `ConfigError` if others can write one of them.
    """
    return _mapped(contents(library), library.name)


def contents(library: Path) -> bytes:
    """The bytes of the library at this place; errors as `load`."""
    try:
        found, signature = private.read(library), private.read(_signature(library))
    except FileNotFoundError as error:
        raise DamagedError(f"{error.filename} is missing") from None
    if signature.split()[:1] != [hashlib.sha256(found).hexdigest().encode()]:
        raise DamagedError(f"{library} does not have the digest of its build")
    return found


def _signature(library: Path) -> Path:
    return library.with_name(f"{library.name}.sha256")


def _mapped(found: bytes, name: str) -> ctypes.CDLL:
    handle = os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        with open(handle, "wb", closefd=False) as file:
            file.write(found)
        fcntl.fcntl(handle, fcntl.F_ADD_SEALS, SEALS)
        # It stays open. The loader knows libraries by name, and would take a number that is used again for this one.
        return ctypes.CDLL(f"/proc/self/fd/{handle}")
    except OSError:
        os.close(handle)
        raise
