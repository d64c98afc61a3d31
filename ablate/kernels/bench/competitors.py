"""The competitors of a point, each called as a layer calls it.

Queries, keys and values are strided views of one packed projection [B, T, 3, H, K]. The output is merged to [B, T, H x K], and
its gradient has the same strides. Kernels meet these layouts in a model, and contiguous inputs would hide their cost. Numbers
are random normal; zeros draw less power and run faster.

Competitors of a point: each backend that can run it, `auto`, and `auto` again (A/A). For two streams also

| name | what it is |
| --- | --- |
| dense:BACKEND | XLNet as published: tokens in text order, a mask of its own for each row and stream |
| hugging-face | the core of transformers' XLNet, which also computes a relative term: another function, so it has no error |

Where scalings compete, each competitor is `auto` with one of them, and where freed memory can be kept, the textbook competes
too. A learned bias is a tensor [1, H, T, S], because T5 looks up its table once for all layers.

Shape letters: B rows, T places, M of them predicted, H heads, K head width.
"""

from __future__ import annotations

import contextlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from ablate.config import AttentionScale
from ablate.kernels import freed_memory, install
from ablate.kernels.bench.grid import SCALINGS, Point
from ablate.nn.attention import attention
from ablate.nn.attention.backends import AUTO, Call, Machine, choose, eligible
from ablate.nn.attention.masks import Dense, Mask, kind
from ablate.nn.attention.packing import Documents
from ablate.nn.attention.scales import Scale, scale_of
from ablate.nn.biases import BUCKETS, Buckets

AGAIN = " again"
"""Suffix of the competitor that repeats another one."""
HUGGING_FACE = "hugging-face"
DENSE = "dense:"


class Leaf(NamedTuple):
    """A tensor that gets a gradient."""

    tensor: Tensor
    heads: int
    """Its dimension of heads."""
    of_rows: bool = True

    def part(self, tensor: Tensor, rows: int, heads: int) -> Tensor:
        """The first rows and heads of `tensor`, which has the shape of this one."""
        return (tensor[:rows] if self.of_rows else tensor).narrow(self.heads, 0, heads)


Forward = Callable[[tuple[Tensor, ...], Scale, str], Tensor]
"""(leaves, scaling, backend) -> [B, places, H x K]; the leaves may be the first rows and heads only."""


@dataclass(frozen=True, kw_only=True)
class Contender:
    """One competitor at one point."""

    name: str
    backend: str
    """The backend by request."""
    runs: str
    """The backend that runs: `auto` resolved, or a name that is no backend."""
    leaves: tuple[Leaf, ...]
    forward: Forward
    out: Tensor
    """The gradient of the output."""
    scaling: AttentionScale = "inverse-sqrt"
    checked: bool = True

    def scale(self, point: Point, heads: int) -> Scale:
        """Its scaling as initialised, for the first `heads` heads."""
        return scale_of(self.scaling, 1.0, heads, point.head_width, point.length).to(self.out.device)


Compete = Literal["compared", "all"]
"""`compared`: the textbook and the first of torch's kernels; `all`: every backend that can run the point."""


def contenders(point: Point, machine: Machine, device: torch.device, dtype: torch.dtype, compete: Compete) -> list[Contender]:
    """All competitors of a point, in the order of `names`."""
    form = _two_streams(point, device, dtype) if point.mask == "two-stream" else _one_stream(point, device, dtype)
    install()
    chosen = " + ".join(dict.fromkeys(choose(call, machine) for call in calls(point, machine, dtype)))

    def made(name: str, backend: str, runs: str, scaling: AttentionScale = "inverse-sqrt") -> Contender:
        return Contender(
            name=name, backend=backend, runs=runs, leaves=form.leaves, forward=form.forward, out=form.out, scaling=scaling
        )

    if point.scalings:
        again = made(SCALINGS[0] + AGAIN, AUTO, chosen, SCALINGS[0])
        textbook = [made(name, name, name) for name in _beside_scalings(machine)]
        return [*(made(name, AUTO, chosen, name) for name in SCALINGS), again, *textbook]
    able = backends(point, machine, dtype, compete)
    found = [made(name, name, name) for name in able]
    if point.mask == "two-stream":
        found += _textbook(point, form, [name for name in able if name in TEXTBOOK])
        if importlib.util.find_spec("transformers") is not None:
            found.append(_hugging_face(point, device, dtype))
    return [*found, made(AUTO, AUTO, chosen), made(AUTO + AGAIN, AUTO, chosen)]


def names(point: Point, machine: Machine, dtype: torch.dtype, compete: Compete) -> list[str]:
    """The names of `contenders` on any machine; nothing is allocated."""
    if point.scalings:
        return [*SCALINGS, SCALINGS[0] + AGAIN, *_beside_scalings(machine)]
    able = backends(point, machine, dtype, compete)
    extra = []
    if point.mask == "two-stream":
        extra = [DENSE + name for name in able if name in TEXTBOOK]
        extra += [HUGGING_FACE] if importlib.util.find_spec("transformers") is not None else []
    return [*able, *extra, AUTO, AUTO + AGAIN]


