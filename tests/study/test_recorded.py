"""Runs in a terminal: their states, and what one of them found."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from ablate.cli import main
from ablate.config import ConfigError
from ablate.disk.claims import hold
from ablate.records import FAILED, Record, Row, to_json
from ablate.study.options import Options, set_up
from ablate.study.recorded import runs_in, runs_of, shown, table
from ablate.study.run import run_inline
from ablate.study.store import find_run
from tests.study.planted import STUDY

PLANTED = str(Path(__file__).parent / "planted.py")


def test_every_run_of_the_plan_has_its_state(tmp_path: Path) -> None:
    setup = set_up(STUDY, Options(tier="smoke", root=tmp_path))
    cells = setup.plan().cells
    record = STUDY.measure.run(cells[0].config, tmp_path, lambda **progress: None, None)
    setup.store.write(cells[0].config, dataclasses.replace(record, clock={"total": 90.0}))
    setup.store.write(
        cells[1].config, dataclasses.replace(record, identity=setup.store.identity(cells[1].config).training, status=FAILED)
    )
    with hold(setup.store.folder(cells[2].config)):
        found = runs_of(set_up(STUDY, Options(tier="smoke", root=tmp_path)))
    assert [run.state for run in found] == ["done", "failed", "running", *["to run"] * 12]
    assert [run.identity for run in found] == [setup.store.identity(cell.config).training for cell in cells]
    assert [(run.arm, run.seed) for run in found] == [(cell.arm.name, cell.pair + 1) for cell in cells]
    assert found[0].minutes == 1.5 and found[2].minutes is None


def test_all_runs_of_a_folder(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="holds no finished run"):
        runs_in(tmp_path)
    run_inline(STUDY, Options(tier="smoke", seeds=1, root=tmp_path, reports=tmp_path / "reports"))
    damaged = sorted(tmp_path.glob("*/record.json"))[0]
    damaged.write_bytes(damaged.read_bytes()[:-3])
    found = runs_in(tmp_path)
    assert len(found) == 5 and [run.state for run in found].count("damaged") == 1
    assert {run.arm for run in found if run.state == "done"} == {"planted"}


def test_a_table_is_eighty_columns_wide_at_most(tmp_path: Path) -> None:
    long = dataclasses.replace(STUDY, untrained=False)
    run = runs_of(set_up(long, Options(tier="smoke", root=tmp_path)))[0]
    lines = table([run, run._replace(arm="a" * 100, state="out of memory", minutes=12345.678)]).splitlines()
    assert max(map(len, lines)) == 80 and lines[2].startswith("a" * 20) and "…" in lines[2]
    assert lines[0].split() == ["arm", "seed", "state", "minutes", "identity"]


def test_a_run_shows_its_settings_numbers_curves_and_files(tmp_path: Path) -> None:
    def row(tokens: int, value: float, stage: str = "stable", metric: str = "loss") -> Row:
        return Row(evaluation="e", metric=metric, condition="c", value=value, unit="nats", stage=stage, tokens=tokens)

    record = Record(
        identity="0123456789abcdef",
        config={"budget.tokens": 40, "initial": ""},
        rows=(row(30, 2.0), row(10, 4.0), row(40, 1.0, "final"), row(20, 3.0), row(40, 7.0, "final", "once")),
        clock={"total": 90.0},
        files={"weights.safetensors": "0" * 64},
    )
    (tmp_path / "record.json").write_bytes(to_json(record))
    text = shown(record, tmp_path)
    assert text.startswith("run 0123456789abcdef: done, 1.50 min\n")
    assert "budget.tokens  40" in text and "initial        (empty)" in text
    assert "e/loss@c  1 nats" in text and "e/once@c  7 nats" in text
    assert "e/loss@c  █▆▃▁ 4 to 1 nats" in text, "the curve falls by equal steps, in the order of tokens"
    assert f"{tmp_path}/weights.safetensors (gone)" in text and f"{tmp_path}/record.json\n" in text


def test_a_run_is_found_by_the_beginning_of_its_name(tmp_path: Path) -> None:
    for name in ("aa01", "aa02", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "record.json").write_text("")
    assert find_run("b", tmp_path) == find_run(str(tmp_path / "b"), Path("nowhere")) == tmp_path / "b"
    with pytest.raises(ConfigError, match="could be aa01 or aa02; give more"):
        find_run("aa", tmp_path)
    with pytest.raises(ConfigError, match="no finished run 'c' among the 3"):
        find_run("c", tmp_path)


def test_the_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ABLATE_RUNS", str(tmp_path / "runs"))
    assert main(["run", PLANTED, "--tier", "smoke", "--seeds", "1"]) == 0
    capsys.readouterr()
    assert main(["runs", PLANTED, "--tier", "smoke", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [run["state"] for run in found] == ["done"] * 5 + ["to run"] * 10
    assert main(["runs"]) == 0
    assert capsys.readouterr().out.count(" done ") == 5
    assert main(["show", found[0]["identity"][:6]]) == 0
    assert "planted/loss  " in capsys.readouterr().out
    assert main(["show", "xyz"]) == 2
    assert capsys.readouterr().err.startswith("ablate: no finished run 'xyz'")
    assert main(["plan", PLANTED, "--tier", "smoke", "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert (plan["runs"], plan["finished"], plan["seeds"], len(plan["arms"])) == (15, 5, 3, 5)
    assert list(plan["smallest_effects"]) == ["planted/loss"]
