"""Training: `fit` for one run, `PRETRAINING` as the measure of a study."""

from ablate.training.measure import PRETRAINING, fit

__all__ = ["PRETRAINING", "fit"]
