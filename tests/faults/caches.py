"""Kind `caches`: a prepared text that is damaged in any way is built again, byte for byte, and one line says so."""

from __future__ import annotations

import contextlib
import io
import json
import os
import random
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from ablate import notice
from ablate.config import Data
from ablate.data.text import prepare
from ablate.disk import digests, manifest
from tests.faults.damage import damaged, other_json
from tests.faults.operations import files_of

TRIES = 510
TOKENIZERS = ("wordpiece", "bpe", "char")
RESTED = 0.02
"""Seconds after which a digest is remembered here: longer than two ticks of the clock of a file system in use."""
WAYS = ("bytes", "bytes", "bytes", "bytes", "deleted", "swapped", "manifest", "manifest of another", "emptied", "folder")


class Caches:
    """Faults of the token files of a small text."""

    name = "caches"

    def __init__(self, folder: Path) -> None:
        digests.RESTED = RESTED
        self._corpus = folder / "corpus.txt"
        draw = random.Random(0)
        words = ["".join(draw.choices("abcdefgh", k=draw.randint(2, 6))) for _ in range(60)]
        lines = [" ".join(draw.choices(words, k=draw.randint(4, 12))) + "." for _ in range(400)]
        self._corpus.write_text("\n\n".join(lines) + "\n")
        self._fresh = {}
        for tokenizer in TOKENIZERS:
            os.environ["ABLATE_CACHE"] = str(folder / tokenizer)
            self._fresh[tokenizer] = files_of(self._prepared(tokenizer))

    def tries(self, limit: int | None, seed: int) -> list[int]:
        """Seeds of damages."""
        return [seed * TRIES * 1000 + number for number in range(TRIES if limit is None else limit)]

    def attempt(self, one: int, folder: Path) -> Iterator[str]:
        """Damage one entry of a cache that lasts from try to try, then open it."""
        draw = random.Random(one)
        os.environ["ABLATE_CACHE"] = str(folder)
        tokenizer = draw.choice(TOKENIZERS)
        entry = self._prepared(tokenizer)
        if draw.random() < 0.5:
            # Its digests are remembered from here on.
            time.sleep(2 * RESTED)
            self._prepared(tokenizer)
        way = draw.choice(WAYS)
        self._damage(entry, tokenizer, way, draw)
        if files_of(entry) == self._fresh[tokenizer]:
            return
        notice._SAID.clear()
        said = io.StringIO()
        with contextlib.redirect_stderr(said):
            again = self._prepared(tokenizer)
        if again != entry or files_of(again) != self._fresh[tokenizer]:
            yield f"silent: {way} of {tokenizer}: the text is not as it was built"
            shutil.rmtree(entry, ignore_errors=True)
        elif len(said.getvalue().splitlines()) != 1:
            yield f"silent: {way} of {tokenizer}: stderr has {said.getvalue()!r} instead of one line"

    def _prepared(self, tokenizer: str) -> Path:
        data = Data(corpus=f"files:{self._corpus}", tokenizer=tokenizer, vocabulary=300, context=16)
        text = prepare(data)
        # What a study reads first.
        text.facts()
        return text.folder

    def _damage(self, entry: Path, tokenizer: str, way: str, draw: random.Random) -> None:
        files = sorted(path for path in entry.iterdir() if path.is_file())
        chosen = draw.choice(files)
        if way == "bytes":
            chosen.write_bytes(damaged(chosen.read_bytes(), draw))
        elif way == "deleted":
            chosen.unlink()
        elif way == "swapped":
            other = draw.choice([path for path in files if path.read_bytes() != chosen.read_bytes()])
            one, two = chosen.read_bytes(), other.read_bytes()
            chosen.write_bytes(two)
            other.write_bytes(one)
        elif way == "manifest":
            path = entry / manifest.FILE
            path.write_bytes(other_json(json.loads(path.read_bytes()), draw))
        elif way == "manifest of another":
            other_tokenizer = draw.choice([name for name in TOKENIZERS if name != tokenizer])
            (entry / manifest.FILE).write_bytes(self._fresh[other_tokenizer][manifest.FILE])
        elif way == "emptied":
            for path in files:
                path.unlink()
        else:
            # A folder in the place of a file.
            chosen.unlink()
            chosen.mkdir()
