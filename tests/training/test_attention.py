"""Attention of a run: what of it is part of the identity, and that a house without `ablate.kernels` trains the same numbers."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import ablate
from ablate import sources
from ablate.config import ConfigError, Runtime
from ablate.nn.attention import backends
from ablate.training import attention

CPU = torch.device("cpu")
TRAIN = """
import json, sys
from pathlib import Path
from ablate.config import Backbone, Budget, Data, Optimization, RunConfig, Runtime
from ablate.evaluation.own_loss import OwnLoss
from ablate.objectives.gpt import Gpt
from ablate.training.pretraining import fit
run = RunConfig(
    objective=Gpt.Config(),
    backbone=Backbone(width=32, layers=2, heads=4, attention_scale="qk-norm"),
    data=Data(corpus="grammar", vocabulary=64, context=64),
    optimization=Optimization(batch=8),
    budget=Budget(tokens=20_000, readings=2),
    runtime=Runtime(threads=1),
    evaluations=(OwnLoss(),),
)
record = fit(run, Path(sys.argv[1]))
found = record.ingredients
print(json.dumps([record.status, found["attention"], found["source"], [row.value for row in record.rows]]))
"""


def changed(monkeypatch: pytest.MonkeyPatch, name: str, runtime: Runtime) -> bool:
    """Whether the identity changes with the code of the file of this name."""
    real = sources.text
    sources.fingerprint.cache_clear()
    before = attention.fingerprints(runtime)
    sources.fingerprint.cache_clear()
    monkeypatch.setattr(sources, "text", lambda path: real(path) + (b"\nx = 1\n" if path.name == name else b""))
    after = attention.fingerprints(runtime)
    monkeypatch.undo()
    sources.fingerprint.cache_clear()
    return before != after


@pytest.mark.parametrize("file", ["matmul.py", "sdpa.py", "masks.py", "backends.py", "on_cpu.py"])
def test_the_code_of_backends_and_rules_is_part_of_it(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert changed(monkeypatch, file, Runtime())


@pytest.mark.parametrize("file", ["native.py", "native.c", "native.h", "key_intervals.py"])
def test_so_is_the_code_of_attention_in_c_where_it_is_compiled(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    attention.kernels()
    assert changed(monkeypatch, file, Runtime()) == ("native" not in backends.machine_of(CPU).lacks)


@pytest.mark.parametrize(
    "file",
    [
        "flex",
        "bias_kernel",
        "biased",
        "flash",
        "on_cuda",
        "faults",
        "torch_by_name",
        "naive",
        "freed_memory",
        "tune",
        "choices",
        "session",
        "grid",
        "speed",
    ],
)
def test_kernels_for_other_devices_and_what_measures_are_no_part_of_it(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not changed(monkeypatch, f"{file}.py", Runtime())


def test_a_backend_by_name_has_its_own_source_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    by_name = Runtime(attention="matmul")
    assert changed(monkeypatch, "matmul.py", by_name)
    assert not changed(monkeypatch, "native.c", by_name)
    assert attention.fingerprints(by_name) != attention.fingerprints(Runtime(attention="sdpa:math"))


def test_a_machine_without_gcc_has_another_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    attention.kernels()
    with_it = replace(backends.machine_of(CPU), lacks=())
    without = replace(with_it, lacks=("native",))
    assert attention.candidates(with_it) == ("native", *attention.candidates(without))
    found = []
    for machine in (with_it, without):
        monkeypatch.setattr(attention, "machine_of", lambda device, machine=machine: machine)
        found.append(attention.fingerprints(Runtime())["attention"])
    assert found[0] != found[1]


def test_on_a_gpu_the_kernels_for_it_are() -> None:
    attention.kernels()
    gpu = backends.Machine(device="cuda", lacks=("flash-3", "flash-4"))
    assert attention.candidates(gpu)[:3] == ("biased", "flex", "sdpa:cudnn")
    assert "ablate.kernels.flex" in attention.modules(attention.candidates(gpu), gpu)
    assert "ablate.kernels.native" not in attention.modules(attention.candidates(gpu), gpu)


def test_a_house_without_kernels_trains_the_same_numbers(tmp_path: Path) -> None:
    whole = Path(ablate.__file__).parent
    shutil.copytree(whole, tmp_path / "house" / "ablate", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.rmtree(tmp_path / "house" / "ablate" / "kernels")
    found = []
    for place in (whole.parent, tmp_path / "house"):
        environment = {**os.environ, "PYTHONPATH": str(place)}
        folder = tmp_path / f"run-{len(found)}"
        command = [sys.executable, "-c", TRAIN, str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        found.append(json.loads(done.stdout.splitlines()[-1]))
    (status, attended, source, values), (status_without, attended_without, source_without, values_without) = found
    assert status == status_without == "done" and source == source_without
    assert attended != attended_without
    assert len(values) >= 3
    assert values_without == pytest.approx(values, rel=1e-4)


def test_a_house_without_kernels_cannot_use_tuned_choices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attention, "KERNELS", "ablate.nowhere")
    with (
        pytest.raises(ConfigError, match="this installation lacks the package"),
        attention.attention_of(Runtime(attention="tuned:f")),
    ):
        pass
