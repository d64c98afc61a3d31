"""Should BERT hide more early than late? Ankner et al. 2024: a rate that falls from 30 to 15 % beats a fixed one."""

from ablate import training
from ablate.evaluation.cloze import Cloze
from ablate.evaluation.linear_probe import LinearProbe
from ablate.evaluation.masked_bits import MaskedBits
from ablate.evaluation.own_loss import OwnLoss
from ablate.objectives.bert import Bert
from ablate.specification import Pilot
from ablate.study.columns import CLOZE, MASKED_LEARNED, OWN_LOSS, TOPIC_PROBE, masked_bits
from ablate.study.factor import Factor
from ablate.study.sizes import UNRECORDED, gpu, one_rate, small_run, smoke, tuned
from ablate.study.study import Study

SOURCE = "Ankner et al. 2024, section 2"

PILOTS = (
    Pilot("four learning rates at width 128, mask rate 0.15: the pilots of bert-masking", UNRECORDED, "1e-3 was the steadiest"),
    Pilot("time", UNRECORDED, "a run takes 40 to 45 s; 25 trained runs, two side by side, take 9 to 10 minutes"),
)

STUDY = Study(
    name="bert-mask-schedule",
    title="Mask rate over time",
    question="Should BERT hide more at the beginning of its training than at the end?",
    base=small_run(
        Bert.Config(mask_rate=0.15, final_mask_rate=0.15, mask_share=1.0, random_share=0.0, next_sentence="off"),
        *(MaskedBits(rates=(0.15, 0.30)), Cloze(), LinearProbe(), OwnLoss()),
    ),
    # Every combination: the falling rate beside both fixed ones and the rising one.
    design="factorial",
    factors=(
        Factor(
            path="objective.mask_rate",
            label="rate at first",
            levels=(0.15, 0.30),
            equation="rate(p) = first + (last - first) p, where p is the share of the budget read so far",
            source=SOURCE,
        ),
        Factor(path="objective.final_mask_rate", label="at last", levels=(0.15, 0.30), source=SOURCE),
    ),
    metrics=(masked_bits(0.15), CLOZE, TOPIC_PROBE, OWN_LOSS),
    learned=MASKED_LEARNED,
    claims=("C09",),
    tiers={
        "smoke": smoke(6_000),
        "quick": one_rate(600_000, readings=3, pilots=PILOTS, note="one learning rate for all arms, 1e-3"),
        "standard": tuned(4_000_000),
        "full": gpu(),
    },
    measure=training.PRETRAINING,
)
