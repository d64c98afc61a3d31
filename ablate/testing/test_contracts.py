"""What `python -m ablate.testing` runs on the classes that it is given."""

from __future__ import annotations

from ablate.testing.metric import MetricContract
from ablate.testing.objective import ObjectiveContract


class TestObjective(ObjectiveContract):
    """Every class of `--objective`, at the default settings."""


class TestMetric(MetricContract):
    """Every class of `--metric`, at its smallest size."""
