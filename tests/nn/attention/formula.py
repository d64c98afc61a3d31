"""The formula in float64 beside a backend: what the tests of all backends share.

Faults hide in pairs of properties: a length at the border of a block with a mask, a mask with a bias, a type with either. So
each grid here has every pair of two properties, and the third one takes turns (`in_turn`).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ablate.config import AttentionScale
from ablate.nn.attention import Causal, Dense, Documents, Full, Lengths, Mask, Prefix, attention
from ablate.nn.attention.reference import attend as reference
from ablate.nn.attention.scales import scale_of

B, H, K = 2, 2, 16
CPU = torch.device("cpu")
WIDTHS = [(32, 32), (64, 64), (128, 128), (64, 32), (64, 128)]
"""Of keys and of values; `sdpa:flash` wants them equal."""
LENGTHS = [(1, 1), (1, 7), (127, 127), (128, 128), (129, 129), (191, 192), (192, 191), (129, 300), (300, 129)]
LONG = 300
BIASES = ("none", "fixed", "learned")
SCALES: list[tuple[float | None, float]] = [(None, 1.0), (None, 3.0), (0.25, 2.0)]
"""The scale, and the standard deviation of the queries."""
MASKS: dict[str, Callable[[int, int], Mask]] = {
    "full": lambda T, S: Full(),
    "causal": lambda T, S: Causal(),
    "prefix": lambda T, S: Prefix(max(1, S // 3)),
    "lengths": lambda T, S: Lengths(torch.tensor([S, S // 2])),
    "documents": lambda T, S: Documents(documents(T), documents(S)),
    "dense": lambda T, S: Dense(noise(B, 1, T, S, seed=7) > 0),
    "causal & lengths": lambda T, S: Causal() & Lengths(torch.tensor([S // 2, S])),
    "causal & documents": lambda T, S: Causal() & own_documents(T, S),
}


def in_turn(first: Sequence[Any], second: Sequence[Any], turns: Sequence[Any]) -> list[tuple[Any, Any, Any]]:
    """Every pair of the first two, each with the next of the third; every value of the third meets every one of the others."""
    return [(a, b, turns[(i + j) % len(turns)]) for i, a in enumerate(first) for j, b in enumerate(second)]


GRID = in_turn(LENGTHS, list(MASKS), BIASES)
GRID_OF_WIDTHS = [
    (width, mask, bias) for i, (width, mask, bias) in enumerate(in_turn(WIDTHS, list(MASKS), BIASES)) if i % 3 != 2
]


def noise(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def documents(length: int) -> Tensor:
    """Two rows of documents of some dozens of places each."""
    place = torch.arange(length)
    return torch.stack([place // 50, (place + 20) // 70])


def own_documents(T: int, S: int) -> Documents:
    numbers = documents(S)
    return Documents(numbers, numbers) if T == S else Documents(documents(T), numbers)


def error(got: Tensor, truth: Tensor, scale: float = 1e-6) -> float:
    """Relative L2; `scale` is what counts as nothing, for gradients that are exactly zero."""
    found = float((got.detach().double() - truth.detach()).norm() / truth.detach().norm().clamp_min(scale))
    return math.inf if math.isnan(found) else found  # max() may pass over what is no number


def errors(
    attend: str | Callable[..., Tensor],
    T: int,
    S: int,
    mask: Mask,
    *,
    bias: str,
    dtype: torch.dtype,
    scale: float | None,
    spread: float,
    widths: tuple[int, int] = (K, K),
) -> list[float]:
    """Of the output and of every gradient, against float64 on the same rounded inputs. `attend`: a backend, or a function."""
    if isinstance(attend, str):
        attend = partial(attention, backend=attend)
    width, value_width = widths
    q, k = noise(B, H, T, width, seed=0), noise(B, H, S, width, seed=1)
    v, dz = noise(B, H, S, value_width, seed=2), noise(B, H, T, value_width, seed=3)
    given = [(spread * q).to(dtype), k.to(dtype), v.to(dtype)]
    b = None if bias == "none" else noise(1, H, T, S, seed=9).to(dtype)
    leaves = [x.requires_grad_() for x in given] + ([b.requires_grad_()] if b is not None and bias == "learned" else [])
    z = attend(*given, mask=mask, bias=b, scale=scale)
    truth = reference(*given, mask=mask, bias=b, scale=width**-0.5 if scale is None else scale)
    found = torch.autograd.grad(z, leaves, dz.to(dtype))
    wanted = torch.autograd.grad(truth, leaves, dz.to(dtype).double())
    nothing = [1e-30, *[1.0 if T == 1 or S == 1 else 1e-3] * len(leaves)]
    return [error(g, w, s) for g, w, s in zip((z, *found), (truth, *wanted), nothing, strict=True)]


def scaled(scaling: str, q: Tensor, k: Tensor, t_H11: Tensor, n_B1T1: Tensor) -> tuple[Tensor, Tensor]:
    """Queries and keys of which the scores are the table of `ablate.nn.attention.scales`, with a factor of 1."""
    root = math.sqrt(q.shape[-1])
    unit_q, unit_k = (x / x.norm(dim=-1, keepdim=True) for x in (q, k))
    return {
        "inverse-sqrt": (q / root, k),
        "inverse": (q / root**2, k),
        "none": (q, k),
        "learned": (t_H11 * q / root, k),
        "qk-norm": (t_H11 * root * unit_q, unit_k),
        "qk-norm-fixed": (root * unit_q, unit_k),
        "log-length": (t_H11 * n_B1T1.clamp(min=math.e).log() * q / root, k),
    }[scaling]


def errors_of_scaling(
    scaling: AttentionScale, name: str, T: int, S: int, mask: Mask, *, bias: bool, dtype: torch.dtype
) -> list[float]:
    """Of the output and of every gradient, that of the temperatures last."""
    width = 64
    # Without a division the scores would have a standard deviation of 8.
    factor = 0.2 if scaling == "none" else 1.5
    scale = scale_of(scaling, factor, H, width, context=S)
    with torch.no_grad():
        for log_t in scale.parameters():
            log_t.add_(0.3 * noise(H, seed=5).float())
    q, k, v = (noise(B, H, n, width, seed=i).to(dtype).requires_grad_() for i, n in enumerate((T, S, S)))
    b = noise(1, H, T, S, seed=9).to(dtype) if bias else None
    log_t_H = next(iter(scale.parameters()), torch.zeros(H))
    seen = mask.dense(T, S, CPU).expand(B, 1, T, S).sum(dim=-1, keepdim=True).double()
    q_scaled, k_scaled = scaled(scaling, q.double(), k.double(), log_t_H.double().exp()[:, None, None], seen)
    truth = reference(factor * q_scaled, k_scaled, v, mask=mask, bias=b, scale=1.0)
    z = attention(q, k, v, mask=mask, bias=b, scale=scale, backend=name)
    # A higher temperature makes outputs longer, so along them its gradient is large; along noise it is a sum that cancels.
    dz = truth.detach().to(dtype)
    leaves = [q, k, v, *scale.parameters()]
    found, wanted = torch.autograd.grad(z, leaves, dz), torch.autograd.grad(truth, leaves, dz.double())
    return [error(g, w, 1e-3) for g, w in zip((z, *found), (truth, *wanted), strict=True)]


def suits(name: str, bias: str, widths: tuple[int, int] = (K, K)) -> str:
    """The bias that the backend takes instead of this one; empty where it does not take the widths."""
    if name != "sdpa:flash":
        return bias
    return "" if widths[0] != widths[1] else "fixed" if bias == "learned" else bias


def check_single_precision(name: str, T: int, S: int, mask: str, bias: str) -> None:
    for scale, spread in ((None, 1.0), (0.25, 3.0)):
        given: dict[str, Any] = {"bias": suits(name, bias), "dtype": torch.float32, "scale": scale, "spread": spread}
        assert max(errors(name, T, S, MASKS[mask](T, S), **given)) <= 1e-5


def check_widths(name: str, widths: tuple[int, int], mask: str, bias: str) -> None:
    for T, S, scale, spread in ((129, 129, None, 1.0), (191, 192, 0.25, 2.0)):
        given: dict[str, Any] = {"dtype": torch.float32, "scale": scale, "spread": spread, "widths": widths}
        assert max(errors(name, T, S, MASKS[mask](T, S), bias=suits(name, bias), **given)) <= 1e-5


def check_half_precision(
    name: str, T: int, S: int, mask: str, bias: str, scale: float | None, spread: float, widths: tuple[int, int] = (K, K)
) -> None:
    """The fused kernel within fixed limits; matrix products lose at most twice what the formula loses in that precision."""
    bias = suits(name, bias)
    found = errors(name, T, S, MASKS[mask](T, S), bias=bias, dtype=torch.bfloat16, scale=scale, spread=spread, widths=widths)
    if name == "sdpa:flash":
        assert found[0] <= 5e-3
        assert max(found[1:]) <= 1.2e-2
        return
    floor = lost_by_the_formula(T, S, mask, bias, scale, spread, widths)
    assert all(one <= 2 * other + 1e-4 for one, other in zip(found, floor, strict=True)), (found, floor)


@functools.lru_cache
def lost_by_the_formula(
    T: int, S: int, mask: str, bias: str, scale: float | None, spread: float, widths: tuple[int, int]
) -> list[float]:
    given: dict[str, Any] = {"bias": bias, "dtype": torch.bfloat16, "scale": scale, "spread": spread, "widths": widths}
    return errors(formula, T, S, MASKS[mask](T, S), **given)


def formula(q: Tensor, k: Tensor, v: Tensor, *, mask: Mask, bias: Tensor | None, scale: float | None) -> Tensor:
    """Attention in the precision of its inputs, independent of any backend."""
    scores = torch.einsum("bhtk,bhsk->bhts", q, k) * (q.shape[-1] ** -0.5 if scale is None else scale)
    scores = scores if bias is None else scores + bias
    seen = mask.dense(q.shape[2], k.shape[2], CPU)
    weights = scores.masked_fill(~seen, -torch.inf).softmax(dim=-1)
    return weights.masked_fill(~seen.any(dim=-1, keepdim=True), 0.0) @ v


def check_blind_queries(name: str, bias: bool, dtype: torch.dtype) -> None:
    T, S = 5, 7
    q, k, v = (noise(B, H, n, K, seed=i).to(dtype).requires_grad_() for i, n in enumerate((T, S, S)))
    visible = torch.ones(B, 1, T, S, dtype=torch.bool)
    visible[0, 0, 2] = False
    b = noise(1, H, T, S, seed=9).to(dtype) if bias else None
    for mask in (Dense(visible), Lengths(torch.tensor([0, S])), Causal() & Dense(visible)):
        z = attention(q, k, v, mask=mask, bias=b, backend=name)
        assert (z[0, :, 2] == 0).all()
        assert (z[1] != 0).all()
        gradients = torch.autograd.grad(z[0, :, 2].sum(), (q, k, v))
        assert all((gradient == 0).all() for gradient in gradients)
    assert (attention(q, k, v, mask=Dense(visible & False), bias=b, backend=name) == 0).all()


def check_bias_that_hides_all(name: str, dtype: torch.dtype, mask: str, learned: bool) -> None:
    learned = learned and name != "sdpa:flash"
    T, S = LONG, LONG + 9
    who = MASKS[mask](T, S)
    seen = who.dense(T, S, CPU).expand(B, H, T, S)
    q, k, v, dz = (noise(B, H, n, K, seed=i).to(dtype) for i, n in enumerate((T, S, S, T)))
    bias = noise(B if mask == "causal" else 1, H, T, S, seed=9).to(dtype)
    bias[:, :, 3] = -torch.inf
    bias[:, 0, 150].masked_fill_(seen[:, 0, 150].any(dim=0), -torch.inf)  # and not where nobody sees it
    bias[:, 1, 200, 1:] = -torch.inf
    blind = ~(seen & (bias > -torch.inf)).any(dim=-1)
    assert blind[:, :, 3].all() and blind[:, 0, 150].all() and not blind.all(dim=2).any()
    leaves = [x.requires_grad_() for x in (q, k, v, *([bias] if learned else []))]
    z = attention(q, k, v, mask=who, bias=bias, backend=name)
    gradients = torch.autograd.grad(z, leaves, dz)
    truth = attention(q, k, v, mask=who, bias=bias, backend="reference")
    wanted = torch.autograd.grad(truth, leaves, dz)
    assert (z[blind] == 0).all() and (gradients[0][blind] == 0).all()
    most = 1e-5 if dtype == torch.float32 else 2e-2
    assert max(error(found, true) for found, true in zip((z, *gradients), (truth, *wanted), strict=True)) <= most
    # A nan that comes from elsewhere stays.
    spoiled = torch.cat([torch.full_like(q[:, :, :1], torch.nan), q[:, :, 1:]], dim=2).detach()
    z = attention(spoiled, k, v, mask=Full(), bias=bias, backend=name)
    assert z[:, :, 0].isnan().all() and z[:, :, 1:].isfinite().all()


def check_more_queries_than_keys(name: str, dtype: torch.dtype) -> None:
    q, k, v = (noise(B, H, n, K, seed=i).to(dtype) for i, n in enumerate((6, 4, 4)))
    z = attention(q, k, v, mask=Causal(), backend=name)
    others = attention(q[:, :, 2:], k, v, mask=Causal(), backend=name)
    assert (z[:, :, :2] == 0).all()
    assert torch.allclose(z[:, :, 2:], others, atol=1e-6 if dtype == torch.float32 else 3e-2)


def check_hidden_numbers(name: str, mask: str, T: int, S: int, dtype: torch.dtype, bias: bool) -> None:
    """A query that does not see a changed key, value or bias keeps every bit."""
    q, k, v = (noise(B, H, n, K, seed=i).to(dtype) for i, n in enumerate((T, S, S)))
    b = noise(B, H, T, S, seed=9).to(dtype) if bias else None
    who = MASKS[mask](T, S)
    seen = who.dense(T, S, CPU).expand(B, 1, T, S)
    z = attention(q, k, v, mask=who, bias=b, backend=name)
    for place in (0, 1, S // 2, S - 1):
        sees = seen[:, 0, :, place]
        # A far key may make other weights vanish in half precision; a far value always changes the output.
        for key, value in ((50.0, -7.0), (None, 1e5)):
            other_k, other_v = k.clone(), v.clone()
            other_v[:, :, place] = value
            if key is not None:
                other_k[:, :, place] = key
            same = (attention(q, other_k, other_v, mask=who, bias=b, backend=name) == z).all(dim=3).all(dim=1)
            assert bool(same[~sees].all())
            assert key is not None or not bool(same[sees].any())
    if b is not None:
        assert torch.equal(attention(q, k, v, mask=who, bias=b.masked_fill(~seen, 30.0), backend=name), z)
