"""In which order is a text best predicted? Yang et al. 2019 took random orders; Xue et al. 2025 found text order easier."""

from ablate import training
from ablate.evaluation.cloze import Cloze
from ablate.evaluation.order_loss import OrderLoss
from ablate.objectives.xlnet import Xlnet
from ablate.specification import Pilot
from ablate.study.columns import CLOZE, below_unigram, order_loss
from ablate.study.factor import Factor
from ablate.study.sizes import PILOT, gpu, one_rate, small_run, smoke, tuned
from ablate.study.study import Study

ORDERS = ("random", "left-to-right", "fixed-block", "fixed")
EVERY = {
    "objective.factorization_order": (*ORDERS, "block", "right-to-left"),
    "objective.left_to_right_share": (0.0, 0.1, 0.5),
}

PILOTS = (
    Pilot(
        "random orders, batch 16; 0.4 M tokens of pydocs, one of two busy cores", PILOT, "5.37 nats a token in its own order"
    ),
    Pilot("random orders, batch 8; the same", PILOT, "5.14 nats a token in its own order"),
    Pilot("left to right, batch 8; the same", PILOT, "4.30 nats a token in its own order, 6.54 in random orders"),
    Pilot("fixed blocks, batch 8; the same", PILOT, "4.68 nats a token in its own order, 5.39 in random orders"),
    Pilot("fixed, batch 8; the same", PILOT, "5.11 nats a token in its own order, 5.11 in random orders"),
    Pilot(
        "random with a tenth left to right, batch 8; the same",
        PILOT,
        "5.12 nats a token in its own order, 5.14 in random orders: C21 may have no effect at this size",
    ),
    Pilot(
        "time of one run; the same",
        PILOT,
        "9 to 12 thousand tokens a second, 10 to 13 s of evaluation: 30 runs of 0.3 M tokens should take 10 to 12 minutes",
    ),
)

STUDY = Study(
    name="xlnet-permutation",
    title="Factorization orders of XLNet",
    question="In which order is a text best predicted?",
    # All of an order is predicted, as in Xue et al. 2025: training then maximizes an exact likelihood of the whole text.
    base=small_run(
        Xlnet.Config(factorization_order="random", left_to_right_share=0.0, block_length=4, predict_fraction=1.0),
        *(OrderLoss(), Cloze()),
        batch=8,
    ),
    design="one-at-a-time",
    factors=(
        Factor(
            path="objective.factorization_order",
            label="order",
            levels=ORDERS,
            equation="p(x) = product over m of p(x(z(m)) | x(z(1)), ..., x(z(m-1))), z the order",
            source="Yang et al. 2019, section 2.2; Xue et al. 2025, figures 1 and 2 (blocks of 4)",
            note="Random: a new order for each example. Fixed and fixed-block: one order for all examples of a seed.",
        ),
        Factor(
            path="objective.left_to_right_share",
            label="left-to-right share",
            levels=(0.0, 0.1),
            equation="an example's order is left to right with this probability, else z",
            source="Xue et al. 2025, figure 2b and table 1",
            note="Varied for random orders.",
        ),
    ),
    # The first column is each arm's own order: the same text, under the factorization that the arm was trained for.
    metrics=(
        order_loss("own order", "in its own order"),
        order_loss("random order", "in random orders"),
        order_loss("left to right", "left to right"),
        order_loss("one context", "random, one context"),
        order_loss("mean of 8 contexts", "random, mean of 8 contexts"),
        CLOZE,
    ),
    learned=below_unigram("order-loss", "own order"),
    claims=("C20", "C21", "C22"),
    tiers={
        "smoke": smoke(4_000, {"evaluations.order-loss.passages": 16}),
        "quick": one_rate(300_000, readings=4, pilots=PILOTS, note="one learning rate for all arms, 1e-3; batches of 8"),
        "standard": tuned(4_000_000, levels=EVERY),
        "full": gpu(levels=EVERY),
    },
    measure=training.PRETRAINING,
)
