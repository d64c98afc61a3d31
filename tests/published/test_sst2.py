"""SST-2 (Socher et al. 2013; Wang et al. 2019): the bag-of-words line that every fine-tuned model stands beside.

It is held against scikit-learn's on the same files, all 67,349 examples.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from ablate.evaluation import tfidf
from ablate.evaluation.tasks import glue

SST2 = Path(os.environ.get("ABLATE_DATA", "")) / "glue" / "SST-2"

pytestmark = [
    pytest.mark.published,
    pytest.mark.skipif(not SST2.is_dir(), reason="needs glue/SST-2 under $ABLATE_DATA"),
]


def test_tfidf_and_logistic_regression_as_in_scikit_learn() -> None:
    task = glue.load("sst-2", SST2)
    train, test = ([example.first for example in part] for part in (task.train, task.test))
    y_train, y_test = (np.array([example.label == "positive" for example in part]) for part in (task.train, task.test))

    vocabulary = tfidf.learn(train)
    scores_NC = tfidf.fit(tfidf.vectors(train, vocabulary), np.eye(2)[y_train.astype(int)], 1.0, classes=True)(
        tfidf.vectors(test, vocabulary)
    )
    predicted = scores_NC.argmax(axis=1) == 1

    vectorizer = TfidfVectorizer()
    reference = LogisticRegression(max_iter=1000).fit(vectorizer.fit_transform(train), y_train)
    wanted = reference.predict(vectorizer.transform(test))
    accuracy = float((predicted == y_test).mean())
    print(
        f"\nTF-IDF and logistic regression, SST-2 development set: {accuracy:.4f}; scikit-learn {(wanted == y_test).mean():.4f}"
    )
    assert (predicted == wanted).mean() > 0.995
    assert 0.80 < accuracy < 0.84
