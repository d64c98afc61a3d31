"""The attention core in C: what it must not be given or keep, and what torch may expect of it."""

from __future__ import annotations

import subprocess
import sys
import warnings
import weakref
from typing import Any

import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode

from ablate.config import ConfigError
from ablate.kernels import compiled, native
from ablate.kernels.bench.profiling import busiest
from ablate.nn.attention import FULL, Causal, Dense, Documents, Lengths, Mask, attention, matmul
from ablate.nn.attention.scales import scale_of

needs_library = pytest.mark.skipif(compiled.library() is None, reason=f"attention in C is {compiled.state()}")
CPU = torch.device("cpu")


def noise(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


SCATTERED = (torch.arange(67) // 5 % 2).expand(2, 67)
"""Numbers of documents that come back, so that a table must be written."""


@needs_library
def test_calls_that_c_must_not_see_are_left_to_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    q, given = noise(2, 4, 3, 8, seed=0), []
    real = matmul.attend
    monkeypatch.setattr(matmul, "attend", lambda *rest, **more: given.append(1) or real(*rest, **more))
    assert torch.allclose(
        attention(torch._neg_view(q), q, q, backend="native"), attention(-q, q, q, backend="naive"), atol=1e-6
    )
    with FakeTensorMode(allow_non_fake_inputs=True) as mode:
        fake = mode.from_tensor(q)
        assert native.attend(fake, fake, fake, mask=FULL, bias=None, scale=1.0).shape == q.shape
        # What is real may meet a mode in which all that is new is not.
        assert native.attend(q, q, q, mask=FULL, bias=None, scale=1.0).shape == q.shape
    # ... nor may a branch look at what stands for a tensor, whichever mode is on.
    assert native.attend(fake, fake, fake, mask=FULL, bias=fake[..., :3], scale=1.0).shape == q.shape
    assert len(given) == 4
    # Which of the two runs is torch's business, and both are right.
    traced = torch.compile(lambda x: native.attend(x, x, x, mask=FULL, bias=None, scale=1.0), backend="eager")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says of each cached function that it looks through the cache
        assert torch.allclose(traced(q), attention(q, q, q, scale=1.0, backend="naive"), atol=1e-6)
    with pytest.raises(ConfigError, match="takes float32, not float64"):
        attention(q.double(), q.double(), q.double(), backend="native")


@needs_library
def test_operands_of_another_device_are_refused() -> None:
    q = noise(2, 4, 3, 8, seed=0)
    with pytest.raises(ConfigError, match="queries, keys and values are on cpu, meta, cpu, but must be on one device"):
        attention(q, q.to("meta"), q, backend="native")
    with pytest.raises(ConfigError, match="the attention bias is on meta, but the queries are on cpu"):
        attention(q, q, q, bias=torch.zeros(1, 1, 3, 3, device="meta"), backend="native")
    with pytest.raises(NotImplementedError, match="meta tensor"):
        attention(q, q, q, mask=Dense(torch.ones(1, 1, 3, 3, dtype=torch.bool, device="meta")), backend="native")


@needs_library
def test_numbers_of_another_default_type_and_lengths_of_another_type() -> None:
    q = noise(2, 4, 100, 8, seed=0)
    wanted = attention(q, q, q, mask=Lengths(torch.tensor([50, 9])), backend="naive")
    torch.set_default_dtype(torch.bfloat16)
    try:
        found = attention(q, q, q, mask=Lengths(torch.tensor([50, 9], dtype=torch.int32)), backend="native")
    finally:
        torch.set_default_dtype(torch.float32)
    assert torch.allclose(found, wanted, atol=1e-6)


@needs_library
@pytest.mark.parametrize("T", [40, 256])
def test_documents_that_are_widened_to_the_call(T: int) -> None:
    q, n = noise(2, 4, T, 8, seed=0), torch.stack([torch.arange(T) // 7, torch.arange(T) // 9])
    zeros = torch.zeros(2, 1, dtype=torch.int64)
    for mask in (Documents(zeros, n), Documents(n, zeros), Documents(n[:1], n), Documents(n, n[:1]), Documents(n[:1], n[:1])):
        wanted = attention(q, q, q, mask=mask, backend="reference")
        assert torch.allclose(attention(q, q, q, mask=mask, backend="native"), wanted, atol=1e-6)


@pytest.mark.parametrize("backend", ["naive", pytest.param("native", marks=needs_library)])
@pytest.mark.parametrize("mask", [Causal(), Documents(SCATTERED, SCATTERED)], ids=["causal", "scattered documents"])
def test_a_stand_in_for_a_tensor_is_not_remembered(backend: str, mask: Mask) -> None:
    q, scale = noise(2, 4, 67, 16, seed=0), scale_of("log-length", 1.0, 4, 16, context=67)
    with FakeTensorMode(allow_non_fake_inputs=True) as mode:
        fake = mode.from_tensor(q)
        attention(fake, fake, fake, mask=mask, scale=scale, backend="naive")
    found, wanted = (attention(q, q, q, mask=mask, scale=scale, backend=name) for name in (backend, "reference"))
    assert torch.allclose(found, wanted, atol=1e-6)


@needs_library
def test_zeros_without_memory() -> None:
    q = noise(2, 4, 9, 16, seed=0).requires_grad_()
    zeros = torch._efficientzerotensor(2, 4, 9, 16)
    z = attention(q, q, q, backend="native")
    assert all((x == 0).all() for x in torch.autograd.grad(z, q, zeros))
    assert torch.allclose(attention(zeros, q, q, backend="native"), q.mean(dim=2, keepdim=True), atol=1e-6)


@needs_library
def test_fewer_heads_than_threads_leave_the_threads_of_torch_alone() -> None:
    # In a process of its own: threads that an earlier test left behind may end while they are counted.
    check = (
        "import os, torch; from ablate.kernels import install; from ablate.nn.attention import attention; install(); "
        "torch.set_num_threads(6); "
        "q = torch.randn(1, 2, 200, 32); x = torch.randn(4, 512, 512); (x + 1).sum(); "
        "team = set(os.listdir('/proc/self/task')); "
        "found = attention(q, q, q, backend='native'); (x + 1).sum(); assert len(team) > 5, team; "
        "assert team <= set(os.listdir('/proc/self/task')); "
        "assert torch.allclose(found, attention(q, q, q, backend='naive'), atol=1e-6)"
    )
    subprocess.run([sys.executable, "-c", check], check=True)


@needs_library
def test_a_call_is_forgotten_when_it_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []
    real = native._run
    monkeypatch.setattr(native, "_run", lambda name, call, *rest: calls.append(weakref.ref(call)) or real(name, call, *rest))
    q = noise(2, 4, 9, 16, seed=0).requires_grad_()
    attention(q, q, q, backend="native").sum().backward()
    assert len(calls) == 2 and all(call() is None for call in calls)


@needs_library
def test_whoever_times_operations_is_told_of_it() -> None:
    q = noise(8, 4, 256, 32, seed=0)
    assert busiest(lambda: attention(q, q, q, backend="native"), CPU) == "native_forward"
    assert native.TIMED == []


@needs_library
@pytest.mark.parametrize("first", [21, 31, 32])
def test_values_that_nobody_sees_may_be_no_numbers(first: int) -> None:
    q, k, v = (noise(1, 2, 40, 16, seed=seed) for seed in range(3))
    v[:, :, first:] = torch.inf
    leaves = [x.requires_grad_() for x in (q, k, v)]
    for mask in (Lengths(torch.tensor([21])), Causal() & Lengths(torch.tensor([21]))):
        z = attention(q, k, v, mask=mask, backend="native")
        assert all(x.isfinite().all() for x in (z, *torch.autograd.grad(z, leaves, torch.ones_like(z))))
