"""Every backend on a real GPU: output and gradients of all it claims, against float64. Skipped where there is none."""

from __future__ import annotations

import itertools

import pytest
import torch

from ablate.kernels import install, naive
from ablate.kernels.tuning import workload
from ablate.nn.attention.backends import BACKENDS, Call, load, machine_of, refusal

install()
pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")]

MASKS = ("full", "causal", "prefix", "lengths", "documents", "dense", "causal & documents")
LENGTHS = ((1, 1), (1, 129), (127, 127), (128, 128), (129, 129), (191, 191), (192, 192), (64, 192), (200, 77))
UNFUSED = ("naive", "matmul")


@pytest.mark.parametrize("backend", [name for name in BACKENDS if name != "reference"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_what_a_backend_claims_it_does(backend: str, dtype: str) -> None:
    machine, ran = machine_of(torch.device("cuda")), 0
    # FlexAttention is compiled for each, which takes seconds.
    lengths, widths = (LENGTHS, (32, 64, 128)) if backend != "flex" else (((128, 128), (192, 192), (64, 192)), (64,))
    for (T, S), mask, bias, width in itertools.product(lengths, MASKS, ("none", "fixed", "learned"), widths):
        call = Call(dtype=dtype, B=3, H=8, T=T, S=S, K=width, value_width=width, mask=mask, bias=bias)  # type: ignore[arg-type]
        if refusal(backend, call, machine):
            continue
        work = workload.workload(call, torch.device("cuda"))
        truth = workload.truth_of(work)
        # Products of matrices round the scores of half precision: those may be twice as far off as the textbook's.
        limit = 1.0 if backend not in UNFUSED else max(1.0, 2 * workload.excess(naive.attend, work, truth))
        assert workload.excess(load(backend), work, truth) <= limit, str(call)
        ran += 1
    if not ran:
        pytest.skip(f"{backend} runs nothing of {dtype} on {machine.name}")
