"""The attention core in C: against the formula in float64, at its edges, and what happens where it cannot be had."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from ablate.kernels import compiled, native
from ablate.kernels.key_intervals import intervals, runs
from ablate.nn.attention import Causal, Dense, Documents, Full, Lengths, Mask, Prefix, attention
from ablate.nn.attention.backends import Call, choose, machine_of
from ablate.nn.attention.reference import attend as reference
from ablate.nn.attention.scales import scale_of

needs_library = pytest.mark.skipif(compiled.library() is None, reason=f"attention in C is {compiled.state()}")
CPU = torch.device("cpu")


def noise(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def laid_out(B: int, H: int, length: int, width: int, layout: str, seed: int) -> Tensor:
    if layout == "heads first":
        return noise(B, H, length, width, seed=seed)
    if layout == "places first":
        return noise(B, length, H, width, seed=seed).transpose(1, 2)
    # All around it is what would spoil whatever read it.
    whole = torch.full((B + 2, length + 2, H + 2, width + 2), torch.nan)
    part = whole[1:-1, 1:-1, 1:-1, 1:-1].transpose(1, 2)
    return part.copy_(noise(B, H, length, width, seed=seed))


KINDS = ("full", "causal", "prefix", "lengths", "documents", "scattered documents", "dense", "dense, by key")
KINDS += ("causal & documents", "lengths & dense")


def mask_of(kind: str, B: int, T: int, S: int) -> Mask:
    def numbers(length: int) -> Tensor:
        return (torch.arange(length).expand(B, length) + torch.arange(B)[:, None]) // 37

    masks: dict[str, Callable[[], Mask]] = {
        "full": Full,
        "causal": Causal,
        "prefix": lambda: Prefix(max(1, S // 3)),
        "lengths": lambda: Lengths(torch.arange(B) * S // max(1, B - 1)),
        "documents": lambda: Documents(numbers(T), numbers(S)),
        "scattered documents": lambda: Documents(numbers(T) % 2, numbers(S) % 2),
        "dense": lambda: Dense(noise(B, 1, T, S, seed=7) > 0.5),
        "dense, by key": lambda: Dense(noise(1, 1, 1, S, seed=7) > 0),
        "causal & documents": lambda: Causal() & Documents(numbers(T), numbers(S)),
        "lengths & dense": lambda: Lengths(torch.arange(B) * S // max(1, B - 1)) & Dense(noise(1, 1, T, S, seed=7) > 0),
    }
    return masks[kind]()


@needs_library
@settings(deadline=None, max_examples=300)
@given(
    B=st.integers(1, 3),
    H=st.integers(1, 3),
    T=st.sampled_from((1, 2, 5, 6, 7, 63, 64, 95, 96, 97, 130, 200)),
    S=st.sampled_from((1, 3, 15, 16, 17, 64, 65, 100, 129)),
    K=st.sampled_from((1, 3, 8, 16, 24, 32, 33, 64, 65, 96, 128, 130)),
    V=st.sampled_from((1, 7, 16, 32, 64, 80, 128)),
    kind=st.sampled_from(KINDS),
    bias=st.sampled_from((None, "BHTS", "1HTS", "1H1S", "B1TS", "1HT1", "111S")),
    layout=st.sampled_from(("heads first", "places first", "guarded")),
    threads=st.sampled_from((1, 2, 3)),
)
def test_outputs_and_gradients_are_the_formula(
    B: int, H: int, T: int, S: int, K: int, V: int, kind: str, bias: str | None, layout: str, threads: int
) -> None:
    q, k, v = (laid_out(B, H, n, w, layout, seed) for seed, (n, w) in enumerate(((T, K), (S, K), (S, V))))
    extents = {"B": B, "H": H, "T": T, "S": S, "1": 1}
    added = None if bias is None else noise(*(extents[letter] for letter in bias), seed=3)
    mask, scale = mask_of(kind, B, T, S), K**-0.5
    leaves = [x.requires_grad_() for x in (q, k, v, added) if x is not None]
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        z = attention(q, k, v, mask=mask, bias=added, backend="native")
        dz = z.detach() + laid_out(B, H, T, V, layout, 6)
        found = torch.autograd.grad(z, leaves, dz)
    finally:
        torch.set_num_threads(before)
    exact = {id(x): x.detach().double().requires_grad_() for x in leaves}
    q_, k_ = exact[id(q)], exact[id(k)]
    truth = reference(q_, k_, exact[id(v)], mask=mask, bias=None if added is None else exact[id(added)], scale=scale)
    wanted = torch.autograd.grad(truth, [exact[id(x)] for x in leaves], dz.double())
    # Errors grow with the largest score. Sums may cancel, to nothing for one key, so they are relative to the largest gradient.
    exactness = 2e-6 * max(1.0, scale * float((q_ @ k_.mT).detach().abs().max()))
    values = float(v.detach().abs().max()) * T**0.5
    assert float((z.detach().double() - truth.detach()).norm()) <= exactness * (float(truth.detach().norm()) + values)
    largest = max(float(x.norm()) for x in (*wanted, dz.double()))
    for one, other in zip(found, wanted, strict=True):
        assert float((one.double() - other).norm()) <= exactness * largest


@needs_library
@pytest.mark.parametrize("kind", ["full", "causal", "dense"])
def test_the_same_bits_on_any_number_of_threads(kind: str) -> None:
    q, k, v = (noise(3, 4, 130, 64, seed=seed).requires_grad_() for seed in range(3))
    bias = noise(1, 4, 130, 130, seed=4).requires_grad_()
    before, found = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 3, 16):
            torch.set_num_threads(threads)
            z = attention(q, k, v, mask=mask_of(kind, 3, 130, 130), bias=bias, backend="native")
            found.append([z, *torch.autograd.grad(z, (q, k, v, bias), z.detach() + 1)])
            z = attention(q, k, v, mask=mask_of(kind, 3, 130, 130), backend="native")
            found[-1] += [z, *torch.autograd.grad(z, (q, k, v), z.detach() + 1)]
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(one, other) for other in found[1:] for one, other in zip(found[0], other, strict=True))


@needs_library
def test_weights_over_the_whole_range_of_a_score() -> None:
    """Keys one after the other further below the best, to where nothing is left of a weight; V is the identity."""
    S = 2250
    below = torch.linspace(0.0, 100.0, S)
    q, k = torch.ones(1, 1, 1, 1), -below[None, None, :, None]
    weights = attention(q, k, torch.eye(S)[None, None], scale=1.0, backend="native")[0, 0, 0].double()
    truth = torch.softmax(-below.double(), dim=0)
    # e^-87 is 1.6e-38, the best weight here 0.043.
    normal = truth > 8e-40
    assert ((weights - truth).abs() / truth)[normal & (below < 86.9)].max() <= 1e-6
    assert (weights[~normal] <= 8e-40).all()


@needs_library
def test_odd_numbers_spoil_their_own_row_and_no_other() -> None:
    q, k, v = noise(1, 1, 5, 64, seed=0), noise(1, 1, 9, 64, seed=1), noise(1, 1, 9, 64, seed=2)
    q[0, 0, 1], q[0, 0, 2, 7], q[0, 0, 3, 9], k[0, 0, 4] = 0, torch.nan, torch.inf, 0
    x = q.clone().requires_grad_()
    z = attention(x, k, v, scale=0.1, backend="native")
    assert torch.allclose(z[0, 0, 1], v[0, 0].mean(dim=0), atol=1e-6)
    assert z[0, 0, 2].isnan().all()
    assert z[0, 0, 3].isnan().all()
    assert z[0, 0, [0, 4]].isfinite().all()
    (gradient,) = torch.autograd.grad(z, x, torch.ones_like(z))
    assert gradient[0, 0, 2].isnan().all()
    assert gradient[0, 0, [0, 1, 4]].isfinite().all()


@needs_library
def test_scores_of_minus_infinity_take_no_part() -> None:
    q, k, v = (noise(1, 1, 4, 16, seed=seed) for seed in range(3))
    bias = torch.zeros(1, 1, 4, 4).masked_fill(torch.eye(4, dtype=torch.bool), -torch.inf)
    wanted = attention(q, k, v, mask=Dense(~torch.eye(4, dtype=torch.bool)[None, None]), backend="reference")
    assert torch.allclose(attention(q, k, v, bias=bias, backend="native"), wanted, atol=1e-6)


@needs_library
def test_a_graph_may_be_gone_through_twice_and_not_to_the_second_order() -> None:
    q = noise(2, 2, 9, 16, seed=0).requires_grad_()
    z = attention(q, q, q, backend="native")
    once, twice = (torch.autograd.grad(z, q, torch.ones_like(z), retain_graph=True)[0] for _ in range(2))
    assert torch.equal(once, twice)
    dz = torch.ones_like(z, requires_grad=True)
    (first,) = torch.autograd.grad(z, q, dz, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        first.sum().backward()


@needs_library
def test_gradients_however_they_arrive() -> None:
    q, k, v = (noise(2, 3, 5, 16, seed=seed).requires_grad_() for seed in range(3))
    z = attention(q, k, v, mask=Causal(), backend="native")
    truth = reference(q, k, v, mask=Causal(), bias=None, scale=0.25)
    for dz in (
        torch.ones(()).expand(2, 3, 5, 16),
        noise(2, 3, 16, 5, seed=4).mT,
        noise(2, 5, 3, 16, seed=4).transpose(1, 2),
        torch._neg_view(noise(2, 3, 5, 16, seed=4)),
    ):
        found = torch.autograd.grad(z, (q, k, v), dz, retain_graph=True)
        for one, other in zip(found, torch.autograd.grad(truth, (q, k, v), dz.double(), retain_graph=True), strict=True):
            assert torch.allclose(one, other, atol=1e-5)


@needs_library
def test_extreme_temperatures() -> None:
    q, v = noise(1, 2, 3, 16, seed=0).requires_grad_(), noise(1, 2, 3, 16, seed=1)
    scale = scale_of("qk-norm", 1.0, 2, 16, context=9)
    for log_t in (-52.0, 50.0):
        torch.nn.init.constant_(next(scale.parameters()), log_t)
        z = attention(q, q.detach(), v, scale=scale, backend="native")
        assert torch.autograd.grad(z, q, z.detach() + 1)[0].isfinite().all()


@needs_library
def test_weights_are_kept_for_a_gradient_only_and_only_where_a_query_sees_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[int] = []
    real = native._call_of
    monkeypatch.setattr(
        native, "_call_of", lambda *given: kept.append(0 if (w := given[-1]) is None else len(w)) or real(*given)
    )
    x, T = noise(2, 4, 512, 32, seed=0), 512
    attention(x, x, x, backend="native")
    with torch.no_grad():
        attention(x.requires_grad_(), x, x, backend="native")
    documents = (torch.arange(T) // 64).expand(2, T)
    for mask in (Full(), Causal(), Documents(documents, documents)):
        attention(x, x, x, mask=mask, backend="native")
    everything = 2 * 4 * T * T
    assert kept[:2] == [0, 0]
    assert everything <= kept[2] <= 1.05 * everything
    assert kept[3] <= 0.65 * everything
    assert kept[4] <= 0.35 * everything


def test_intervals_are_the_mask() -> None:
    T, S = 100, 129
    for kind in ("full", "causal", "prefix", "lengths", "documents", "scattered documents", "dense", "causal & documents"):
        mask = mask_of(kind, 3, T, S)
        first, stop, table = intervals(mask, T, S)
        places = torch.arange(S)
        seen = (first[:, None, :, None] <= places) & (places < stop[:, None, :, None])
        assert torch.equal(
            (seen if table is None else seen & table).expand(3, 1, T, S), mask.dense(T, S, CPU).expand(3, 1, T, S)
        )
        assert (table is None) == (kind not in ("scattered documents", "dense"))


def test_runs_are_the_documents_of_a_row() -> None:
    numbers = torch.tensor([[4, 4, 4, 7, 7], [1, 2, 2, 2, 2]])
    mask = Documents(numbers, numbers)
    assert (found := runs(mask, 5, 5)) is not None
    assert [[(run.begin, run.end, run.first, run.last) for run in row] for row in found] == [
        [(0, 3, 0, 3), (3, 5, 3, 5)],
        [(0, 1, 0, 1), (1, 5, 1, 5)],
    ]
    assert runs(mask, 6, 5) is None, "numbers widened to the call are no runs"
    back = torch.tensor([[1, 2, 1]])
    assert runs(Documents(back, back), 3, 3) is None, "a number that comes back is no run"
    (run,) = (runs(Documents(torch.tensor([[3]]), torch.tensor([[1, 1]])), 1, 2) or [[]])[0]
    assert run.first == run.last, "a document without keys"


def test_the_choice_of_it() -> None:
    here = replace(machine_of(CPU), lacks=())
    call = Call(dtype="float32", B=2, H=4, T=64, S=64, K=64, value_width=64, mask="full")
    assert choose(call, here) == "native"
    assert choose(replace(call, bias="learned", mask="dense"), here) == "native"
    assert choose(replace(call, T=63), here) == choose(replace(call, B=1), here) == "matmul"
    assert choose(call, replace(here, lacks=("native",))) == "matmul"
    assert choose(replace(call, dtype="float64"), here) == "matmul"
    assert choose(replace(call, dtype="bfloat16"), here) == "sdpa:flash"
