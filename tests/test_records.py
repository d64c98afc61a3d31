"""Records: whole on disk or not there, equal where times aside they are equal, and readable for ever."""

from __future__ import annotations

import dataclasses
import json
import math
import stat
from pathlib import Path

import pytest

from ablate.config import ConfigError
from ablate.disk import files
from ablate.records import DIVERGED, Record, Row, check_finite, from_json, to_json, untimed

SCHEMA_1 = """
{
 "clock": {"compute": 1.5, "total": 2.25},
 "config": {"objective.name": "bert", "objective.mask_rate": 0.15, "seed": 3},
 "error": null,
 "facts": {"parameters": 1000},
 "identity": "0123456789abcdef",
 "ingredients": {"corpus": "c0ffee", "source": "5eed"},
 "measured": {"masked-bits": "fedcba9876543210"},
 "provenance": {"torch": "2.13.0"},
 "rows": [
  {"better": "lower", "condition": "mask_rate=0.15", "evaluation": "masked-bits", "flops": 1e9, "items": 500,
   "joules": null, "metric": "bits_per_token", "seconds": 1.5, "stage": "final", "targets": 150, "tokens": 1000,
   "unit": "bits", "value": 7.5}
 ],
 "samples": [{"evaluation": "masked-bits", "input": "a [MASK]", "output": "a day"}],
 "schema": 1,
 "status": "done"
}
"""
"""As the first version of this program wrote it. Never edit it: such records lie on disks that nobody here can reach."""

RECORD = Record(
    identity="0123456789abcdef",
    config={"objective.name": "bert", "objective.mask_rate": 0.15, "seed": 3},
    ingredients={"corpus": "c0ffee", "source": "5eed"},
    measured={"masked-bits": "fedcba9876543210"},
    rows=(
        Row(
            evaluation="masked-bits",
            metric="bits_per_token",
            condition="mask_rate=0.15",
            value=7.5,
            unit="bits",
            better="lower",
            items=500,
            stage="final",
            tokens=1000,
            targets=150,
            flops=1e9,
            seconds=1.5,
        ),
    ),
    samples=({"evaluation": "masked-bits", "input": "a [MASK]", "output": "a day"},),
    facts={"parameters": 1000},
    clock={"compute": 1.5, "total": 2.25},
    provenance={"torch": "2.13.0"},
)


def test_a_record_of_schema_1_is_read_for_ever() -> None:
    found = from_json(SCHEMA_1.encode())
    assert dataclasses.replace(found, schema=RECORD.schema) == RECORD


def test_every_field_survives_the_file() -> None:
    assert from_json(to_json(RECORD)) == RECORD
    failed = dataclasses.replace(RECORD, status=DIVERGED, error="the loss is nan", rows=())
    assert from_json(to_json(failed)) == failed


def test_equal_records_are_equal_bytes() -> None:
    turned = dataclasses.replace(RECORD, config=dict(reversed(RECORD.config.items())))
    assert to_json(turned) == to_json(RECORD)
    assert to_json(RECORD).endswith(b"}\n")


@pytest.mark.parametrize("schema", [0, 99, "1", None])
def test_an_unknown_schema_is_refused_with_those_that_can_be_read(schema: object) -> None:
    raw = {**json.loads(SCHEMA_1), "schema": schema}
    with pytest.raises(ConfigError) as caught:
        from_json(json.dumps(raw).encode())
    assert str(caught.value) == f"record schema {schema!r} cannot be read; this version reads 1, 2"


def test_two_runs_of_one_identity_may_differ_in_time_energy_and_machine_alone() -> None:
    (row,) = RECORD.rows
    slower = dataclasses.replace(
        RECORD,
        rows=(dataclasses.replace(row, seconds=9.0, joules=4.0),),
        clock={"compute": 9.0},
        provenance={"torch": "2.14.0"},
    )
    assert slower != RECORD and untimed(slower) == untimed(RECORD)
    for field, value in (("value", 7.6), ("tokens", 999), ("flops", 2e9), ("items", 499), ("stage", "stable")):
        other = dataclasses.replace(RECORD, rows=(dataclasses.replace(row, **{field: value}),))
        assert untimed(other) != untimed(RECORD), field
    for field, new in (("status", "failed"), ("facts", {}), ("measured", {}), ("samples", ()), ("config", {}), ("error", "x")):
        assert untimed(dataclasses.replace(RECORD, **{field: new})) != untimed(RECORD), field
    kept = untimed(RECORD)
    assert "clock" not in kept and "provenance" not in kept and not {"seconds", "joules"} & set(kept["rows"][0])


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_no_result(value: float) -> None:
    with pytest.raises(FloatingPointError, match=f"cloze accuracy is {value}"):
        check_finite(value, "cloze accuracy")
    (row,) = RECORD.rows
    with pytest.raises(ValueError, match="Out of range float"):
        to_json(dataclasses.replace(RECORD, rows=(dataclasses.replace(row, value=value),)))


def test_a_finite_value_comes_back() -> None:
    assert check_finite(-2.5, "x") == -2.5


def test_a_file_is_replaced_whole_and_readable_by_others(tmp_path: Path) -> None:
    path = tmp_path / "new" / "record.json"
    files.write(path, "old")
    files.write(path, b"n\xc3\xa9w")
    assert path.read_text(encoding="utf-8") == "n\u00e9w"
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert [file.name for file in path.parent.iterdir()] == ["record.json"]


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "record.json"
    files.write(path, "old")

    def refuse(*arguments: object) -> None:
        raise KeyboardInterrupt

    for step in ("fsync", "replace"):
        with monkeypatch.context() as patch:
            patch.setattr(f"os.{step}", refuse)
            with pytest.raises(KeyboardInterrupt):
                files.write(path, "new")
        assert path.read_text() == "old" and [file.name for file in tmp_path.iterdir()] == ["record.json"], step


def test_a_number_that_says_no_more_was_read_at_the_end_and_spent_nothing() -> None:
    row = Row(evaluation="e", metric="m", value=1.0, unit="u")
    assert (row.condition, row.better, row.stage, row.joules) == ("", "none", "final", None)
    assert (row.items, row.tokens, row.targets, row.flops, row.seconds) == (0, 0, 0, 0, 0)


def test_texts_are_written_as_they_are() -> None:
    assert "caf\u00e9".encode() in to_json(dataclasses.replace(RECORD, samples=({"output": "caf\u00e9"},)))
