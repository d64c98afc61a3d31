"""The manifest of a folder: size and SHA-256 of every file in it. It is the last file written, so a folder with one is
complete."""

from __future__ import annotations

import hashlib
from pathlib import Path

from ablate.disk import digests, sealed
from ablate.disk.files import DamagedError

FILE = "manifest.json"


def seal(folder: Path) -> None:
    """Write the manifest of what lies in the folder now."""
    files = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
    found = {}
    for name, path in files.items():
        with open(path, "rb") as stream:
            found[name] = {"bytes": path.stat().st_size, "sha256": hashlib.file_digest(stream, "sha256").hexdigest()}
    sealed.write_json(folder / FILE, {"files": found})


def check(folder: Path, memory: Path | None) -> None:
    """Raise `DamagedError` unless every file of the manifest is there, whole and unchanged. Further files do not matter."""
    try:
        files = sealed.read_json(folder / FILE)["files"]
        for name, wanted in files.items():
            path = folder / name
            size = path.stat().st_size
            if size != wanted["bytes"]:
                raise DamagedError(f"{path} is damaged: it has {size:,} bytes, but {wanted['bytes']:,} were written")
            if digests.sha256(path, memory) != wanted["sha256"]:
                raise DamagedError(f"{path} is damaged: its SHA-256 is not that of its manifest")
    except FileNotFoundError as error:
        raise DamagedError(f"{error.filename} is missing") from None
    except (KeyError, TypeError, AttributeError) as error:
        raise DamagedError(f"{folder / FILE} is damaged: {error!r}") from None
