"""Columns that several studies show, written once: one yardstick has one name and as many digits wherever it stands.

A study names them in its `metrics`, and makes those that only it has by hand.
"""

from __future__ import annotations

from typing import Literal

from ablate.specification import Metric


def percentage(evaluation: str, condition: str, label: str) -> Metric:
    """A share of right answers."""
    return Metric(
        evaluation=evaluation,
        metric="accuracy",
        condition=condition,
        label=label,
        unit="%",
        better="higher",
        scale=100,
        digits=1,
    )


def masked_bits(rate: float) -> Metric:
    """Bits of a token that a fixed corruption hides, at one rate for all arms, whatever rate they train at."""
    return Metric(
        evaluation="masked-bits",
        metric="bits_per_token",
        condition=f"mask_rate={rate}",
        label=f"masked bits at {rate:.0%}".replace("%", " %"),
        unit="bits",
    )


def below_unigram(evaluation: str, condition: str) -> Metric:
    """What a run must have learned to count: `Specification.learned`."""
    return Metric(
        evaluation=evaluation,
        metric="nats_below_unigram",
        condition=condition,
        label="below the unigram",
        unit="nats",
        better="higher",
    )


def latent(metric: str, label: str, better: Literal["lower", "higher", "none"] = "none", condition: str = "") -> Metric:
    """Nats of a text VAE; what z says has no better side."""
    return Metric(evaluation="latent", metric=metric, condition=condition, label=label, unit="nats", better=better, digits=2)


CLOZE = percentage("cloze", "word", "cloze")
TOPIC_PROBE = percentage("linear-probe", "topic", "topic probe")
MINIMAL_PAIRS = percentage("minimal-pairs", "overall", "minimal pairs")
OWN_LOSS = Metric(evaluation="own-loss", metric="nats_per_target", label="own loss", unit="nats", better="none")
MASKED_LEARNED = below_unigram("masked-bits", "mask_rate=0.15")
BOUND = latent("importance_weighted", "bound, 50 draws", "lower", "draws=50")
ELBO = latent("elbo", "ELBO", "lower")
KL = latent("kl", "KL")
MUTUAL_INFORMATION = latent("mutual_information", "mutual information")
ACTIVE_UNITS = Metric(
    evaluation="latent", metric="active_units", label="active units", unit="dimensions", better="none", digits=1
)
