"""Entry points: `nox -l` lists them, `nox -s study-bert-masking` answers a question, `nox -s tests` checks everything.

One session for every file in studies/, made from its syntax tree without importing it. All sessions share one
environment, so that torch is installed once; what follows `--` goes to `ablate run`.
"""

from __future__ import annotations

import ast
import hashlib
import sys
from pathlib import Path

import nox

HERE = Path(__file__).parent
ENVIRONMENT = f".nox/ablate-{sys.version_info.major}.{sys.version_info.minor}"
EXTRAS = "test,lint,hub"

nox.options.sessions = ["tests"]
nox.options.reuse_venv = "yes"
nox.options.default_venv_backend = "virtualenv"
nox.options.error_on_external_run = False


def install(session: nox.Session) -> None:
    """Install the pinned environment once; later sessions find it unchanged and need no network."""
    if session.virtualenv.venv_backend == "none":
        return
    stamp = Path(session.virtualenv.location) / "installed.sha256"
    wanted = hashlib.sha256((HERE / "constraints.txt").read_bytes() + (HERE / "pyproject.toml").read_bytes()).hexdigest()
    if stamp.is_file() and stamp.read_text() == wanted:
        return
    # torch first and by its exact version: a range would let the resolver fetch several gigabytes of another build.
    torch = next(line for line in (HERE / "constraints.txt").read_text().splitlines() if line.startswith("torch=="))
    session.install(torch)
    session.install("-c", "constraints.txt", "-e", f".[{EXTRAS}]")
    stamp.write_text(wanted)


def question(path: Path) -> str:
    """The question in a study file's `STUDY = Study(..., question="...")`."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.keyword) and node.arg == "question" and isinstance(node.value, ast.Constant):
            return str(node.value.value)
    return ""


def add_study(path: Path) -> None:
    """Make the session `study-<name>` of one study file."""
    name = path.stem.replace("_", "-")

    def study(session: nox.Session) -> None:
        install(session)
        session.run("python", "-m", "ablate", "run", name, *session.posargs)

    study.__doc__ = question(path)
    nox.session(name=f"study-{name}", venv_location=ENVIRONMENT, default=False, tags=["study"])(study)


for file in sorted((HERE / "studies").glob("[!_]*.py")):
    add_study(file)


@nox.session(venv_location=ENVIRONMENT)
def tests(session: nox.Session) -> None:
    """The test suite, without whole studies."""
    install(session)
    session.run("python", "-m", "pytest", "-m", "not smoke", *session.posargs)


@nox.session(venv_location=ENVIRONMENT, default=False)
def smoke(session: nox.Session) -> None:
    """Every study at its smallest, and the crash tests."""
    install(session)
    session.run("python", "-m", "pytest", "-m", "smoke", *session.posargs)


@nox.session(venv_location=ENVIRONMENT, default=False)
def lint(session: nox.Session) -> None:
    """Style and types."""
    install(session)
    session.run("python", "-m", "ruff", "check", ".")
    session.run("python", "-m", "ruff", "format", "--check", ".")
    session.run("python", "-m", "mypy")
