"""SST-2 (Socher et al. 2013; Wang et al. 2019): the bag-of-words line that every fine-tuned model stands beside.

All 67,349 examples.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from ablate.evaluation import tfidf
from ablate.evaluation.tasks import glue

SST2 = Path(os.environ.get("ABLATE_DATA", "")) / "glue" / "SST-2"

pytestmark = [
    pytest.mark.published,
    pytest.mark.skipif(not SST2.is_dir(), reason="needs glue/SST-2 under $ABLATE_DATA"),
]


def test_tfidf_and_logistic_regression() -> None:
    task = glue.load("sst-2", SST2)
    train, test = ([example.first for example in part] for part in (task.train, task.test))
    y_train, y_test = (np.array([example.label == "positive" for example in part]) for part in (task.train, task.test))
    vectorizer = tfidf.learn(train)
    model = tfidf.fit(tfidf.features(train, None, vectorizer), y_train, 1.0, classes=True)
    accuracy = float((model.predict(tfidf.features(test, None, vectorizer)) == y_test).mean())
    print(f"\nTF-IDF and logistic regression, SST-2 development set: {accuracy:.4f}")
    assert 0.80 < accuracy < 0.84
