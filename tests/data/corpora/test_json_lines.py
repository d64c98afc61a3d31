"""Half of a surrogate pair is legal in JSON and in no text: it is read as U+FFFD, said and never written on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ablate.config import ConfigError
from ablate.data.corpora.files import Files
from ablate.data.corpora.json_lines import read_values
from ablate.evaluation.tasks import tables
from ablate.evaluation.tasks.tables import Columns

ANY = st.text(st.characters(), max_size=12)
VALUES = st.recursive(ANY | st.none() | st.integers(), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY, inner))


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(VALUES, min_size=1, max_size=4))
def test_every_legal_value_becomes_text(tmp_path: Path, values: list[object]) -> None:
    """Python's codec is the judge: it replaces what is no text, after its own rule for pairs."""
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(json.dumps(value) for value in values) + "\n", encoding="ascii")
    found = [value for _, value in read_values(path)]
    assert json.dumps(found, ensure_ascii=False).encode("utf-8").decode("utf-8")
    plain = json.dumps(values).encode("ascii")
    try:
        text = json.dumps(json.loads(plain), ensure_ascii=False)
        text.encode("utf-8")
    except UnicodeEncodeError:
        assert "�" in json.dumps(found, ensure_ascii=False)
    else:
        assert found == json.loads(plain)


def test_halves_are_counted_and_whole_pairs_stay(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "a \\ud83d b \\ud83d\\ude00 c \\\\ud800", "\\udc00": 1}\n', encoding="ascii")
    ((place, value),) = read_values(path)
    assert place == f"{path}, line 1"
    assert value == {"text": "a � b 😀 c \\ud800", "�": 1}
    assert f"{path}: 2 escaped characters are halves of a surrogate pair; each becomes U+FFFD" in capfd.readouterr().err
    assert [document.sentences for document in Files(path, "text").documents()] == [("a � b 😀 c \\ud800",)]


def test_tables_of_tasks_read_the_same(tmp_path: Path) -> None:
    path = tmp_path / "train.jsonl"
    path.write_text('{"q": "a \\ud83d", "y": "\\udfff"}\n', encoding="ascii")
    (example,) = tables.read_examples(path, Columns(first="q", label="y"), tables.any_name)
    assert (example.first, example.label) == ("a �", "�")


def test_an_error_that_quotes_a_half_can_be_printed(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"\\ud83d": "x"}\n', encoding="ascii")
    with pytest.raises(ConfigError) as caught:
        list(Files(path, "text").documents())
    assert "its columns: �" in str(caught.value)
    str(caught.value).encode("utf-8")


@pytest.mark.parametrize("line", ["[" * 100_000, "{", "1" * 5000, '{"a": NaN', "\\ud83d"])
def test_what_is_no_json_is_named_by_its_line(tmp_path: Path, line: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(f"{{}}\n{line}\n", encoding="ascii")
    with pytest.raises(ConfigError, match=r"a\.jsonl, line 2: not JSON") as caught:
        list(read_values(path))
    assert "\n" not in str(caught.value)
