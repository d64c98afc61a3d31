"""How much of an order should XLNet predict? Yang et al. 2019: a sixth, in spans, with memory; table 6 varies them."""

from ablate import training
from ablate.evaluation.cloze import Cloze
from ablate.evaluation.linear_probe import LinearProbe
from ablate.evaluation.masked_bits import MaskedBits
from ablate.evaluation.own_loss import OwnLoss
from ablate.objectives.xlnet import Xlnet
from ablate.specification import Pilot
from ablate.study.columns import CLOZE, MASKED_LEARNED, OWN_LOSS, TOPIC_PROBE, masked_bits
from ablate.study.factor import Factor
from ablate.study.sizes import COMPARED, PILOT, SMALL, gpu, one_rate, small_run, smoke, tuned
from ablate.study.study import Study

PILOTS = (
    Pilot(
        "a sixth, as in masked-against-causal; width 64, batch 16, rate 4e-3, 1.5 M tokens",
        PILOT,
        "1.57 nats below the unigram; 28 s, two runs side by side",
    ),
    Pilot("this tier at width 128, 0.8 M tokens, batch 8, rate 1e-3", COMPARED, "C19 undecided"),
)

STUDY = Study(
    name="xlnet-partial-prediction",
    title="Partial prediction of XLNet",
    question="How much of an order should XLNet predict, in spans or not, with memory or without?",
    base=small_run(
        Xlnet.Config(predict_fraction=1 / 6, span_targets=False, memory=0),
        *(MaskedBits(rates=(0.15,)), Cloze(), LinearProbe(), OwnLoss()),
        batch=8,
    ),
    design="one-at-a-time",
    factors=(
        Factor(
            path="objective.predict_fraction",
            label="predicted",
            levels=(1 / 6, 1 / 7, 1 / 2),
            equation="the last 1/K of an order's tokens are predicted; those before are context",
            source="Yang et al. 2019, section 2.3 and table 6, rows 3 and 4",
        ),
        Factor(
            path="objective.span_targets",
            label="spans",
            levels=(False, True),
            equation="targets are spans of 1 to 5 tokens, each in a context of K times its length",
            source="Yang et al. 2019, section 3.1 and table 6, row 6",
        ),
        Factor(
            path="objective.memory",
            label="memory",
            levels=(0, 32),
            equation="tokens before the row that are read without gradient",
            source="Yang et al. 2019, section 2.4 and table 6, row 5",
        ),
    ),
    metrics=(masked_bits(0.15), CLOZE, TOPIC_PROBE, OWN_LOSS),
    learned=MASKED_LEARNED,
    claims=("C19",),
    tiers={
        "smoke": smoke(4_000),
        "quick": one_rate(
            3_000_000,
            {**SMALL, "optimization.batch": 16},
            readings=3,
            levels={"objective.span_targets": (False,), "objective.memory": (0,)},
            pilots=PILOTS,
            note="one learning rate for all arms, 4e-3",
        ),
        "standard": tuned(4_000_000),
        "full": gpu(),
    },
    measure=training.PRETRAINING,
)
