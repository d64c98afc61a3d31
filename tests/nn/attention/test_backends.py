"""Every backend against the formula in float64: outputs, gradients, lengths around block borders, rows that see nothing.

In single precision; `test_half_precision` has bfloat16.
"""

from __future__ import annotations

import math
import typing
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
import torch
from ablate.nn.attention.blocks import SEPARATE_DOCUMENTS, plan
from torch import Tensor

from ablate.config import AttentionScale, ConfigError
from ablate.kernels.compiled import library
from ablate.nn.attention import BACKENDS, Causal, Dense, Documents, Full, Lengths, Mask, Prefix, attention, backend
from ablate.nn.attention.backends import RULES, describe, machine_of, refusal
from ablate.nn.attention.reference import attend as reference
from ablate.nn.attention.scales import scale_of

B, H, K = 2, 2, 16
CPU = torch.device("cpu")
HALF_HERE = ["naive", "matmul", "sdpa:flash", "sdpa:math"]
"""What a CPU can run and train with."""
HERE = [*HALF_HERE[:2], *(["native"] if library() else []), *HALF_HERE[2:]]
"""The same in single precision; without gcc a backend less."""
WIDTHS = [(32, 32), (64, 64), (128, 128), (64, 32), (64, 128)]
"""Of keys and of values; `sdpa:flash` wants them equal."""
DTYPES = [torch.float32, torch.bfloat16]
OF_DTYPES = [*((name, torch.float32) for name in HERE), *((name, torch.bfloat16) for name in HALF_HERE)]
LENGTHS = [(1, 1), (1, 7), (127, 127), (128, 128), (129, 129), (191, 192), (192, 191), (129, 300), (300, 129)]
LONG = SEPARATE_DOCUMENTS + 44
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


@pytest.mark.parametrize("bias", ["none", "fixed", "learned"])
@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize(("T", "S"), LENGTHS)
@pytest.mark.parametrize("name", HERE)
def test_single_precision_is_the_formula(name: str, T: int, S: int, mask: str, bias: str) -> None:
    if name == "sdpa:flash" and bias == "learned":
        pytest.skip("refuses a bias with gradient")
    for scale, spread in ((None, 1.0), (0.25, 3.0)):
        assert max(errors(name, T, S, MASKS[mask](T, S), bias=bias, dtype=torch.float32, scale=scale, spread=spread)) <= 1e-5


@pytest.mark.parametrize("bias", [False, True], ids=["plain", "bias"])
@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize(("T", "S", "scale", "spread"), [(129, 129, None, 1.0), (191, 192, 0.25, 2.0)])
@pytest.mark.parametrize(("name", "widths"), [(n, w) for n in HERE for w in WIDTHS if n != "sdpa:flash" or w[0] == w[1]])
def test_head_widths_and_values_of_another_width(
    name: str, widths: tuple[int, int], T: int, S: int, scale: float | None, spread: float, mask: str, bias: bool
) -> None:
    added = "none" if not bias else "fixed" if name == "sdpa:flash" else "learned"
    given: dict[str, Any] = {"bias": added, "dtype": torch.float32, "scale": scale, "spread": spread, "widths": widths}
    assert max(errors(name, T, S, MASKS[mask](T, S), **given)) <= 1e-5


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
    z = attention(q, k, v, mask=mask, bias=b, scale=scale(q, k, mask), backend=name)
    # A higher temperature makes outputs longer, so along them its gradient is large; along noise it is a sum that cancels.
    dz = truth.detach().to(dtype)
    leaves = [q, k, v, *scale.parameters()]
    found, wanted = torch.autograd.grad(z, leaves, dz), torch.autograd.grad(truth, leaves, dz.double())
    return [error(g, w, 1e-3) for g, w in zip((z, *found), (truth, *wanted), strict=True)]


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize(("T", "S", "bias"), [(129, 129, False), (129, 192, True)])
@pytest.mark.parametrize("name", HERE)
@pytest.mark.parametrize("scaling", typing.get_args(AttentionScale))
def test_scalings_on_every_backend(scaling: AttentionScale, name: str, T: int, S: int, bias: bool, mask: str) -> None:
    assert max(errors_of_scaling(scaling, name, T, S, MASKS[mask](T, S), bias=bias, dtype=torch.float32)) <= 1e-5


@pytest.fixture(params=[1, 2], ids=["one thread", "two threads"])
def threads(request: pytest.FixtureRequest) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("bias", ["none", "learned"])
@pytest.mark.parametrize("mask", MASKS)
def test_products_into_parts_of_a_tensor_on_one_thread_and_on_two(mask: str, bias: str) -> None:
    # Long enough for several blocks of queries in each row, and for documents by themselves.
    found = errors("matmul", 300, 300, MASKS[mask](300, 300), bias=bias, dtype=torch.float32, scale=0.25, spread=2.0)
    assert max(found) <= 1e-5


