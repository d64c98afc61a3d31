"""The command line: wrong input gets one line that names the right ones, status 2, and nothing is trained or written."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import ablate
from ablate.cli import main

PLANTED = str(Path(__file__).parent / "study" / "planted.py")
ROOT = Path(__file__).parents[1]
MASKING = ROOT / "studies" / "bert_masking.py"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ABLATE_RUNS", str(tmp_path / "runs"))
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "bert-maskin"], "unknown study 'bert-maskin'; did you mean bert-masking or bert-masking-unit?"),
        (["run", "nowhere.py"], "no study file 'nowhere.py'"),
        (["run", PLANTED, "--tier", "quik"], "unknown tier of study planted 'quik'; did you mean quick?"),
        (["run", PLANTED, "--seeds", "0"], "--seeds = 0, but must be at least 1"),
        (["run", PLANTED, "--seeds", "-3"], "--seeds = -3, but must be at least 1"),
        (["plan", PLANTED, "--seeds", "100000"], "--seeds = 100000, but must be at most 1000"),
        (["run", PLANTED, "--workers", "0"], "--workers = 0, but must be at least 1"),
        (["run", PLANTED, "--set", "budget.tokens=0"], "budget.tokens = 0, but must be at least 1 token"),
        (["run", PLANTED, "--set", "budget.token=5"], "unknown field 'budget.token'; did you mean budget.tokens"),
        (["run", PLANTED, "--set", "budget"], "--set 'budget', but must be PATH=VALUE"),
        (["run", PLANTED, "--only", "arm=level=0.5"], "unknown arm of study planted 'level=0.5'; did you mean"),
        (["run", PLANTED, "--only", "level=0.4"], "but must be arm=NAME"),
        (["run", PLANTED, "--device", "gpu"], "runtime.device = 'gpu', but must be one of cpu, cuda, mps"),
        (["plan", PLANTED, "--set", "data.context=3"], "data.context = 3, but must be between 8 and 65536"),
        (["run", PLANTED, "--vary", "objective.level"], "--vary 'objective.level', but must be PATH=VALUE"),
        (["plan", PLANTED, "--vary", "objective.levle=0.4"], "unknown field 'objective.levle'; did you mean objective.level?"),
        (["claims", "--reports", "nowhere"], "--reports nowhere, but must be a folder of reports; it holds none"),
        (["claims", "C04", "--reports", "."], "--reports ., but must be a folder of reports; it holds none"),
        (
            ["diff", str(ROOT / "reports" / "bert-masking"), str(ROOT / "reports" / "transfer")],
            "reports/transfer of transfer; two reports of one study compare",
        ),
        (
            ["plan", str(MASKING), "--set", "runtime.attention=fast", "--corpus", "grammar"],
            "attention backend 'fast'; known: auto",
        ),
        (["report", "nowhere"], "nowhere holds no report"),
        (["publish", "bert-masking"], "holds no reports; run a study first"),
        (["bench", "attention", "--device", "mps"], "--device = 'mps', but must be cpu or cuda, which can be timed"),
        (["bench", "attention", "--device", "mps", "--dry-run"], "--device = 'mps', but must be cpu or cuda"),
        (["bench", "attention", "--device", "cuda:0"], "runtime.device = 'cuda:0', but must be one of cpu, cuda, mps"),
        (["bench", "attention", "--out", "rows.txt"], "--out = 'rows.txt', but must be a .json or a .csv file"),
        (["tune", "bert-masking", "f.json", "--device", "gpu"], "runtime.device = 'gpu', but must be one of cpu, cuda, mps"),
        (["tune", "bert-masking", "f.json", "--set", "runtime.attention=flahs"], "attention backend 'flahs'; known: auto, "),
        (["tune", "bert-masking", "."], ". is a folder, but must be the name of a file for the choices"),
    ],
)
def test_wrong_input(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str], elsewhere: Path) -> None:
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("ablate: ") and message in error and error.count("\n") == 1
    assert not (elsewhere / "runs").exists() and not (elsewhere / "reports").exists()


@pytest.mark.parametrize("command", [["run"], ["plan"], ["run", "--report-only"]])
@pytest.mark.parametrize("options", [["--device", "cuda", "--tier", "smoke"], ["--device", "mps"], ["--tier", "full"]])
def test_a_device_that_is_not_there_is_refused(
    command: list[str], options: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, elsewhere: Path
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: False)
    assert main([command[0], str(MASKING), *command[1:], *options, "--corpus", "grammar"]) == 2
    device = options[1] if options[0] == "--device" else "cuda"
    assert capsys.readouterr().err == f"ablate: device {device!r} is not on this machine; it has cpu\n"
    assert not (elsewhere / "runs").exists()


@pytest.mark.parametrize("command", [["tune", "bert-masking", "f.json"], ["bench", "attention"]])
def test_without_the_package_of_kernels(
    command: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ablate.cli.speed.find_spec", lambda name: None)
    assert main(command) == 2
    error = capsys.readouterr().err
    assert error.endswith("times the kernels of the package ablate.kernels, which this installation lacks\n")


def test_the_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0 and capsys.readouterr().out == f"ablate {ablate.__version__}\n"


def test_a_path_is_a_corpus_and_a_whole_number_a_number(capsys: pytest.CaptureFixture[str], texts: Path) -> None:
    assert main(["plan", str(MASKING), "--set", "data.corpus=tiny.txt", "--set", "budget.tokens=1e5"]) == 0
    assert "100,000 tokens a run" in capsys.readouterr().out
    assert main(["run", str(MASKING), "--set", "data.corpus=tiny.txt"]) == 2
    assert "too small" in capsys.readouterr().err


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_tune_refuses_a_device_that_is_not_there(
    device: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, elsewhere: Path
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: False)
    assert main(["tune", "bert-masking", "f.json", "--device", device]) == 2
    assert capsys.readouterr().err == f"ablate: device '{device}' is not on this machine; it has cpu\n"
    assert not (elsewhere / "f.json").exists()


@pytest.mark.parametrize("text", ["[]", '{"format": 3, "choices": [{"machine": null}]}'])
def test_a_run_by_a_file_of_no_choices_is_refused(text: str, capsys: pytest.CaptureFixture[str], texts: Path) -> None:
    (texts / "f.json").write_text(text)
    study = str(ROOT / "studies" / "bert_masking.py")
    assert main(["run", study, "--tier", "smoke", "--corpus", "grammar", "--set", "runtime.attention=tuned:f.json"]) == 2
    error = capsys.readouterr().err
    assert "\nablate: f.json is no file of attention choices: " in f"\n{error}" and "Traceback" not in error
    assert not list((texts / "runs").glob("*/record.json"))


@pytest.fixture
def texts(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Files that are no corpus, each in its own way."""
    monkeypatch.setenv("ABLATE_CACHE", str(elsewhere / "cache"))
    (elsewhere / "empty.txt").write_text("")
    (elsewhere / "binary.txt").write_bytes(b"good text\n\x00\x01\x02\xff\xfe" * 50)
    (elsewhere / "latin.txt").write_bytes("caf\xe9 au lait\n".encode("latin-1"))
    (elsewhere / "tiny.txt").write_text("One sentence is not a corpus.\n")
    (elsewhere / "table.tsv").write_text("id\ttitle\n1\tno text here\n")
    return elsewhere


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--set", "objective.mask_rate=0"], "objective.mask_rate = 0.0, but must be in (0, 1)"),
        (["--set", "objective.mask_rate=1"], "objective.mask_rate = 1.0, but must be in (0, 1)"),
        (["--set", "data.vocabulary=100000000"], "data.vocabulary = 100000000, but must be between"),
        (["--set", "backbone.heads=7"], "must be a multiple of heads = 7"),
        (["--set", "seed=3"], "must be left to the plan"),
        (["--corpus", "pydoc"], "did you mean pydocs"),
        (["--corpus", "nowhere/texts"], "nowhere/texts"),
        (["--corpus", "empty.txt"], "empty.txt"),
        (["--corpus", "binary.txt"], "byte 10"),
        (["--corpus", "latin.txt"], "byte 3"),
        (["--corpus", "tiny.txt"], "too small"),
        (["--corpus", "table.tsv"], "id, title"),
        (["--set", "data.context=9"], "context"),
    ],
)
def test_wrong_input_to_a_study_that_trains(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str], texts: Path
) -> None:
    study = str(ROOT / "studies" / "bert_masking.py")
    if "--corpus" not in arguments:
        arguments = [*arguments, "--corpus", "grammar"]
    assert main(["run", study, "--tier", "smoke", *arguments]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("ablate: ")
    assert message in error
    assert not list((texts / "runs").glob("*/record.json"))


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("STUDY = 3", "defines no STUDY = Study(...)"),
        ("STUDY = Study(", "line 1: '(' was never closed"),
        ("import no_such_module", "line 1: ModuleNotFoundError: No module named 'no_such_module'"),
        ("x = 1\ny = x / 0", "line 2: ZeroDivisionError: division by zero"),
    ],
)
def test_a_broken_study_file_is_named_with_its_line(source: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("my_study.py").write_text(source)
    assert main(["run", "my_study.py"]) == 2
    error = capsys.readouterr().err
    assert "my_study.py" in error and message in error and "Traceback" not in error


def test_plan_shows_cells_time_and_power(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", PLANTED, "--tier", "smoke"]) == 0
    text = capsys.readouterr().out
    assert "5 arms x 3 seeds = 15 runs, 0 finished" in text
    assert "time: unknown" in text
    # 3 pairs, alpha 0.05, power 0.8: statsmodels' TTestPower gives 3.26 standard deviations of the difference.
    assert "3.26 sd" in text


def test_run_report_and_diff(capsys: pytest.CaptureFixture[str], elsewhere: Path) -> None:
    assert main(["run", PLANTED, "--tier", "smoke"]) == 0
    assert "reports/local/planted-smoke/README.md" in capsys.readouterr().out
    folder = elsewhere / "reports" / "local" / "planted-smoke"
    before = {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert main(["report", str(folder)]) == 0
    assert {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    assert main(["diff", str(folder), str(folder)]) == 0
    assert main(["publish", "planted"]) == 0
    assert (elsewhere / "reports" / "planted" / "index.html").is_file() and (elsewhere / "reports" / "README.md").is_file()
    index = (elsewhere / "reports" / "README.md").read_bytes()
    (elsewhere / "reports" / "README.md").unlink()
    assert main(["report", "reports"]) == 0
    assert (elsewhere / "reports" / "README.md").read_bytes() == index


def test_a_second_report_of_a_study_stands_beside_the_first(capsys: pytest.CaptureFixture[str], elsewhere: Path) -> None:
    assert main(["run", PLANTED, "--tier", "smoke"]) == 0
    assert main(["publish", "planted"]) == main(["publish", "planted", "--as", "planted-smoke"]) == 0
    folders = sorted(path.parent.name for path in (elsewhere / "reports").glob("*/study.json"))
    assert folders == ["planted", "planted-smoke"]
    for page in ("README.md", "factors.md"):
        assert "(planted-smoke/README.md)" in (elsewhere / "reports" / page).read_text()
    capsys.readouterr()
    for name in ("bert-masking", "planted/../other", "plantedsmoke"):
        assert main(["publish", "planted", "--as", name]) == 2
        assert f"--as {name!r}, but must be planted and one or more words after it" in capsys.readouterr().err


def test_a_plan_finds_the_report_of_its_own_tier_under_any_name(capsys: pytest.CaptureFixture[str], elsewhere: Path) -> None:
    assert main(["run", PLANTED, "--tier", "smoke"]) == main(["publish", "planted", "--as", "planted-smoke"]) == 0
    capsys.readouterr()
    assert main(["plan", PLANTED, "--tier", "smoke", "--runs", str(elsewhere / "none-yet")]) == 0
    text = capsys.readouterr().out
    assert "0 finished" in text and "sd not yet measured" not in text


def test_list_names_every_study(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert main(["list"]) == 0
    lines = [line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines()]
    assert ["bert-masking", "How much of a sentence should BERT hide?"] in lines


def test_commands_without_training_start_at_once() -> None:
    """`ablate list` must answer within a second; importing torch alone would cost two."""
    heavy = {"torch", "lightning", "pandas", "optuna"}
    check = f"import sys; from ablate.cli import main; main(['list']); print(sorted({heavy} & set(sys.modules)))"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True, cwd=ROOT, env=environment)
    assert done.stdout.splitlines()[-1] == "[]"
