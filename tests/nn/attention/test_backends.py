"""The core's backends against the formula in float64: outputs, gradients, lengths around block borders, blind queries."""

from __future__ import annotations

import math
import typing
from typing import Any

import pytest
import torch
from hypothesis import given, settings

from ablate.config import AttentionScale, ConfigError
from ablate.nn.attention import Causal, Documents, Full, Mask, attention, backend, matmul
from ablate.nn.attention.backends import BACKENDS, Backend, Preference, choose, describe, eligible, machine_of, prefer, register
from ablate.nn.attention.reference import attend as reference
from tests.nn.attention.formula import (
    CPU,
    GRID,
    GRID_OF_WIDTHS,
    LONG,
    MASKS,
    SCALES,
    B,
    H,
    K,
    check_bias_that_hides_all,
    check_blind_queries,
    check_half_precision,
    check_hidden_numbers,
    check_more_queries_than_keys,
    check_single_precision,
    check_widths,
    error,
    errors_of_scaling,
    in_turn,
    noise,
    suits,
)
from tests.nn.attention.test_masks import by_definition, masks

HERE = ["matmul", "sdpa:flash", "sdpa:math"]
DTYPES = [torch.float32, torch.bfloat16]
SHAPES = [(40, 40), (40, 70), (70, 40), (LONG, LONG), (LONG, LONG + 90)]
SCALINGS = typing.get_args(AttentionScale)


@pytest.mark.parametrize(("length", "mask", "bias"), GRID)
@pytest.mark.parametrize("name", HERE)
def test_single_precision_is_the_formula(name: str, length: tuple[int, int], mask: str, bias: str) -> None:
    check_single_precision(name, *length, mask, bias)


@pytest.mark.parametrize(("widths", "mask", "bias"), GRID_OF_WIDTHS)
@pytest.mark.parametrize("name", HERE)
def test_head_widths_and_values_of_another_width(name: str, widths: tuple[int, int], mask: str, bias: str) -> None:
    if suits(name, bias, widths):
        check_widths(name, widths, mask, bias)


@pytest.mark.parametrize(("length", "mask", "bias"), GRID)
@pytest.mark.parametrize("name", HERE)
def test_half_precision(name: str, length: tuple[int, int], mask: str, bias: str) -> None:
    for scale, spread in SCALES:
        check_half_precision(name, *length, mask, bias, scale, spread)


@pytest.mark.parametrize(("widths", "mask", "bias"), GRID_OF_WIDTHS[::2])
@pytest.mark.parametrize("name", HERE)
def test_head_widths_in_half_precision(name: str, widths: tuple[int, int], mask: str, bias: str) -> None:
    if suits(name, bias, widths):
        check_half_precision(name, 191, 192, mask, bias, None, 1.0, widths)


@pytest.mark.parametrize(("scaling", "mask", "bias"), in_turn(SCALINGS, list(MASKS), (False, True)))
def test_scalings(scaling: AttentionScale, mask: str, bias: bool) -> None:
    T, S = (129, 192) if bias else (129, 129)
    assert max(errors_of_scaling(scaling, "matmul", T, S, MASKS[mask](T, S), bias=bias, dtype=torch.float32)) <= 1e-5


@pytest.mark.parametrize(("scaling", "name", "mask"), in_turn(SCALINGS, ("sdpa:flash", "sdpa:math"), list(MASKS)))
def test_scalings_on_every_backend(scaling: AttentionScale, name: str, mask: str) -> None:
    assert max(errors_of_scaling(scaling, name, 129, 129, MASKS[mask](129, 129), bias=True, dtype=torch.float32)) <= 1e-5


@pytest.mark.parametrize(("scaling", "mask", "bias"), in_turn(SCALINGS, ("causal", "lengths", "dense"), (False, True)))
def test_scalings_in_half_precision(scaling: AttentionScale, mask: str, bias: bool) -> None:
    T, S = (129, 192) if bias else (129, 129)
    found = errors_of_scaling(scaling, "sdpa:flash", T, S, MASKS[mask](T, S), bias=bias, dtype=torch.bfloat16)
    assert found[0] <= 5e-3 and max(found[1:]) <= 1.2e-2


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", [*HERE, "reference"])
def test_a_query_that_sees_nothing_gives_nothing(name: str, dtype: torch.dtype, bias: bool) -> None:
    check_blind_queries(name, bias, dtype)


@pytest.mark.parametrize(("mask", "dtype", "learned"), in_turn(list(MASKS), DTYPES, (False, True)))
@pytest.mark.parametrize("name", HERE)
def test_a_query_whose_bias_hides_all_keys_gives_nothing(name: str, mask: str, dtype: torch.dtype, learned: bool) -> None:
    check_bias_that_hides_all(name, dtype, mask, learned)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", HERE)
def test_more_queries_than_keys_leave_the_first_ones_blind(name: str, dtype: torch.dtype) -> None:
    check_more_queries_than_keys(name, dtype)


@pytest.mark.parametrize(("mask", "dtype", "shape"), in_turn(list(MASKS), DTYPES, SHAPES))
@pytest.mark.parametrize("name", HERE)
def test_what_is_hidden_can_be_any_number(name: str, mask: str, dtype: torch.dtype, shape: tuple[int, int]) -> None:
    for bias in (False, True):
        check_hidden_numbers(name, mask, *shape, dtype, bias)


