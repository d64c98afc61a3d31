"""What should T5 take from a text and write again? Raffel et al. 2020, tables 4 to 7: spans, at 15 %, of three tokens."""

from ablate import training
from ablate.evaluation.linear_probe import LinearProbe
from ablate.evaluation.minimal_pairs import MinimalPairs
from ablate.evaluation.own_loss import OwnLoss
from ablate.objectives.t5 import T5
from ablate.specification import Pilot
from ablate.study.columns import MINIMAL_PAIRS, OWN_LOSS, TOPIC_PROBE
from ablate.study.factor import Factor
from ablate.study.sizes import COMPARED, PILOT, SMALL, gpu, one_rate, small_run, smoke, tuned
from ablate.study.study import Study

PILOTS = (
    Pilot(
        "spans; width 64, batch 16, rate 4e-3, 1 M tokens of pydocs",
        PILOT,
        "topic probe 30.7 % (a bag of words: 56.4 %), minimal pairs 66.4 %; 19 s",
    ),
    Pilot("deshuffling; the same", PILOT, "topic probe 45.5 %, minimal pairs 67.4 %; 31 s: better than spans, against C23"),
    Pilot("this tier at width 128, 0.6 M tokens, rate 1e-3", COMPARED, "C23 contradicted, C24 and C25 undecided"),
)

STUDY = Study(
    name="t5-spans",
    title="Corruption of T5",
    question="What should T5 take from a text and write again?",
    base=small_run(
        T5.Config(corruption="spans", corruption_rate=0.15, mean_span_length=3.0), LinearProbe(), MinimalPairs(), OwnLoss()
    ),
    design="one-at-a-time",
    factors=(
        Factor(
            path="objective.corruption",
            label="task",
            levels=("spans", "prefix", "deshuffling"),
            equation="encoder input and decoder output: a text with holes, and what was in them; a text's beginning, and its "
            "end; its tokens in random order, and the text",
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
            equation="hidden tokens / spans; one sentinel replaces a span, so longer spans make shorter rows",
            source="Raffel et al. 2020, section 3.3.4, table 7",
            note="The paper's table begins with tokens hidden one by one, where neighbours share a sentinel. Here spans of one "
            "token never touch.",
        ),
    ),
    # The first column is what the encoder's frozen features know, which no task trains for. The published scores are of tasks.
    metrics=(TOPIC_PROBE, MINIMAL_PAIRS, OWN_LOSS),
    claims=("C23", "C24", "C25"),
    tiers={
        "smoke": smoke(4_000),
        "quick": one_rate(1_750_000, SMALL, readings=3, pilots=PILOTS, note="one learning rate for all arms, 4e-3"),
        "standard": tuned(4_000_000),
        "full": gpu(),
    },
    measure=training.PRETRAINING,
)
