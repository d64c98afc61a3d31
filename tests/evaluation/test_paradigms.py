"""Reading minimal pairs from a folder and from the hub, and what is said of what cannot be read."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import datasets
import pytest

from ablate.config import ConfigError
from ablate.evaluation.paradigms import Paradigm, fingerprint, paradigms


def line(good: str = "a b", bad: str = "b a", term: str = "word_order", **further: Any) -> str:
    return json.dumps({"sentence_good": good, "sentence_bad": bad, "linguistics_term": term, **further})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "pairs"
    (found / "results").mkdir(parents=True)
    (found / "swap.jsonl").write_text(line() + "\n\n" + line("c d", "d c", pairID="1") + "\n")
    (found / "causative.jsonl.gz").write_bytes(gzip.compress(line(term="s-selection").encode()))
    (found / "README.md").write_text("no pairs")
    (found / "results" / "summary.jsonl").write_text("not of this format")
    return found


def test_a_folder_is_read_by_name(folder: Path) -> None:
    assert paradigms(str(folder)) == (
        Paradigm("causative", "argument structure", (("a b", "b a"),)),
        Paradigm("swap", "word order", (("a b", "b a"), ("c d", "d c"))),
    )


def test_zhoblimp_names_the_phenomenon_in_a_field_of_its_own(tmp_path: Path) -> None:
    pair = {
        "UID": "BA_negation",
        "phenomenon": "BA",
        "sentence_good": "他没把书卖掉。",
        "sentence_bad": "他把书没卖掉。",
        "pairID": 0,
    }
    (tmp_path / "BA_negation.jsonl").write_text(json.dumps(pair, ensure_ascii=False) + "\n", encoding="utf-8")
    assert paradigms(str(tmp_path)) == (Paradigm("BA_negation", "BA", (("他没把书卖掉。", "他把书没卖掉。"),)),)


def test_the_fingerprint_is_of_the_pairs_and_not_of_their_place(folder: Path, tmp_path: Path) -> None:
    before = fingerprint(str(folder))
    moved = folder.rename(tmp_path / "moved")
    assert fingerprint(str(moved)) == before
    assert len(paradigms(str(moved))[1].pairs) == 2
    (moved / "swap.jsonl").write_text(line() + "\n" + line("e f", "f e") + "\n" + line("g h", "h g"))
    assert fingerprint(str(moved)) != before
    assert len(paradigms(str(moved))[1].pairs) == 3


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("swap.jsonl", line() + "\n{'sentence_good': 1}", r"swap\.jsonl, line 2: not JSON \(Expecting property name"),
        ("swap.jsonl", line() + "\n[1]", r"swap\.jsonl, line 2: must be a JSON object with sentence_good, .* found list"),
        (
            "swap.jsonl",
            '\n{"sentence_good": "a", "UID": "x"}',
            "line 2: no field 'sentence_bad'; its fields: sentence_good",
        ),
        ("swap.jsonl", line(bad=" "), r"line 1: sentence_bad = ' ', but must be text"),
        ("swap.jsonl", line() + "\n" + line(term="x"), r"line 2: linguistics_term = 'x', but must be 'word_order', as in the"),
        ("swap.jsonl", "\n", r"swap\.jsonl holds no pair"),
        ("swap.jsonl.gz", line(), r"swap\.jsonl\.gz: not a whole gzip archive"),
        ("causative.jsonl", line(), r"holds paradigm 'causative' twice: causative\.jsonl and causative\.jsonl\.gz"),
    ],
)
def test_bad_files_are_named_with_their_line(folder: Path, name: str, content: str, message: str) -> None:
    if name == "swap.jsonl.gz":
        (folder / "swap.jsonl").unlink()
    (folder / name).write_text(content)
    with pytest.raises(ConfigError, match=message) as caught:
        paradigms(str(folder))
    assert "\n" not in str(caught.value)


def test_a_folder_without_paradigms_is_said(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"blimp source = '', but must be a folder of paradigms, or hub:NAME"):
        paradigms("")
    with pytest.raises(ConfigError, match="but must be a folder of paradigms, or hub:NAME"):
        fingerprint(str(folder / "nowhere"))
    with pytest.raises(ConfigError, match=r"holds no paradigm: it needs files named NAME\.jsonl or NAME\.jsonl\.gz"):
        paradigms(str(tmp_path))


def test_the_hub_has_a_configuration_for_each_paradigm(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a stand-in: the hub itself is never asked."""
    asked = []

    def load(name: str, config: str, **options: Any) -> Any:
        asked.append((name, config, options))
        return [json.loads(line(good=config))]

    monkeypatch.setattr(datasets, "get_dataset_config_names", lambda name, revision: ["swap", "causative"])
    monkeypatch.setattr(datasets, "load_dataset", load)
    assert paradigms("hub:user/blimp#abc") == (
        Paradigm("causative", "word order", (("causative", "b a"),)),
        Paradigm("swap", "word order", (("swap", "b a"),)),
    )
    assert asked[0] == ("user/blimp", "causative", {"split": "train", "streaming": True, "revision": "abc"})


def test_a_silent_hub_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(name: str, revision: str) -> list[str]:
        raise OSError("no route\nto host")

    monkeypatch.setattr(datasets, "get_dataset_config_names", silent)
    with pytest.raises(ConfigError, match=r"blimp source = 'hub:user/blimp#no' cannot be read: no route to host"):
        paradigms("hub:user/blimp#no")
