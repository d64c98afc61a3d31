"""What a generator writes: every draw as its softmax says, nothing after the end, nothing that no text holds."""

from __future__ import annotations

import itertools

import pytest
import torch
from scipy import stats

from ablate.nn.generator import Generator, by_uniform, draw

END, PADDING = 3, 0


@pytest.fixture
def generator() -> Generator:
    torch.manual_seed(0)
    return Generator(12, 8, 6, 2, end=END, padding=PADDING, never=(0, 2, 4), tied=True)


def test_a_uniform_picks_each_type_as_often_as_it_should() -> None:
    logits = torch.tensor([[-torch.inf, 0.3, -1.0, -torch.inf, 1.2]])
    uniform = (torch.arange(100_000) + 0.5) / 100_000
    counts = draw(logits.expand(100_000, 5), uniform).bincount(minlength=5)
    # On an even grid of uniforms nothing is left to chance but rounding.
    assert (counts - logits[0].softmax(0) * 100_000).abs().max() <= 2
    assert counts[0] == counts[3] == 0


def test_the_ends_of_the_uniform_draw_what_is_possible() -> None:
    logits = torch.tensor([[-torch.inf, 0.3, 0.1, -torch.inf]])
    assert draw(logits, torch.tensor([0.0])).item() == 1
    assert draw(logits, torch.tensor([1 - 2**-24])).item() == 2


def test_what_is_written_ends_and_is_possible(generator: Generator) -> None:
    uniform = torch.rand(500, 15, generator=torch.Generator().manual_seed(0))
    written = generator.write(500, 15, by_uniform(uniform))
    assert not torch.isin(written, torch.tensor([2, 4])).any()
    over = (written == END).cumsum(1) - (written == END).long() > 0
    assert torch.equal(written == PADDING, over)
    assert over.any() and (~over).any()
    assert torch.equal(written, generator.write(500, 15, by_uniform(uniform)))


def test_steps_agree_with_reading_at_once(generator: Generator) -> None:
    tokens = torch.randint(5, 12, (3, 6), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        whole = generator.logits(generator.hidden(generator.preceding(tokens))[0])
        state, before = None, torch.full((3,), END)
        for place in range(6):
            logits, state = generator.step(before, state)
            assert torch.allclose(logits, whole[:, place], atol=1e-6)
            before = tokens[:, place]
        assert torch.allclose(
            generator.log_probabilities(tokens), whole.log_softmax(-1).gather(-1, tokens[..., None])[..., 0], atol=1e-6
        )


def test_first_tokens_follow_the_model(generator: Generator) -> None:
    uniform = torch.rand(50_000, 1, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        expected = generator.step(torch.tensor([END]), None)[0].softmax(-1)[0]
    counts = generator.write(50_000, 1, by_uniform(uniform))[:, 0].bincount(minlength=12)
    possible = expected > 0
    assert stats.chisquare(counts[possible], expected[possible] * 50_000, sum_check=False).pvalue > 0.01


def test_all_texts_that_may_end_have_probability_one_together() -> None:
    """Of at most three tokens; one that goes on counts with its first three."""
    torch.manual_seed(0)
    generator = Generator(7, 4, 4, 1, end=END, padding=PADDING, never=(0, 2, 4), tied=False).double()
    found = set()
    for row in itertools.product((1, END, 5, 6), repeat=3):
        stop = row.index(END) + 1 if END in row else 3
        found.add(row[:stop] + (PADDING,) * (3 - stop))
    assert len(found) == 27 + 9 + 3 + 1
    with torch.no_grad():
        nats = generator.log_probabilities(torch.tensor(sorted(found)))
    assert float(nats.sum(1).exp().sum()) == pytest.approx(1, abs=1e-12)


def test_a_given_length_is_kept(generator: Generator) -> None:
    like = torch.tensor([[9, 9, 9, END, 0, 0], [9, 9, 9, 9, 9, END]]).repeat(200, 1)
    uniform = torch.rand(400, 6, generator=torch.Generator().manual_seed(0))
    written = generator.close(generator.write(400, 6, by_uniform(uniform), ends=False), like)
    assert torch.equal(written == END, like == END) and torch.equal(written == PADDING, like == PADDING)
    with torch.no_grad():
        assert not generator.log_probabilities(written, ends=False)[like < 5].any()


@pytest.mark.parametrize("rounded", [False, True], ids=["the generator's logits", "rounded logits"])
def test_half_precision_draws_from_the_same_distribution(rounded: bool) -> None:
    """Of 5,005 types most have less than 1/256 of the probability before them, and bfloat16 would never reach them."""
    types, draws = 5_005, 20_000
    torch.manual_seed(0)
    model = Generator(types, 32, 32, 1, end=END, padding=PADDING, never=(0, 2, 4), tied=False)
    uniform = (torch.arange(draws) + 0.5) / draws
    with torch.no_grad():
        expected = model.step(torch.tensor([END]), None)[0].softmax(-1)[0]
        with torch.autocast("cpu", torch.bfloat16):
            logits, _ = model.step(torch.tensor([END]), None)
            logits = logits.bfloat16() if rounded else logits
            drawn = torch.cat([draw(logits.expand(len(chunk), types), chunk) for chunk in uniform.split(2_000)])
    total_variation = (drawn.bincount(minlength=types) / draws - expected).abs().sum() / 2
    # An even grid of uniforms misses each type by less than one draw.
    assert float(total_variation) < 0.06


def test_half_precision_keeps_the_sum_of_all_probabilities() -> None:
    torch.manual_seed(0)
    model = Generator(5_005, 32, 32, 1, end=END, padding=PADDING, never=(0, 2, 4), tied=False)
    firsts = torch.tensor([[token] for token in range(5_005) if token not in (0, 2, 4)])
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        nats = torch.cat([model.log_probabilities(rows) for rows in firsts.split(500)])
    assert nats.dtype == torch.float32
    assert float(nats.exp().sum()) == pytest.approx(1, abs=1e-4)
