"""Bigram shift: have two neighbouring words of a sentence changed places? (Conneau et al. 2018, section 2, BShift)

    intact   "the index is sorted in ascending order"
    shifted  "the index sorted is in ascending order"

The sentences come from the corpus itself, so the task needs no file and no labels. Half of them are shifted at a random place.
Words are divided by spaces, and the two must differ. A bag of words cannot solve the task, whatever it was trained on. The
order of words decides, which pre-training on text may teach.

Training examples are sentences of the validation split, reported examples those of the test split, each sentence once.
"""

from __future__ import annotations

from ablate.data.text import Text
from ablate.evaluation.reading import noise
from ablate.evaluation.tasks.task import Example, Task

SHORTEST, LONGEST = 5, 28
"""Words of a sentence; Conneau et al. take 5 to 28 tokens."""
INTACT, SHIFTED = "intact", "shifted"


def load(text: Text) -> Task | None:
    """Return the task; None if a held-out split has fewer than two sentences of this length."""
    train, test = _sentences(text, "validation"), _sentences(text, "test")
    if min(len({example.label for example in part}) for part in (train, test)) < 2:
        return None
    return Task(
        name="bigram-shift",
        kind="classification",
        train=train,
        test=test,
        metrics=("accuracy",),
        fields=("sentence",),
        prompt="order",
    )


def _sentences(text: Text, split: str) -> list[Example]:
    """Shift every second sentence of a random order."""
    attested = list(dict.fromkeys(sentence for document in text.documents(split) for sentence in document.sentences))
    kept = [words for sentence in attested if SHORTEST <= len(words := sentence.split()) <= LONGEST]
    examples = []
    for number, place in enumerate(noise(f"bigram-shift/{split}").permutation(len(kept)).tolist()):
        words = kept[place]
        differ = [i for i in range(len(words) - 1) if words[i].lower() != words[i + 1].lower()]
        if number % 2 and differ:
            i = differ[int(noise(f"bigram-shift/{split}/place", place).integers(len(differ)))]
            words = [*words[:i], words[i + 1], words[i], *words[i + 2 :]]
            examples.append(Example(" ".join(words), "", SHIFTED))
        else:
            examples.append(Example(" ".join(words), "", INTACT))
    return examples
