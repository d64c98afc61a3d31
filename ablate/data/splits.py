"""Training, validation and test splits by the hash of a document's text. Adding or removing other documents never moves it.

    share(document) = sha256(text) / 2^256;   test < 0.05 <= validation < 0.10 <= train

Identical texts are always in the same split, so training never reads a test document. If a corpus has splits of its own but
lacks a held-out one, the same hash chooses a twentieth of its training documents for that split.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from ablate.data.document import Document

SPLITS = ("train", "validation", "test")
HELD_OUT = ("validation", "test")
HELD_OUT_SHARE = 0.05
"""Expected share of the documents in each held-out split."""
RULE = f"sha256/{HELD_OUT_SHARE}"
"""Names the rule in the fingerprint of everything built from it."""


def split_of(document: Document) -> str:
    """Return `train`, `validation` or `test`: the corpus decides, or else the text alone. The label does not matter."""
    return document.split or set_apart(document, ("test", "validation"))


def set_apart(document: Document, splits: Sequence[str]) -> str:
    """Return the held-out split that takes a training document (one in twenty for each of `splits`), else `train`."""
    hashed = hashlib.sha256("\n".join(document.sentences).encode("utf-8", "surrogatepass")).digest()
    share = int.from_bytes(hashed[:8], "big") / 2**64
    return next((name for i, name in enumerate(splits, start=1) if share < i * HELD_OUT_SHARE), "train")