def test_reference_by_hand() -> None:
    # Scores ln 1 and ln 3 weigh the values 1/4 and 3/4.
    q, k, v = torch.tensor([[[[2.0]]]]), torch.tensor([[[[0.0], [math.log(3) / 2]]]]), torch.tensor([[[[8.0], [4.0]]]])
    given: dict[str, Any] = {"mask": Full(), "scale": 1.0}
    assert reference(q, k, v, bias=None, **given).item() == pytest.approx(8 / 4 + 4 * 3 / 4)
    assert reference(q, 0 * k, v, bias=torch.tensor([[[[0.0, math.log(3)]]]]), **given).item() == pytest.approx(5)


def test_reference_has_the_gradient_of_its_own_differences() -> None:
    q, k, v = (noise(1, 2, n, 3, seed=i).requires_grad_() for i, n in enumerate((3, 4, 4)))
    bias = noise(1, 2, 3, 4, seed=5).requires_grad_()
    assert torch.autograd.gradcheck(lambda q, k, v, b: reference(q, k, v, mask=Causal(), bias=b, scale=0.7), (q, k, v, bias))


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(("name", "dtype"), [*OF_DTYPES, *(("reference", dtype) for dtype in DTYPES)])
def test_a_query_that_sees_nothing_gives_nothing(name: str, bias: bool, dtype: torch.dtype) -> None:
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


@pytest.mark.parametrize("learned", [False, True], ids=["fixed", "learned"])
@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize(("name", "dtype"), OF_DTYPES)
def test_a_query_whose_bias_hides_all_that_it_sees_gives_nothing(
    name: str, dtype: torch.dtype, mask: str, learned: bool
) -> None:
    if name == "sdpa:flash" and learned:
        pytest.skip("refuses a bias with gradient")
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
    # What is no number for another reason stays none.
    spoiled = torch.cat([torch.full_like(q[:, :, :1], torch.nan), q[:, :, 1:]], dim=2).detach()
    z = attention(spoiled, k, v, mask=Full(), bias=bias, backend=name)
    assert z[:, :, 0].isnan().all() and z[:, :, 1:].isfinite().all()


@pytest.mark.parametrize("name", HERE)
def test_more_queries_than_keys_leave_the_first_ones_blind(name: str) -> None:
    q, k, v = (noise(B, H, n, K, seed=i).float() for i, n in enumerate((6, 4, 4)))
    z = attention(q, k, v, mask=Causal(), backend=name)
    assert (z[:, :, :2] == 0).all()
    assert torch.allclose(z[:, :, 2:], attention(q[:, :, 2:], k, v, mask=Causal(), backend=name), atol=1e-6)
    if name in HALF_HERE:
        assert (attention(q.bfloat16(), k.bfloat16(), v.bfloat16(), mask=Causal(), backend=name)[:, :, :2] == 0).all()


