"""What a capability promises, where an objective has it: padding is not read, a summary reads the text, answers are likely."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from ablate.data.tokenizer import SEP
from ablate.objectives.base import Answers, Encodes, FillsMasks, Scores, Summarizes
from ablate.testing.cases import BACKBONE, CONTEXT, FIRST, Case, Texts, V

FIRST_TEXT, SECOND_TEXT = [7, 8, 9, 20, 21], [30, 31, 32]


class CapabilitiesContract(Texts):
    def test_capabilities_ignore_padding(self, case: Case) -> None:
        model = case.build().eval()
        if not isinstance(model, Encodes):
            pytest.skip(f"{case.name} does not encode")
        tokens, visible = padded([model.frame(FIRST_TEXT), model.frame(SECOND_TEXT)])
        short, seen = padded([model.frame(SECOND_TEXT)])
        with torch.no_grad():
            padding = model.encode(tokens, visible)[1, : short.shape[1]], model.encode(short, seen)[0]
            keep_close(case, "encode", *padding, 1e-5)
            if isinstance(model, FillsMasks):
                positions = torch.tensor([[1, 1], [1, 2]])
                alone = model.fill(short, seen, positions * torch.tensor([0, 1]))
                keep_close(case, "fill", model.fill(tokens, visible, positions), alone, 1e-4)
            if isinstance(model, Scores):
                nats = model.score(tokens, visible, (tokens >= FIRST) & visible)
                case.keep(nats.shape == (2,), f"score has shape {tuple(nats.shape)}, but (2,) is one a row")
                case.keep(bool((nats < 0).all()), f"score = {nats.max():.3g} nats, but a log-probability is below 0")
                keep_close(case, "score", nats[1:], model.score(short, seen, short >= FIRST), 1e-4)

    def test_a_summary_reads_the_whole_text_and_no_padding(self, case: Case) -> None:
        model: Any = case.build().eval()
        summarizes = isinstance(model, Summarizes)
        if not summarizes:
            pytest.skip(f"{case.name} does not summarize")
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(torch.randn_like(parameter), alpha=0.1)
        single, pair = model.join(SECOND_TEXT, []), model.join(FIRST_TEXT, SECOND_TEXT)
        swapped = model.join(SECOND_TEXT, FIRST_TEXT)
        text = [token for token in pair if token >= FIRST]
        case.keep(text == [*FIRST_TEXT, *SECOND_TEXT], f"join gives {text}, but the texts are {FIRST_TEXT} {SECOND_TEXT}")
        longest = max(len(pair), len(single))
        case.keep(longest <= CONTEXT, f"join gives {longest} tokens, but the model has {CONTEXT} positions")

        def summary(*rows: list[int]) -> Tensor:
            vectors_BD: Tensor = model.summarize(*padded(list(rows)))
            return vectors_BD

        together, alone = summary(pair, single), summary(single)
        shape, wanted = tuple(together.shape), (2, BACKBONE.width)
        case.keep(shape == wanted, f"summarize has shape {shape}, but a vector a row is {wanted}")
        keep_close(case, "summarize", together[1:], alone, 1e-5)
        order = bool(torch.allclose(together[:1], summary(swapped), atol=1e-3))
        case.keep(
            not order,
            f"summarize of a pair is {float(together[0, 0].detach()):.3g}, and the same when it is swapped",
        )
        for place, token in enumerate(pair):
            changed = [*pair[:place], FIRST + (token + 1 - FIRST) % (V - FIRST), *pair[place + 1 :]]
            read = token < FIRST or not torch.equal(summary(changed)[0], together[0])
            case.keep(read, f"summarize is the same with token {changed[place]} at {place} as with {token}")
        together.square().sum().backward()
        reached = sum(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in model.parameters())
        case.keep(reached > 5, f"summarize sends a gradient to {reached} parameters, but to tune it takes more than 5")

    def test_what_is_answered_is_what_the_loss_calls_most_probable(self, case: Case) -> None:
        model: Any = case.build().eval()
        answering = isinstance(model, Answers)
        if not answering:
            pytest.skip(f"{case.name} does not answer")
        questions, answers = [[7, 8, 9, 20], [30, 31]], [[40, 41], [42]]
        both = model.text_to_text(questions, answers)
        case.keep(
            both.targets == 5,
            f"text_to_text has targets = {both.targets}, but answers and their ends are 5 tokens",
        )

        def cost(batch: Any) -> float:
            return float(batch.targets * model.losses(batch).loss.detach())

        found = cost(both)
        alone = sum(cost(model.text_to_text([x], [y])) for x, y in zip(questions, answers, strict=True))
        near = found == pytest.approx(alone, rel=1e-5)
        case.keep(near, f"two examples cost {found:.6g} nats in one batch, but {alone:.6g} in two")
        for question in questions:
            written = model.answer(torch.tensor([model.frame(question)]), 4)[0].tolist()
            written = written[: written.index(SEP)] if SEP in written else written[:3]
            example = model.text_to_text([question], [[*written, 50]])
            logits = next(iter(model.predictions(example).values()))[-len(written) - 2 :]
            likely = logits[: len(written)].argmax(dim=1).tolist()
            case.keep(likely == written, f"answer writes {written}, but predictions calls {likely} most probable")


def padded(rows: list[list[int]]) -> tuple[Tensor, Tensor]:
    """Tokens and what is no padding, int64 and bool [B, T]."""
    tokens = torch.zeros(len(rows), max(map(len, rows)), dtype=torch.long)
    visible = torch.zeros_like(tokens, dtype=torch.bool)
    for row, ids in enumerate(rows):
        tokens[row, : len(ids)], visible[row, : len(ids)] = torch.tensor(ids), True
    return tokens, visible


def keep_close(case: Case, method: str, padded: Tensor, alone: Tensor, tolerance: float) -> None:
    """A padded row is read as the row alone."""
    difference = float((padded - alone).detach().abs().max())
    close = bool(torch.allclose(padded, alone, atol=tolerance))
    case.keep(
        close,
        f"{method} differs by {difference:.2g} between a padded row and the row alone, but by {tolerance:g} at most",
    )
