"""One optimizer for each network: all settings as before, every parameter in exactly one, rates of their own."""

from __future__ import annotations

import torch
from torch import nn

from ablate.objectives.alternating import optimizer_for_each


def test_settings_stay_and_only_the_rate_is_the_networks_own() -> None:
    first, second = nn.Linear(3, 2), nn.Linear(2, 1)
    groups = [
        {"params": [first.weight, second.weight], "weight_decay": 0.2},
        {"params": [first.bias, second.bias], "weight_decay": 0.0},
    ]
    joint = torch.optim.AdamW(groups, lr=0.5, betas=(0.8, 0.9), fused=True)
    found = optimizer_for_each(joint, {first: 1.0, second: 0.1})
    for optimizer, network, rate in zip(found, (first, second), (0.5, 0.05), strict=True):
        decayed, spared = optimizer.param_groups
        assert (decayed["weight_decay"], spared["weight_decay"]) == (0.2, 0.0)
        assert decayed["params"][0] is network.weight and spared["params"][0] is network.bias
        assert all(group["lr"] == rate and group["betas"] == (0.8, 0.9) and group["fused"] for group in optimizer.param_groups)


def test_a_network_at_rest_stays_bit_for_bit() -> None:
    torch.manual_seed(0)
    first, second = nn.Linear(3, 2), nn.Linear(2, 1)
    joint = torch.optim.AdamW([*first.parameters(), *second.parameters()], lr=0.1)
    stepped, _ = optimizer_for_each(joint, {first: 1.0, second: 1.0})
    before = [parameter.detach().clone() for parameter in (*first.parameters(), *second.parameters())]
    second(first(torch.ones(1, 3))).sum().backward()
    stepped.step()
    moved = [not torch.equal(a, b) for a, b in zip(before, (*first.parameters(), *second.parameters()), strict=True)]
    assert moved == [True, True, False, False]
