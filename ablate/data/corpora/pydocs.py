"""The default corpus: English prose from the documentation that is already on this machine. No network, no import.

Docstrings of the standard library, the language reference behind `help()`, and the docstrings of the packages this
project always installs, cleaned to prose (`markup`, `prose`) and freed of near-duplicates. One docstring is one
document; its label is the package, `stdlib` or `language`, which makes a topic classification task. The text is a
function of the Python version, the package versions and the cleaning code, all three in the fingerprint. Nothing
optional is read, so installing an extra never changes the text.
"""

from __future__ import annotations

import heapq
import importlib.metadata
import importlib.util
import json
import os
import platform
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from ablate.config import ConfigError, Data
from ablate.data.corpora.near_duplicates import FreshText
from ablate.data.document import Document
from ablate.disk.cache import build_once, cache_root
from ablate.measure import Progress, digest, silent
from ablate.sources import source_digest

PACKAGES = {
    "torch": "torch",
    "numpy": "numpy",
    "pandas": "pandas",
    "scipy": "scipy",
    "statsmodels": "statsmodels",
    "matplotlib": "matplotlib",
    "seaborn": "seaborn",
    "optuna": "optuna",
    "lightning": "lightning",
    "torchmetrics": "torchmetrics",
    "sympy": "sympy",
    "mpmath": "mpmath",
    "networkx": "networkx",
    "sqlalchemy": "sqlalchemy",
    "alembic": "alembic",
    "mako": "mako",
    "jinja2": "jinja2",
    "rich": "rich",
    "pyarrow": "pyarrow",
    "fsspec": "fsspec",
    "packaging": "packaging",
    "patsy": "patsy",
    "PIL": "pillow",
    "fontTools": "fonttools",
    "pyparsing": "pyparsing",
    "dateutil": "python-dateutil",
    "huggingface_hub": "huggingface-hub",
}
"""Import name -> distribution. Each is a dependency of this project or, without extras, of one of its dependencies."""

NOT_ALWAYS_THERE = frozenset(
    (
        "idlelib",
        "tkinter",
        "turtledemo",
        "turtle.py",
        "lib2to3",
        "distutils",
        "ensurepip",
        "venv",
        "site-packages",
        "dist-packages",
    )
)
"""Parts of the standard library that some systems install separately."""
NOT_DOCUMENTATION = frozenset(
    ("test", "tests", "testing", "conftest.py", "_vendor", "vendored", "_vendored", "__pycache__", "pydoc_data")
)
READERS = 2
"""Processes that read source files."""

CLEANED_BY = ("docstrings", "markup", "prose", "boundaries", "abbreviations", "near_duplicates", "pydocs")
CLEANING = tuple(f"ablate.data.corpora.{name}" for name in CLEANED_BY)


class PyDocs:
    """See the module's docstring."""

    name = "pydocs"

    def fingerprint(self) -> str:
        """Digest of Python version, package versions and cleaning code. Raises `ConfigError` naming a missing package."""
        return digest(self.name, platform.python_version(), _versions(), source_digest(*CLEANING))

    def describe(self) -> dict[str, str]:
        """What it is, and the versions it comes from."""
        versions = ", ".join(f"{package} {version}" for package, version in _versions().items())
        return {
            "text": "English prose from installed Python documentation, near-duplicates removed",
            "sources": f"Python {platform.python_version()}, {versions}",
            "labels": "package of the docstring",
        }

    def build(self, progress: Progress = silent) -> Path:
        """The folder with the cleaned documents; the first call takes half a minute on two cores."""
        return build_once(
            cache_root() / self.name / self.fingerprint(), lambda temporary: _build(temporary, progress), progress
        )

    def documents(self) -> Iterator[Document]:
        """The cleaned documents, from the cache."""
        with open(self.build() / "documents.jsonl", encoding="utf-8") as lines:
            for line in lines:
                label, *sentences = json.loads(line)
                yield Document(tuple(sentences), label)


def named(argument: str, data: Data) -> PyDocs:
    """The only one."""
    return PyDocs()


@lru_cache(maxsize=1)
def _versions() -> dict[str, str]:
    versions = {}
    for package, distribution in PACKAGES.items():
        try:
            versions[package] = importlib.metadata.version(distribution).partition("+")[0]
        except importlib.metadata.PackageNotFoundError:
            missing = f"corpus pydocs reads the documentation of {distribution}, which is not installed"
            raise ConfigError(f"{missing}: pip install {distribution}") from None
    return versions


def source_files() -> list[tuple[Path, str]]:
    """Every file that is read, with its label, in an order that does not depend on where things are installed."""
    standard_library = Path(sysconfig.get_path("stdlib"))
    files = [(standard_library / "pydoc_data" / "topics.py", "language")]
    files += [(path, "stdlib") for path in _python_files(standard_library, NOT_ALWAYS_THERE | NOT_DOCUMENTATION)]
    for package in PACKAGES:
        found = importlib.util.find_spec(package)
        if found is None or not found.submodule_search_locations:
            missing = f"corpus pydocs reads the documentation of {package}, whose source files cannot be found"
            raise ConfigError(f"{missing}: reinstall {PACKAGES[package]}")
        folder = Path(next(iter(found.submodule_search_locations)))
        files += [(path, package) for path in _python_files(folder, NOT_DOCUMENTATION)]
    return files


def _python_files(root: Path, without: frozenset[str]) -> list[Path]:
    found = []
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if name not in without)
        found += [Path(folder, name) for name in names if name.endswith(".py") and name not in without]
    return sorted(found, key=lambda path: path.relative_to(root).as_posix())


def _build(folder: Path, progress: Progress) -> None:
    fresh = FreshText()
    with open(folder / "documents.jsonl", "w", encoding="utf-8") as lines:
        for document in _read(source_files(), progress):
            if kept := fresh.keep(document):
                lines.write(json.dumps([kept.label, *kept.sentences], ensure_ascii=False) + "\n")


def _read(files: list[tuple[Path, str]], progress: Progress) -> Iterator[Document]:
    """Documents in the order of the files: reader r takes files r, r + READERS, ..., and their answers are merged."""
    progress(phase="reading documentation", done=0, total=len(files))
    readers = [_Reader(files, first) for first in range(READERS)]
    try:
        for done, document in heapq.merge(*readers, key=lambda numbered: numbered[0]):
            progress(phase="reading documentation", done=done, total=len(files))
            yield document
    finally:
        for reader in readers:
            reader.stop()


class _Reader:
    """A process that reads every `READERS`-th file; iterating gives its documents, each with the number of its file."""

    def __init__(self, files: list[tuple[Path, str]], first: int) -> None:
        importable_from = os.pathsep.join([str(Path(__file__).parents[3]), *sys.path])
        self.first = first
        self.process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "ablate.data.corpora.docstrings"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": importable_from, "PYTHONIOENCODING": "utf-8"},
            encoding="utf-8",
            pipesize=2**20,
        )
        assert self.process.stdin is not None
        with self.process.stdin as pipe:
            pipe.writelines(f"{path}\t{label}\n" for path, label in files[first::READERS])

    def __iter__(self) -> Iterator[tuple[int, Document]]:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            number, label, sentences = json.loads(line)
            yield self.first + READERS * number, Document(tuple(sentences), label)
        if self.process.wait() != 0:
            raise RuntimeError(f"a reader of the documentation ended with exit status {self.process.returncode}")

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()
