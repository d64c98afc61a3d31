"""The floors of the house: imports point downwards, and the two wings meet only in study files."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "ablate"
BASE = {"config", "seeds", "records", "measure", "specification", "sources", "notice", "disk", "decode", "doctor"}
TRAINING_WING = ["collators", "nn", "data", "objectives", "interop", "evaluation", "training", "kernels", "timing"]
REPORTING_WING = ["analysis", "claims", "report", "study"]
ALLOWED = {
    "collators": {"data"},
    "nn": set(),
    "data": set(),
    "objectives": {"collators", "nn", "data"},
    "interop": {"objectives", "nn", "data"},
    # Of nn what a reading is made of: scores of attention, decoding, the judge of what was written, estimators of latents.
    "evaluation": {"objectives", "nn", "data", "collators"},
    # Of nn the choice of attention's backend, which a run may name.
    "training": {"objectives", "interop", "evaluation", "nn", "data"},
    "timing": {"training", "data", "objectives", "nn"},
    # Backends may import nn alone (below); the bench and the tuning run models. Training loads this package by name.
    "kernels": {"nn", "timing", "training", "data"},
    "kernels.report": {"report", "kernels.report"},
    "analysis": set(),
    "claims": {"analysis"},
    "report": {"claims", "analysis"},
    "study": {"report", "claims", "analysis"},
    "survey": {"training", "evaluation", "objectives", "data"},
    "verify": {"report"},
    "testing": {"evaluation", "objectives", "nn", "data"},
}
HEAVY = {
    "torch": {"nn", "objectives", "interop", "evaluation", "training", "kernels", "timing", "data", "collators", "testing"},
    "lightning": {"data", "objectives", "training"},
    "optuna": {"study"},
    "seaborn": {"report"},
    "matplotlib": {"report", "kernels.report"},
    "pytest": {"testing"},
}
FILES = sorted(path for path in PACKAGE.rglob("*.py"))


def floor(path: Path) -> str:
    parts = path.relative_to(PACKAGE).parts
    return "kernels.report" if parts[:2] == ("kernels", "report") else parts[0].removesuffix(".py")


def imported(path: Path) -> set[tuple[str, ...]]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {tuple(alias.name.split(".")) for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {(*node.module.split("."), alias.name) for alias in node.names}
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_down(path: Path) -> None:
    here = floor(path)
    if here in ("cli", "doctor", "__init__", "__main__"):
        return
    found = {parts[1:] for parts in imported(path) if parts[0] == "ablate" and len(parts) > 1}
    own = {"kernels.report" if parts[:2] == ("kernels", "report") else parts[0] for parts in found}
    allowed = BASE | {here} | ALLOWED.get(here, set())
    assert own <= allowed, f"{here} may import {sorted(allowed)}, but imports {sorted(own - allowed)}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_heavy_libraries_stay_on_their_floors(path: Path) -> None:
    here = floor(path)
    if here in ("cli", "doctor"):
        return
    found = {parts[0] for parts in imported(path)}
    for library, floors in HEAVY.items():
        assert library not in found or here in floors, f"{here} imports {library}, which belongs to {sorted(floors)}"


def test_backends_import_attention_and_the_floor_alone() -> None:
    for path in (PACKAGE / "kernels").glob("*.py"):
        own = {parts[1] for parts in imported(path) if parts[0] == "ablate" and len(parts) > 1}
        assert own <= BASE | {"kernels", "nn"}, path


def test_nothing_below_imports_the_kernels() -> None:
    """The core is complete without them, and an import would make each of them a part of every run's identity."""
    for path in FILES:
        if floor(path) not in ("kernels", "kernels.report", "cli", "doctor", "__init__"):
            assert not any(parts[:2] == ("ablate", "kernels") for parts in imported(path)), path


def test_every_floor_is_known() -> None:
    assert {floor(path) for path in FILES} <= BASE | {"kernels.report", "testing"} | set(TRAINING_WING) | set(
        REPORTING_WING
    ) | {
        "cli",
        "survey",
        "verify",
        "__init__",
        "__main__",
    }


@pytest.mark.parametrize(
    "command", ["import ablate.cli", "from ablate.study import discover; discover.listing()", "import ablate.report.compile"]
)
def test_reporting_loads_no_training_library(command: str) -> None:
    """Torch takes two seconds to import and lightning six: a listing or a report must not pay for them."""
    check = f"{command}; import sys; print([m for m in ('torch', 'lightning') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
