"""The source text of a run: what it must contain, and what must not touch it."""

from __future__ import annotations

from pathlib import Path

from ablate import sources
from ablate.nn.attention import BACKENDS

ROOTS = ("ablate.training.fit", "ablate.objectives.bert")


def test_everything_that_shapes_the_weights_is_in_it() -> None:
    found = sources.reachable(ROOTS)
    expected = {"ablate.objectives.bert", "ablate.objectives.base", "ablate.collators.masking", "ablate.nn.transformer"}
    expected |= {
        "ablate.nn.attention",
        "ablate.training.loop",
        "ablate.training.schedule",
        "ablate.data.windows",
        "ablate.seeds",
    }
    assert expected <= found


def test_yardsticks_registries_and_the_reporting_wing_are_not() -> None:
    found = sources.reachable(ROOTS)
    assert not {
        name for name in found if name.startswith(("ablate.evaluation", "ablate.study", "ablate.report", "ablate.analysis"))
    }
    assert not found & {"ablate.objectives", "ablate.data.corpora", "ablate.training.provenance"}


def test_a_changed_byte_changes_the_fingerprint(tmp_path: Path) -> None:
    file = tmp_path / "electra.py"
    file.write_text("RATE = 1\n")
    before = sources.fingerprint(ROOTS, (str(file),))
    sources.fingerprint.cache_clear()
    assert sources.fingerprint(ROOTS, (str(file),)) == before
    file.write_text("RATE = 2\n")
    sources.fingerprint.cache_clear()
    assert sources.fingerprint(ROOTS, (str(file),)) != before


def test_backends_of_attention_that_are_loaded_by_name_are_part_of_a_run() -> None:
    """Another order of additions in one of them is another number."""
    reached = sources.reachable(ROOTS)
    modules = {f"ablate.nn.attention.{place.partition(':')[0]}" for place in BACKENDS.values()}
    assert modules <= reached
