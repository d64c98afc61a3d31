"""Where a local report lies: unlike reports never share a folder, and like ones always do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ablate.config import ConfigError
from ablate.report.evidence import read
from ablate.study import local as module
from ablate.study.discover import find, load
from ablate.study.local import LATEST, announce, changes, check_folders, folder_name
from ablate.study.options import Options, Setup, set_up
from ablate.study.run import run_inline
from tests.study.planted import STUDY

ROOT = Path(__file__).parents[2]


def asked(root: Path, **options: object) -> Setup:
    return set_up(STUDY, Options(**{"tier": "smoke", "root": root, **options}))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({}, "planted-smoke"),
        ({"tier": "quick"}, "planted-quick"),
        ({"overrides": {"data.corpus": "grammar"}}, "planted-smoke-grammar"),
        ({"overrides": {"data.corpus": "files:/a b/Wiki text-2.txt.gz"}}, r"planted-smoke-wiki-text-2-[0-9a-f]{6}"),
        ({"overrides": {"data.corpus": "oracle:20"}}, r"planted-smoke-oracle-20-[0-9a-f]{6}"),
        ({"overrides": {"budget.tokens": 500}}, r"planted-smoke-tokens-500-[0-9a-f]{6}"),
        ({"overrides": {"budget.tokens": 1000}}, "planted-smoke"),
        ({"overrides": {"data.corpus": "pydocs"}}, "planted-smoke"),
        ({"seeds": 2}, "planted-smoke-seeds-2"),
        ({"seeds": 3}, "planted-smoke"),
        ({"vary": {"backbone.width": (64, 256)}}, r"planted-smoke-width-64-256-[0-9a-f]{6}"),
        ({"workers": 3, "retry_failed": True, "patience": 5.0, "allow_mixed": True}, "planted-smoke"),
        ({"overrides": {"data.corpus": "files:" + "long" * 50}}, r"planted-smoke-(long){10}-[0-9a-f]{6}"),
    ],
)
def test_a_name_tells_what_was_changed(tmp_path: Path, options: dict[str, object], name: str) -> None:
    assert re.fullmatch(name, folder_name(asked(tmp_path, **options)))


def test_reports_of_unlike_numbers_never_share_a_folder(tmp_path: Path) -> None:
    known = {
        folder_name(set_up(load(find("bert-masking").path), Options(tier="smoke", root=tmp_path, **one)))  # type: ignore[arg-type]
        for one in (
            {},
            {"overrides": {"evaluations.cloze.shortest": 7}},
            {"overrides": {"evaluations.minimal-pairs.shortest": 7}},
            {"overrides": {"optimization.learning_rate": 3e-4}},
            {"overrides": {"optimization.learning_rate": 1e-4}},
            {"without": ("cloze",)},
            {"without": ("minimal-pairs",)},
            {"without": ("cloze", "minimal-pairs")},
            {"vary": {"objective.mask_rate": (0.15, 0.4)}},
            {"vary": {"objective.mask_rate": (0.15, 0.3)}},
        )
    }
    assert len(known) == 10


def test_two_texts_of_one_name_have_two_folders_and_one_text_has_one(tmp_path: Path) -> None:
    study = load(find("bert-masking").path)
    names = []
    for folder, text in (
        ("a", "One text.\n\nAnd more.\n"),
        ("b", "Another text.\n\nAnd more.\n"),
        ("c", "One text.\n\nAnd more.\n"),
    ):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "my.txt").write_text(text)
        corpus = {"data.corpus": f"files:{tmp_path / folder / 'my.txt'}"}
        names.append(folder_name(set_up(study, Options(tier="smoke", root=tmp_path / "runs", overrides=corpus))))
    assert names[0] != names[1] and names[0] == names[2]
    assert all(name.startswith("bert-masking-smoke-my-") for name in names)


def test_only_what_differs_from_the_file_is_a_change(tmp_path: Path) -> None:
    setup = asked(tmp_path, overrides={"budget.tokens": 1000, "backbone.width": 64})
    assert changes(setup) == {"backbone.width": 64}


@pytest.mark.parametrize(("option", "field"), [("--runs", "root"), ("--reports", "reports")])
def test_folders_that_cannot_be_written_are_refused_before_anything_is_made(tmp_path: Path, option: str, field: str) -> None:
    (tmp_path / "file").write_text("mine")
    good = {"root": tmp_path / "runs", "reports": tmp_path / "reports"}
    check_folders(asked(**good))
    for wrong in (tmp_path / "file", tmp_path / "file" / "below", tmp_path / "file" / "far" / "below"):
        with pytest.raises(ConfigError, match=f"{option} {wrong}: {tmp_path / 'file'} is a file, but must be a folder"):
            run_inline(STUDY, Options(tier="smoke", **{**good, field: wrong}))  # type: ignore[arg-type]
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_folder_without_permission_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(dir: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(module.tempfile, "TemporaryFile", refused)
    with pytest.raises(ConfigError, match=f"--runs .*: nothing can be written to {tmp_path}: Permission denied"):
        check_folders(asked(tmp_path / "runs"))


def test_a_report_cannot_take_the_place_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "planted-smoke").write_text("mine")
    with pytest.raises(ConfigError, match="planted-smoke is a file, but must be a folder"):
        check_folders(asked(tmp_path / "runs", reports=tmp_path))


def test_each_size_keeps_its_report_and_the_latest_is_led_to(tmp_path: Path) -> None:
    reports = tmp_path / "reports"
    made = [
        run_inline(STUDY, Options(tier=tier, seeds=seeds, root=tmp_path / "runs", reports=reports)).report
        for tier, seeds in (("smoke", 2), ("quick", 2), ("smoke", None))
    ]
    assert [path.name for path in made] == ["planted-smoke-seeds-2", "planted-quick-seeds-2", "planted-smoke"]
    assert [read(path).specification.tier for path in made] == ["smoke", "quick", "smoke"]
    index = (reports / "README.md").read_text()
    assert all(f"({path.name}/README.md)" in index for path in made)
    latest = (reports / LATEST).read_text()
    assert re.findall(r'url=([^"]+)"|href="([^"]+)"', latest) == [
        ("planted-smoke/index.html", ""),
        ("", "planted-smoke/index.html"),
    ]
    assert not [path for path in reports.iterdir() if path.is_symlink()]


def test_a_part_never_takes_the_place_of_a_whole_report(tmp_path: Path) -> None:
    options = {"tier": "smoke", "root": tmp_path / "runs", "reports": tmp_path / "reports"}
    part = run_inline(STUDY, Options(**options, only=("level=0.4",))).report  # type: ignore[arg-type]
    assert part.name == "planted-smoke-part"
    assert read(part).specification.provenance["command"] == "ablate run planted --tier smoke --only arm=level=0.4"
    whole = run_inline(STUDY, Options(**options)).report  # type: ignore[arg-type]
    again = run_inline(STUDY, Options(**options, only=("level=0.4",))).report  # type: ignore[arg-type]
    assert whole == again and whole.name == "planted-smoke"
    assert read(again).specification.provenance["command"] == "ablate run planted --tier smoke"
    assert len(read(part).runs) == 3 and len(read(whole).runs) == 15


def test_a_page_of_ones_own_is_never_replaced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "README.md").write_text("# My project\n")
    run_inline(STUDY, Options(tier="smoke", seeds=1, root=tmp_path / "runs", reports=tmp_path))
    assert (tmp_path / "README.md").read_text() == "# My project\n" and not (tmp_path / "index.html").exists()
    assert "is no list of reports and stays as it is" in capsys.readouterr().err


def test_a_list_that_cannot_be_made_stops_no_study(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "study.json").write_text("{")
    announce(tmp_path / "planted-smoke")
    assert "is not renewed: " in capsys.readouterr().err
