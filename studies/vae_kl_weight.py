"""What must a nat of KL cost for a text VAE to use its latent vector? He et al. 2019, table 1, varied the weight of the KL."""

from ablate import training
from ablate.evaluation.bits_per_byte import BitsPerByte
from ablate.evaluation.latent import Latent
from ablate.objectives.vae import Vae
from ablate.specification import Pilot
from ablate.study.columns import ACTIVE_UNITS, BOUND, ELBO, KL, MUTUAL_INFORMATION, below_unigram, bits_per_byte
from ablate.study.factor import Factor
from ablate.study.sizes import PENN_TREEBANK, PILOT, gpu, one_rate, small_run, smoke
from ablate.study.study import Study

# Weight 0.8 is left to the full tier, because no claim needs it.
FOUR_WEIGHTS = {"objective.kl_weight": (1.0, 0.6, 0.4, 0.2)}
SMOKE = {"evaluations.latent.texts": 32, "evaluations.latent.weighted": 4, "evaluations.bits-per-byte.passages": 4}

PILOTS = (
    Pilot(
        "weight 1.0; context 36, batch 32, 0.6 M tokens of pydocs, two CPU cores",
        PILOT,
        "KL 0.02 nats, mutual information 0.02, bound on 50 draws 72.59; 110 to 170 s, three runs side by side",
    ),
    Pilot("weight 0.6; the same", PILOT, "KL 0.26 nats, mutual information 0.21, bound 72.52"),
    Pilot("weight 0.4; the same", PILOT, "KL 1.43 nats, mutual information 1.09, bound 72.29"),
    Pilot("weight 0.2; the same", PILOT, "KL 6.10 nats, mutual information 4.41, bound 71.98: the best bound, against C32"),
    Pilot("context 64, batch 16", PILOT, "120 s each, two runs side by side; so 0.4 M tokens, to end within 15 minutes"),
)
PENN_PILOTS = (
    Pilot("weight 1.0; 0.5 M tokens", PILOT, "KL 0.01 nats, mutual information 0.01, bound on 50 draws 91.06"),
    Pilot("weight 0.2; the same", PILOT, "KL 1.68 nats, mutual information 1.16, bound 90.62; 26 s alone on its core"),
)

STUDY = Study(
    name="vae-kl-weight",
    title="KL weight of a text VAE",
    question="How cheap must the latent vector be for a text VAE to use it?",
    base=small_run(Vae.Config(kl_weight=1.0), Latent(), BitsPerByte(passages=32, length=34), context=36, batch=32),
    factors=(
        Factor(
            path="objective.kl_weight",
            label="KL weight",
            levels=(1.0, 0.8, 0.6, 0.4, 0.2),
            equation="loss = reconstruction + weight x KL(q(z | x) || N(0, I)); weight 1 is the ELBO",
            source="He et al. 2019, table 1",
            note="Every metric counts the KL in full, whatever the weight in training.",
        ),
    ),
    # The first column bounds the likelihood at weight 1, the same quantity for every arm. Beside it stands what z says.
    metrics=(BOUND, KL, MUTUAL_INFORMATION, ACTIVE_UNITS, ELBO, bits_per_byte("bound, 32 draws")),
    learned=below_unigram("bits-per-byte", "bound"),
    claims=("C31", "C32"),
    tiers={
        "smoke": smoke(3_000, SMOKE),
        "quick": one_rate(400_000, readings=2, levels=FOUR_WEIGHTS, pilots=PILOTS, note="one learning rate for all arms, 1e-3"),
        "standard": one_rate(
            1_000_000,
            PENN_TREEBANK,
            readings=2,
            levels=FOUR_WEIGHTS,
            pilots=PENN_PILOTS,
            note="sentences of the Penn Treebank, from $ABLATE_DATA; one learning rate for all arms, 4e-3",
        ),
        "full": gpu(
            {"data.corpus": "ptb", "data.context": 36, "budget.tokens": 10_000_000},
            note="about ten epochs of the Penn Treebank, from $ABLATE_DATA",
        ),
    },
    measure=training.PRETRAINING,
)
