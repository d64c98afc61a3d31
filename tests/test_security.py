"""What the security page promises: no pickle is read from a disk, and few modules open files, processes or sockets."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

HOUSE = Path(__file__).parents[1]
FILES = sorted((HOUSE / "ablate").rglob("*.py")) + sorted((HOUSE / "studies").glob("*.py"))

EXECUTING = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib", "runpy", "code"}
"""Modules that execute what they read."""
OUTSIDE = {"socket", "ssl", "http", "urllib.request", "requests", "httpx", "huggingface_hub", "datasets", "ftplib", "smtplib"}
"""Modules that reach the network."""
PROCESSES = {"subprocess", "multiprocessing", "pty"}
NATIVE = {"ctypes", "cffi"}

MAY: dict[str, set[str]] = {
    "ablate/study/pool.py": {"pickle", "multiprocessing"},  # a configuration, from the coordinator to its own worker
    "ablate/data/corpora/hub.py": {"datasets", "huggingface_hub"},
    "ablate/evaluation/tasks/hub.py": {"datasets"},
    "ablate/evaluation/paradigms.py": {"datasets"},
    "ablate/data/corpora/pydocs.py": {"subprocess"},  # Python itself, to read the documentation of packages
    "ablate/data/tokenizer_json.py": {"subprocess"},  # Python itself, to try a tokenizer that may abort its process
    "ablate/training/provenance.py": {"subprocess"},  # git, for the commit
    "ablate/kernels/compiled.py": {"subprocess", "ctypes"},  # gcc
    "ablate/kernels/verified.py": {"ctypes"},
    "ablate/kernels/native.py": {"ctypes"},
    "ablate/kernels/freed_memory.py": {"ctypes"},
    "ablate/kernels/tuning/choices.py": {"multiprocessing"},
    "ablate/disk/folders.py": {"ctypes"},  # one system call
}
"""Every module that the security page names, with what it may import of these."""

OPENS: dict[str, str] = {
    "ablate/sources.py": "the source code itself",
    "ablate/study/discover.py": "study files",
    "ablate/data/corpora/docstrings.py": "installed packages",
    "ablate/data/corpora/lines.py": "the user's text",
    "ablate/data/corpora/pydocs.py": "an entry of the cache while it is built or after it was checked",
    "ablate/data/text.py": "an entry of the cache while it is built or after it was checked",
    "ablate/data/token_store.py": "an entry of the cache while it is built or after it was checked",
    "ablate/data/tokenizer.py": "an entry of the cache while it is built or after it was checked",
    "ablate/data/tokenizer_json.py": "the user's tokenizer",
    "ablate/evaluation/blimp.py": "the user's paradigms",
    "ablate/analysis/frames.py": "the bytes of a table, not a file",
    "ablate/interop/folder.py": "the user's checkpoint",
    "ablate/interop/export.py": "a record and weights, given to their readers",
    "ablate/kernels/compiled.py": "the library while it is built",
    "ablate/kernels/verified.py": "the library, by the rules of `ablate.disk.private`",
    "ablate/kernels/tuning/choices.py": "the user's file of choices",
    "ablate/study/store.py": "a record, given to its reader; the log",
    "ablate/study/recorded.py": "a record, given to its reader",
    "ablate/cli/runs.py": "a record, given to its reader",
    "ablate/study/local.py": "the first line of a page, to see whether this project wrote it",
    "ablate/study/ledger.py": "a view that is built again from the records; its lock",
    "ablate/study/looks.py": "a lock",
    "ablate/study/pool.py": "what the system's out-of-memory killer reads",
    "ablate/training/attention.py": "the digest of a file of choices",
    "ablate/training/memory.py": "the limit of a container",
    "ablate/training/provenance.py": "the name of the processor",
    "ablate/testing/cases.py": "a text of the tests",
    "ablate/verify.py": "everything, to compare it with its digest",
}
"""Modules outside `ablate.disk` that open a file, and which."""
OPENING = {"open", "read_text", "read_bytes", "write_text", "write_bytes", "memmap", "fromfile", "tofile", "read_table"}
OPENING |= {"read_parquet", "read_csv", "to_parquet", "load_file", "save_file", "from_file", "NamedTemporaryFile"}


def name(path: Path) -> str:
    return path.relative_to(HOUSE).as_posix()


def imported(tree: ast.Module) -> set[str]:
    """Every module that a file imports, with the packages above it."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found | {module.split(".")[0] for module in found if module.split(".")[0] not in ("urllib", "ablate")}


def called(tree: ast.Module) -> set[str]:
    """The last part of the name of everything that a file calls."""
    calls = (node.func for node in ast.walk(tree) if isinstance(node, ast.Call))
    return {f.attr if isinstance(f, ast.Attribute) else f.id for f in calls if isinstance(f, (ast.Attribute, ast.Name))}


def dotted(tree: ast.Module) -> set[str]:
    return {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}


@pytest.mark.parametrize("path", FILES, ids=name)
def test_a_module_imports_only_what_the_page_names(path: Path) -> None:
    found = imported(ast.parse(path.read_text(encoding="utf-8"))) & (EXECUTING | OUTSIDE | PROCESSES | NATIVE)
    assert found <= MAY.get(name(path), set())


@pytest.mark.parametrize("path", FILES, ids=name)
def test_nothing_that_was_read_is_executed(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    executing = {"eval", "exec", "torch.load", "os.system", "os.popen", "pickle.load", "pd.read_pickle", "yaml.load"}
    assert not dotted(tree) & executing
    # A study file is code of the user's, and is meant to be executed.
    if "exec_module" in called(tree):
        assert name(path) == "ablate/study/discover.py"
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        given = {keyword.arg for keyword in call.keywords}
        assert not given & {"allow_pickle", "trust_remote_code", "weights_only"}


def test_files_that_last_are_opened_in_one_place() -> None:
    opening = {
        name(path)
        for path in FILES
        if called(ast.parse(path.read_text(encoding="utf-8"))) & OPENING and not name(path).startswith("ablate/disk/")
    }
    assert opening == set(OPENS)


def test_the_page_names_what_these_tests_allow() -> None:
    page = (HOUSE / "SECURITY.md").read_text(encoding="utf-8")
    for module in MAY:
        assert f"`{module}`" in page, module
