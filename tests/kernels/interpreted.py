"""Runs the Triton kernel of the bias on the CPU and prints how far it is from the formula in float64, one case a line.

Started by test_bias_kernel.py with TRITON_INTERPRET=1, which triton reads when it is imported.
"""

from __future__ import annotations

import itertools
import json

import torch
from torch import Tensor

from ablate.kernels import bias_gradient

H, SCALE = 2, 0.3


def case(B: int, T: int, S: int, K: int, causal: bool, by_row: bool, shared: bool, programs: int, half: bool = False) -> float:
    generator = torch.Generator().manual_seed(T + S)

    def random(*shape: int) -> Tensor:
        drawn = torch.randn(*shape, generator=generator)
        return drawn.half() if half else drawn

    # Heads of a packed projection, and a bias laid out as T5's: nothing is contiguous.
    q, v, dz = (random(B, n, 3, H, K)[:, :, 1].transpose(1, 2) for n in (T, S, T))
    k = random(B, H, K, S).transpose(-1, -2)
    table = random(B if by_row else 1, T, S, H).permute(0, 3, 1, 2)
    hidden = torch.ones(T, S, dtype=torch.bool).triu(S - T + 1)
    if by_row:
        table = table.masked_fill(torch.rand(T, S, generator=generator) < 0.2, -torch.inf)
        table[:, :, 0] = -torch.inf  # a query that sees nothing
    scores = SCALE * (q.double() @ k.double().mT) + table.double()
    scores = scores.masked_fill(hidden, -torch.inf) if causal else scores
    lse = scores.logsumexp(dim=-1)
    z = (scores - lse.masked_fill(lse == -torch.inf, 0.0)[..., None]).exp() @ v.double()
    flags = {"scale": SCALE, "causal": causal, "shared": shared}
    wanted = bias_gradient.by_formula(*(x.double() for x in (q, k, v, dz, z, lse, table)), **flags)
    # The output stays in single precision even so: its own rounding is no error of the kernel.
    single = (q, k, v, dz, z.float(), lse.float(), table)
    found = bias_gradient.by_kernel(*single, **flags, programs=programs)
    assert found.shape == wanted.shape and found.dtype == torch.float32
    return float((found.double() - wanted).norm() / wanted.norm().clamp(min=1.0))


if __name__ == "__main__":
    torch.set_num_threads(1)
    shapes = [
        (2, 1, 1, 16),
        (3, 1, 7, 16),
        (2, 33, 33, 16),
        (2, 20, 65, 24),
        (3, 65, 33, 32),
        (2, 65, 65, 64),
        (1, 129, 65, 128),
    ]
    for (B, T, S, K), causal in itertools.product(shapes, (False, True)):
        for by_row, shared, programs in itertools.product((False, True), (False, True), (1, 5, 400)):
            if T <= S or not causal:
                flags = (causal, by_row, shared, programs)
                print(json.dumps([[B, T, S, K, *flags], case(B, T, S, K, *flags)]))
    # Not bfloat16: the interpreter of triton 3.6 multiplies its bits as integers.
    print(json.dumps(["float16", case(2, 33, 65, 32, causal=True, by_row=True, shared=True, programs=1, half=True)]))
