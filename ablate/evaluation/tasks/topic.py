"""Topic: what is a document of the corpus about? The corpus's own labels; needs no file and no network, so it is the default.

Of pydocs the label is the package that a piece of documentation comes from. Examples to learn from are documents of the
validation split, those reported of the test split: neither was read in pre-training, and both are what the linear probe reads.
Labels with fewer than 20 documents to learn from are left out on both sides.
"""

from __future__ import annotations

from collections import Counter

from ablate.data.text import Text
from ablate.evaluation.tasks.task import Example, Task

FEWEST = 20
"""Documents to learn from that a label must have."""


def load(text: Text) -> Task | None:
    """The task; None where the corpus has no labels, or fewer than two that are frequent enough."""
    train, test = _labelled(text, "validation"), _labelled(text, "test")
    counts = Counter(example.label for example in train)
    frequent = {label for label, count in counts.items() if count >= FEWEST}
    train, test = ([example for example in part if example.label in frequent] for part in (train, test))
    if len(frequent) < 2 or not test:
        return None
    return Task(
        name="topic",
        kind="classification",
        train=train,
        test=test,
        metrics=("accuracy",),
        fields=("text",),
        prompt="topic",
    )


def _labelled(text: Text, split: str) -> list[Example]:
    documents = (document for document in text.documents(split) if document.label)
    return [Example(" ".join(document.sentences), "", document.label) for document in documents]