def backends(point: Point, machine: Machine, dtype: torch.dtype, compete: Compete) -> list[str]:
    """Backends that can run all calls of the point."""
    install()
    each = [eligible(call, machine) for call in calls(point, machine, dtype)]
    able = [name for name in each[0] if name != "reference" and all(name in others for others in each)]
    if compete == "all":
        return able
    fused = next((name for name in TORCH if name in able), "")
    return [name for name in able if name in ("naive", fused)]


def _beside_scalings(machine: Machine) -> tuple[str, ...]:
    return ("naive",) if machine.device == "cpu" and freed_memory.can_be_kept() else ()


TORCH = ("sdpa:cudnn", "sdpa:flash-2", "sdpa:flash", "sdpa:efficient", "sdpa:math")
"""Kernels of torch, the usually fastest first."""
TEXTBOOK = ("naive", *TORCH[:-1])
"""Backends on which the dense form of the two streams is timed."""


class _Form(NamedTuple):
    leaves: tuple[Leaf, ...]
    forward: Forward
    out: Tensor


def _one_stream(point: Point, device: torch.device, dtype: torch.dtype) -> _Form:
    B, T, H, K = point.rows, point.length, point.heads, point.head_width
    packed = torch.randn(B, T, 3, H, K, device=device, dtype=dtype).requires_grad_()
    leaves = [Leaf(packed, 3)]
    if point.mask == "biased":
        table_NH = torch.randn(BUCKETS, H, device=device)
        bias = Buckets(table_NH, both_sides=True).dense(T, T).contiguous().to(dtype).requires_grad_()
        leaves.append(Leaf(bias, 1, of_rows=False))
    (mask,) = point.masks(device)

    def forward(given: tuple[Tensor, ...], scale: Scale, backend: str) -> Tensor:
        here = _first(mask, given[0].shape[0])
        q, k, v = given[0].permute(2, 0, 3, 1, 4).unbind(0)
        with _precision(dtype, given[0]):
            bias = (*given, None)[1]
            return _merged(attention(q, k, v, mask=here, bias=bias, scale=scale, backend=backend))

    return _Form(tuple(leaves), forward, torch.randn(B, T, H * K, device=device, dtype=dtype))


def _two_streams(point: Point, device: torch.device, dtype: torch.dtype) -> _Form:
    """In the order of prediction: context, then what is predicted; see `ablate.nn.two_stream`."""
    B, T, M, H, K = point.rows, point.length, point.predicted, point.heads, point.head_width
    packed = torch.randn(B, T, 3, H, K, device=device, dtype=dtype).requires_grad_()
    queries = torch.randn(B, M, H, K, device=device, dtype=dtype).requires_grad_()
    of_content, of_query = point.masks(device)

    def forward(given: tuple[Tensor, ...], scale: Scale, backend: str) -> Tensor:
        q, k, v = given[0].permute(2, 0, 3, 1, 4).unbind(0)
        g = given[1].transpose(1, 2)
        with _precision(dtype, given[0]):
            content = attention(q, k, v, mask=of_content, backend=backend)
            query = attention(g, k[..., :-1, :], v[..., :-1, :], mask=of_query, backend=backend)
        return torch.cat([_merged(content), _merged(query)], dim=1)

    out = torch.randn(B, T + M, H * K, device=device, dtype=dtype)
    return _Form((Leaf(packed, 3), Leaf(queries, 2)), forward, out)


def _textbook(point: Point, form: _Form, backends: list[str]) -> list[Contender]:
    """The two streams over tokens in text order, where each row and stream needs a mask as a table."""
    B, T, M = point.rows, point.length, point.predicted
    packed, queries = (leaf.tensor.detach() for leaf in form.leaves)
    device = packed.device
    rank_BT = torch.stack([torch.randperm(T, device=device) for _ in range(B)])
    inputs = packed.gather(1, rank_BT[..., None, None, None].expand_as(packed)).requires_grad_()
    sees_BTT = (rank_BT[:, None, :] <= rank_BT[:, :, None]) | (rank_BT[:, None, :] < T - M)
    sees_BMT = rank_BT[:, None, :] < torch.arange(T - M, T, device=device)[None, :, None]
    of_content, of_query = Dense(sees_BTT[:, None]), Dense(sees_BMT[:, None])
    order_BP = torch.cat([rank_BT, torch.arange(T, T + M, device=device).expand(B, M)], dim=1)
    out = form.out.gather(1, order_BP[..., None].expand_as(form.out))

    def forward(given: tuple[Tensor, ...], scale: Scale, backend: str) -> Tensor:
        rows = given[0].shape[0]
        q, k, v = given[0].permute(2, 0, 3, 1, 4).unbind(0)
        with _precision(packed.dtype, given[0]):
            content = attention(q, k, v, mask=_first(of_content, rows), backend=backend)
            query = attention(given[1].transpose(1, 2), k, v, mask=_first(of_query, rows), backend=backend)
        return torch.cat([_merged(content), _merged(query)], dim=1)

    leaves = (Leaf(inputs, 3), Leaf(queries.clone().requires_grad_(), 2))
    return [Contender(name=DENSE + n, backend=n, runs=n, leaves=leaves, forward=forward, out=out) for n in backends]


