"""Which pretraining objective is worth its tokens? All systems and baselines read the same text under the same budget."""

from ablate import training
from ablate.config import Backbone, Budget, Data, Optimization, RunConfig
from ablate.evaluation.linear_probe import LinearProbe
from ablate.evaluation.masked_bits import MaskedBits
from ablate.evaluation.minimal_pairs import MinimalPairs
from ablate.evaluation.own_loss import OwnLoss
from ablate.objectives import OBJECTIVES, objective
from ablate.objectives.bert import Bert
from ablate.study.columns import MASKED_LEARNED, MINIMAL_PAIRS, OWN_LOSS, TOPIC_PROBE, masked_bits
from ablate.study.factor import Factor
from ablate.study.scales import GPU, SMALL
from ablate.study.study import Study, Tier

STUDY = Study(
    name="objectives",
    title="Pretraining objectives",
    question="Which pretraining objective is worth its tokens?",
    base=RunConfig(
        objective=Bert.Config(),
        backbone=Backbone(width=128, layers=2, heads=4),
        data=Data(corpus="pydocs", vocabulary=1024, context=64),
        optimization=Optimization(learning_rate=1e-3, batch=16),
        budget=Budget(tokens=800_000),
        evaluations=(
            MinimalPairs(pairs=96, on_curve=True),
            MaskedBits(rates=(0.15,)),
            LinearProbe(),
            OwnLoss(windows=128),
        ),
    ),
    factors=(
        Factor(
            path="objective.name",
            label="objective",
            levels=tuple(OBJECTIVES),
            settings={name: {"objective": objective(name).Config()} for name in OBJECTIVES},
            equation="each objective's own loss, on the same tokens, with the same blocks",
            source="Devlin et al. 2019; Radford et al. 2019; Yang et al. 2019; Raffel et al. 2020; Bowman et al. 2016",
            note="Every objective is at its defaults, at one learning rate, and nothing is tuned for any of them in this tier: "
            "a difference is one of defaults. T5 divides the layers among encoder and decoder; LSTM, VAE and the GAN's "
            "generator have as many parameters as the blocks, the n-gram has counts. A pseudo-log-likelihood (BERT), a bound "
            "(VAE) and exact ones judge the minimal pairs, each inside its own model; a pair differs in one place, where "
            "counts of neighbours tell much.",
        ),
    ),
    metrics=(
        MINIMAL_PAIRS,
        masked_bits(0.15),
        TOPIC_PROBE,
        OWN_LOSS,
    ),
    learned=MASKED_LEARNED,
    tiers={
        # Not the 4,000 tokens of t5-spans: runs alike but for their number of minimal pairs would be read in turn for each.
        "smoke": Tier(seeds=1, workers=2, overrides={"budget.tokens": 4_500, "budget.readings": 2, "backbone.width": 32}),
        # Pilots before the tier was fixed, on a seed it does not use (101), width 64, batch 16, rate 4e-3, pydocs, after 1 M
        # tokens: minimal pairs n-gram 86.7 %, VAE 83.9, GPT 83.1, BERT 75.0 (1.35 nats below the unigram), T5 66.4, XLNet 64.8
        # (1.31 nats); own loss, nats, LSTM 3.9, GAN 4.5. Seconds a run, two side by side, read twice: GAN 90, LSTM 45, VAE 44,
        # BERT 29, GPT 28, T5 23, XLNet 21, n-gram 6: 0.8 M tokens, read eight times, end within a quarter of an hour.
        # Those that predict every token have, at the first of eight readings, predicted an eighth of the budget's tokens, the
        # VAE 13.0 %; BERT, which predicts 15 %, has predicted 13.1 % at the seventh. So the rate is constant until then.
        "quick": Tier(
            seeds=5,
            workers=2,
            overrides={
                **SMALL,
                "optimization.decay": 0.1,
                "budget.tokens": 800_000,
            },
            note="one learning rate for all objectives, 4e-3, and nothing tuned. A former size of the tier (width 128, 400 "
            "thousand tokens, 1e-3) was run on the first three of these seeds: not all runs of BERT learned there",
        ),
        "standard": Tier(seeds=5, workers=2, overrides={"budget.tokens": 4_000_000, "optimization.decay": 0.1}),
        "full": Tier(
            seeds=5,
            overrides=GPU,
            note="for a GPU; not run yet; one learning rate for all, 1e-3",
        ),
    },
    measure=training.PRETRAINING,
)
