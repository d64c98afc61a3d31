"""Where the user keeps data sets: `$ABLATE_DATA`, so that no record names a path of this machine."""

from __future__ import annotations

import os
from pathlib import Path

from ablate.config import ConfigError
from ablate.data.corpora.user_path import user_path


def in_data_folder(below: str, corpus: str, instead: str = "files:PATH") -> Path:
    """The path `below` in the data folder; `ConfigError` says what to write `instead` of `corpus` where there is no folder."""
    root = os.environ.get("ABLATE_DATA")
    if not root:
        needs = f"data.corpus = {corpus!r} needs its files"
        raise ConfigError(f"{needs}: write {instead}, or set ABLATE_DATA to what holds {below}")
    return user_path(root, f"ABLATE_DATA = {root!r}") / below
