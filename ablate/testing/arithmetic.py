"""The floating-point operations that torch's counter counts in a training step.

The counter reads 0 for attention that is fused on the CPU and for LSTM modules. So attention is computed by matrix products
here, and an LSTM step by step.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import linear
from torch.nn.utils.rnn import PackedSequence
from torch.utils.flop_counter import FlopCounterMode

from ablate.nn.attention import backend
from ablate.objectives.base import Objective

State = tuple[Tensor, Tensor]


def unrolled(self: nn.LSTM, x: Any, state: State | None = None) -> tuple[Any, State]:
    """`nn.LSTM.forward`, a matrix product at a time; no dropout. The inputs' products are taken for all steps at once."""
    packed = isinstance(x, PackedSequence)
    data_ND = x.data if packed else x.transpose(0, 1).flatten(0, 1)
    sizes = x.batch_sizes.tolist() if packed else [len(x)] * x.shape[1]
    last = []
    for layer in range(self.num_layers):
        w, u, b, d = (self.get_parameter(f"{n}_l{layer}") for n in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
        begin = torch.zeros(sizes[0], self.hidden_size)
        h, c = (begin, begin) if state is None else (state[0][layer], state[1][layer])
        written = []
        for entering in linear(data_ND, w, b).split(sizes):
            h, c = h[: len(entering)], c[: len(entering)]
            i, f, g, o = (entering + linear(h, u, d)).chunk(4, dim=1)
            c = f.sigmoid() * c + i.sigmoid() * g.tanh()
            h = o.sigmoid() * c.tanh()
            written.append(h)
        data_ND = torch.cat(written)
        last.append((h, c))
    state = (torch.stack([h for h, _ in last]), torch.stack([c for _, c in last]))
    if packed:
        return PackedSequence(data_ND, x.batch_sizes), state
    return data_ND.view(len(sizes), sizes[0], -1).transpose(0, 1), state


class Counted(NamedTuple):
    """Floating-point operations of the matrix products."""

    total: int
    batched: int
    """Those of a batch of matrices each, as the scores and the averages of attention."""


def counted(step: Callable[[], object]) -> Counted:
    """Floating-point operations of the products in `step`."""
    # The counter sees operations of torch's; the core in C is none.
    with pytest.MonkeyPatch.context() as patch, sdpa_kernel(SDPBackend.MATH), backend("matmul"):
        patch.setattr(nn.LSTM, "forward", unrolled)
        with FlopCounterMode(display=False) as counter:
            step()
    by_operation = counter.get_flop_counts().get("Global", {})
    batched = sum(number for operation, number in by_operation.items() if str(operation) in ("aten.bmm", "aten.baddbmm"))
    return Counted(int(counter.get_total_flops()), int(batched))


def training_step(model: Objective, batch: Any, index: int = 0) -> None:
    """One step as a trainer takes it, without the update where the trainer does it."""
    if model.automatic_optimization:
        model.training_step(batch, index).backward()
        return
    made = model.configure_optimizers() or []
    optimizers = [plain(optimizer) for optimizer in (made if isinstance(made, list | tuple) else [made])]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(model, "optimizers", lambda: optimizers)
        patch.setattr(model, "manual_backward", lambda loss, **options: loss.backward(**options))
        model.training_step(batch, index)


def plain(optimizer: Any) -> Any:
    """As Lightning wraps it: what is inside is its `optimizer`."""
    optimizer.optimizer = optimizer
    return optimizer
