"""`ablate doctor`: versions, devices, folders and optional extras of this machine, one line each; missing packages last.

`ablate doctor FOLDER` verifies what lies there instead (`ablate.verify`).
"""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import tempfile
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from ablate.disk.cache import cache_root
from ablate.disk.claims import claim

PACKAGES = ("torch", "lightning", "optuna", "numpy", "pandas", "pyarrow", "scipy", "statsmodels", "seaborn", "matplotlib",
            "tokenizers", "safetensors", "jinja2", "rich")  # fmt: skip
EXTRAS = {"hub": "datasets", "dashboard": "optuna_dashboard", "energy": "pynvml", "triton": "triton"}


def examine() -> str:
    """Return the lines to print in a terminal or to paste in a bug report."""
    from ablate.study.store import default_root

    cache = cache_root()
    lines = [
        f"python        {platform.python_version()} on {platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        *(f"{name:<13} {_version(name)}" for name in PACKAGES),
        f"devices       {_devices()}",
        f"attention, C  {_native_attention()}",
        f"runs          {default_root().resolve()}, {_free(default_root())}, {_locks(default_root())}",
        f"cache         {cache}, {_free(cache)}",
        *(
            f"extra         [{name}] {'installed' if importlib.util.find_spec(module) else 'not installed'}"
            for name, module in EXTRAS.items()
        ),
    ]
    missing = [name for name in PACKAGES if _version(name) == "missing"]
    lines.append(f"missing: {', '.join(missing)}; install with pip install -e ." if missing else "nothing is missing")
    return "\n".join(lines)


def verify(folders: Sequence[Path], mend: bool) -> int:
    """Print a line for everything that is wrong; return 1 if something remains, else 0."""
    from ablate.verify import faults

    remaining = 0
    for folder in folders:
        found = 0
        for fault in faults(folder):
            found += 1
            if mend and fault.mend is not None:
                fault.mend()
                print(f"{fault.what}\n  mended: {fault.how}")
            else:
                remaining += 1
                print(f"{fault.what}\n  {'to do' if fault.mend is None else '--mend does it'}: {fault.how}")
        print(f"{folder}: {found or 'nothing'} {'fault' if found == 1 else 'faults' if found else 'is wrong'}")
    return 1 if remaining else 0


def _locks(folder: Path) -> str:
    """Whether a file that is locked once can be locked again, as on some network file systems."""
    try:
        with tempfile.TemporaryDirectory(dir=_existing(folder)) as place, claim(Path(place)) as one, claim(Path(place)) as two:
            if one and not two:
                return "locks work"
    except OSError as error:
        return f"cannot be written ({error.strerror})"
    return "LOCKS DO NOT WORK: processes on this folder measure every run twice, with equal numbers"


def _existing(folder: Path) -> Path:
    place = folder.resolve()
    while not place.is_dir():
        place = place.parent
    return place


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "missing"


def _devices() -> str:
    try:
        import torch
    except ImportError:
        return "unknown, torch is missing"
    found = ["cpu"]
    found += [f"cuda ({torch.cuda.get_device_name(i)})" for i in range(torch.cuda.device_count())]
    found += ["mps"] if torch.backends.mps.is_available() else []
    return ", ".join(found)


def _native_attention() -> str:
    try:
        from ablate.kernels import compiled
    except ImportError as error:
        return f"unknown, {(error.name or 'a package').removeprefix('ablate.')} is missing"
    return compiled.state()


def _free(folder: Path) -> str:
    return f"{shutil.disk_usage(_existing(folder)).free / 2**30:.0f} GiB free"