@pytest.mark.parametrize("bias", [False, True], ids=["plain", "bias"])
@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize(("name", "dtype"), OF_DTYPES)
@pytest.mark.parametrize(("T", "S"), [(40, 40), (40, 70), (70, 40), (LONG, LONG), (LONG, LONG + 90)])
def test_what_is_hidden_can_be_any_number_without_a_bit_changing(
    name: str, mask: str, T: int, S: int, dtype: torch.dtype, bias: bool
) -> None:
    """Keys and values one by one, and biases: whoever does not see the changed place keeps every bit."""
    q, k, v = (noise(B, H, n, K, seed=i).to(dtype) for i, n in enumerate((T, S, S)))
    b = noise(B, H, T, S, seed=9).to(dtype) if bias else None
    who = MASKS[mask](T, S)
    seen = who.dense(T, S, CPU).expand(B, 1, T, S)
    z = attention(q, k, v, mask=who, bias=b, backend=name)
    for place in (0, 1, S // 2, S - 1):
        sees = seen[:, 0, :, place]
        # Against a far key other weights may vanish, in half precision without a trace; a far value always leaves one.
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


def test_without_queries_keys_and_values_get_no_gradient() -> None:
    q, k, v = noise(B, H, 0, K, seed=0), noise(B, H, 5, K, seed=1).requires_grad_(), noise(B, H, 5, K, seed=2).requires_grad_()
    for _ in range(3):  # memory that nobody writes may hold zeros by chance
        torch.full((B, H, 5, K), torch.nan, dtype=torch.float64)
        z = attention(q, k, v, backend="matmul")
        assert z.shape == (B, H, 0, K)
        assert all((gradient == 0).all() for gradient in torch.autograd.grad(z.sum(), (k, v)))


def test_numbers_of_documents_that_all_rows_share() -> None:
    numbers = (torch.arange(SEPARATE_DOCUMENTS + 44) // 50)[None]
    mask = Documents(numbers, numbers)
    T = numbers.shape[1]
    q, k, v = (noise(B, H, T, K, seed=i).requires_grad_() for i in range(3))
    z = attention(q, k, v, mask=mask, backend="matmul")
    truth = reference(q, k, v, mask=mask, bias=None, scale=K**-0.5)
    assert error(z, truth) <= 1e-10
    pairs = zip(torch.autograd.grad(z.sum(), (q, k, v)), torch.autograd.grad(truth.sum(), (q, k, v)), strict=True)
    assert all(error(found, wanted, 1.0) <= 1e-10 for found, wanted in pairs)


def test_blocks_cover_every_pair_once_and_skip_what_is_hidden() -> None:
    """With a causal mask half of the products is left out, with documents all but their squares."""
    for mask in (Full(), Causal(), Prefix(100), Lengths(torch.tensor([400, 90])), Documents(documents(400), documents(400))):
        T = S = 400
        seen = torch.zeros(B, T, S, dtype=torch.int64)
        multiplied = 0
        for block in plan(mask, B, H, T, S, torch.float32, CPU):
            shape = (len(range(B)[block.rows]), block.queries.stop - block.queries.start, block.keys.stop - block.keys.start)
            part = torch.ones(shape, dtype=torch.int64)
            if block.tile is not None:
                hidden = block.tile.isinf().expand(shape[0], 1, shape[1], block.keys.stop - block.partly)[:, 0]
                part[:, :, block.partly - block.keys.start :][hidden] = 0
            seen[block.rows, block.queries, block.keys] += part
            multiplied += math.prod(shape)
        assert torch.equal(seen, mask.dense(T, S, CPU).expand(B, 1, T, S)[:, 0].long())
        if isinstance(mask, Documents):
            assert multiplied == mask.pairs(B, T, S)
        if isinstance(mask, Causal):
            assert multiplied <= 0.66 * B * T * S


def test_forced_backends_that_cannot_say_why_and_who_can() -> None:
    q = noise(1, 1, 4, K, seed=0).float()
    learned = noise(1, 1, 4, 4, seed=1).float().requires_grad_()
    with pytest.raises(
        ConfigError, match=r"'sdpa:flash' cannot run float32 .*learned bias on cpu: it sends no gradient .*matmul"
    ):
        attention(q, q, q, bias=learned, backend="sdpa:flash")
    with pytest.raises(ConfigError, match="needs CUDA"), backend("biased"):
        attention(q, q, q)
    with pytest.raises(ConfigError, match="float16 has no fast arithmetic on a CPU; use float32 or bfloat16"):
        attention(q.half(), q.half(), q.half())
    with pytest.raises(ConfigError, match="attention backend 'fastest'; known: auto, reference"), backend("fastest"):
        pass
    with backend("naive"):
        assert torch.allclose(attention(q, q, q), reference(q, q, q, mask=Full(), bias=None, scale=K**-0.5).float(), atol=1e-6)


@pytest.mark.parametrize(
    ("shapes", "bias"),
    [
        (((1, 2, 3, 4), (1, 2, 5, 6), (1, 2, 5, 4)), None),
        (((1, 2, 3, 4), (1, 2, 5, 4), (1, 2, 6, 4)), None),
        (((1, 2, 3, 4), (2, 2, 5, 4), (2, 2, 5, 4)), None),
        (((2, 3, 4), (2, 5, 4), (2, 5, 4)), None),
        (((1, 2, 3, 4), (1, 2, 5, 4), (1, 2, 5, 4)), (3, 5)),
    ],
)
def test_shapes_that_do_not_agree(shapes: tuple[tuple[int, ...], ...], bias: tuple[int, ...] | None) -> None:
    with pytest.raises(ConfigError, match=r"do not agree|does not broadcast"):
        attention(*(torch.zeros(shape) for shape in shapes), bias=None if bias is None else torch.zeros(bias))


def test_every_rule_has_its_backend() -> None:
    assert list(RULES) == list(BACKENDS)
    q = noise(1, 1, 4, K, seed=0).float()
    call = describe(q, q, q, Full(), None)
    able = [name for name in RULES if not refusal(name, call, machine_of(CPU))]
    assert able == ["reference", *HERE]


def test_autocast_is_entered_after_folding() -> None:
    """Single precision in, the cast type out, and as accurate as rounding the inputs once."""
    q, k, v = (noise(B, H, 65, K, seed=i).float() for i in range(3))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        z = attention(q, k, v, mask=Causal())
    assert z.dtype == torch.bfloat16
    rounded = [x.bfloat16() for x in (q, k, v)]
    assert error(z, reference(*rounded, mask=Causal(), bias=None, scale=K**-0.5)) <= 5e-3
