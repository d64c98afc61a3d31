from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from markdown_it import MarkdownIt

from ablate.claims.registry import CLAIMS
from ablate.report import evidence as evidence_files
from ablate.report import rounding
from ablate.report.compile import compile_report
from ablate.report.evidence import Evidence
from ablate.report.index import compile_index
from ablate.specification import Specification


def test_every_study_is_listed_with_its_answer_and_every_claim_with_its_verdict(
    tmp_path: Path, study: Evidence, planned: Callable[..., Specification], gathered: Callable[..., Evidence]
) -> None:
    evidence_files.write(tmp_path / "bert-masking", study)
    compile_report(tmp_path / "bert-masking")
    evidence_files.write(tmp_path / "a-small", gathered(planned(seeds=1, title="<i>Small</i> | one")))
    evidence_files.write(tmp_path / "local", study)
    page = compile_index(tmp_path).read_text(encoding="utf-8")
    text = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert page.count('<article class="study">') == 2
    assert "<i>Small" not in page
    assert "&lt;i&gt;Small" in page
    assert "The best mean of “masked bits" in page
    assert "The best mean of “masked bits" in text
    assert "2 published claims: 2 reproduced" in text
    picture = "bert-masking/figures/forest-masked-bits-bits-per-token-mask-rate-0-15.svg"
    assert f'src="{picture}"' in page
    assert picture in text
    assert (tmp_path / picture).is_file()
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    assert sum(token.type == "tr_open" for token in tokens) == 1 + len(CLAIMS)
    first = (page, text)
    compile_index(tmp_path)
    assert first == (
        (tmp_path / "index.html").read_text(encoding="utf-8"),
        (tmp_path / "README.md").read_text(encoding="utf-8"),
    )


def test_a_factor_has_a_card_with_what_was_measured(tmp_path: Path, study: Evidence) -> None:
    evidence_files.write(tmp_path / "bert-masking", study)
    compile_index(tmp_path)
    text = (tmp_path / "factors.md").read_text(encoding="utf-8")
    card = study.specification.factors[0]
    assert f"ablate run bert-masking --set {card.path}=" in text
    assert "(bert-masking/README.md)" in text
    assert "(bert-masking/index.html)" not in text
    primary = study.specification.primary
    row = study.differences(primary).set_index("arm").loc["mask_rate=0.4"]
    assert f"0.4: {rounding.difference(primary, row['mean'], row['low'], row['high'])}" in text.replace("\\", "")
    assert 'href="bert-masking/index.html"' in (tmp_path / "factors.html").read_text(encoding="utf-8")


def test_what_a_kill_left_is_put_back_or_removed_and_never_listed(tmp_path: Path, study: Evidence) -> None:
    evidence_files.write(tmp_path / ".bert-masking.old", study)
    evidence_files.write(tmp_path / ".bert-masking.new", study)
    evidence_files.write(tmp_path / ".other.new", study)
    (tmp_path / ".tmp-0123").write_text("half a page")
    page = compile_index(tmp_path).read_text(encoding="utf-8")
    assert page.count('<article class="study">') == 1
    assert {path.name for path in tmp_path.glob(".*")} == {".other.new"}
    assert evidence_files.read(tmp_path / "bert-masking").specification == study.specification


def test_no_study_yet(tmp_path: Path) -> None:
    compile_index(tmp_path)
    assert "No study has been published yet" in (tmp_path / "README.md").read_text(encoding="utf-8")
