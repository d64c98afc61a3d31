"""Where the attention core in C comes from: built, loaded, and what happens where it cannot be had."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

from ablate.config import ConfigError
from ablate.kernels import compiled, native
from ablate.nn.attention import Causal, attention
from ablate.nn.attention.backends import machine_of
from ablate.nn.attention.scales import scale_of

needs_library = pytest.mark.skipif(compiled.library() is None, reason=f"attention in C is {compiled.state()}")


@pytest.fixture
def forgotten() -> Iterator[None]:
    """What this process knows of a library is forgotten, before and after."""
    for known in (compiled._found, native._library, machine_of):
        known.cache_clear()
    yield
    for known in (compiled._found, native._library, machine_of):
        known.cache_clear()


def noise(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def without(monkeypatch: pytest.MonkeyPatch, folder: Path, gcc: str | None) -> str:
    """The state in a machine whose gcc is this script, or that has none."""
    if gcc is not None:
        (folder / "gcc").write_text(f"#!/bin/sh\n{gcc}\n")
        (folder / "gcc").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/bin" if gcc else str(folder))
    return compiled.state()


@pytest.mark.usefixtures("forgotten")
@pytest.mark.skipif(sys.platform != "linux", reason="says so of other systems first")
@pytest.mark.parametrize(
    ("gcc", "why"),
    [
        (None, "no gcc is installed"),
        ("echo no header >&2; exit 1", "gcc failed: no header"),
        ("exit 0", "gcc failed: "),
    ],
)
def test_without_it_torch_computes_the_same(gcc: str | None, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    q = noise(2, 4, 70, 16, seed=0).requires_grad_()
    scale = scale_of("qk-norm", 1.0, 4, 16, context=9)

    def run() -> tuple[Tensor, ...]:
        z = attention(q, q, q, mask=Causal(), scale=scale)
        return z, *torch.autograd.grad(z, (q, *scale.parameters()), torch.ones_like(z))

    with_it = run()
    for known in (compiled._found, machine_of):
        known.cache_clear()
    monkeypatch.setenv("ABLATE_CACHE", str(tmp_path / "cache"))
    assert without(monkeypatch, tmp_path, gcc).startswith("not compiled: ")
    assert why in compiled.state() and compiled.kind() == "none"
    for one, other in zip(run(), with_it, strict=True):
        assert torch.allclose(one, other, atol=1e-5)
    with pytest.raises(ConfigError, match=r"'native' cannot run .*: it needs gcc on Linux and AVX2 or AVX-512"):
        attention(q, q, q, backend="native")


@pytest.mark.usefixtures("forgotten")
@needs_library
def test_a_compiler_that_is_a_wrapper_which_looks_at_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = shutil.which("gcc")
    (tmp_path / "wrapper").write_text(f'#!/bin/sh\ncase "$0" in */gcc) exec {real} "$@";; esac\nexit 1\n')
    (tmp_path / "wrapper").chmod(0o755)
    (tmp_path / "gcc").symlink_to(tmp_path / "wrapper")
    monkeypatch.setenv("ABLATE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert compiled.state() == "compiled"


@pytest.mark.usefixtures("forgotten")
def test_a_processor_that_it_is_not_written_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "DEFAULT")
    assert compiled.state() == "not compiled: it is for processors with AVX512 or AVX2, and this is DEFAULT to torch"


@pytest.mark.usefixtures("forgotten")
@needs_library
def test_a_cache_that_cannot_be_written_is_no_reason_to_stop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ABLATE_CACHE", str(tmp_path / "file" / "cache"))
    assert compiled.state() == f"not compiled: {tmp_path / 'file'} is not a folder; ABLATE_CACHE names another place"


@pytest.mark.usefixtures("forgotten")
@needs_library
def test_a_library_that_others_may_change_is_not_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ABLATE_CACHE", str(tmp_path))
    assert compiled.state() == "compiled"
    (library,) = tmp_path.glob(f"kernels/*/{compiled.LIBRARY}")
    for path in (library, library.parent):
        path.chmod(0o722)
        compiled._found.cache_clear()
        assert "can be written by others" in compiled.state()
        path.chmod(0o700)
    compiled._found.cache_clear()
    assert compiled.state() == "compiled" and compiled.kind() == torch.backends.cpu.get_cpu_capability()


@pytest.mark.usefixtures("forgotten")
@needs_library
@pytest.mark.parametrize("missing", ["source", "home"])
def test_an_odd_installation_is_no_reason_to_stop(missing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if missing == "source":
        monkeypatch.setattr(compiled, "SOURCE", tmp_path / "none.c")
    else:
        monkeypatch.setattr(compiled, "cache_root", Path("~nobody-of-this-name").expanduser)
    assert compiled.state().startswith("not compiled: ")


@needs_library
@pytest.mark.parametrize("first", ["", "import sklearn.svm; "], ids=["alone", "after a library with an OpenMP of its own"])
def test_it_runs_on_the_threads_of_torch(first: str) -> None:
    """A second OpenMP would wait for work on the same cores: the process has as many threads as torch alone needs."""
    check = (
        f"{first}import os, torch; from ablate.kernels import install; from ablate.nn.attention import attention; install(); "
        "torch.set_num_threads(3); x = torch.randn(4, 4, 512, 64); (x + x).sum(); before = len(os.listdir('/proc/self/task')); "
        "attention(x, x, x, backend='native'); print(before, len(os.listdir('/proc/self/task')))"
    )
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True, env=dict(os.environ))
    before, after = map(int, done.stdout.split())
    assert before >= 3 and after == before


@needs_library
@pytest.mark.skipif(torch.backends.cpu.get_cpu_capability() != "AVX512", reason="that is what all other tests have here")
def test_a_processor_with_narrower_vectors() -> None:
    check = """
import torch
from ablate.nn.attention import Causal, Dense, Full, attention
from ablate.kernels import install
install()
assert torch.backends.cpu.get_cpu_capability() == "AVX2"
torch.manual_seed(0)
given, dz = [torch.randn(2, 3, n, 40).requires_grad_() for n in (101, 130, 130)], torch.randn(2, 3, 101, 40)
bias = torch.randn(1, 3, 101, 130).requires_grad_()
def run(name, mask):
    z = attention(*given, mask=mask, bias=bias, backend=name)
    return [z, *torch.autograd.grad(z, [*given, bias], dz)]
for mask in (Full(), Causal(), Dense(torch.rand(2, 1, 101, 130) < 0.5)):
    for one, other in zip(run("native", mask), run("reference", mask), strict=True):
        assert (one - other).norm() <= 1e-5 * max(1.0, other.norm()), (mask, float((one - other).norm()))
"""
    environment = {**os.environ, "ATEN_CPU_CAPABILITY": "avx2"}
    subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True, env=environment)
