"""JSON with a seal: the first line of the object is the SHA-256 of the text without that line.

    {
     "sha256": "9f86d081...",
     "identity": ...

The seal covers the text and not only its meaning, so no changed byte is overlooked. The file stays plain JSON.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from ablate.disk.files import DamagedError, write

KEY = "sha256"
OPENING = b"{\n"
SEAL = re.compile(rb'\{\n "sha256": "([0-9a-f]{64})",\n')


def dumps(value: Mapping[str, Any]) -> bytes:
    """Canonical JSON with sorted keys, sealed. Raises `ValueError` for a number that is not finite, and for no content."""
    if not value or KEY in value:
        raise ValueError(f"a sealed object has content, and no key {KEY!r} of its own")
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False, indent=1).encode() + b"\n"
    digest = hashlib.sha256(text).hexdigest()
    return OPENING + f' "{KEY}": "{digest}",\n'.encode() + text.removeprefix(OPENING)


def loads(data: bytes, what: object) -> dict[str, Any]:
    """The inverse of `dumps`. Raises `DamagedError` that begins with `what` for a text without a seal or with a broken one."""
    seal = SEAL.match(data)
    if seal is None:
        raise DamagedError(f"{what} is damaged: it has no checksum in its second line")
    text = OPENING + data[seal.end() :]
    if hashlib.sha256(text).hexdigest() != seal[1].decode():
        raise DamagedError(f"{what} is damaged: its checksum is not that of its text")
    return parse(text, what)


def is_sealed(data: bytes) -> bool:
    """Whether the text begins as a sealed one does."""
    return SEAL.match(data) is not None


def parse(data: bytes, what: object) -> dict[str, Any]:
    """A JSON object without a seal. Raises `DamagedError` for anything else, as `strict` does."""
    found = strict(data, what)
    if not isinstance(found, dict):
        raise DamagedError(f"{what} is damaged: it holds {type(found).__name__}, not an object")
    return found


def strict(data: bytes, what: object) -> Any:
    """Any value of JSON. Raises `DamagedError` for NaN, for infinite numbers such as 1e999, and for half a surrogate pair."""
    try:
        # Decoded here, because the parser would let half a surrogate pair pass.
        text = data.decode()
        found = json.loads(text, parse_constant=_refuse, parse_float=_finite)
        if "\\ud" in text or "\\uD" in text:
            json.dumps(found, ensure_ascii=False).encode()
    except RecursionError:
        raise DamagedError(f"{what} is damaged: its JSON is nested too deeply") from None
    except ValueError as error:
        raise DamagedError(f"{what} is damaged: {' '.join(str(error).split())}") from None
    return found


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write the object, sealed, whole or not at all."""
    write(path, dumps(value))


def read_json(path: Path) -> dict[str, Any]:
    """Read what `write_json` wrote. Raises `DamagedError`, and `OSError` where the system does."""
    return loads(path.read_bytes(), path)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number of JSON")


def _finite(text: str) -> float:
    value = float(text)
    return value if math.isfinite(value) else _refuse(text)
