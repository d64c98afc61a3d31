"""Which sentence task should BERT have? Devlin et al. 2019: what follows; Liu et al. 2019: none; Lan et al. 2020: the order."""

from ablate import training
from ablate.evaluation.cloze import Cloze
from ablate.evaluation.linear_probe import LinearProbe
from ablate.evaluation.masked_bits import MaskedBits
from ablate.evaluation.own_loss import OwnLoss
from ablate.evaluation.sentence_pairs import SentencePairs
from ablate.objectives.bert import Bert
from ablate.specification import Pilot, Target
from ablate.study.columns import CLOZE, MASKED_LEARNED, OWN_LOSS, TOPIC_PROBE, masked_bits, percentage
from ablate.study.factor import Factor
from ablate.study.sizes import COMPARED, PILOT, SMALL, UNRECORDED, gpu, one_rate, small_run, smoke, tuned
from ablate.study.study import Study

NSP = {"objective.next_sentence": "nsp", "objective.pair_of": "segments"}
TABLE_5 = "Lan et al. 2020, table 5"

PILOTS = (
    Pilot(
        "nsp; width 128, batch 16, rate 1e-3, 1 M tokens of pydocs",
        PILOT,
        "right on 54.7 % of what follows and 39.9 % of the order; 1.15 nats below the unigram",
    ),
    Pilot("sop; the same", PILOT, "right on 50.7 % of what follows and 76.4 % of the order; 0.56 nats below the unigram"),
    Pilot("the joint length of two texts alone, best rule on 1,500 test pairs", UNRECORDED, "right on 54 % of what follows"),
    Pilot(
        "this tier at 0.6 M tokens", COMPARED, "no verdict: nine of 15 runs with a sentence task were less than 0.3 nats below"
    ),
    Pilot("nsp; width 64, rate 4e-3, 2 M tokens", PILOT, "1.37 nats below the unigram, the nsp head at chance; 70 to 110 s"),
)

STUDY = Study(
    name="bert-next-sentence",
    title="Sentence task of BERT",
    question="Which sentence task should BERT have, and what does it learn from it?",
    base=small_run(
        Bert.Config(mask_rate=0.15, mask_share=1.0, random_share=0.0, next_sentence="nsp"),
        *(MaskedBits(), SentencePairs(), Cloze(), LinearProbe(), OwnLoss()),
    ),
    design="one-at-a-time",
    factors=(
        Factor(
            path="objective.next_sentence",
            label="sentence task",
            levels=("nsp", "sop", "pairs", "off"),
            equation="loss = masked language model + cross-entropy of the pair's label; pairs: no label; off: no pairs",
            source="Devlin et al. 2019, section 3.1; Lan et al. 2020, section 3.1; Liu et al. 2019, section 4.2",
            note="With nsp the question is whether the second text follows. With sop it is whether the two are in order. With "
            "pairs there are the pairs of nsp and no question, and with off there are windows of running text.",
        ),
        Factor(
            path="objective.pair_of",
            label="pairs of",
            levels=("segments", "sentences"),
            equation="segments: as many whole sentences as fill the window; sentences: two",
            source="Liu et al. 2019, section 4.2 and table 2",
        ),
    ),
    # The first column is what all arms have: the arm without a sentence task has no sentence head.
    metrics=(
        masked_bits(0.15),
        percentage("sentence-pairs", "nsp", "what follows"),
        percentage("sentence-pairs", "sop", "in which order"),
        *(CLOZE, TOPIC_PROBE, OWN_LOSS),
    ),
    # A claim compares arms. These say of one arm that an accuracy is high, or near chance.
    targets=(
        Target(
            label="a head trained on nsp, asked what follows",
            key="sentence-pairs/accuracy@nsp",
            at_least=0.85,
            values=NSP,
            source=f"{TABLE_5}: 90.5 %",
        ),
        Target(
            label="a head trained on nsp, asked for the order",
            key="sentence-pairs/accuracy@sop",
            at_most=0.55,
            values=NSP,
            source=f"{TABLE_5}: 52.0 %",
        ),
    ),
    learned=MASKED_LEARNED,
    claims=("C10", "C11", "C12", "C13"),
    tiers={
        "smoke": smoke(6_000, {"evaluations.sentence-pairs.pairs": 32}),
        "quick": one_rate(
            1_500_000,
            SMALL,
            readings=3,
            pilots=PILOTS,
            note="too short to learn a sentence task: it can say what the task costs, and is not expected to decide C12",
        ),
        "standard": tuned(8_000_000),
        "full": gpu(),
    },
    measure=training.PRETRAINING,
)
