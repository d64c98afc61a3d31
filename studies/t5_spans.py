"""What should T5 take from a text and write again? Raffel et al. 2020, tables 4 to 7: spans, at 15 %, of three tokens."""

from ablate import training
from ablate.config import Backbone, Budget, Data, Optimization, RunConfig
from ablate.evaluation.linear_probe import LinearProbe
from ablate.evaluation.minimal_pairs import MinimalPairs
from ablate.evaluation.own_loss import OwnLoss
from ablate.objectives.t5 import T5
from ablate.study.columns import MINIMAL_PAIRS, OWN_LOSS, TOPIC_PROBE
from ablate.study.factor import Factor, Nuisance, Range
from ablate.study.scales import GPU, SMALL
from ablate.study.study import Study, Tier

LEARNING_RATE = Range(path="optimization.learning_rate", low=3e-4, high=3e-3, log=True)

STUDY = Study(
    name="t5-spans",
    title="Corruption of T5",
    question="What should T5 take from a text and write again?",
    base=RunConfig(
        objective=T5.Config(corruption="spans", corruption_rate=0.15, mean_span_length=3.0),
        backbone=Backbone(width=128, layers=2, heads=4),
        data=Data(corpus="pydocs", vocabulary=1024, context=64),
        optimization=Optimization(learning_rate=1e-3, batch=16),
        budget=Budget(tokens=800_000),
        evaluations=(LinearProbe(), MinimalPairs(), OwnLoss()),
    ),
    design="one-at-a-time",
    factors=(
        Factor(
            path="objective.corruption",
            label="task",
            levels=("spans", "prefix", "deshuffling"),
            equation="what the encoder reads and the decoder writes: a text with holes and what was in them; its beginning "
            "and its end; its tokens in random order and the text",
            source="Raffel et al. 2020, section 3.3.1, tables 4 and 5",
        ),
        Factor(
            path="objective.corruption_rate",
            label="corrupted",
            levels=(0.15, 0.25, 0.50),
            equation="share of the tokens that is hidden",
            source="Raffel et al. 2020, section 3.3.3, table 6",
        ),
        Factor(
            path="objective.mean_span_length",
            label="span length",
            levels=(3.0, 1.0, 10.0),
            equation="hidden tokens / spans; each span is one sentinel, so longer spans make shorter rows",
            source="Raffel et al. 2020, section 3.3.4, table 7",
            note="The paper's table begins with tokens hidden one by one, of which neighbours share a sentinel; here spans of "
            "one token never touch.",
        ),
    ),
    metrics=(
        # Primary is what the encoder's frozen features know, which no task trains for: the published scores are of tasks.
        TOPIC_PROBE,
        MINIMAL_PAIRS,
        OWN_LOSS,
    ),
    claims=("C23", "C24", "C25"),
    tiers={
        "smoke": Tier(seeds=3, workers=2, overrides={"budget.tokens": 4_000, "budget.readings": 2, "backbone.width": 32}),
        # Pilots on a seed that the tier does not use (101), width 64, batch 16, rate 4e-3, pydocs, after 1 M tokens: spans,
        # topic probe 30.7 % (a bag of words 56.4), minimal pairs 66.4 %, 19 s; deshuffling 45.5 %, 67.4 %, 31 s.
        "quick": Tier(
            seeds=5,
            workers=2,
            overrides={
                **SMALL,
                "budget.tokens": 1_750_000,
                "budget.readings": 3,
            },
            note="one learning rate for all arms, 4e-3; in a pilot of one seed deshuffling was best, against C23. A former "
            "size of the tier (width 128, 600 thousand tokens, 1e-3) was run on the same seeds: it contradicted C23 and left "
            "C24 and C25 undecided",
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
