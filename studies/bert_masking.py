"""How much of a sentence should BERT hide? Devlin et al. 2019: 15 %; Wettig et al. 2023: 40 % is better in large models."""

from ablate import training
from ablate.evaluation.cloze import Cloze
from ablate.evaluation.linear_probe import LinearProbe
from ablate.evaluation.masked_bits import MaskedBits
from ablate.evaluation.minimal_pairs import MinimalPairs
from ablate.evaluation.own_loss import OwnLoss
from ablate.objectives.bert import Bert
from ablate.specification import Pilot
from ablate.study.columns import CLOZE, MASKED_LEARNED, MINIMAL_PAIRS, OWN_LOSS, TOPIC_PROBE, masked_bits
from ablate.study.factor import Factor
from ablate.study.sizes import COMPARED, PILOT, SMALL, UNRECORDED, gpu, one_rate, small_run, smoke, tuned
from ablate.study.study import Study

MASK_RATES = {"objective.mask_rate": (0.15, 0.20, 0.30, 0.40, 0.50, 0.60, 0.80)}

PILOTS = (
    Pilot("width 64, batch 16, rate 4e-3; 0.4 M tokens of pydocs", PILOT, "own loss 5.64 nats at mask rate 15 %, 5.51 at 40 %"),
    Pilot("the same, 1.5 M tokens", PILOT, "own loss 4.57 nats at 15 %, 4.61 at 40 %: the two cross"),
    Pilot(
        "the same, 3.0 M tokens", PILOT, "own loss 3.86 nats at 15 %, 4.14 at 40 %; masked bits at 15 % hidden 5.41 and 5.00"
    ),
    Pilot("the same, mask rate 80 %, 2.5 M tokens", PILOT, "own loss 5.44 nats; 1.75 nats below the unigram at 15 % hidden"),
    Pilot("the same, speed", PILOT, "two runs side by side read 50 thousand tokens a second each: 14 minutes in all"),
    Pilot("width 128, rate 1e-3; 0.7 M tokens", UNRECORDED, "0.90, 0.89, 0.87 nats below the unigram at 15 % hidden"),
    Pilot("the same, rate 1.5e-3, 2e-3 and 3e-3", UNRECORDED, "0.81 and 0.90; 1.01 and 0.32; 0.22 nats below the unigram"),
    Pilot("the same, with ALiBi", UNRECORDED, "0.19 and 0.18 nats below the unigram"),
    Pilot(
        "width 128, rate 1e-3; 1.0 M tokens", UNRECORDED, "mask rate 0.15: 1.20 nats below the unigram; 0.40: 1.67; 0.80: 0.59"
    ),
    Pilot(
        "this tier at width 128, rate 1e-3, 0.8 M tokens",
        COMPARED,
        "own losses at 15 and 40 % differ by -0.03 nats [-0.15, 0.09]: undecided; one seed of 80 % did not learn",
    ),
    Pilot(
        "this tier at 2.5 M tokens", COMPARED, "they differ by +0.10 nats [-0.14, 0.34]: undecided, so the budget was raised"
    ),
)

STUDY = Study(
    name="bert-masking",
    title="Masking rate of BERT",
    question="How much of a sentence should BERT hide?",
    # MASK alone and no sentence task, as in Wettig et al. 2023: the split and the task are studies of their own.
    base=small_run(
        Bert.Config(mask_rate=0.15, mask_share=1.0, random_share=0.0, next_sentence="off"),
        *(MaskedBits(), Cloze(), MinimalPairs(), LinearProbe(), OwnLoss()),
    ),
    factors=(
        Factor(
            path="objective.mask_rate",
            label="mask rate",
            levels=(0.15, 0.40, 0.80),
            equation="M = round(mask_rate x n) of a window's n tokens are hidden and predicted",
            source="Devlin et al. 2019, section 3.1; Wettig et al. 2023, section 3",
            note="A higher rate gives more targets for each token read, and less context for each target.",
        ),
    ),
    # The first column is the baseline's own condition: an arm that hides more must win where the baseline trained.
    metrics=(masked_bits(0.15), masked_bits(0.4), masked_bits(0.8), CLOZE, MINIMAL_PAIRS, TOPIC_PROBE, OWN_LOSS),
    learned=MASKED_LEARNED,
    claims=("C04", "C39"),
    tiers={
        "smoke": smoke(6_000, readings=3),
        "quick": one_rate(3_750_000, SMALL, pilots=PILOTS, note="one learning rate for all arms, 4e-3"),
        "standard": tuned(4_000_000, levels=MASK_RATES),
        "full": gpu(levels=MASK_RATES, note="the width of Wettig et al.'s medium model"),
    },
    measure=training.PRETRAINING,
)
