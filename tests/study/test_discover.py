"""Study files: listed without running them, found by name or path, loaded or refused with the line."""

from __future__ import annotations

from pathlib import Path

import pytest

from ablate.config import ConfigError
from ablate.study import discover

SOURCE = """
import sys
{imports}
sys.exit("this file was run")
STUDY = Study(name="x", question="How much?")
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "studies").mkdir()
    for stem, imports in {
        "b_two": "from ablate import training",
        "a_one": "import ablate.timing.attention",
        "c_three": "from ablate.study.study import Study",
        "_not": "",
        "d_four": "from ablate.training.fit import fit",
        "e_five": "from ablate import config",
    }.items():
        (tmp_path / "studies" / f"{stem}.py").write_text(SOURCE.format(imports=imports))
    return tmp_path / "studies"


def test_a_listing_reads_names_questions_and_needs_and_runs_nothing(folder: Path) -> None:
    found = discover.listing()
    assert [study.name for study in found] == ["a-one", "b-two", "c-three", "d-four", "e-five"]
    assert {study.question for study in found} == {"How much?"}
    assert [study.trains for study in found] == [True, True, False, True, False]


def test_without_a_folder_here_the_checkouts_own_is_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "bert-masking" in {study.name for study in discover.listing()}


def test_a_study_is_found_by_name_or_by_path(folder: Path) -> None:
    assert discover.find("b-two").path == Path("studies/b_two.py")
    assert discover.find("studies/c_three.py").name == "c-three"
    with pytest.raises(ConfigError, match="unknown study 'b-tow'; did you mean b-two"):
        discover.find("b-tow")
    with pytest.raises(ConfigError, match=r"no study file 'none\.py'; known studies: a-one, b-two"):
        discover.find("none.py")


@pytest.mark.parametrize(("text", "message"), [(b"x = (", "line 1: '[(]' was never closed"), (b"a\xff", "is not UTF-8 text")])
def test_a_file_that_cannot_be_read_is_named(folder: Path, text: bytes, message: str) -> None:
    (folder / "b_two.py").write_bytes(text)
    with pytest.raises(ConfigError, match=rf"studies/b_two\.py.*{message}"):
        discover.listing()


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("import json\n\njson.loads('{')", r"my_study\.py, line 3: JSONDecodeError: Expecting property name"),
        ("from ablate.config import ConfigError\nraise ConfigError('no')", r"my_study\.py: no$"),
        ("STUDY = 3", r"my_study\.py defines no STUDY = Study"),
        ("from tests.study.planted import STUDY", "name = 'planted', but must be 'my-study', like the file"),
    ],
)
def test_a_file_that_makes_no_study_is_refused_with_the_reason(tmp_path: Path, source: str, message: str) -> None:
    path = tmp_path / "my_study.py"
    path.write_text(source)
    with pytest.raises(ConfigError, match=message):
        discover.load(path)


def test_a_study_file_is_run_once_and_gives_its_study(tmp_path: Path) -> None:
    path = tmp_path / "planted.py"
    path.write_text("from tests.study.planted import STUDY")
    assert discover.load(path).name == "planted"
