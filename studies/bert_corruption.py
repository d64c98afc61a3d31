"""What should BERT hide, and what predict? Wettig et al. 2023, tables 3 and 4, vary each alone; Devlin et al. 2019, table 8."""

from ablate import training
from ablate.evaluation.cloze import Cloze
from ablate.evaluation.fine_tuning import FineTuning
from ablate.evaluation.linear_probe import LinearProbe
from ablate.evaluation.masked_bits import MaskedBits
from ablate.evaluation.own_loss import OwnLoss
from ablate.objectives.bert import Bert
from ablate.specification import Pilot
from ablate.study.columns import CLOZE, MASKED_LEARNED, OWN_LOSS, TOPIC_PROBE, masked_bits, points
from ablate.study.factor import Factor
from ablate.study.sizes import COMPARED, PILOT, SMALL, UNRECORDED, gpu, one_rate, small_run, smoke, tuned
from ablate.study.study import Study

PILOTS = (
    Pilot(
        "corrupting and predicting 0.4; width 64, batch 16, rate 4e-3, 1.9 M tokens of pydocs",
        PILOT,
        "5.56 bits at 15 % hidden, 2.11 nats below the unigram, cloze 17 % (the majority word: 8 %)",
    ),
    Pilot(
        "corrupting 0.1, predicting 0.4; the same, 1.75 M tokens",
        PILOT,
        "7.03 bits at 15 % hidden, 1.09 nats below the unigram, cloze 11 %; "
        "35 to 45 s a run, 2 s of it evaluation without fine-tuning",
    ),
    Pilot("fine-tuning at 1e-3 for 2 epochs", UNRECORDED, "every arm, and random weights, gave the majority class"),
    Pilot("fine-tuning at 3e-3 for 6 epochs, after 1.9 M tokens", PILOT, "35.6 % (from random weights 31.5 %)"),
    Pilot("the same for 12 epochs", PILOT, "37.6 % (from random weights 32.4 %)"),
    Pilot("width 128, 0.6 M tokens, rate 1e-3", UNRECORDED, "0.2 to 1.4 nats below the unigram"),
    Pilot(
        "this tier at width 128, 0.6 M tokens, rate 1e-3; fine-tuned at 1e-3 for 2 epochs",
        COMPARED,
        "C05 reproduced, C06 contradicted, C07 and C08 undecided",
    ),
    Pilot(
        "this tier, fine-tuned for 10 epochs",
        COMPARED,
        "evaluation took 28 % of the time; C07 undecided: -3.1 points, 96 % interval -7.0 to 0.8",
    ),
)

STUDY = Study(
    name="bert-corruption",
    title="Corruption and prediction of BERT",
    question="How much should BERT corrupt, how much predict, and what put in place of the words?",
    base=small_run(
        Bert.Config(mask_rate=0.40, prediction_rate=0.40, mask_share=1.0, random_share=0.0, next_sentence="off"),
        *(MaskedBits(rates=(0.15,)), Cloze(), LinearProbe()),
        *(FineTuning(summary="mean", test=1000, rates=(3e-3,), epochs=6), OwnLoss()),
    ),
    design="one-at-a-time",
    factors=(
        Factor(
            path="objective.prediction_rate",
            label="predicted",
            levels=(0.40, 0.20),
            equation="share of a window's tokens that are predicted",
            source="Wettig et al. 2023, section 4, table 3",
            note="Lower than the corruption rate: the other corrupted tokens are not predicted.",
        ),
        Factor(
            path="objective.mask_rate",
            label="corrupted",
            levels=(0.40, 0.20, 0.10),
            equation="share of a window's tokens that one copy hides; the model reads predicted / corrupted disjoint copies",
            source="Wettig et al. 2023, section 4, table 3",
            note="Each copy counts as tokens read. At equal tokens an arm that corrupts less sees fewer texts.",
        ),
        Factor(
            path="objective.mask_share",
            label="replaced by MASK",
            levels=(1.0, 0.8),
            settings={0.8: {"objective.mask_share": 0.8, "objective.random_share": 0.1}},
            equation="share of the corrupted tokens; at 0.8 a tenth becomes a random token and a tenth stays as it is",
            source="Devlin et al. 2019, section 3.1 and table 8; Wettig et al. 2023, table 4",
        ),
    ),
    metrics=(masked_bits(0.15), TOPIC_PROBE, points("fine-tuning", "score", "fine-tuned on topics"), CLOZE, OWN_LOSS),
    learned=MASKED_LEARNED,
    claims=("C05", "C06", "C07", "C08"),
    tiers={
        "smoke": smoke(
            6_000,
            {f"evaluations.fine-tuning.{k}": n for k, n in {"train": 32, "validation": 16, "test": 32, "epochs": 1}.items()},
        ),
        "quick": one_rate(
            1_750_000,
            SMALL,
            readings=3,
            pilots=PILOTS,
            note="one learning rate for all arms, 4e-3; at equal tokens, so an arm that corrupts less sees fewer texts",
        ),
        "standard": tuned(4_000_000),
        "full": gpu(),
    },
    measure=training.PRETRAINING,
)
