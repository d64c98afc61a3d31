"""Randomness is a function of its names: stable for ever, and no stream moves another."""

from __future__ import annotations

import hashlib
import itertools
import subprocess
import sys

import numpy as np

from ablate.seeds import derive, generator, torch_seed


def test_an_integer_is_the_first_half_of_a_digest_of_typed_parts() -> None:
    """Written out here once more: a change of it would give every run of every study other random numbers."""
    text = b"int:3\x1fstr:train/order\x1fint:0"
    assert derive(3, "train/order", 0) == int.from_bytes(hashlib.sha256(text).digest()[:16], "little")
    assert 0 <= derive("x") < 2**128


def test_parts_do_not_run_into_one_another() -> None:
    different = [("a", "b"), ("ab",), ("ab", ""), ("", "ab"), (1, 2), (12,), ("1", "2"), ("1", 2), (1, "2")]
    assert len({derive(*parts) for parts in different}) == len(different)


def test_another_process_draws_the_same() -> None:
    command = "from ablate.seeds import generator; print(generator(5, 'noise', 7).random(3).tolist())"
    environment = {"PYTHONHASHSEED": "77", "PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.strip() == str(generator(5, "noise", 7).random(3).tolist())


def test_seed_stream_and_index_each_give_other_numbers() -> None:
    drawn = [tuple(generator(*names).random(4)) for names in itertools.product((0, 1), ("a", "b"), (0, 1))]
    assert len(set(drawn)) == 8
    assert tuple(generator(0, "a").random(4)) == tuple(generator(0, "a", 0).random(4))


def test_streams_are_uncorrelated() -> None:
    table = np.stack([generator(seed, stream).random(4000) for seed in (0, 1) for stream in ("a", "b")])
    correlations = np.corrcoef(table)[np.triu_indices(4, 1)]
    assert (np.abs(correlations) < 4 / np.sqrt(4000)).all()


def test_a_seed_for_torch_has_63_bits_of_its_stream() -> None:
    seeds = [torch_seed(seed, "init") for seed in range(300)]
    assert all(0 <= seed < 2**63 for seed in seeds) and max(seeds) >= 2**62
    assert seeds == [derive(seed, "init") % 2**63 for seed in range(300)]
    assert torch_seed(3, "init") != torch_seed(3, "dropout")
