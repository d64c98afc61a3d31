"""Comments cost nothing: new words in every comment and docstring move no identity, a new statement moves its own."""

from __future__ import annotations

import ast
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from ablate import sources

PACKAGE = Path(sources.__file__).parent
MEASURE = '''"""A study's own measure."""
from ablate.measure import from_function
from ablate.records import Row

def rows(config):
    """One row."""
    value = 1.0  # planted
    return [Row(evaluation="e", metric="m", value=value, unit="nats")]

class Held:
    def rows(self, config):
        # Why.
        return []

FUNCTIONS = {"function": from_function(rows), "method": from_function(Held().rows), "lambda": from_function(
    lambda config: []  # nothing
)}
'''
IDENTITIES = """
import json, sys
from pathlib import Path
import ablate
from ablate import interop
from ablate.config import Data, RunConfig
from ablate.data import tokenizer
from ablate.data.corpora import CORPORA
from ablate.data.text import fingerprints
from ablate.evaluation import EVALUATIONS, evaluation_of
from ablate.evaluation.reading import readable
from ablate.objectives import OBJECTIVES, objective
from ablate.kernels.bench.grid import AttentionGrid
from ablate.kernels.bench.timing import TIMING
from ablate.training.pretraining import identify
import measure_of_study
import outside

given = Path(sys.argv[1])
assert Path(ablate.__file__).parents[1] == Path.cwd()
found = {}
corpora = {"pydocs": "pydocs", "grammar": "grammar", "oracle": "oracle:4:10:0", "files": f"files:{given}/text.txt",
           "imdb": f"imdb:{given}/imdb", "ptb": "ptb", "coco": "coco", "hub": f"hub:{given}/hub"}
assert set(corpora) == set(CORPORA)
for kind, corpus in corpora.items():
    found[f"corpus {kind}"] = fingerprints(Data(corpus=corpus))["corpus"]
for kind in ("wordpiece", f"folder:{given}"):
    found[f"tokenizer {kind.partition(':')[0]}"] = fingerprints(Data(corpus="grammar", tokenizer=kind))["tokenizer"]
found["initial checkpoint"] = interop.fingerprint(given / "initial")
readings = [evaluation_of(name) for name in EVALUATIONS]
for name in OBJECTIVES:
    kind = objective(name)
    wanted = [one() for one in readings if not {"source", "tasks"} & set(one.__dataclass_fields__)]
    run = identify(RunConfig(objective=kind.Config(), data=Data(corpus="grammar"), evaluations=readable(wanted, kind)))
    found |= {f"run {name}": run.training, **{f"run {name}, {key}": value for key, value in run.measurements.items()}}
found["run outside"] = identify(RunConfig(objective=outside.Outside.Config(), data=Data(corpus="grammar"))).training
found["timing"] = TIMING.identify(RunConfig(objective=AttentionGrid(), data=Data(corpus="grammar"))).training
for name, measure in measure_of_study.FUNCTIONS.items():
    found[f"measure {name}"] = measure.identify(RunConfig(objective=objective("bert").Config())).training
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What corpora, a tokenizer and a checkpoint are read from; a fingerprint opens no more of it than bytes."""
    folder = tmp_path_factory.mktemp("given")
    for name in ("imdb/train/pos/0_9.txt", "imdb/train/neg/0_1.txt", "hub/train.txt", "ptb/ptb.train.txt", "text.txt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("A man rests.\n")
    for name in ("texygen/image_coco.txt.gz", "tokenizer.json"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"{}")
    for name in ("config.json", "model.safetensors", "tokenizer.json"):
        (folder / "initial").mkdir(exist_ok=True)
        (folder / "initial" / name).write_bytes(b"{}")
    return folder


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A copy of the package with a measure and an objective from outside beside it."""
    shutil.copytree(PACKAGE, tmp_path / "house" / "ablate", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "house" / "measure_of_study.py").write_text(MEASURE)
    toy = (Path(__file__).parent / "recipes" / "toy.py").read_text()
    (tmp_path / "house" / "outside.py").write_text(toy.replace("Toy", "Outside"))
    return tmp_path / "house"


def identities(house: Path, given: Path) -> dict[str, str]:
    environment = os.environ | {"PYTHONPATH": str(house), "ABLATE_DATA": str(given), "ABLATE_CACHE": str(given / "cache")}
    command = [sys.executable, "-B", "-c", IDENTITIES, str(given)]
    done = subprocess.run(command, cwd=house, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found: dict[str, str] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory, given: Path) -> dict[str, str]:
    return identities(house.__wrapped__(tmp_path_factory.mktemp("before")), given)  # type: ignore[attr-defined]


def test_new_words_in_every_module_move_nothing(house: Path, given: Path, before: dict[str, str]) -> None:
    reword(house)
    after = identities(house, given)
    assert {name for name in before if after[name] != before[name]} == set()


def test_a_new_statement_moves_what_follows_from_it(house: Path, given: Path, before: dict[str, str]) -> None:
    """Else nothing would have shown above that an identity follows the code at all."""
    corpora = [f"data/corpora/{name}" for name in ("pydocs", "grammar", "oracle", "files", "imdb", "hub")]
    for name in (*corpora, "data/tokenizer", "data/tokenizer_json", "interop/folder", "training/loop", "kernels/bench/timing"):
        with open(house / "ablate" / f"{name}.py", "a", encoding="utf-8") as file:
            file.write("\nCHANGED = 1\n")
    measure = house / "measure_of_study.py"
    measure.write_text(
        MEASURE.replace("value = 1.0", "value = 2.0").replace("return []", "return [1]").replace(": []", ": [1]")
    )
    after = identities(house, given)
    assert {name for name in before if after[name] == before[name]} == set()


@pytest.mark.smoke
def test_a_whole_study_trains_nothing_again(house: Path, tmp_path: Path) -> None:
    shutil.copytree(PACKAGE.parent / "studies", house / "studies")
    places = ["--runs", str(tmp_path / "runs"), "--reports", str(tmp_path / "reports")]
    command = [sys.executable, "-B", "-m", "ablate", "run", "bert-masking", "--tier", "smoke", *places]

    def records() -> dict[Path, int]:
        done = subprocess.run(command, cwd=house, env=os.environ | {"PYTHONPATH": str(house)}, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").glob("*/record.json")}

    trained = records()
    assert trained
    reword(house)
    assert records() == trained


def reword(house: Path) -> None:
    """New words in every comment and docstring of every file."""
    edited = 0
    for path in sorted(house.rglob("*.*")):
        if path.suffix in WORDS:
            source = path.read_text(encoding="utf-8")
            path.write_text(WORDS[path.suffix](source), encoding="utf-8")
            edited += path.read_text(encoding="utf-8").count("REWORDED") >= 2
    assert edited > 250, "a comment and a docstring of every file"


def reworded(source: str) -> str:
    """The same program with new words in each comment and docstring, and a comment behind each statement."""
    lines = source.splitlines(keepends=True)
    inserted: list[tuple[int, int, str]] = []
    for row, column in _openings(ast.parse(source), lines):
        inserted.append((row, column, "REWORDED: "))
    commented = {}
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        row, column = token.start
        if token.type == tokenize.COMMENT:
            commented[row] = (row, column + len(token.string), " REWORDED")
        elif token.type == tokenize.NEWLINE and row not in commented:
            commented[row] = (row, column, "  # REWORDED")
    for row, column, words in sorted([*inserted, *commented.values()], reverse=True):
        lines[row - 1] = lines[row - 1][:column] + words + lines[row - 1][column:]
    return "# REWORDED\n" + "".join(lines)


def _openings(tree: ast.Module, lines: list[str]) -> Iterator[tuple[int, int]]:
    """Row, and column behind the opening quotes, of each string that stands as a statement."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            column = len(lines[node.lineno - 1].encode()[: node.col_offset].decode())
            quotes = re.compile(r"""[rRuU]?(\"\"\"|'''|"|')""").match(lines[node.lineno - 1], column)
            assert quotes is not None
            yield node.lineno, quotes.end()


def reworded_c(source: str) -> str:
    return "// REWORDED\n" + source.replace("/*", "/* REWORDED")


WORDS = {".py": reworded, ".c": reworded_c, ".h": reworded_c}
