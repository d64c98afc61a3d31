"""The history of looks: written before anything runs, extended by more seeds, and never lost without a word."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from ablate.claims.registry import digest
from ablate.config import ConfigError, override
from ablate.disk import sealed
from ablate.study.factor import Factor
from ablate.study.looks import plan_digest, read, register
from ablate.study.options import Options, Setup, set_up
from ablate.study.study import Study
from tests.study.planted import LOSS, STUDY


def setup(root: Path, seeds: int = 3, study: Study = STUDY, **overrides: float) -> Setup:
    return set_up(study, Options(tier="smoke", seeds=seeds, root=root, overrides=overrides))


def test_without_a_plan_there_are_no_looks_and_claims_are_as_they_are(tmp_path: Path) -> None:
    study = dataclasses.replace(STUDY, claims=("C04",))
    found = read(setup(tmp_path, study=study))
    assert found == ((), digest(("C04",)), plan_digest(setup(tmp_path)))
    assert not list(tmp_path.rglob("looks-*"))


def test_more_seeds_are_a_further_look_and_fewer_are_none(tmp_path: Path) -> None:
    for seeds, looks in ((3, (3,)), (3, (3,)), (5, (3, 5)), (4, (3, 5)), (8, (3, 5, 8))):
        assert register(setup(tmp_path, seeds)).seeds == looks
        assert read(setup(tmp_path, seeds)).seeds == looks


def test_claims_and_columns_stay_as_they_were_when_the_plan_was_made(tmp_path: Path) -> None:
    planned = register(setup(tmp_path))
    changed = dataclasses.replace(STUDY, claims=("C04",), alpha=0.01)
    assert register(setup(tmp_path, 5, changed))[1:] == planned[1:]
    assert plan_digest(setup(tmp_path, 5, changed)) != planned.plan_digest


def test_another_baseline_is_another_study(tmp_path: Path) -> None:
    register(setup(tmp_path, 3))
    assert read(setup(tmp_path, 3, **{"budget.tokens": 7})).seeds == ()
    assert register(setup(tmp_path, 8, **{"budget.tokens": 7})).seeds == (8,)
    assert read(setup(tmp_path)).seeds == (3,)


def test_the_digest_holds_what_a_verdict_hangs_on_and_no_more(tmp_path: Path) -> None:
    def of(**changes: object) -> str:
        return plan_digest(setup(tmp_path, study=dataclasses.replace(STUDY, **changes)))  # type: ignore[arg-type]

    higher = dataclasses.replace(LOSS, better="higher")
    fewer = Factor(path="objective.level", levels=(0.15, 0.4))
    moves = [{"alpha": 0.01}, {"metrics": (higher,)}, {"factors": (fewer,)}, {"learned": LOSS}, {"learned_at_least": 0.1}]
    assert len({of(), *(of(**change) for change in moves)}) == 6
    assert of(title="other", question="other", metrics=(dataclasses.replace(LOSS, label="other", digits=1),)) == of()


@pytest.mark.parametrize(
    "text",
    ["", "[]", '{"seeds": 3}', json.dumps({"seeds": [3], "claims_digest": ""})]
    + [json.dumps({"seeds": seeds, "claims_digest": "", "plan_digest": ""}) for seeds in ([], [0], [5, 3], ["3"], [3.5], 3)]
    + [json.dumps({"seeds": [3], "claims_digest": "", "plan_digest": 1}), "[" * 5000 + "]" * 5000],
)
def test_a_damaged_history_is_refused(tmp_path: Path, text: str) -> None:
    register(setup(tmp_path))
    (file,) = tmp_path.rglob("looks-*.json")
    file.write_text(text)
    with pytest.raises(ConfigError, match=r"looks-\w+\.json is damaged .*; without it the number of looks is unknown"):
        register(setup(tmp_path, 5))
    assert file.read_text() == text


def test_any_changed_byte_is_found(tmp_path: Path) -> None:
    register(setup(tmp_path))
    (file,) = tmp_path.rglob("looks-*.json")
    whole = file.read_bytes()
    for place in range(len(whole)):
        changed = bytearray(whole)
        changed[place] ^= 1
        file.write_bytes(changed)
        with pytest.raises(
            ConfigError, match=r"is damaged .*; restore it from a backup, or delete it if this is the first"
        ) as found:
            read(setup(tmp_path))
        assert "\n" not in str(found.value)


def test_a_history_of_an_older_version_is_read_and_sealed_at_the_next_look(tmp_path: Path) -> None:
    planned = register(setup(tmp_path))
    (file,) = tmp_path.rglob("looks-*.json")
    older = '{"claims_digest": "c", "plan_digest": "p", "seeds": [3]}\n'
    file.write_text(older)
    assert read(setup(tmp_path)) == register(setup(tmp_path)) == ((3,), "c", "p") != planned
    assert file.read_text() == older
    assert register(setup(tmp_path, 5)) == ((3, 5), "c", "p")
    assert sealed.is_sealed(file.read_bytes())


def test_a_history_is_filed_under_its_baseline_run(tmp_path: Path) -> None:
    """By nothing else: an arm that is added or widened leaves the study what it was."""
    found = setup(tmp_path)
    register(found)
    baseline = found.store.identity(override(found.study.base, {"seed": 0})).training
    assert [file.name for file in found.folder.glob("looks-*.json")] == [f"looks-{baseline}.json"]
