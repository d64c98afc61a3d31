"""Preparing a text takes bounded memory, though neither line, sentence nor document ends. Measured in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ablate.seeds import generator

ALLOWED = 256
"""MiB beyond what the imports take. A text that is held as tokens takes a hundred bytes for each of its own."""
PREPARE = """
import json, sys
from ablate.config import Data
from ablate.data.text import prepare

def peak():
    return int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0]) >> 10

before = peak()
text = prepare(Data(corpus=f"files:{sys.argv[1]}", tokenizer=sys.argv[2], unit=sys.argv[3]))
print(json.dumps([peak() - before, text.facts()["words"]]))
"""
pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")


def growth(folder: Path, size: int, kind: str, unit: str) -> float:
    """MiB that preparing a text of `size` bytes without a line end adds; the text is all words of it."""
    letters = generator(0, "test").integers(97, 123, (5000, 9), dtype="uint8")
    words = [bytes(word[: 1 + i % 9]).decode() for i, word in enumerate(letters)]
    once = " ".join(words) + " "
    (folder / "texts").mkdir()
    for name, share in (("train", 0.9), ("valid", 0.05), ("test", 0.05)):
        with open(folder / "texts" / f"{name}.txt", "w") as file:
            for _ in range(int(share * size / len(once)) + 1):
                file.write(once)
    command = [sys.executable, "-c", PREPARE, str(folder / "texts"), kind, unit]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    out = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    added, counted = json.loads(out)
    assert counted >= size // len(once) * len(words)
    return float(added)


def test_memory_is_bounded_though_nothing_ends(tmp_path: Path) -> None:
    assert growth(tmp_path, 12_000_000, "byte", "file") < ALLOWED


@pytest.mark.smoke
@pytest.mark.parametrize("unit", ["paragraph", "file"])
@pytest.mark.parametrize("kind", ["wordpiece", "bpe", "byte", "char"])
def test_memory_is_bounded_for_every_kind(tmp_path: Path, kind: str, unit: str) -> None:
    assert growth(tmp_path, 60_000_000, kind, unit) < ALLOWED