@settings(deadline=None, max_examples=200)
@given(masks())
def test_blocks_have_every_query_once_and_its_visible_keys(drawn: tuple[Mask, int, int]) -> None:
    mask, T, S = drawn
    truth, rebuilt, end = by_definition(mask, T, S), torch.zeros(3, T, S, dtype=torch.bool), 0
    for block in matmul.plan(mask, T, S, torch.float32, CPU):
        assert block.begin == end
        end, shape = block.end, (3, 1, block.end - block.begin, block.last - block.first)
        seen = torch.ones(shape, dtype=torch.bool) if block.tile is None else (block.tile == 0).expand(shape)
        seen = seen if block.blind is None else seen & ~block.blind
        rebuilt[:, block.begin : block.end, block.first : block.last] = seen[:, 0]
    assert end == T and torch.equal(rebuilt, truth)


def test_blocks_skip_what_is_hidden() -> None:
    T = 512
    blocks = matmul.plan(Causal(), T, T, torch.float32, CPU)
    assert sum((block.end - block.begin) * (block.last - block.first) for block in blocks) <= 0.63 * T * T


def test_rows_are_computed_in_groups_that_fit_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matmul, "SCORES_AT_ONCE", 1)
    monkeypatch.setattr(matmul, "FEWEST_PRODUCTS", 1)
    for mask in MASKS:
        check_single_precision("matmul", 129, 300, mask, "learned")


def test_the_order_of_preference() -> None:
    def chosen(q: Any, mask: Mask = Full(), bias: Any = None, **more: Any) -> str:  # noqa: B008
        return choose(describe(q, q, q, mask, bias), machine_of(CPU), **more)

    q, long = noise(2, 2, 64, K, seed=0).float(), noise(1, 2, 1024, K, seed=0).float()
    assert [chosen(x) for x in (q, q.double(), q.bfloat16(), long)] == ["matmul", "matmul", "sdpa:flash", "sdpa:flash"]
    assert chosen(long, Causal()) == "matmul"
    learned = noise(1, 2, 64, 64, seed=1).requires_grad_()
    assert chosen(q.bfloat16(), bias=learned) == "matmul"
    assert eligible(describe(q, q, q, Full(), None), machine_of(CPU)) == ("reference", *HERE)


def test_a_registered_backend_is_asked_first_and_may_refuse() -> None:
    q = noise(2, 2, 8, K, seed=0).float()
    register(
        Backend("half", "tests.nn.attention.formula:formula", lambda call, machine: "takes no mask" * (call.mask != "full"))
    )
    prefer(Preference(lambda call, machine: ("half",), ("half",), ("cpu",)))
    try:
        assert choose(describe(q, q, q, Full(), None), machine_of(CPU)) == "half"
        assert choose(describe(q, q, q, Causal(), None), machine_of(CPU)) == "matmul"
        assert torch.allclose(attention(q, q, q), attention(q, q, q, backend="matmul"), atol=1e-6)
    finally:
        del BACKENDS["half"]


def test_a_backend_that_is_not_installed_says_what_is_missing() -> None:
    q = noise(1, 1, 4, K, seed=0).float()
    register(Backend("fast", "nowhere:attend", installed=lambda: False, needs="a faster machine"))
    try:
        with pytest.raises(ConfigError, match=r"'fast' cannot run .*: it needs a faster machine; able: reference, matmul"):
            attention(q, q, q, backend="fast")
    finally:
        del BACKENDS["fast"]


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


def test_without_queries_keys_and_values_get_no_gradient() -> None:
    q, k, v = noise(B, H, 0, K, seed=0), noise(B, H, 5, K, seed=1).requires_grad_(), noise(B, H, 5, K, seed=2).requires_grad_()
    for _ in range(3):  # memory that nobody writes may hold zeros by chance
        torch.full((B, H, 5, K), torch.nan, dtype=torch.float64)
        z = attention(q, k, v, backend="matmul")
        assert z.shape == (B, H, 0, K)
        assert all((gradient == 0).all() for gradient in torch.autograd.grad(z.sum(), (k, v)))


def test_numbers_of_documents_that_all_rows_share() -> None:
    numbers = (torch.arange(LONG) // 50)[None]
    mask = Documents(numbers, numbers)
    T = numbers.shape[1]
    q, k, v = (noise(B, H, T, K, seed=i).requires_grad_() for i in range(3))
    z = attention(q, k, v, mask=mask, backend="matmul")
    truth = reference(q, k, v, mask=mask, bias=None, scale=K**-0.5)
    assert error(z, truth) <= 1e-10
    pairs = zip(torch.autograd.grad(z.sum(), (q, k, v)), torch.autograd.grad(truth.sum(), (q, k, v)), strict=True)
    assert all(error(found, wanted, 1.0) <= 1e-10 for found, wanted in pairs)


def test_forced_backends_that_cannot_say_why_and_who_can() -> None:
    q = noise(1, 1, 4, K, seed=0).float()
    learned = noise(1, 1, 4, 4, seed=1).float().requires_grad_()
    with pytest.raises(
        ConfigError, match=r"'sdpa:flash' cannot run float32 .*learned bias on cpu: it sends no gradient .*matmul"
    ):
        attention(q, q, q, bias=learned, backend="sdpa:flash")
    with pytest.raises(ConfigError, match="has no fast arithmetic for float16 on a CPU; use float32 or bfloat16"):
        attention(q.half(), q.half(), q.half())
    with pytest.raises(ConfigError, match="attention backend 'fastest'; known: auto, reference"), backend("fastest"):
        pass
    with backend("sdpa:math"):
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


def test_autocast_is_entered_after_folding() -> None:
    """Single precision in, the cast type out, and as accurate as rounding the inputs once."""
    q, k, v = (noise(B, H, 65, K, seed=i).float() for i in range(3))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        z = attention(q, k, v, mask=Causal())
    assert z.dtype == torch.bfloat16
    rounded = [x.bfloat16() for x in (q, k, v)]
    assert error(z, reference(*rounded, mask=Causal(), bias=None, scale=K**-0.5)) <= 5e-3
