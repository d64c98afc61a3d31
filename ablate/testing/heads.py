"""Every head of the loss is known, and its logits do not depend on what they may not see.

    for each field of the batch that `sees` names, and each of some places in it:
        change the number there; each head's logits that may not see it keep every bit

An unknown head could read anything. So each part of the loss has a head of its name, and every parameter that the loss
trains is one that the heads' logits depend on.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ablate.data.token_store import TokenStore
from ablate.objectives.base import Objective
from ablate.testing.cases import BATCH, FIRST, Case, Texts, V, batch_of

PLACES = 40
"""Places of a field that are changed."""


class HeadsContract(Texts):
    def test_every_part_of_the_loss_has_a_head(self, case: Case, store: TokenStore) -> None:
        model = case.build()
        batch = batch_of(model, store, range(BATCH))
        heads, seen, parts = model.predictions(batch), model.sees(batch), model.losses(batch).parts
        case.keep(
            sorted(heads) == sorted(parts),
            f"predictions has heads {names(heads)}, but losses parts {names(parts)}",
        )
        case.keep(sorted(seen) == sorted(heads), f"sees has heads {names(seen)}, but predictions {names(heads)}")
        trained = {path: parameter for path, parameter in model.named_parameters() if parameter.requires_grad}
        of_loss = reached(model.losses(batch).loss, trained)
        # A random weight for each number: a mean, say, must not cancel what a layer adds.
        of_heads = reached(torch.stack([(head * torch.rand_like(head)).sum() for head in heads.values()]).sum(), trained)
        for path in sorted(of_loss - of_heads):
            case.keep(False, f"{path} is trained by losses, but no head of predictions ({names(heads)}) depends on it")

    def test_what_may_not_be_seen_leaves_every_bit_of_the_logits(self, case: Case, texts: TokenStore) -> None:
        model = case.started(texts).eval()
        batch = batch_of(model, texts, range(BATCH), 0.5)
        with torch.no_grad():
            before, seen = model.predictions(batch), model.sees(batch)
            fields = sorted({field for fields in seen.values() for field in fields})
            for head, may in seen.items():
                for field, may_MN in may.items():
                    wanted, found = (len(before[head]), getattr(batch, field).numel()), tuple(may_MN.shape)
                    case.keep(found == wanted, f"sees[{head!r}][{field!r}] is {found}, but logits x numbers are {wanted}")
                    case.keep(not may_MN.all(), f"sees[{head!r}][{field!r}] is all True, but rows never see each other")
            noticed = dict.fromkeys(seen, 0)
            for field in fields:
                self._change(case, model, batch, field, before, seen, noticed)
        for head, number in noticed.items():
            case.keep(number > 0, f"{head} depends on 0 of the numbers that were changed, but sees says it may on some")

    def _change(
        self,
        case: Case,
        model: Objective,
        batch: Any,
        field: str,
        before: dict[str, Tensor],
        seen: dict[str, dict[str, Tensor]],
        noticed: dict[str, int],
    ) -> None:
        value = getattr(batch, field)
        for place in np.random.default_rng(0).choice(value.numel(), min(PLACES, value.numel()), replace=False).tolist():
            changed = value.clone().flatten()
            changed[place] = another(changed[place])
            after = model.predictions(batch._replace(**{field: changed.view_as(value)}))
            for head in before:
                if field not in seen[head]:
                    # Special tokens may say where a text ends, and so how many predictions there are.
                    if not value.is_floating_point() and int(value.flatten()[place]) < FIRST:
                        continue
                    unseen = torch.ones(len(before[head]), dtype=torch.bool)
                else:
                    unseen = ~seen[head][field][:, place]
                same = (before[head] == after[head]).flatten(1).all(dim=1)
                leaks = int((unseen & ~same).sum())
                case.keep(
                    leaks == 0,
                    f"{head} may not see {field} at {place}, but {leaks} of {int(unseen.sum())} predictions change "
                    f"when {value.flatten()[place]} there becomes {changed[place]}",
                )
                noticed[head] += int((~unseen & ~same).any())


def another(value: Tensor) -> Tensor:
    """Another token of text; of a uniform number another one in [0, 1), of any other one at half a unit's distance."""
    if value.is_floating_point():
        return (value + 0.5) % 1 if 0 <= value < 1 else value + 0.5
    return FIRST + (value + 1 - FIRST) % (V - FIRST)


def reached(total: Tensor, parameters: dict[str, torch.nn.Parameter]) -> set[str]:
    """The parameters that a number depends on."""
    if not total.requires_grad:
        return set()
    gradients = torch.autograd.grad(total, list(parameters.values()), allow_unused=True)
    return {path for path, gradient in zip(parameters, gradients, strict=True) if gradient is not None}


def names(found: Any) -> str:
    """What a message calls them."""
    return ", ".join(sorted(found)) or "none"
