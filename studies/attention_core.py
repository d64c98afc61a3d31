"""How fast is the attention core, beside the textbook, the kernels of torch and the XLNet of Hugging Face?"""

from ablate.config import Backbone, Budget, RunConfig, Runtime
from ablate.kernels.bench.grid import AttentionGrid
from ablate.kernels.bench.targets import METRICS, ON_A_CPU, ON_A_HOPPER
from ablate.kernels.bench.timing import TIMING
from ablate.study.factor import Factor
from ablate.study.study import Study, Tier

STUDY = Study(
    name="attention-core",
    title="The attention core",
    question="How fast is the attention core, beside the textbook, torch's kernels and Hugging Face's XLNet?",
    base=RunConfig(
        objective=AttentionGrid(size="quick", seconds=0.4, rounds=5),
        backbone=Backbone(),
        budget=Budget(readings=1),
        runtime=Runtime(threads=1),
    ),
    factors=(
        Factor(
            path="runtime.threads",
            label="threads",
            levels=(1, 2),
            equation="ratio(a / b) = median of time(a) / time(b) over rounds and over the two times that b runs in each, "
            "forward and backward of one call, in one process",
            source="competitors in turn, order drawn anew each round; Georges et al. 2007 on why sessions are repeated",
            note="A seed is a session: a new process, new random numbers, new orders. Ratios are taken within a round, so they "
            "survive a machine that others use; milliseconds do not. The A/A floor is b against itself: the chosen backend, "
            "or 1/√K where scalings compete. A point where it is over 3 % is timed once more while there is time; of two "
            "visits the one with the smaller floor counts.",
        ),
    ),
    metrics=METRICS,
    targets=ON_A_CPU,
    tiers={
        "smoke": Tier(seeds=1, overrides={"objective.size": "smoke", "objective.seconds": 0.0, "objective.rounds": 3}),
        "quick": Tier(seeds=3, note="one session after the other; nothing else should run on the machine"),
        "standard": Tier(seeds=3, overrides={"objective.size": "standard", "objective.seconds": 2.0, "objective.rounds": 9}),
        "full": Tier(
            seeds=3,
            levels={"runtime.threads": (1,)},
            overrides={
                "objective.size": "full",
                "objective.rounds": 25,
                "runtime.device": "cuda",
                "runtime.precision": "bf16",
            },
            targets=ON_A_HOPPER,
            note="for a data-centre GPU; not run yet",
        ),
    },
    untrained=False,
    noise_floor=False,
    measure=TIMING,
)
