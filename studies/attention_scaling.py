"""How should attention scores be scaled, and how wide must a head's keys be?"""

from ablate import training
from ablate.config import override
from ablate.evaluation.attention_statistics import AttentionStatistics
from ablate.evaluation.bits_per_byte import BitsPerByte
from ablate.evaluation.dot_products import DotProducts
from ablate.evaluation.minimal_pairs import MinimalPairs
from ablate.evaluation.own_loss import OwnLoss
from ablate.evaluation.stable_rate import StableRate
from ablate.objectives.bert import Bert
from ablate.objectives.gpt import Gpt
from ablate.specification import Pilot
from ablate.study.columns import MINIMAL_PAIRS, OWN_LOSS, STABLE_RATE, attention_statistic, below_unigram, bits_per_byte
from ablate.study.factor import Factor
from ablate.study.sizes import COMPARED, PILOT, SMALL, gpu, one_rate, small_run, smoke
from ablate.study.study import Study

SCALE = "backbone.attention_scale"
EVERY = ("inverse-sqrt", "inverse", "none", "learned", "qk-norm", "qk-norm-fixed", "qk-norm-sharp", "log-length")
SHARP = {SCALE: "qk-norm-fixed", "backbone.attention_scale_factor": 1.36}
"""0.12 instead of 1/sqrt(128), as in the record that claim C28 is about: 1.36 times as sharp."""
UNTUNED = "the learning rate of all arms is {}, not tuned for any of them"


def ladder(**fields: float) -> dict[str, float]:
    """The search for the highest stable rate: `steps` a rung, from `lowest` on, so many `doublings`."""
    return {f"evaluations.stable-rate.{field}": value for field, value in fields.items()}


PILOTS = (
    Pilot("1/sqrt(d); width 64, rate 4e-3, a ladder of 100 steps a rung", PILOT, "stable up to 0.032; 2.5 s a rung"),
    Pilot("unscaled, qk-norm-sharp; the same", PILOT, "stable up to 0.064"),
    Pilot("all three; the same", COMPARED, "no seed lower, so the lowest rung is 0.032"),
    Pilot(
        "the same, 1 M tokens",
        PILOT,
        "bits per byte: 1/sqrt(d) 1.754, unscaled 1.781, qk-norm-sharp 1.749; 25 s",
    ),
    Pilot(
        "this tier at width 128, 0.4 M tokens, rate 2e-3, a ladder of 150 steps a rung from 0.016",
        COMPARED,
        "C27 reproduced, C28 and C29 undecided",
    ),
    Pilot(
        "this tier at 1.3 M tokens, stable rate read in whole rungs",
        COMPARED,
        "C27 to C29 undecided, then read between rungs; five seeds took 14 to 16.5 minutes on one machine that others used too",
    ),
    Pilot("this tier at 1.3 M tokens, eight seeds", (*COMPARED, 5, 6, 7), "C27 to C29 undecided"),
)

STUDY = Study(
    name="attention-scaling",
    title="Scale of attention",
    question="How should attention scores be scaled, and how wide must a head's keys be?",
    base=override(
        small_run(
            Gpt.Config(), *(BitsPerByte(), StableRate(), MinimalPairs(), AttentionStatistics(), DotProducts(), OwnLoss())
        ),
        {"backbone.heads": 2, "backbone.key_width": 64, "optimization.learning_rate": 2e-3},
    ),
    factors=(
        Factor(
            path=SCALE,
            label="scale",
            levels=("inverse-sqrt", "none", "qk-norm", "qk-norm-fixed", "qk-norm-sharp"),
            settings={"qk-norm-sharp": SHARP},
            equation="scores = f <q, k> / sqrt(d), f <q, k>, or f t sqrt(d) cos(q, k) with a temperature t of each head",
            source="Vaswani et al. 2017, section 3.2.1; Henry et al. 2020; Dehghani et al. 2023, section 2.1",
            note="f = 1 except in qk-norm-sharp, which is qk-norm-fixed with f = 1.36. The scale is folded into queries and "
            "keys, so every level runs on the same kernel. The highest stable rate trains each arm anew from random weights. "
            "It does so for the untrained arm too, whose rate is therefore the baseline's.",
        ),
        Factor(
            path="backbone.key_width",
            label="key width",
            levels=(64, 16),
            equation="features by which a head compares a query with a key; the values keep their width",
            source="Vaswani et al. 2017, table 3 (B)",
        ),
        Factor(
            path="objective.name",
            label="objective",
            levels=("gpt",),
            settings={"bert": {"objective": Bert.Config(next_sentence="off")}},
        ),
    ),
    design="one-at-a-time",
    metrics=(
        *(bits_per_byte("exact"), MINIMAL_PAIRS, STABLE_RATE),
        attention_statistic("relative_entropy", "attention entropy", "share of ln n", 3),
        attention_statistic("largest_logit", "largest logit", "nats", 1),
        attention_statistic("softmax_gradient", "softmax gradient", "norm", 3),
        OWN_LOSS,
    ),
    learned=below_unigram("bits-per-byte", "exact"),
    claims=("C27", "C28", "C29", "C30"),
    tiers={
        "smoke": smoke(4_000, ladder(steps=20, warmup=4, doublings=1), seeds=1),
        "quick": one_rate(
            1_000_000,
            {**SMALL, **ladder(lowest=32e-3, doublings=3, steps=100)},
            readings=3,
            pilots=PILOTS,
            note=UNTUNED.format("4e-3"),
        ),
        # BERT takes longer than GPT to leave the unigram.
        "standard": one_rate(
            2_000_000, ladder(steps=400), design="factorial", levels={SCALE: EVERY, "objective.name": ("gpt", "bert")}
        ),
        "full": gpu(
            {"data.context": 512, "optimization.batch": 32, **ladder(lowest=1e-3, doublings=8, steps=400)},
            trials=0,
            design="factorial",
            levels={SCALE: EVERY, "backbone.key_width": (16, 32, 64, 128, 256), "objective.name": ("gpt", "bert")},
            note=UNTUNED.format("2e-3"),
        ),
    },
    measure=training.PRETRAINING,
)
