"""The report as a whole: the same bytes each time, whole files, nothing from elsewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from ablate.config import ConfigError
from ablate.report import evidence as evidence_files
from ablate.report.compile import compile_report
from ablate.report.evidence import Evidence

VOID = {"meta", "br", "hr", "img", "input", "link"}
COMPILE = (
    "import sys; from pathlib import Path; from ablate.report.compile import compile_report; compile_report(Path(sys.argv[1]))"
)
HEADINGS = [
    "Results",
    "Published claims",
    "Differences to the baseline",
    "Learning curves",
    "At equal budgets",
    "Effects of the factors",
    "Quality against cost",
    "Completeness",
    "Sample texts",
    "What was varied",
    "Provenance",
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    return tmp_path_factory.mktemp("report")


@pytest.fixture
def compiled(folder: Path, study: Evidence) -> Path:
    if not (folder / "index.html").exists():
        evidence_files.write(folder, study)
        compile_report(folder)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


class Page(HTMLParser):
    """Tags closed in order, ids, and everything a browser would fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.targets: list[str] = []
        self.fetched: list[tuple[str, str]] = []
        self.links: list[str] = []
        self.headings: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag not in VOID:
            self.open.append(tag)
        self.ids += [given["id"]] if "id" in given else []
        self.links += [given["href"]] if tag == "a" else []
        if tag in ("use",):
            self.targets.append(given["href"].removeprefix("#"))
        self.fetched += [(tag, given[name]) for name in ("src", "srcset", "data", "action", "poster") if name in given]
        self.fetched += [(tag, given["href"])] if tag in ("link", "image") else []

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "h2":
            self.headings.append(data.strip())


def test_a_second_process_with_another_hash_seed_writes_the_same_bytes(compiled: Path, tmp_path: Path) -> None:
    for name in ("study.json", "records.parquet", "runs.parquet", "samples.json"):
        (tmp_path / name).write_bytes((compiled / name).read_bytes())
    environment = os.environ | {
        "PYTHONHASHSEED": "12345",
        "MPLCONFIGDIR": os.environ.get("MPLCONFIGDIR", str(tmp_path / ".mpl")),
    }
    environment["PYTHONPATH"] = os.pathsep.join(
        [str(Path(evidence_files.__file__).parents[2]), environment.get("PYTHONPATH", "")]
    )
    subprocess.run([sys.executable, "-c", COMPILE, str(tmp_path)], check=True, env=environment)
    ours, theirs = contents(compiled), {name: data for name, data in contents(tmp_path).items() if not name.startswith(".mpl")}
    assert ours.keys() == theirs.keys()
    assert [name for name in ours if ours[name] != theirs[name]] == []


def test_every_table_and_figure_is_there_in_all_its_forms_and_small(compiled: Path) -> None:
    names = contents(compiled)
    assert {
        "README.md",
        "index.html",
        "tables/results.tex",
        "tables/results.csv",
        "tables/claims.tex",
        "tables/effects.csv",
    } <= names.keys()
    pictures = [name for name in names if name.endswith(".svg")]
    assert len(pictures) == 3 + 4 + 1 + 2
    assert all(name.replace(".svg", ".png") in names and name.replace(".svg", ".csv") in names for name in pictures)
    assert sum(map(len, names.values())) < 3e6
    assert all(data.startswith(b"\x89PNG") for name, data in names.items() if name.endswith(".png"))


def test_the_html_is_well_formed_and_fetches_nothing(compiled: Path) -> None:
    text = (compiled / "index.html").read_text(encoding="utf-8")
    page = Page()
    page.feed(text)
    page.close()
    assert page.open == []
    assert page.fetched == []
    assert page.headings == HEADINGS
    assert len(page.ids) == len(set(page.ids))
    assert set(page.targets) <= set(page.ids)
    assert set(re.findall(r"url\(([^)]*)\)", text)) <= {f"#{found}" for found in page.ids}
    assert "@import" not in text
    assert "<script>alert" not in text
    for link in page.links:
        assert link.startswith(("#", "https://arxiv.org/", "https://github.com/")) or (compiled / link).is_file()
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)
    assert "prefers-color-scheme: dark" in text
    assert "width=device-width" in text


