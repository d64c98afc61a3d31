"""How much of an order should XLNet predict? Yang et al. 2019 took a sixth, in spans, with memory; table 6 takes them away."""

from ablate import training
from ablate.config import Backbone, Budget, Data, Optimization, RunConfig
from ablate.evaluation.cloze import Cloze
from ablate.evaluation.linear_probe import LinearProbe
from ablate.evaluation.masked_bits import MaskedBits
from ablate.evaluation.own_loss import OwnLoss
from ablate.objectives.xlnet import Xlnet
from ablate.study.columns import CLOZE, MASKED_LEARNED, OWN_LOSS, TOPIC_PROBE, masked_bits
from ablate.study.factor import Factor, Nuisance, Range
from ablate.study.scales import GPU, SMALL
from ablate.study.study import Study, Tier

LEARNING_RATE = Range(path="optimization.learning_rate", low=3e-4, high=3e-3, log=True)

STUDY = Study(
    name="xlnet-partial-prediction",
    title="Partial prediction of XLNet",
    question="How much of an order should XLNet predict, in spans or not, with memory or without?",
    base=RunConfig(
        objective=Xlnet.Config(predict_fraction=1 / 6, span_targets=False, memory=0),
        backbone=Backbone(width=128, layers=2, heads=4),
        data=Data(corpus="pydocs", vocabulary=1024, context=64),
        optimization=Optimization(learning_rate=1e-3, batch=8),
        budget=Budget(tokens=800_000),
        evaluations=(MaskedBits(rates=(0.15,)), Cloze(), LinearProbe(), OwnLoss()),
    ),
    design="one-at-a-time",
    factors=(
        Factor(
            path="objective.predict_fraction",
            label="predicted",
            levels=(1 / 6, 1 / 7, 1 / 2),
            equation="1/K of an order's tokens, the last ones; those before are context",
            source="Yang et al. 2019, section 2.3 and table 6, rows 3 and 4",
        ),
        Factor(
            path="objective.span_targets",
            label="spans",
            levels=(False, True),
            equation="what is predicted are spans of 1 to 5 tokens, each in a context of K times its length",
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
    metrics=(
        masked_bits(0.15),
        CLOZE,
        TOPIC_PROBE,
        OWN_LOSS,
    ),
    learned=MASKED_LEARNED,
    claims=("C19",),
    tiers={
        "smoke": Tier(seeds=3, workers=2, overrides={"budget.tokens": 4_000, "budget.readings": 2, "backbone.width": 32}),
        # A run of masked-against-causal that predicts a sixth took 28 s for 1.5 M tokens, two side by side, at this width, rate
        # and batch, and was 1.57 nats below the unigram then.
        "quick": Tier(
            seeds=5,
            workers=2,
            levels={"objective.span_targets": (False,), "objective.memory": (0,)},
            overrides={
                **SMALL,
                "optimization.batch": 16,
                "budget.tokens": 3_000_000,
                "budget.readings": 3,
            },
            note="one learning rate for all arms, 4e-3. A former size of the tier (width 128, 800 thousand tokens, batch 8, "
            "1e-3) was run on the same seeds: it left C19 undecided",
        ),
        "standard": Tier(
            seeds=5,
            workers=2,
            overrides={"budget.tokens": 4_000_000},
            nuisance=Nuisance(ranges=(LEARNING_RATE,), trials=3),
        ),
        "full": Tier(
            seeds=5,
            overrides=GPU,
            nuisance=Nuisance(ranges=(LEARNING_RATE,), trials=4),
            note="for a GPU; not run yet",
        ),
    },
    measure=training.PRETRAINING,
)
