"""Training, validation and test by the hash of a document's text: fixed for good, whatever is added or removed around it.

    share(document) = sha256(text) / 2^256;   test < 0.05 <= validation < 0.10 <= train

Identical texts always land in the same split, so that no test document was ever read in training.
"""

from __future__ import annotations

import hashlib

from ablate.data.corpora import Document

SPLITS = ("train", "validation", "test")
HELD_OUT = ("validation", "test")
HELD_OUT_SHARE = 0.05
"""Expected share of the documents in each held-out split."""
RULE = f"sha256/{HELD_OUT_SHARE}"
"""Names the rule in the fingerprint of everything built from it."""


def falls_in_validation(document: Document) -> bool:
    """For a corpus that comes divided into training and test alone: one document in twenty, by the same hash."""
    return _share(document) < HELD_OUT_SHARE


def split_of(document: Document) -> str:
    """`train`, `validation` or `test`: what the corpus says, else from the text alone; the label plays no part."""
    if document.split:
        return document.split
    share = _share(document)
    if share < HELD_OUT_SHARE:
        return "test"
    return "validation" if share < 2 * HELD_OUT_SHARE else "train"


def _share(document: Document) -> float:
    hashed = hashlib.sha256("\n".join(document.sentences).encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(hashed[:8], "big") / 2**64
