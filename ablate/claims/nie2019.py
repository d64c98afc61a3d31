"""Nie et al. 2019 (RelGAN), with results of earlier text GANs, and Zhu et al. 2018 (Texygen): quality without diversity."""

from __future__ import annotations

from ablate.claims import caccia2020
from ablate.claims.caccia2020 import GAME, LIKELIHOOD, share
from ablate.claims.claim import Claim
from ablate.claims.contrast import Comparison
from ablate.claims.figures import rows

FORWARD = "generation/forward_nats_kn5@temperature=1"
ALIKE = "generation/self_bleu_3@temperature=1"
NO_ALIKE = 0.01
"""In self-BLEU-3. The published differences to likelihood training are 0.012 (MaliGAN) to 0.162 (TextGAN)."""

ORACLE = tuple(
    figure
    for length, likelihood, game in ((20, 9.038, 8.736), (40, 10.411, 10.310))
    for figure in rows(
        [("NLL of an oracle", "nats")],
        [(share(LIKELIHOOD), (likelihood,)), (share(GAME), (game,))],
        citekey="nie2019",
        name="Table 1",
        setting=f"synthetic texts of {length} words, likelihood and SeqGAN",
        provenance="read",
    )
)

CAPTIONS = rows(
    [("self-BLEU-2", "share"), ("self-BLEU-3", "share"), ("self-BLEU-4", "share"), ("self-BLEU-5", "share")],
    [(share(LIKELIHOOD), (0.916, 0.769, 0.583, 0.408)), (share(GAME), (0.950, 0.840, 0.670, 0.489))],
    citekey="zhu2018",
    name="Evaluation in the repository",
    setting="COCO captions, likelihood and SeqGAN",
    provenance="read",
)

FITTED = rows(
    [("NLL of the test texts", "nats")],
    [(share(LIKELIHOOD), (0.718,)), (share(GAME), (1.082,))],
    citekey="nie2019",
    name="Table 2",
    setting="COCO captions, likelihood and SeqGAN",
    provenance="read",
)

FIGURES = ORACLE + CAPTIONS + FITTED

CLAIMS = (
    Claim(
        id="C38",
        citekey="nie2019",
        statement="The game of a text GAN makes texts likelier than training by likelihood does, and more alike.",
        factor="objective.pretrain_share",
        direction="score by a judge of real text: GAN < likelihood; self-BLEU: GAN > likelihood",
        figures=FIGURES,
        contrast=(
            Comparison(
                metric=FORWARD,
                arm=share(GAME),
                against=share(LIKELIHOOD),
                expect="better",
                band=caccia2020.NO_EFFECT,
                published="NLL of an oracle",
            ),
            Comparison(
                metric=ALIKE, arm=share(GAME), against=share(LIKELIHOOD), expect="worse", band=NO_ALIKE, published="self-BLEU-3"
            ),
        ),
    ),
)
