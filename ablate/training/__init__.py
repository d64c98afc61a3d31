"""Training: `fit` for one run, `PRETRAINING` as the measure of a study."""

from ablate.training.pretraining import PRETRAINING, fit

__all__ = ["PRETRAINING", "fit"]
