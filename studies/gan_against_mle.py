"""Is a text GAN worth its adversarial training? Caccia et al. 2020: at equal quality maximum likelihood is more varied."""

from ablate import training
from ablate.evaluation.generation import Generation
from ablate.objectives.gan import Gan
from ablate.specification import Pilot
from ablate.study.columns import generated
from ablate.study.factor import Factor
from ablate.study.sizes import PILOT, SMALL, UNRECORDED, gpu, one_rate, small_run, smoke
from ablate.study.study import Study

ALIKE = "as likely as real text"
COCO = {"data.corpus": "coco", **SMALL}
DEFAULTS = "the adversarial phase runs at its defaults, nothing is tuned for it"

PILOTS = (
    Pilot(
        "likelihood; 0.8 M tokens of pydocs, two CPU cores",
        PILOT,
        "at temperature 1: forward score 6.45, reverse score 5.81, self-BLEU-3 0.116; 163 s, three runs side by side",
    ),
    Pilot(
        "likelihood, then adversarial; the same",
        PILOT,
        "at temperature 1: forward score 5.98, reverse score 6.00, self-BLEU-3 0.174; 296 s, three runs side by side",
    ),
    Pilot(
        "real text of pydocs, against the texts written",
        PILOT,
        "real text: forward score 3.66; this tier's best: 4.7, at temperature 0.25; so nothing compares at equal quality",
    ),
    Pilot(
        "the grammar, 0.8 M tokens",
        UNRECORDED,
        "real text has forward score 3.26; likelihood comes as near (3.44 at temperature 1), adversarial training does not",
    ),
)
COCO_PILOTS = (
    Pilot(
        "likelihood, 1 M tokens",
        PILOT,
        "forward score of real text (3.20) at a temperature of 0.75 to 1; reverse score 4.88; 25 s",
    ),
    Pilot("likelihood, then adversarial; the same", PILOT, "the same forward score; reverse score 5.15 there; 52 s"),
)

STUDY = Study(
    name="gan-against-mle",
    title="Text GAN against maximum likelihood",
    question="Does a text GAN write better than the language model that it starts from?",
    base=small_run(
        Gan.Config(pretrain_share=1.0, discriminator_share=0.0),
        Generation(texts=500, temperatures=(0.25, 0.35, 0.5, 0.75, 1.0)),
        context=32,
        batch=32,
    ),
    factors=(
        Factor(
            path="objective.pretrain_share",
            label="share on likelihood",
            levels=(1.0, 0.7),
            settings={0.7: {"objective.pretrain_share": 0.7, "objective.discriminator_share": 0.1}},
            equation="of the tokens: likelihood first; then a tenth for the discriminator; the rest for both in turn",
            source="Yu et al. 2017, algorithm 1; Nie et al. 2019, sections 3.2 and 3.3; Caccia et al. 2020",
            note="At 1 the generator trains by likelihood to the end. Both arms read the same texts. Texts that the generator "
            "writes do not count as read.",
        ),
    ),
    # The first column depends on quality and variety both: a judge trained on the written texts scores real text.
    metrics=(
        generated("reverse_nats_kn5", "reverse score"),
        generated("forward_nats_kn5", "forward score"),
        generated("matched_reverse_nats_kn5", "reverse score where as likely as real text", condition=ALIKE),
        generated("self_bleu_3", "self-BLEU-3", unit=""),
        generated("bleu_4", "BLEU-4", unit="", better="higher"),
        generated("tokens_per_text", "tokens a text", unit="tokens", better="none"),
    ),
    claims=("C37", "C38"),
    tiers={
        "smoke": smoke(
            3_000, {f"evaluations.generation.{k}": n for k, n in {"texts": 16, "references": 32, "judged": 4_000}.items()}
        ),
        "quick": one_rate(400_000, readings=2, pilots=PILOTS, note=f"one learning rate for both arms, 1e-3; {DEFAULTS}"),
        "standard": one_rate(
            1_000_000,
            COCO,
            readings=2,
            pilots=COCO_PILOTS,
            note=f"COCO captions, from $ABLATE_DATA; one learning rate for both arms, 4e-3; {DEFAULTS}",
        ),
        "full": gpu(
            {"data.corpus": "coco", "data.context": 32, "budget.tokens": 2_000_000},
            trials=0,
            note="about twenty epochs of the COCO captions, from $ABLATE_DATA; one learning rate for both arms, 1e-3",
        ),
    },
    measure=training.PRETRAINING,
)
