"""What should BERT hide together: tokens, words or spans? Devlin et al. 2019; Joshi et al. 2020; Chinese: Dai et al. 2022."""

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
from ablate.study.sizes import COMPARED, SMALL, gpu, one_rate, small_run, smoke, tuned
from ablate.study.study import Study

PILOTS = (
    Pilot(
        "the baseline of bert-masking, which is the same run: width 64, batch 16, rate 4e-3, 3.75 M tokens of pydocs",
        COMPARED,
        "5.23 bits at 15 % hidden, cloze 17.3 %, minimal pairs 78.6 %",
    ),
)

STUDY = Study(
    name="bert-masking-unit",
    title="Masking unit of BERT",
    question="Should BERT hide single tokens, whole words or spans?",
    # The evaluations of bert-masking, whose baseline is the same run: each record then serves both studies.
    base=small_run(
        Bert.Config(mask_rate=0.15, mask_share=1.0, random_share=0.0, next_sentence="off"),
        *(MaskedBits(), Cloze(), MinimalPairs(), LinearProbe(), OwnLoss()),
    ),
    factors=(
        Factor(
            path="objective.selection",
            label="unit",
            levels=("uniform", "whole_word", "span"),
            equation="tokens that are hidden together; every unit hides 15 % of the tokens on average",
            source="Devlin et al. 2019, released code, May 2019; Joshi et al. 2020, section 3.1; Dai et al. 2022",
            note="What is hidden together cannot help to guess itself. A word's tokens follow `ablate.data.words`: Chinese, "
            "Japanese and Thai need the dictionaries of the extra `words`, else each character is a word.",
        ),
    ),
    # Single tokens are the baseline's own condition, whole words are the other arms': both questions stand side by side.
    metrics=(masked_bits(0.15), CLOZE, MINIMAL_PAIRS, TOPIC_PROBE, OWN_LOSS),
    learned=MASKED_LEARNED,
    claims=("C40", "C41"),
    tiers={
        "smoke": smoke(6_000, readings=3),
        "quick": one_rate(3_750_000, SMALL, pilots=PILOTS, note="one learning rate for all arms, 4e-3, as in bert-masking"),
        "standard": tuned(4_000_000),
        "full": gpu(),
    },
    measure=training.PRETRAINING,
)
