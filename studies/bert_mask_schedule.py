"""Should BERT hide more early than late? Ankner et al. 2024: a rate that falls from 30 to 15 % beats a fixed one."""

from ablate import training
from ablate.config import Backbone, Budget, Data, Optimization, RunConfig
from ablate.evaluation.cloze import Cloze
from ablate.evaluation.linear_probe import LinearProbe
from ablate.evaluation.masked_bits import MaskedBits
from ablate.evaluation.own_loss import OwnLoss
from ablate.objectives.bert import Bert
from ablate.study.columns import CLOZE, MASKED_LEARNED, OWN_LOSS, TOPIC_PROBE, masked_bits
from ablate.study.factor import Factor, Nuisance, Range
from ablate.study.scales import GPU
from ablate.study.study import Study, Tier

LEARNING_RATE = Range(path="optimization.learning_rate", low=3e-4, high=3e-3, log=True)

STUDY = Study(
    name="bert-mask-schedule",
    title="Mask rate over time",
    question="Should BERT hide more at the beginning of its training than at the end?",
    base=RunConfig(
        objective=Bert.Config(mask_rate=0.15, final_mask_rate=0.15, mask_share=1.0, random_share=0.0, next_sentence="off"),
        backbone=Backbone(width=128, layers=2, heads=4),
        data=Data(corpus="pydocs", vocabulary=1024, context=64),
        optimization=Optimization(learning_rate=1e-3, batch=16),
        budget=Budget(tokens=800_000),
        evaluations=(MaskedBits(rates=(0.15, 0.30)), Cloze(), LinearProbe(), OwnLoss()),
    ),
    # Every combination, so that beside the falling rate stand both fixed ones and the rising one.
    design="factorial",
    factors=(
        Factor(
            path="objective.mask_rate",
            label="rate at first",
            levels=(0.15, 0.30),
            equation="rate(p) = first + (last - first) p, p the share of the budget that was read",
            source="Ankner et al. 2024, section 2",
        ),
        Factor(path="objective.final_mask_rate", label="at last", levels=(0.15, 0.30), source="Ankner et al. 2024, section 2"),
    ),
    metrics=(
        masked_bits(0.15),
        CLOZE,
        TOPIC_PROBE,
        OWN_LOSS,
    ),
    learned=MASKED_LEARNED,
    claims=("C09",),
    tiers={
        "smoke": Tier(seeds=3, workers=2, overrides={"budget.tokens": 6_000, "budget.readings": 2, "backbone.width": 32}),
        # Size, learning rate and batch are those of the pilots at width 128 that bert-masking lists; 25 trained runs of 40-45
        # s, two side by side, take 9-10 minutes.
        "quick": Tier(
            seeds=5,
            workers=2,
            overrides={"budget.tokens": 600_000, "budget.readings": 3},
            note="one learning rate for all arms, 1e-3, the steadiest of four in pilots at mask rate 0.15",
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
