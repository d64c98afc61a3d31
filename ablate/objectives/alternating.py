"""Alternating training: each network has its own optimizer, so one can learn while the others are frozen.

Each network has its own moments, weight decay and learning rate. A frozen network takes no step and updates no moment.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn


def optimizer_for_each(joint: torch.optim.Optimizer, rates: Mapping[nn.Module, float]) -> list[torch.optim.Optimizer]:
    """Return AdamW for each network with the settings of `joint`, its learning rate times the network's own factor."""
    optimizers: list[torch.optim.Optimizer] = []
    for network, rate in rates.items():
        own = {id(parameter) for parameter in network.parameters()}
        groups = [
            {**group, "lr": rate * group["lr"], "params": [p for p in group["params"] if id(p) in own]}
            for group in joint.param_groups
        ]
        optimizers.append(torch.optim.AdamW(groups))
    return optimizers
