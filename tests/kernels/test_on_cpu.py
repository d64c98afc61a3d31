"""The textbook's form and attention in C on the grids of the core's backends."""

from __future__ import annotations

import typing

import pytest
import torch

from ablate.config import AttentionScale
from ablate.kernels.compiled import library
from tests.nn.attention.formula import (
    GRID,
    GRID_OF_WIDTHS,
    LONG,
    MASKS,
    SCALES,
    check_bias_that_hides_all,
    check_blind_queries,
    check_half_precision,
    check_hidden_numbers,
    check_more_queries_than_keys,
    check_single_precision,
    check_widths,
    errors_of_scaling,
    in_turn,
)

HERE = ["naive", *(["native"] if library() else [])]
SHAPES = [(40, 40), (40, 70), (70, 40), (LONG, LONG), (LONG, LONG + 90)]
FLOAT, HALF = torch.float32, torch.bfloat16


@pytest.mark.parametrize(("length", "mask", "bias"), GRID)
@pytest.mark.parametrize("name", HERE)
def test_single_precision_is_the_formula(name: str, length: tuple[int, int], mask: str, bias: str) -> None:
    check_single_precision(name, *length, mask, bias)


@pytest.mark.parametrize(("widths", "mask", "bias"), GRID_OF_WIDTHS)
@pytest.mark.parametrize("name", HERE)
def test_head_widths_and_values_of_another_width(name: str, widths: tuple[int, int], mask: str, bias: str) -> None:
    check_widths(name, widths, mask, bias)


@pytest.mark.parametrize(("length", "mask", "bias"), GRID)
def test_half_precision(length: tuple[int, int], mask: str, bias: str) -> None:
    for scale, spread in SCALES:
        check_half_precision("naive", *length, mask, bias, scale, spread)


@pytest.mark.parametrize(("scaling", "mask", "name"), in_turn(typing.get_args(AttentionScale), list(MASKS), HERE))
def test_scalings(scaling: AttentionScale, mask: str, name: str) -> None:
    assert max(errors_of_scaling(scaling, name, 129, 129, MASKS[mask](129, 129), bias=True, dtype=FLOAT)) <= 1e-5


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(("name", "dtype"), [*((name, FLOAT) for name in HERE), ("naive", HALF)])
def test_blind_queries(name: str, dtype: torch.dtype, bias: bool) -> None:
    check_blind_queries(name, bias, dtype)
    check_more_queries_than_keys(name, dtype)


@pytest.mark.parametrize(("mask", "name", "learned"), in_turn(list(MASKS), HERE, (False, True)))
def test_a_query_whose_bias_hides_all_keys_gives_nothing(mask: str, name: str, learned: bool) -> None:
    check_bias_that_hides_all(name, FLOAT, mask, learned)


@pytest.mark.parametrize(("mask", "name", "shape"), in_turn(list(MASKS), HERE, SHAPES))
def test_what_is_hidden_can_be_any_number(mask: str, name: str, shape: tuple[int, int]) -> None:
    for bias in (False, True):
        check_hidden_numbers(name, mask, *shape, FLOAT, bias)
