"""Provenance of a run: stored in its record and printed in the report, never part of its identity."""

from __future__ import annotations

import functools
import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from ablate.config import Runtime
from ablate.training.attention import kernels

LIBRARIES = ("torch", "lightning", "optuna", "numpy", "tokenizers")


def provenance(runtime: Runtime) -> dict[str, str]:
    """Return commit, interpreter, libraries and machine."""
    found = {**_fixed(), "device": _device(runtime), "precision": runtime.precision, "threads": str(runtime.threads)}
    faster = kernels() if runtime.device == "cpu" else None
    return {**found, **faster.provenance()} if faster else found


@functools.cache
def _fixed() -> dict[str, str]:
    return {
        "ablate": _version("ablate"),
        "commit": commit(),
        "python": platform.python_version(),
        **{name: _version(name) for name in LIBRARIES},
        "system": f"{platform.system()} {platform.machine()}",
        "processor": f"{_processor()}, {os.cpu_count()} cores",
    }


def commit() -> str:
    """Return the checkout's commit, marked if source files differ from it; `unknown` outside a checkout."""
    here = Path(__file__).parents[2]
    try:
        # Inside another project's checkout, the commit would not describe this package.
        _git(here, "ls-files", "--error-unmatch", "ablate/__init__.py")
        found = _git(here, "rev-parse", "--short=12", "HEAD")
        changed = _git(here, "status", "--porcelain", "--", "ablate", "studies")
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return found + (" with local changes" if changed else "")


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "--no-optional-locks", *arguments], cwd=folder, capture_output=True, text=True, timeout=10, check=True
    )
    return done.stdout.strip()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _device(runtime: Runtime) -> str:
    return torch.cuda.get_device_name() if runtime.device == "cuda" else runtime.device


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown processor"
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown processor")