def test_the_readme_has_whole_tables_and_links_that_lead_somewhere(compiled: Path) -> None:
    text = (compiled / "README.md").read_text(encoding="utf-8")
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    tables = [token for token in tokens if token.type == "table_open"]
    assert len(tables) == len(list((compiled / "tables").glob("*.csv")))
    width = 0
    for token in tokens:
        if token.type == "tr_open":
            cells = 0
        elif token.type in ("th_open", "td_open"):
            cells += 1
        elif token.type == "thead_close":
            width = cells
        elif token.type == "tr_close":
            assert cells == width or width == 0 or token.level == 2
    for line in re.findall(r"^\|.*\|$", text, flags=re.MULTILINE):
        assert line.count("|") > 2
    children = [child for token in tokens for child in token.children or []]
    targets = [str(child.attrs[name]) for child in children for name in ("href", "src") if name in child.attrs]
    assert len(targets) > 30
    assert all(target.startswith("https://") or (compiled / target).is_file() for target in targets)
    assert [
        t.content for n, t in enumerate(tokens) if n and tokens[n - 1].type == "heading_open" and tokens[n - 1].tag == "h2"
    ] == HEADINGS


def test_the_latex_tables_are_balanced_and_have_the_columns_they_declare(compiled: Path) -> None:
    for path in sorted((compiled / "tables").glob("*.tex")):
        text = path.read_text(encoding="utf-8")
        assert re.findall(r"\\begin\{(\w+)\}", text) == ["table", "tabular"]
        assert re.findall(r"\\end\{(\w+)\}", text) == ["tabular", "table"]
        assert [text.count(rule) for rule in (r"\toprule", r"\bottomrule", r"\caption{", r"\label{")] == [1, 1, 1, 1]
        assert not re.search(r"[^\x00-\u017f]", text)
        declared = re.search(r"\\begin\{tabular\}\{@\{\}(.*)@\{\}\}\n", text)
        assert declared is not None
        width = len(re.sub(r"p\{[^}]*\}", "p", declared[1]))
        rows = [line for line in text.splitlines() if line.endswith(r"\tabularnewline")]
        spans = [sum(int(n) - 1 for n in re.findall(r"\\multicolumn\{(\d+)\}", row)) for row in rows]
        assert [len(re.findall(r"(?<!\\)&", row)) + 1 + span for row, span in zip(rows, spans, strict=True)] == [width] * len(
            rows
        )
    results = (compiled / "tables" / "results.tex").read_text(encoding="utf-8")
    assert r"\textbf{" in results
    assert r"$\pm$" in results
    assert r"\label{tab:bert-masking-results}" in results


def test_files_that_no_longer_belong_are_removed_and_others_are_left(compiled: Path) -> None:
    (compiled / "figures" / "old.svg").write_text("x")
    (compiled / "figures" / "notes.txt").write_text("mine")
    before = contents(compiled)
    compile_report(compiled)
    after = contents(compiled)
    assert before.keys() - after.keys() == {"figures/old.svg"}
    (compiled / "figures" / "notes.txt").unlink()


def test_a_folder_without_evidence_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"lacks study\.json, records\.parquet, runs\.parquet"):
        compile_report(tmp_path)


def test_reading_the_modules_imports_neither_torch_nor_matplotlib() -> None:
    code = "import sys, ablate.report.compile, ablate.report.index, ablate.report.diff; print(sorted(sys.modules))"
    root = str(Path(evidence_files.__file__).parents[2])
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root).stdout
    assert not re.search(r"'(torch|lightning|optuna|matplotlib|seaborn)[.']", found)
