"""Entry points: `nox -l` lists them, `nox -s study-bert-masking` answers a question, `nox -s tests` checks everything.

One session for every file in studies/, made from its syntax tree without importing it. All sessions share one
environment, so that torch is installed once; what follows `--` goes to `ablate run`.
"""

from __future__ import annotations

import ast
import fcntl
import hashlib
import sys
from pathlib import Path

import nox

HERE = Path(__file__).parent
EXTRAS = "test,lint,hub"

nox.options.sessions = ["tests"]


def python(session: nox.Session) -> str:
    """The interpreter of the one environment that all sessions share, made and filled at first use.

    nox would give every session an environment of its own, and torch to each. Later sessions find the stamp of the
    pinned requirements and touch no network. With `--no-venv` it is the interpreter that runs nox, as it is.
    """
    if "--no-venv" in sys.argv:
        return sys.executable
    home = HERE / ".nox" / f"ablate-{sys.version_info.major}.{sys.version_info.minor}"
    home.mkdir(parents=True, exist_ok=True)
    interpreter = home / "bin" / "python"
    stamp = home / "installed.sha256"
    wanted = hashlib.sha256((HERE / "constraints.txt").read_bytes() + (HERE / "pyproject.toml").read_bytes()).hexdigest()
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (stamp.is_file() and stamp.read_text() == wanted):
            install(session, home, str(interpreter))
            if "--no-install" not in sys.argv:
                stamp.write_text(wanted)
    return str(interpreter)


def install(session: nox.Session, home: Path, interpreter: str) -> None:
    """Fill the environment from the constraints file."""
    # torch first and by its exact version: a range would let the resolver fetch several gigabytes of another build.
    torch = next(line for line in (HERE / "constraints.txt").read_text().splitlines() if line.startswith("torch=="))
    session.run_install(sys.executable, "-m", "venv", str(home), external=True)
    pip = (interpreter, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    session.run_install(*pip, torch, external=True)
    session.run_install(*pip, "-c", str(HERE / "constraints.txt"), "-e", f"{HERE}[{EXTRAS}]", external=True)


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
        session.run(python(session), "-m", "ablate", "run", name, *session.posargs, external=True)

    study.__doc__ = question(path)
    nox.session(name=f"study-{name}", venv_backend="none", default=False, tags=["study"])(study)


for file in sorted((HERE / "studies").glob("[!_]*.py")):
    add_study(file)


@nox.session(venv_backend="none")
def tests(session: nox.Session) -> None:
    """The test suite, without whole studies."""
    session.run(python(session), "-m", "pytest", "-m", "not smoke and not published", *session.posargs, external=True)


@nox.session(venv_backend="none", default=False)
def published(session: nox.Session) -> None:
    """Published figures, reproduced on real data under $ABLATE_DATA; minutes each."""
    session.run(python(session), "-m", "pytest", "-m", "published", *session.posargs, external=True)


@nox.session(venv_backend="none", default=False)
def mutants(session: nox.Session) -> None:
    """Is a module that decides numbers tested? One change at a time must make a test fail; about ten minutes."""
    session.run(python(session), "-m", "tests.mutants", *session.posargs, external=True)


@nox.session(venv_backend="none", default=False)
def smoke(session: nox.Session) -> None:
    """Every study at its smallest, and the crash tests."""
    session.run(python(session), "-m", "pytest", "-m", "smoke", *session.posargs, external=True)


@nox.session(venv_backend="none", default=False)
def lint(session: nox.Session) -> None:
    """Style and types."""
    interpreter = python(session)
    session.run(interpreter, "-m", "ruff", "check", ".", external=True)
    session.run(interpreter, "-m", "ruff", "format", "--check", ".", external=True)
    session.run(interpreter, "-m", "mypy", external=True)
