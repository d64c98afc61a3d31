"""Decoding against its definition: what may be drawn, how probable it is, and that draws follow."""

from __future__ import annotations

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from ablate.config import ConfigError
from ablate.nn.decoding import Decoding, write

P = [0.4, 0.1, 0.25, 0.05, 0.2]


def log_probabilities(*rows: list[float]) -> torch.Tensor:
    return torch.tensor(rows, dtype=torch.float64).log()


def by_definition(p: list[float], temperature: float, top_k: int, top_p: float) -> list[float]:
    """Temperature, top-k and nucleus in plain Python, one type after the other."""
    weights = [x ** (1 / temperature) for x in p]
    total = sum(weights)
    weights = [w / total for w in weights]
    ranking = sorted(range(len(p)), key=lambda v: (-weights[v], v))
    if top_k:
        ranking = ranking[:top_k]
    total = sum(weights[v] for v in ranking)
    kept, held = [], 0.0
    for v in ranking:
        kept.append(v)
        held += weights[v] / total
        if held >= top_p - 1e-12:
            break
    total = sum(weights[v] for v in kept)
    return [weights[v] / total if v in kept else 0.0 for v in range(len(p))]


@settings(deadline=None, max_examples=200)
@given(
    counts=st.lists(st.integers(1, 1000), min_size=2, max_size=12),
    temperature=st.sampled_from([0.3, 0.7, 1.0, 2.5]),
    top_k=st.integers(0, 14),
    top_p=st.floats(0.0123, 1.0),
)
def test_probabilities_are_those_of_the_definition(counts: list[int], temperature: float, top_k: int, top_p: float) -> None:
    p = [count / sum(counts) for count in counts]
    by_rounding = by_definition(p, temperature, top_k, top_p - 1e-9) != by_definition(
        p, temperature, top_k, min(1.0, top_p + 1e-9)
    )
    assume(top_p == 1 or not by_rounding)
    found = Decoding(temperature=temperature, top_k=top_k, top_p=top_p).probabilities(log_probabilities(p))[0]
    assert found.tolist() == pytest.approx(by_definition(p, temperature, top_k, top_p), abs=1e-9)


@pytest.mark.parametrize(
    ("top_p", "kept"),
    [(0.39, {0}), (0.41, {0, 2}), (0.64, {0, 2}), (0.66, {0, 2, 4}), (0.96, {0, 1, 2, 3, 4}), (1.0, set(range(5)))],
)
def test_the_nucleus_is_the_smallest_set_that_reaches_p(top_p: float, kept: set[int]) -> None:
    found = Decoding(top_p=top_p).probabilities(log_probabilities(P))[0]
    assert set(found.nonzero().flatten().tolist()) == kept
    mass = sum(P[v] for v in kept)
    assert found.tolist() == pytest.approx([P[v] / mass if v in kept else 0 for v in range(5)])


def test_ties_go_to_the_lower_ids_and_k_keeps_k() -> None:
    equal = torch.zeros(1, 6)
    assert Decoding(top_k=2).probabilities(equal).tolist() == [[0.5, 0.5, 0, 0, 0, 0]]
    assert Decoding(top_p=0.5).probabilities(equal)[0].count_nonzero() == 3
    assert Decoding(greedy=True).pick(torch.tensor([[1.0, 3.0, 3.0], [2.0, 2.0, 1.0]]), torch.Generator()).tolist() == [1, 0]


def test_the_nucleus_is_taken_of_what_top_k_leaves() -> None:
    """Renormalised, the two most probable hold 0.4 / 0.65 = 0.62 and 0.38: the first alone reaches 0.6."""
    assert Decoding(top_k=2, top_p=0.6).probabilities(log_probabilities(P)).tolist() == [[1, 0, 0, 0, 0]]


@pytest.mark.parametrize(
    "decoding",
    [
        Decoding(),
        Decoding(temperature=0.5),
        Decoding(temperature=3.0),
        Decoding(top_k=3),
        Decoding(top_p=0.8),
        Decoding(top_k=4, top_p=0.9),
    ],
)
def test_draws_follow_the_probabilities(decoding: Decoding) -> None:
    draws = 20_000
    picked = decoding.pick(log_probabilities(P).expand(draws, -1), torch.Generator().manual_seed(0))
    expected = by_definition(P, decoding.temperature, decoding.top_k, decoding.top_p)
    kept = [v for v, share in enumerate(expected) if share]
    counts = torch.bincount(picked, minlength=len(P))
    assert counts.sum() == counts[kept].sum() == draws
    assert chisquare(counts[kept].tolist(), [draws * expected[v] for v in kept]).pvalue > 1e-3


