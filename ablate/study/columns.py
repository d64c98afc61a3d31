"""Columns that several studies show, written once: one evaluation has one name and as many digits wherever it stands.

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


def bits_per_byte(condition: str) -> Metric:
    """Bits of a byte of held-out text. `exact` likelihoods and `bound`s do not compare."""
    return Metric(evaluation="bits-per-byte", metric="bits_per_byte", condition=condition, label="bits per byte", unit="bits")


def order_loss(condition: str, label: str) -> Metric:
    """Nats of a token when the text is predicted in the order that `condition` names."""
    return Metric(evaluation="order-loss", metric="nats_per_token", condition=condition, label=label, unit="nats")


def points(evaluation: str, metric: str, label: str, condition: str = "") -> Metric:
    """A score on a downstream task, out of 100."""
    return Metric(
        evaluation=evaluation,
        metric=metric,
        condition=condition,
        label=label,
        unit="points",
        better="higher",
        scale=100,
        digits=1,
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


def attention_statistic(metric: str, label: str, unit: str, digits: int) -> Metric:
    """What attention weights and scores look like: shown, never ranked."""
    return Metric(evaluation="attention", metric=metric, label=label, unit=unit, better="none", digits=digits)


def generated(
    metric: str,
    label: str,
    unit: str = "nats",
    condition: str = "temperature=1",
    better: Literal["lower", "higher", "none"] = "lower",
) -> Metric:
    """A number of texts that the model writes."""
    return Metric(evaluation="generation", metric=metric, condition=condition, label=label, unit=unit, better=better)


def latent(metric: str, label: str, better: Literal["lower", "higher", "none"] = "none", condition: str = "") -> Metric:
    """Nats of a text VAE; what z says has no better side."""
    return Metric(evaluation="latent", metric=metric, condition=condition, label=label, unit="nats", better=better, digits=2)


CLOZE = percentage("cloze", "word", "cloze")
TOPIC_PROBE = percentage("linear-probe", "topic", "topic probe")
MINIMAL_PAIRS = percentage("minimal-pairs", "overall", "minimal pairs")
OWN_LOSS = Metric(evaluation="own-loss", metric="nats_per_target", label="own loss", unit="nats", better="none")
STABLE_RATE = Metric(
    evaluation="stable-rate", metric="log2_rate", label="highest stable rate", unit="doublings", better="higher", digits=1
)
MASKED_LEARNED = below_unigram("masked-bits", "mask_rate=0.15")
BOUND = latent("importance_weighted", "bound, 50 draws", "lower", "draws=50")
ELBO = latent("elbo", "ELBO", "lower")
KL = latent("kl", "KL")
MUTUAL_INFORMATION = latent("mutual_information", "mutual information")
ACTIVE_UNITS = Metric(
    evaluation="latent", metric="active_units", label="active units", unit="dimensions", better="none", digits=1
)
