"""The text of a claim is only news: whatever stands there, a reader gets a holder that it can ask, or none."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from ablate.disk import claims


@pytest.fixture
def sound(tmp_path: Path) -> dict[str, Any]:
    with claims.hold(tmp_path):
        pass
    named: dict[str, Any] = json.loads((tmp_path / claims.FILE).read_bytes())
    return named


def test_a_sound_text_names_its_holder(sound: dict[str, Any], tmp_path: Path) -> None:
    found = claims.holder_of(tmp_path)
    assert found is not None and found.pid == sound["pid"] and found.here


@pytest.mark.parametrize("field", sorted(claims.TYPES))
@pytest.mark.parametrize("value", [None, True, "\0", "1", [], {}, 0.5, -(10**400), 10**400])
def test_a_field_of_another_kind_is_no_error(
    sound: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, field: str, value: object
) -> None:
    (tmp_path / claims.FILE).write_text(json.dumps({**sound, field: value}))
    found = claims.holder_of(tmp_path)
    if found is not None:
        assert isinstance(value, claims.TYPES[field])
        sent: list[object] = []
        # The process of the text may be this one.
        monkeypatch.setattr(signal, "pidfd_send_signal", lambda *arguments: sent.append(arguments))
        assert found.end() in (True, False) and found.stopped is False and found.orphaned in (True, False)


@pytest.mark.parametrize("pid", [-1, 0, 1 << 31, 1 << 63])
def test_a_number_that_no_process_has_is_no_holder(sound: dict[str, Any], tmp_path: Path, pid: int) -> None:
    (tmp_path / claims.FILE).write_text(json.dumps({**sound, "pid": pid}))
    assert claims.holder_of(tmp_path) is None


@pytest.mark.parametrize("text", ["", "[]", "3", "[" * 100_000, '{"worked": 1e999}', "\0"])
def test_other_texts_name_nobody(tmp_path: Path, text: str) -> None:
    (tmp_path / claims.FILE).write_text(text)
    assert claims.holder_of(tmp_path) is None
