"""The C that multiplies rows: against the formulas in float64, and what happens where it cannot be had."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode

from ablate.nn.attention import FULL, attention, rows_kernel
from ablate.nn.attention.rows import Rows
from ablate.nn.attention.scales import scale_of

needs_library = pytest.mark.skipif(rows_kernel.library() is None, reason=f"the rows kernel is {rows_kernel.state()}")


@pytest.fixture
def forgotten() -> Iterator[None]:
    """What this process knows of a library is forgotten, before and after."""
    rows_kernel._found.cache_clear()
    yield
    rows_kernel._found.cache_clear()


def noise(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def formula(q: Tensor, k: Tensor, log_t: Tensor | None, rows: Rows) -> tuple[Tensor, Tensor]:
    """The table of `ablate.nn.attention.rows` by autograd."""
    t = torch.ones(()) if log_t is None else log_t.exp()[:, None, None]
    if rows.unit:
        return t * q / q.norm(dim=-1, keepdim=True), k / k.norm(dim=-1, keepdim=True)
    return t * q * (1 if rows.fixed is None else rows.fixed.double()), k


def relative(found: Tensor, wanted: Tensor) -> float:
    return float((found.detach().double() - wanted.detach()).norm() / wanted.detach().norm())


@needs_library
@settings(deadline=None)
@given(
    B=st.integers(1, 3),
    H=st.integers(1, 3),
    T=st.sampled_from((1, 2, 63, 64, 65, 130)),
    S=st.sampled_from((1, 64, 100)),
    K=st.sampled_from((1, 2, 3, 16, 31, 32, 33, 64, 96, 128, 130)),
    kind=st.sampled_from(("unit", "unit, learned", "learned", "learned, by query", "learned, by row and query")),
    layout=st.sampled_from(("heads first", "places first", "packed")),
    threads=st.sampled_from((1, 2, 3)),
)
def test_rows_and_gradients_are_the_formula(
    B: int, H: int, T: int, S: int, K: int, kind: str, layout: str, threads: int
) -> None:
    def table(length: int, seed: int) -> Tensor:
        if layout == "heads first":
            return noise(B, H, length, K, seed=seed)
        if layout == "places first":
            return noise(B, length, H, K, seed=seed).transpose(1, 2)
        return noise(B, length, 3, H, K, seed=seed)[:, :, 1].transpose(1, 2)

    q, k = table(T, 0).requires_grad_(), table(S, 1).requires_grad_()
    log_t = (0.5 * noise(H, seed=2)).requires_grad_() if "learned" in kind else None
    extent = {"learned, by query": (1, 1), "learned, by row and query": (B, 1)}.get(kind)
    rows = Rows(log_t, noise(*extent, T, 1, seed=3).abs() if extent else None, unit="unit" in kind)
    assert rows_kernel.fits(q, k, log_t, rows.fixed)
    leaves = [x for x in (q, k, log_t) if x is not None]
    doubles = [x.detach().double().requires_grad_() for x in leaves]
    wanted = formula(doubles[0], doubles[1], doubles[2] if log_t is not None else None, rows)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        found = rows.applied(q, k)
        dy = [table(T, 4), table(S, 5)]
        # The temperature's gradient is a sum of what may cancel; along y it does not.
        dy[0] = dy[0] + found[0].detach()
        gradients = torch.autograd.grad(found, leaves, dy, allow_unused=True, materialize_grads=True)
    finally:
        torch.set_num_threads(before)
    truth = torch.autograd.grad(wanted, doubles, [x.double() for x in dy], allow_unused=True, materialize_grads=True)
    for one, other in zip(found, wanted, strict=True):
        assert relative(one, other) <= 1e-6
    # What lies along a row is taken away from its gradient: of rows of one or two numbers next to nothing is left.
    size = [
        float((x.detach() / x.detach().norm(dim=-1, keepdim=True).square() * d).norm())
        for x, d in zip(doubles, dy, strict=False)
    ]
    for i, (one, other) in enumerate(zip(gradients, truth, strict=True)):
        bound = max(float(other.norm()), size[i] if rows.unit and i < 2 else 0.0)
        assert float((one.double() - other).norm()) <= 3e-6 * bound


@needs_library
def test_it_is_what_the_core_uses(monkeypatch: pytest.MonkeyPatch) -> None:
    called = []
    for name in ("multiplied", "gradients"):
        real = getattr(rows_kernel, name)
        monkeypatch.setattr(
            rows_kernel, name, lambda *given, name=name, real=real, **more: called.append(name) or real(*given, **more)
        )
    q = noise(2, 2, 9, 16, seed=0).requires_grad_()
    for backend in ("matmul", "naive"):
        scale = scale_of("qk-norm", 1.0, 2, 16, context=9)
        attention(q, q, q, scale=scale(q, q, FULL), backend=backend).sum().backward()
    assert called == ["multiplied", "gradients"] * 2


@needs_library
def test_the_same_bits_on_any_number_of_threads() -> None:
    q, k = noise(3, 2, 130, 64, seed=0).requires_grad_(), noise(3, 2, 70, 64, seed=1).requires_grad_()
    log_t, before, found = noise(2, seed=2).requires_grad_(), torch.get_num_threads(), []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            y = Rows(log_t, unit=True).applied(q, k)
            found.append([*y, *torch.autograd.grad(y, (q, k, log_t), [2 * x.detach() + 1 for x in y])])
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(one, other) for other in found[1:] for one, other in zip(found[0], other, strict=True))


@needs_library
def test_odd_rows() -> None:
    """Zeros stay zeros without a gradient; what is no number spoils its own row and no other."""
    q = noise(1, 1, 5, 64, seed=0)
    q[0, 0, 1], q[0, 0, 2, 7], q[0, 0, 3, 9] = 0, torch.nan, torch.inf
    q.requires_grad_()
    y, _ = Rows(unit=True).applied(q, q.detach())
    assert (y[0, 0, 1] == 0).all()
    assert y[0, 0, 2].isnan().all()
    assert y[0, 0, 3, 9].isnan()
    assert torch.allclose(y[0, 0, [0, 4]].norm(dim=-1), torch.ones(2))
    (gradient,) = torch.autograd.grad(y, q, torch.ones_like(y))
    assert (gradient[0, 0, 1] == 0).all()
    assert gradient[0, 0, 2].isnan().all()
    assert gradient[0, 0, [0, 4]].isfinite().all()


@needs_library
def test_a_graph_may_be_gone_through_twice() -> None:
    q = noise(2, 2, 9, 16, seed=0).requires_grad_()
    scale = scale_of("qk-norm", 1.0, 2, 16, context=9)
    z = attention(q, q, q, scale=scale(q, q, FULL), backend="matmul")
    once, twice = (torch.autograd.grad(z, q, torch.ones_like(z), retain_graph=True)[0] for _ in range(2))
    assert torch.equal(once, twice)


def test_other_calls_are_left_to_torch() -> None:
    q = noise(2, 4, 3, 8, seed=0)
    for other in (q.double(), q.bfloat16(), q.mT.contiguous().mT, q[..., :0], q[:, :, :0], q.to("meta"), torch._neg_view(q)):
        assert not rows_kernel.fits(other, other, None, None)
    with FakeTensorMode(allow_non_fake_inputs=True) as mode:
        assert not rows_kernel.fits(mode.from_tensor(q), mode.from_tensor(q), None, None)
    t = torch.zeros(4)
    assert not rows_kernel.fits(q, q, t.double(), None)
    # C would read and write past the end of these.
    for k, log_t, fixed in ((q[:, :1], t, None), (q[:1], t, None), (q[..., :4], t, None), (q, t[:2], None), (q, t[:1], None)):
        assert not rows_kernel.fits(q, k, log_t, fixed)
    assert not rows_kernel.fits(q, q, t, noise(1, 1, 2, 1, seed=1))
    with pytest.raises(RuntimeError, match="must match"):
        Rows(t[:2]).applied(q, q)


@needs_library
def test_gradients_however_they_arrive() -> None:
    q, k, log_t = (noise(*shape, seed=i).requires_grad_() for i, shape in enumerate(((2, 3, 5, 16), (2, 3, 7, 16), (3,))))
    y_q, y_k = Rows(log_t, unit=True).applied(q, k)
    exact = [x.detach().double().requires_grad_() for x in (q, k, log_t)]
    truth = formula(*exact, Rows(unit=True))

    def compare(found: Tensor, wanted: Tensor, back: Tensor | None = None) -> None:
        doubled = None if back is None else back.double()
        given = torch.autograd.grad(found, (q, k, log_t), back, retain_graph=True, materialize_grads=True, allow_unused=True)
        right = torch.autograd.grad(wanted, exact, doubled, retain_graph=True, materialize_grads=True, allow_unused=True)
        for one, other in zip(given, right, strict=True):
            assert torch.allclose(one.double(), other, atol=1e-5)

    compare(y_q.sum(), truth[0].sum())  # one number for all, expanded; none for the keys
    compare(y_k.sum(), truth[1].sum())
    compare(y_q, truth[0], noise(2, 3, 16, 5, seed=4).mT)
    compare(y_q, truth[0], noise(2, 5, 3, 16, seed=4).transpose(1, 2))


@needs_library
def test_extreme_temperatures() -> None:
    q = noise(1, 1, 3, 16, seed=0).requires_grad_()
    for log_t in (-52.0, 50.0):
        y, _ = Rows(torch.tensor([log_t]), unit=True).applied(q, q.detach())
        gradient = torch.autograd.grad(y, q, q.detach() + 1)[0].double()
        assert gradient.isfinite().all()
        along = (gradient * q.detach()).sum(dim=-1).abs() / (gradient.norm(dim=-1) * q.detach().norm(dim=-1))
        assert (along <= 1e-5).all()


@needs_library
def test_a_temperature_may_change_between_the_passes() -> None:
    q, log_t = noise(1, 2, 3, 16, seed=0).requires_grad_(), torch.zeros(2, requires_grad=True)
    y, _ = Rows(log_t, unit=True).applied(q, q.detach())
    wanted = torch.autograd.grad(y, (q, log_t), y.detach() + 1, retain_graph=True)
    with torch.no_grad():
        log_t.add_(1.0)
    found = torch.autograd.grad(y, (q, log_t), y.detach() + 1)
    assert all(torch.equal(one, other) for one, other in zip(found, wanted, strict=True))


def without(monkeypatch: pytest.MonkeyPatch, folder: Path, gcc: str | None) -> str:
    """The state in a machine whose gcc is this script, or that has none."""
    if gcc is not None:
        (folder / "gcc").write_text(f"#!/bin/sh\n{gcc}\n")
        (folder / "gcc").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/bin" if gcc else str(folder))
    return rows_kernel.state()


@pytest.mark.usefixtures("forgotten")
@pytest.mark.skipif(sys.platform != "linux", reason="says so of other systems first")
@pytest.mark.parametrize(("gcc", "why"), [(None, "no gcc is installed"), ("exit 1", "gcc failed"), ("exit 0", "gcc failed")])
def test_without_it_torch_computes_the_same(gcc: str | None, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    q = noise(2, 2, 9, 16, seed=0).requires_grad_()
    scale = scale_of("qk-norm", 1.0, 2, 16, context=9)

    def run() -> tuple[Tensor, ...]:
        z = attention(q, q, q, scale=scale(q, q, FULL), backend="matmul")
        return z, *torch.autograd.grad(z, (q, *scale.parameters()), torch.ones_like(z))

    with_it = run()
    rows_kernel._found.cache_clear()
    monkeypatch.setenv("ABLATE_CACHE", str(tmp_path / "cache"))
    assert without(monkeypatch, tmp_path, gcc).startswith("not compiled: ")
    assert why in rows_kernel.state()
    for one, other in zip(run(), with_it, strict=True):
        assert torch.allclose(one, other, atol=1e-5)


@pytest.mark.usefixtures("forgotten")
@needs_library
def test_a_cache_that_cannot_be_written_is_no_reason_to_stop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ABLATE_CACHE", str(tmp_path / "file" / "cache"))
    assert "not compiled: cannot write" in rows_kernel.state()


@pytest.mark.usefixtures("forgotten")
@needs_library
def test_a_library_that_others_may_change_is_not_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ABLATE_CACHE", str(tmp_path))
    assert rows_kernel.state() == "compiled"
    (library,) = tmp_path.glob("kernels/*/rows.so")
    library.chmod(0o722)
    rows_kernel._found.cache_clear()
    assert "can be written by others" in rows_kernel.state()


@pytest.mark.usefixtures("forgotten")
@needs_library
@pytest.mark.parametrize("missing", ["source", "home"])
def test_an_odd_installation_is_no_reason_to_stop(missing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if missing == "source":
        monkeypatch.setattr(rows_kernel, "SOURCE", tmp_path / "none.c")
    else:
        monkeypatch.setattr(rows_kernel, "cache_root", Path("~nobody-of-this-name").expanduser)
    assert rows_kernel.state().startswith("not compiled: ")


@needs_library
@pytest.mark.parametrize("first", ["", "import sklearn.svm; "], ids=["alone", "after a library with an OpenMP of its own"])
def test_it_runs_on_the_threads_of_torch(first: str) -> None:
    """A second OpenMP would wait for work on the same cores: the process has as many threads as torch alone needs."""
    check = (
        f"{first}import os, torch; from ablate.nn.attention import rows_kernel; from ablate.nn.attention.rows import Rows; "
        "torch.set_num_threads(3); x = torch.randn(4, 4, 512, 64); (x + x).sum(); before = len(os.listdir('/proc/self/task')); "
        "assert rows_kernel.library(); Rows(unit=True).applied(x, x); print(before, len(os.listdir('/proc/self/task')))"
    )
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True, env=dict(os.environ))
    before, after = map(int, done.stdout.split())
    assert before >= 3 and after == before