def test_greedy_ignores_the_generator_and_the_rest() -> None:
    decoding = Decoding(greedy=True, temperature=9.0, top_k=3)
    assert decoding.probabilities(log_probabilities(P)).tolist() == [[1, 0, 0, 0, 0]]
    assert decoding.pick(log_probabilities(P, P[::-1]), torch.Generator()).tolist() == [0, 4]


def test_a_type_without_probability_is_never_drawn() -> None:
    logits = torch.tensor([[0.0, float("-inf"), 0.0]])
    for decoding in (Decoding(), Decoding(top_k=3), Decoding(top_p=0.99), Decoding(temperature=5.0)):
        assert decoding.probabilities(logits).tolist() == [[0.5, 0, 0.5]]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("temperature", [1e-40, 5e-324])
def test_the_limit_of_no_temperature_is_the_most_probable_type(temperature: float, dtype: torch.dtype) -> None:
    """Also where the temperature or its inverse is beyond the type of the logits, and where the best type is not alone."""
    logits = torch.tensor([[-3.0, 8.0, float("-inf")], [-5.0, -40.0, -5.0], [0.0, 0.0, -1e-3]], dtype=dtype)
    found = Decoding(temperature=temperature).probabilities(logits)
    assert found.tolist() == [[0, 1, 0], [0.5, 0, 0.5], [0.5, 0.5, 0]]
    assert Decoding(temperature=temperature).pick(logits[:1], torch.Generator()).tolist() == [1]


def test_one_generator_gives_one_sequence() -> None:
    logits = torch.randn(50, 20, generator=torch.Generator().manual_seed(1))
    picked = [Decoding(top_p=0.9).pick(logits, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)]
    assert picked[0].dtype == torch.int64
    assert torch.equal(picked[0], picked[1])
    assert not torch.equal(picked[0], picked[2])


def test_the_callers_logits_stay_as_they_are() -> None:
    logits = log_probabilities(P)
    before = logits.clone()
    Decoding(temperature=0.5, top_k=2, top_p=0.5).probabilities(logits)
    assert torch.equal(logits, before)


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"temperature": 0.0}, "decoding.temperature = 0.0"),
        ({"temperature": -1.0}, "decoding.temperature = -1.0"),
        ({"temperature": float("nan")}, "decoding.temperature = nan"),
        ({"top_p": 0.0}, "decoding.top_p = 0.0"),
        ({"top_p": 1.5}, "decoding.top_p = 1.5"),
        ({"top_k": -1}, "decoding.top_k = -1"),
        ({"top_k": 1.5}, "decoding.top_k = 1.5, but must be a whole number"),
    ],
)
def test_what_decodes_nothing_is_refused(fields: dict[str, float], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        Decoding(**fields)


END, PADDING = 1, 0


def test_writing_reads_each_token_once_and_pads_what_has_ended() -> None:
    """Three rows that count down from their prompt to the end; the second has ended two tokens before the first."""
    read: list[list[list[int]]] = []

    def step(unread: torch.Tensor) -> torch.Tensor:
        read.append(unread.tolist())
        return unread[:, -1] - 1

    prompts = torch.tensor([[9, 5], [9, 3], [9, 4]])
    assert write(step, prompts, 6, end=END, padding=PADDING).tolist() == [
        [4, 3, 2, 1, 0, 0],
        [2, 1, 0, 0, 0, 0],
        [3, 2, 1, 0, 0, 0],
    ]
    # Once all rows have ended nothing more is asked for.
    assert [len(rows[0]) for rows in read] == [2, 1, 1, 1]
    assert [rows[0] for rows in read] == [[9, 5], [4], [3], [2]]
    assert write(step, prompts, 2, end=END, padding=PADDING).tolist() == [[4, 3], [2, 1], [3, 2]]


def test_writing_nothing_or_after_nothing_is_refused() -> None:
    def step(unread: torch.Tensor) -> torch.Tensor:
        raise AssertionError

    for length in (0, -3):
        with pytest.raises(ConfigError, match=f"length = {length}, but must be at least 1 token"):
            write(step, torch.tensor([[5]]), length, end=END, padding=PADDING)
    with pytest.raises(ConfigError, match="the prompt is empty"):
        write(step, torch.empty(2, 0, dtype=torch.long), 1, end=END, padding=PADDING)
