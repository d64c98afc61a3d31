"""Training, validation and test by the hash of a document's text: fixed for good, whatever is added or removed around it.

    share(document) = sha256(text) / 2^256;   test < 0.05 <= validation < 0.10 <= train

Identical texts always land in the same split, so that no test document was ever read in training. Of a corpus that brings
a division without one of the held-out splits, that split is a twentieth of the training documents, by the same hash.
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
    """`train`, `validation` or `test`: what the corpus says, else from the text alone; the label plays no part."""
    return document.split or set_apart(document, ("test", "validation"))


def set_apart(document: Document, splits: Sequence[str]) -> str:
    """Which of the held-out `splits` a training document goes to, one in twenty to each; `train` for the others."""
    hashed = hashlib.sha256("\n".join(document.sentences).encode("utf-8", "surrogatepass")).digest()
    share = int.from_bytes(hashed[:8], "big") / 2**64
    return next((name for i, name in enumerate(splits, start=1) if share < i * HELD_OUT_SHARE), "train")
