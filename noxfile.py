"""Entry points: `nox -l` lists them, `nox -s study-bert-masking` runs a study, `nox -s tests` runs the tests.

Every file in studies/ becomes a session. Its question is read from the syntax tree, without an import. All sessions share
one environment, so torch is installed once. Arguments after `--` go to `ablate run`.
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
    """Return the interpreter of the shared environment; the first call creates the environment.

    nox itself would create one environment per session and install torch in each. A stamp file holds the hash of the pinned
    requirements; while it matches, no session needs a network. With `--no-venv`, return the interpreter that runs nox.
    """
    if "--no-venv" in sys.argv:
        return sys.executable
    home = HERE / ".nox" / f"ablate-{sys.version_info.major}.{sys.version_info.minor}"
    home.mkdir(parents=True, exist_ok=True)
    interpreter = home / "bin" / "python"
    stamp = home / "installed.sha256"
    pinned = hashlib.sha256((HERE / "constraints.txt").read_bytes() + (HERE / "pyproject.toml").read_bytes()).hexdigest()
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (stamp.is_file() and stamp.read_text() == pinned):
            install(session, home, str(interpreter))
            if "--no-install" not in sys.argv:
                stamp.write_text(pinned)
    return str(interpreter)


def install(session: nox.Session, home: Path, interpreter: str) -> None:
    """Create the environment and install the pinned packages."""
    # torch comes first, at its exact version: with a range, the resolver may download several gigabytes of another build.
    torch = next(line for line in (HERE / "constraints.txt").read_text().splitlines() if line.startswith("torch=="))
    session.run_install(sys.executable, "-m", "venv", str(home), external=True)
    pip = (interpreter, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    session.run_install(*pip, torch, external=True)
    session.run_install(*pip, "-c", str(HERE / "constraints.txt"), "-e", f"{HERE}[{EXTRAS}]", external=True)


def question(path: Path) -> str:
    """Return the question in a study file's `STUDY = Study(..., question="...")`."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.keyword) and node.arg == "question" and isinstance(node.value, ast.Constant):
            return str(node.value.value)
    return ""


def add_study(path: Path) -> None:
    """Register the session `study-<name>` of one study file."""
    name = path.stem.replace("_", "-")

    def study(session: nox.Session) -> None:
        session.run(python(session), "-m", "ablate", "run", name, *session.posargs, external=True)

    study.__doc__ = question(path)
    nox.session(name=f"study-{name}", venv_backend="none", default=False, tags=["study"])(study)


for file in sorted((HERE / "studies").glob("[!_]*.py")):
    add_study(file)


@nox.session(venv_backend="none")
def tests(session: nox.Session) -> None:
    """Run the tests, without whole studies, in a process for each core."""
    interpreter, marked = python(session), "not smoke and not published"
    # One thread a process: together they would only wait for each other.
    threads = {"OMP_NUM_THREADS": "1"}
    processes = ("-n", "auto", "--maxprocesses", "8")
    session.run(interpreter, "-m", "pytest", "-m", marked, *processes, *session.posargs, env=threads, external=True)


@nox.session(venv_backend="none", default=False)
def published(session: nox.Session) -> None:
    """Reproduce published results on real data in $ABLATE_DATA; each takes minutes."""
    session.run(python(session), "-m", "pytest", "-m", "published", *session.posargs, external=True)


@nox.session(venv_backend="none", default=False)
def mutants(session: nox.Session) -> None:
    """Change modules that decide numbers, one expression at a time: tests must fail. Takes about ten minutes."""
    session.run(python(session), "-m", "tests.mutants", *session.posargs, external=True)


@nox.session(venv_backend="none", default=False)
def faults(session: nox.Session) -> None:
    """Break files, disks and processes in every way that is known: nothing may be lost. Takes about ten minutes."""
    session.run(python(session), "-m", "tests.faults", *session.posargs, external=True)


@nox.session(venv_backend="none", default=False)
def fuzz(session: nox.Session) -> None:
    """Read random files as corpora and tasks: each is read, or refused in one line. A minute, or `-- --minutes 30`."""
    session.run(python(session), "-m", "tests.fuzz", *session.posargs, external=True)


@nox.session(venv_backend="none", default=False)
def smoke(session: nox.Session) -> None:
    """Run every study at its smallest size, and the crash tests."""
    session.run(python(session), "-m", "pytest", "-m", "smoke", *session.posargs, external=True)


@nox.session(venv_backend="none", default=False)
def lint(session: nox.Session) -> None:
    """Check style and types."""
    interpreter = python(session)
    session.run(interpreter, "-m", "ruff", "check", ".", external=True)
    session.run(interpreter, "-m", "ruff", "format", "--check", ".", external=True)
    session.run(interpreter, "-m", "mypy", external=True)