def _hugging_face(point: Point, device: torch.device, dtype: torch.dtype) -> Contender:
    """Both streams through `rel_attn_core`, in its own layout [T, B, H, K]."""
    from transformers.models.xlnet.configuration_xlnet import XLNetConfig
    from transformers.models.xlnet.modeling_xlnet import XLNetRelativeAttention

    B, T, M, H, K = point.rows, point.length, point.predicted, point.heads, point.head_width
    core = XLNetRelativeAttention(XLNetConfig(d_model=H * K, n_head=H, d_inner=1, dropout=0.0))
    core = core.to(device=device, dtype=dtype).requires_grad_(False)
    for parameter in core.parameters():
        torch.nn.init.normal_(parameter, std=0.02)
    packed = torch.randn(T, B, 3, H, K, device=device, dtype=dtype).requires_grad_()
    queries = torch.randn(M, B, H, K, device=device, dtype=dtype).requires_grad_()
    distances = torch.randn(2 * T, B, H, K, device=device, dtype=dtype).requires_grad_()
    rank_TB = torch.stack([torch.randperm(T, device=device) for _ in range(B)], dim=1)
    context = T - M
    hidden_of_content = ((rank_TB[None] > rank_TB[:, None]) & (rank_TB[None] >= context))[..., None].to(dtype)
    hidden_of_query = ((rank_TB[None] >= rank_TB[:, None]) & (rank_TB[None] >= context))[..., None].to(dtype)
    # The place of the text of each query of the second stream: [M, T, B].
    targets = (rank_TB[None] == torch.arange(context, T, device=device)[:, None, None]).to(dtype)

    def forward(given: tuple[Tensor, ...], scale: Scale, backend: str) -> Tensor:
        heads, g, r = given
        q, k, v = heads.unbind(2)
        content = core.rel_attn_core(q, k, v, r, attn_mask=hidden_of_content)
        placed = torch.einsum("mbnd,mlb->lbnd", g, targets)
        query = core.rel_attn_core(placed, k, v, r, attn_mask=hidden_of_query)
        query = torch.einsum("lbnd,mlb->mbnd", query, targets)
        return torch.cat([content.flatten(2), query.flatten(2)])

    leaves = (Leaf(packed, 3), Leaf(queries, 2), Leaf(distances, 2))
    out = torch.randn(T + M, B, H * K, device=device, dtype=dtype)
    return Contender(
        name=HUGGING_FACE,
        backend=HUGGING_FACE,
        runs=HUGGING_FACE,
        leaves=leaves,
        forward=forward,
        out=out,
        checked=False,
    )


def calls(point: Point, machine: Machine, dtype: torch.dtype) -> list[Call]:
    """The point's calls of the core as the rules see them."""
    shapes = [(point.length, point.length)]
    if point.mask == "two-stream":
        shapes.append((point.predicted, point.length - 1))
    return [
        Call(
            dtype=str(dtype).removeprefix("torch."),
            B=point.rows,
            H=point.heads,
            T=T,
            S=S,
            K=point.head_width,
            value_width=point.head_width,
            mask=kind(mask),
            bias="learned" if point.mask == "biased" else "none",
        )
        for (T, S), mask in zip(shapes, point.masks(torch.device("cpu")), strict=True)
    ]


def _first(mask: Mask, rows: int) -> Mask:
    """The mask of the first rows."""
    if isinstance(mask, Documents) and mask.queries_BT.shape[0] > rows:
        numbers = mask.queries_BT[:rows]
        return Documents(numbers, numbers)
    if isinstance(mask, Dense) and mask.visible.shape[0] > rows:
        return Dense(mask.visible[:rows])
    return mask


def _precision(dtype: torch.dtype, given: Tensor) -> contextlib.AbstractContextManager[object]:
    """Autocast as in training, so that scalings are folded in before the cast; none for the float64 of a check."""
    if dtype == torch.float32 or given.dtype == torch.float64:
        return contextlib.nullcontext()
    return torch.autocast(given.device.type, dtype=dtype)


def _merged(z_BHTK: Tensor) -> Tensor:
    return z_BHTK.transpose(1, 2).flatten(2)
