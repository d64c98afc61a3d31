"""Choosing by the clock: never what is wrong, nor what is faster by less than the floor; and a file knows its machine."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from ablate import kernels
from ablate.config import ConfigError
from ablate.kernels.tuning import choices, tune, workload
from ablate.nn import attention as core
from ablate.nn.attention import backends, matmul
from ablate.nn.attention.backends import Call, Machine
from ablate.nn.attention.masks import kind

CPU = torch.device("cpu")
CALL = Call(dtype="float32", B=2, H=2, T=8, S=8, K=16, value_width=16, mask="causal")


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    kernels.install()
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def right(*anything: Any, **more: Any) -> Tensor:
    return matmul.attend(*anything, **more)


def also_right(*anything: Any, **more: Any) -> Tensor:
    return matmul.attend(*anything, **more)


def wrong(*anything: Any, scale: float, **more: Any) -> Tensor:
    return matmul.attend(*anything, scale=1.001 * scale, **more)


def no_number(*anything: Any, **more: Any) -> Tensor:
    return matmul.attend(*anything, **more) * torch.nan


def failing(*anything: Any, **more: Any) -> Tensor:
    raise RuntimeError("No available kernel. Aborting execution.")


def wrong_gradient(q: Tensor, k: Tensor, v: Tensor, **more: Any) -> Tensor:
    return matmul.attend(q, k, 2 * v - v.detach(), **more)


def clock(planted: dict[Any, float], again: float = 1.0) -> Any:
    """Seconds by plan; every second turn of `right` takes `again` times as long, as on a machine that is not quiet."""
    turns = {"n": 0}

    def seconds(attend: Any, work: Any) -> float:
        turns["n"] += attend is right
        return planted[attend] * (again if attend is right and turns["n"] % 2 else 1.0)

    return seconds


def choice(others: dict[str, Any], planted: dict[Any, float], call: Call = CALL, **settings: Any) -> choices.Choice:
    backends = {"matmul": right, **others}
    (found,) = tune.tune([call], backends=backends, seconds=clock({right: 1.0, **planted}, **settings))
    return found


def test_the_faster_one_wins() -> None:
    found = choice({"sdpa:flash": also_right}, {also_right: 0.5})
    assert (found.backend, found.static) == ("sdpa:flash", "matmul")
    assert found.seconds == {"matmul": 1.0, "sdpa:flash": 0.5}
    assert found.floor == 0.0 and found.wrong == {}


def test_the_static_choice_stays_when_it_loses_by_less_than_three_percent() -> None:
    assert choice({"sdpa:flash": also_right}, {also_right: 1 / 1.025}).backend == "matmul"
    assert choice({"sdpa:flash": also_right}, {also_right: 1 / 1.035}).backend == "sdpa:flash"


def test_the_static_choice_stays_when_it_loses_by_less_than_it_differs_from_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    # Its two turns draw from different times: 1.0 and 1.2 in the end.
    monkeypatch.setattr(tune.random.Random, "shuffle", lambda self, order: None)
    found = choice({"sdpa:flash": also_right}, {also_right: 1 / 1.15}, again=1.2)
    assert found.floor == pytest.approx(0.2)
    assert found.backend == "matmul"
    assert choice({"sdpa:flash": also_right}, {also_right: 1 / 1.25}, again=1.2).backend == "sdpa:flash"


@pytest.mark.parametrize("bad", [wrong, no_number, failing, wrong_gradient])
def test_the_fastest_is_not_chosen_when_it_is_wrong(bad: Any) -> None:
    found = choice({"sdpa:flash": bad}, {bad: 0.01})
    assert found.backend == "matmul"
    assert list(found.wrong) == ["sdpa:flash"]
    off = found.wrong["sdpa:flash"]
    assert off is None if bad in (no_number, failing) else off is not None and off > 1
    assert "sdpa:flash" not in found.seconds


def test_a_static_choice_that_is_wrong_gives_way() -> None:
    backends = {"matmul": wrong, "sdpa:flash": also_right}
    (found,) = tune.tune([CALL], backends=backends, seconds=clock({also_right: 5.0}))
    assert (found.backend, found.static, list(found.wrong)) == ("sdpa:flash", "matmul", ["matmul"])


def test_what_may_not_run_the_call_is_not_tried() -> None:
    found = choice({"sdpa:flash": failing, "sdpa:cudnn": failing}, {}, replace(CALL, bias="learned"))
    assert found.wrong == {} and list(found.seconds) == ["matmul"]


def test_fewer_than_twenty_turns_are_refused() -> None:
    with pytest.raises(ConfigError, match="turns is 19, but a median needs at least 20"):
        tune.tune([CALL], turns=19)


@pytest.mark.parametrize("mask", ["full", "causal", "prefix", "lengths", "documents", "dense", "causal & documents"])
@pytest.mark.parametrize(("T", "S"), [(8, 8), (5, 9), (9, 5), (1, 1)])
def test_the_work_is_of_the_kind_the_call_describes(mask: str, T: int, S: int) -> None:
    for bias, gradient, alone in (
        ("none", False, False),
        ("fixed", True, False),
        ("learned", True, False),
        ("learned", True, True),
    ):
        # mypy: a literal in a tuple is a plain string
        call = replace(CALL, T=T, S=S, mask=mask, bias=bias, gradient=gradient, only_bias=alone, value_width=24)  # type: ignore[arg-type]
        work = workload.workload(call, CPU)
        assert kind(work.mask) == mask
        assert backends.describe(*work[:3], work.mask, work.bias) == call
        assert workload.excess(matmul.attend, work, workload.truth_of(work)) < 1


def test_with_the_real_backends_and_clock_the_choices_are_among_the_right_ones(tmp_path: Path) -> None:
    said: list[Any] = []
    calls = [replace(CALL, T=128, S=128), replace(CALL, T=128, S=128, dtype="float64", bias="learned")]
    found = tune.tune(calls, tmp_path / "deep" / "choices.json", progress=lambda **stage: said.append(stage))
    for choice in found:
        assert set(choice.seconds) | set(choice.wrong) >= {"matmul", "sdpa:math"}
        assert all(0 < seconds < 5 for seconds in choice.seconds.values())
        assert choice.backend in choice.seconds
    assert said[-1] == {"phase": "tuning attention", "done": 2, "total": 2}
    assert choices.load(tmp_path / "deep" / "choices.json") == {(c.call, c.machine, 1): c.backend for c in found}


def _written(path: Path, backend: str = "sdpa:math", **machine: Any) -> Path:
    here = choices.machine_here(CPU)
    found = choices.Choice(
        call=CALL,
        machine=replace(here, **machine),
        threads=1,
        backend=backend,
        static="matmul",
        seconds={},
        floor=0.0,
        wrong={},
    )
    entry = json.loads(json.dumps(asdict(found)))
    path.write_text(json.dumps({"format": choices.FORMAT, "choices": [entry]}), encoding="utf-8")
    return path


def test_auto_is_what_was_tuned_where_that_is_asked_for(tmp_path: Path) -> None:
    here = choices.machine_here(CPU)
    assert backends.choose(CALL, here) == "matmul"
    with choices.preferred(choices.load(_written(tmp_path / "choices.json"))):
        assert backends.choose(CALL, here) == "sdpa:math"
        assert backends.choose(replace(CALL, B=3), here) == "matmul"
        assert backends.choose(CALL, here, "sdpa:flash") == "sdpa:flash"
        with core.backend("sdpa:flash"):
            assert backends.choose(CALL, here) == "sdpa:flash"
        torch.set_num_threads(2)
        assert backends.choose(CALL, here) == "matmul"
    torch.set_num_threads(1)
    assert backends.choose(CALL, here) == "matmul"


@pytest.mark.parametrize("other", [{"name": "Another processor"}, {"torch": (2, 1)}, {"device": "cuda", "capability": (9, 0)}])
def test_a_file_from_another_machine_is_ignored_with_one_line(
    other: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = _written(tmp_path / "choices.json", **other)
    with choices.preferred(choices.load(path)):
        assert backends.choose(CALL, choices.machine_here(CPU)) == "matmul"
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert said.startswith(f"attention choices in {path} are ignored: it is from ")


def test_machines_of_one_name_are_told_apart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = _written(tmp_path / "choices.json", lacks=["elsewhere"])
    assert choices.load(path) == {}
    said = capsys.readouterr().err
    assert "lacks ('elsewhere',); this is" in said and "lacks (" in said.partition("this is")[2]


@pytest.mark.parametrize(
    ("backend", "why"),
    [("sdpa:cudnn", "needs cuda"), ("of yesterday", "is not known; known: reference, ")],
)
def test_a_choice_that_the_rules_refuse_by_now_is_dropped_with_the_reason(
    backend: str, why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = _written(tmp_path / "choices.json", backend=backend)
    assert choices.load(path) == {}
    call = "float32 [2, 2, 8 x 8, 16], causal"
    said = capsys.readouterr().err
    assert said.startswith(f"attention choices in {path} are ignored: {backend} cannot run {call}: {why}")
    assert said.count("\n") == 1


def test_of_choices_that_are_refused_in_part_the_others_count(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = _edited(tmp_path, lambda written: written["choices"].append({**written["choices"][0], "backend": "sdpa:cudnn"}))
    assert choices.load(path, threads=1) == {(CALL, choices.machine_here(CPU), 1): "sdpa:math"}
    said = capsys.readouterr().err
    assert said.startswith(f"1 of 2 attention choices in {path} are ignored: sdpa:cudnn cannot run ") and said.count("\n") == 1


def test_choices_for_another_number_of_threads_are_ignored_with_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = _written(tmp_path / "choices.json")
    choices.load(path)
    choices.load(path, threads=1)
    assert capsys.readouterr().err == ""
    choices.load(path, threads=2)
    assert capsys.readouterr().err == (
        f"attention choices in {path} are ignored: measured with 1 thread(s); this runs with 2\n"
    )


def test_why_a_file_is_ignored_is_said_once_and_not_by_the_processes_of_runs(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    first, second = (_written(tmp_path / name, name="Another processor") for name in ("first.json", "second.json"))
    for path in (first, first, second):
        choices.load(path)
    assert [line.split()[3] for line in capfd.readouterr().err.splitlines()] == [str(first), str(second)]
    third = _written(tmp_path / "third.json", name="Another processor")
    run = multiprocessing.get_context("forkserver").Process(target=choices.load, args=(third,))
    run.start()
    run.join()
    assert run.exitcode == 0
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 3, "choices": [{"call": {}}]}'])
def test_what_is_no_such_file_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "choices.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match="is no file of attention choices"):
        choices.load(path)
    with pytest.raises(ConfigError, match="is no file of attention choices"):
        choices.load(tmp_path / "nowhere.json")


def test_another_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "choices.json"
    for later in ("[]", "{}", '[{"call": "of another shape"}]'):
        path.write_text(f'{{"format": 0, "choices": {later}}}', encoding="utf-8")
        with pytest.raises(ConfigError, match="has format 0, but this version reads 3"):
            choices.load(path)


def _edited(folder: Path, change: Callable[[Any], object]) -> Path:
    path = _written(folder / "choices.json")
    written = json.loads(path.read_text(encoding="utf-8"))
    change(written)
    path.write_text(json.dumps(written), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("where", "value", "message"),
    [
        ("machine", [], "choices[0].machine = [], but must be an object with device, "),
        ("machine", None, "choices[0].machine = None, but must be an object with device, "),
        ("machine", "cpu", "choices[0].machine = 'cpu', but must be an object with device, "),
        ("machine.name", 3, "choices[0].machine.name = 3, but must be a text"),
        ("machine.lacks", "flex", "choices[0].machine.lacks = 'flex', but must be a list of texts"),
        ("machine.lacks", [1], "choices[0].machine.lacks = [1], but must be a list of texts"),
        ("call.gradient", 1, "choices[0].call.gradient = 1, but must be true or false"),
        ("machine.torch", "2.13", "choices[0].machine.torch = '2.13', but must be two whole numbers"),
        ("machine.torch", [2, 13, 1], "choices[0].machine.torch = [2, 13, 1], but must be two whole numbers"),
        ("machine.capability", [9, "0"], "choices[0].machine.capability = [9, '0'], but must be two whole numbers"),
        ("machine.cudnn", ..., "choices[0].machine lacks cudnn"),
        ("machine.tpu", True, "choices[0].machine has a field 'tpu'; known: device, "),
        ("call", [], "choices[0].call = [], but must be an object with dtype, "),
        ("call", ..., "choices[0] lacks call"),
        ("call.T", ..., "choices[0].call lacks T"),
        ("call.bias", ..., "choices[0].call lacks bias"),
        ("call.heads", 2, "choices[0].call has a field 'heads'; known: dtype, "),
        ("call.T", "8", "choices[0].call.T = '8', but must be a whole number"),
        ("call.T", 8.0, "choices[0].call.T = 8.0, but must be a whole number"),
        ("call.T", True, "choices[0].call.T = True, but must be a whole number"),
        ("call.mask", ["causal"], "choices[0].call.mask = ['causal'], but must be a text"),
        ("call.bias", {}, "choices[0].call.bias = {}, but must be one of none, fixed, learned"),
        ("threads", "1", "choices[0].threads = '1', but must be a whole number"),
        ("threads", None, "choices[0].threads = None, but must be a whole number"),
        ("threads", ..., "choices[0] lacks threads"),
        ("backend", None, "choices[0].backend = None, but must be a text"),
    ],
)
def test_an_entry_of_another_shape_is_refused_by_its_field(where: str, value: Any, message: str, tmp_path: Path) -> None:
    def change(written: Any) -> None:
        part = written["choices"][0]
        *above, last = where.split(".")
        for name in above:
            part = part[name]
        part.pop(last, None) if value is ... else part.update({last: value})

    path = _edited(tmp_path, change)
    with pytest.raises(ConfigError) as refused:
        choices.load(path)
    assert str(refused.value).startswith(f"{path} is no file of attention choices: {message}")
    assert "\n" not in str(refused.value) and len(str(refused.value)) < len(str(path)) + 250


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("null", "the whole = None, but must be an object with format, choices"),
        ("[1, 2]", "the whole = [1, 2], but must be an object with format, choices"),
        ('{"format": 3}', "the whole lacks choices"),
        ('{"format": 3, "choices": {"a": 1}}', "choices = {'a': 1}, but must be a list"),
        ('{"format": 3, "choices": null}', "choices = None, but must be a list"),
        ('{"format": 3, "choices": [3]}', "choices[0] = 3, but must be an object with call, machine, threads, backend"),
        ("[" * 100_000, "maximum recursion depth exceeded"),
    ],
)
def test_a_file_of_another_shape_is_refused(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "choices.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as refused:
        choices.load(path)
    assert str(refused.value).startswith(f"{path} is no file of attention choices: {message}")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("device", ["mps", "gpu", "", "cuda"])
def test_what_cannot_be_tuned_is_refused(device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match=f"device is '{device}', but must be cpu: attention is tuned on a CPU and"):
        tune.tune([CALL], device=device)


def test_every_field_that_a_rule_may_read_is_in_the_key(tmp_path: Path) -> None:
    written = json.loads(_written(tmp_path / "choices.json").read_text(encoding="utf-8"))["choices"][0]
    assert set(written["call"]) == set(Call.__dataclass_fields__)
    assert set(written["machine"]) == set(Machine.__dataclass_fields__)
    assert "threads" in written
