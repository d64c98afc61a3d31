"""Find study files. A listing reads their syntax trees, so it runs no code of a study and does not import torch."""

from __future__ import annotations

import ast
import importlib.util
import sys
from pathlib import Path
from typing import NamedTuple

from ablate.config import ConfigError, choose
from ablate.study.catalogue import check_columns
from ablate.study.study import Study

TRAINING = ("ablate.training", "ablate.timing", "ablate.kernels")


class Listed(NamedTuple):
    """What the syntax tree of a study file tells."""

    name: str
    question: str
    path: Path
    trains: bool
    """True if the file imports the training code, which takes seconds to load and should start early."""
    asked: str
    """How a command names it: as it was asked for."""


def studies_folder() -> Path:
    """Return `studies/` in the current folder if it exists, else the one beside the package in a checkout."""
    here = Path("studies")
    return here if here.is_dir() else Path(__file__).parents[2] / "studies"


def listing(folder: Path | None = None) -> list[Listed]:
    """Return all studies of a folder, sorted by file name. The file `bert_masking.py` is the study `bert-masking`."""
    paths = sorted((folder or studies_folder()).glob("[!_]*.py"))
    return [read(path) for path in paths]


def read(path: Path, asked: str = "") -> Listed:
    """Return name, question, path and imports of one study file. Raises `ConfigError` for a file that is not valid Python."""
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    except SyntaxError as error:
        raise ConfigError(f"{path}, line {error.lineno}: {error.msg}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 text (byte {error.start})") from error
    question = next((found for node in ast.walk(tree) if (found := _question(node))), "")
    trains = any(
        (isinstance(node, ast.ImportFrom) and _from_training(node))
        or (isinstance(node, ast.Import) and any(alias.name.startswith(TRAINING) for alias in node.names))
        for node in ast.walk(tree)
    )
    name = path.stem.replace("_", "-")
    return Listed(name=name, question=question, path=path, trains=trains, asked=asked or name)


def find(name: str) -> Listed:
    """Return a study by its name or by the path of its file. Raises `ConfigError` with the nearest names."""
    if name.endswith(".py"):
        path = Path(name)
        if not path.is_file():
            raise ConfigError(f"no study file {name!r}; known studies: {', '.join(s.name for s in listing())}")
        return read(path, name)
    known = {study.name: study for study in listing()}
    return known[choose(name, known, "study")]


def load(path: Path) -> Study:
    """Run a study file and return its `STUDY`."""
    module_name = f"ablate_study_{path.stem}"
    spec = importlib.util.spec_from_file_location(module_name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    try:
        spec.loader.exec_module(module)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error
    except (Exception, SystemExit) as error:
        line = next((f.lineno for f in _frames(error) if f.filename in (str(path), str(path.resolve()))), None)
        where = f", line {line}" if line else ""
        raise ConfigError(f"{path}{where}: {type(error).__name__}: {' '.join(str(error).split())}") from error
    study = getattr(module, "STUDY", None)
    if not isinstance(study, Study):
        raise ConfigError(f"{path} defines no STUDY = Study(...)")
    expected = path.stem.replace("_", "-")
    if study.name != expected:
        raise ConfigError(f"{path}: name = {study.name!r}, but must be {expected!r}, like the file")
    _check_tiers(study, path)
    return study


def _check_tiers(study: Study, path: Path) -> None:
    """Raise `ConfigError` that names the file for a size of the study that no command could run."""
    for name in study.tiers:
        try:
            sized = study.at(name)
            for factor in sized.factors:
                sized.levels(factor)
            check_columns(sized)
        except ConfigError as error:
            raise ConfigError(f"{path}, tier {name}: {error}") from None


def _frames(error: BaseException) -> list[_Frame]:
    found, trace = [], error.__traceback__
    while trace is not None:
        found.append(_Frame(trace.tb_frame.f_code.co_filename, trace.tb_lineno))
        trace = trace.tb_next
    return found[::-1]


class _Frame(NamedTuple):
    filename: str
    lineno: int


def _question(node: ast.AST) -> str:
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Study"):
        return ""
    for keyword in node.keywords:
        if keyword.arg == "question" and isinstance(keyword.value, ast.Constant):
            return str(keyword.value.value)
    return ""


def _from_training(node: ast.ImportFrom) -> bool:
    if node.module == "ablate":
        return any(alias.name in ("training", "timing", "kernels") for alias in node.names)
    return bool(node.module) and str(node.module).startswith(TRAINING)
