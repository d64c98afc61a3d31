"""Topic: what is a document about? The labels are the corpus's own, so the task needs no file; it is the default.

In pydocs the label is the package that a piece of documentation comes from. Training examples are documents of the validation
split, reported examples those of the test split. Pre-training reads neither; the linear probe reads both. Labels with fewer
than 20 training documents are left out on both sides.
"""

from __future__ import annotations

from collections import Counter

from ablate.data.text import Text
from ablate.evaluation.tasks.task import Example, Task

FEWEST = 20
"""Training documents that a label must have."""


def load(text: Text) -> Task | None:
    """Return the task; None if the corpus has fewer than two labels that are frequent enough."""
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
