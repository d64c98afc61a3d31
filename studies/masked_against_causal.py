"""Predict hidden tokens, the next token, or random orders? BERT, GPT and XLNet with the same blocks on the same text."""

from ablate import training
from ablate.evaluation.linear_probe import LinearProbe
from ablate.evaluation.masked_bits import MaskedBits
from ablate.evaluation.minimal_pairs import MinimalPairs
from ablate.evaluation.own_loss import OwnLoss
from ablate.objectives.bert import Bert
from ablate.objectives.gpt import Gpt
from ablate.objectives.xlnet import Xlnet
from ablate.specification import Pilot
from ablate.study.columns import MASKED_LEARNED, MINIMAL_PAIRS, OWN_LOSS, TOPIC_PROBE, masked_bits
from ablate.study.factor import Factor
from ablate.study.sizes import COMPARED, PILOT, SMALL, gpu, one_rate, small_run, smoke, tuned
from ablate.study.study import Study

# A sentence task is a study of its own, and neither of the others has one.
OBJECTIVES = {"bert": Bert.Config(next_sentence="off"), "gpt": Gpt.Config(), "xlnet": Xlnet.Config()}

PILOTS = (
    Pilot(
        "BERT; width 64, batch 16, rate 4e-3, 1.5 M tokens of pydocs",
        PILOT,
        "1.87 nats below the unigram at 15 % hidden; topic probe 32.6 %, minimal pairs 76.6 %; 33 s",
    ),
    Pilot("XLNet; the same", PILOT, "1.57 nats below the unigram; topic probe 32.5 %, minimal pairs 68.5 %; 28 s"),
    Pilot("GPT; the same, key width 64, 1 M tokens", PILOT, "minimal pairs 81.5 %; 25 s"),
    Pilot("this tier at width 128, 0.8 M tokens, rate 1e-3", COMPARED, "C16 contradicted, C17 undecided"),
)

STUDY = Study(
    name="masked-against-causal",
    title="Masked, causal or permuted",
    question="Should a model guess hidden words, the next word, or words in random orders?",
    base=small_run(OBJECTIVES["bert"], MinimalPairs(pairs=256), LinearProbe(), MaskedBits(rates=(0.15,)), OwnLoss()),
    factors=(
        Factor(
            path="objective.name",
            label="objective",
            levels=tuple(OBJECTIVES),
            settings={name: {"objective": config} for name, config in OBJECTIVES.items()},
            equation="each objective's own loss, on the same tokens, with the same blocks",
            source="Devlin et al. 2019; Radford et al. 2019; Yang et al. 2019; Charpentier and Samuel 2024, figure 2",
            note="Each model scores the minimal pairs itself: BERT by pseudo-likelihood, GPT and XLNet by likelihood from left "
            "to right.",
        ),
    ),
    metrics=(MINIMAL_PAIRS, TOPIC_PROBE, masked_bits(0.15), OWN_LOSS),
    learned=MASKED_LEARNED,
    claims=("C16", "C17"),
    tiers={
        # Not the 4,000 tokens of t5-spans: two studies would share runs, and each would measure them again for its own pairs.
        "smoke": smoke(5_000),
        "quick": one_rate(3_000_000, SMALL, readings=3, pilots=PILOTS, note="one learning rate for all arms, 4e-3"),
        "standard": tuned(8_000_000),
        "full": gpu(),
    },
    measure=training.PRETRAINING,
)
