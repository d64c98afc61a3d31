"""Wang et al. 2022: zero-shot generalisation by architecture and objective, before and after multitask fine-tuning."""

from __future__ import annotations

from ablate.claims.claim import Claim
from ablate.claims.figures import rows

ORDER = tuple(
    figure
    for setting, before, after in (
        ("causal decoder, full language model", (44.2, 42.4), (50.4, 51.4)),
        ("non-causal decoder, prefix language model", (43.5, 41.8), (48.9, 54.0)),
        ("encoder-decoder, prefix language model", (39.9, 41.7), (44.2, 45.8)),
        ("causal decoder, masked", (None, None), (47.1, 50.3)),
        ("non-causal decoder, masked", (None, None), (51.0, 55.2)),
        ("encoder-decoder, masked", (None, None), (51.3, 60.6)),
    )
    for figure in rows(
        [(f"{tasks}, {when}", "accuracy, %") for when in ("pretrained", "tuned on many tasks") for tasks in ("EAI", "T0")],
        [({}, (*before, *after))],
        citekey="wang2022",
        name="Tables 3 and 8",
        setting=f"4.8B (decoders) or 11B parameters, 168B tokens: {setting}",
        provenance="read",
    )
)

FIGURES = ORDER

CLAIMS = (
    Claim(
        id="C26",
        citekey="wang2022",
        statement="Asked without examples causal language models lead; tuned on many tasks, masked encoder-decoders do.",
        factor="objective.name",
        direction="sign of causal - masked: positive before, negative after tuning on many tasks",
        figures=ORDER,
        waits_for="an evaluation that fine-tunes on many tasks at once and tests on others",
    ),
)
