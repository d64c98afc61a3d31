"""Networks that take turns: each has an optimizer of its own, so that one can learn while the others rest.

Moments, weight decay and learning rate are then each network's own; what rests has no step taken and no moment updated.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn


def optimizer_for_each(joint: torch.optim.Optimizer, rates: Mapping[nn.Module, float]) -> list[torch.optim.Optimizer]:
    """AdamW for each network with the settings of `joint`, its learning rate times the network's own."""
    found: list[torch.optim.Optimizer] = []
    for network, rate in rates.items():
        own = {id(parameter) for parameter in network.parameters()}
        groups = [
            {**group, "lr": rate * group["lr"], "params": [p for p in group["params"] if id(p) in own]}
            for group in joint.param_groups
        ]
        found.append(torch.optim.AdamW(groups))
    return found
