"""Evaluations: what measures a trained model, one to a file, the same for all arms of a study.

| evaluation | question | needs |
| --- | --- | --- |
| `masked-bits` | how well does it predict hidden tokens, under common corruptions? | FillsMasks |
| `cloze` | does its first guess restore a missing word? | FillsMasks |
| `sentence-pairs` | can its sentence head tell what follows, and the order? | JudgesPairs |
| `minimal-pairs` | does it prefer a sentence to the same one broken in one place? | Scores |
| `blimp` | does it prefer the grammatical one of two sentences, as people do? | Scores |
| `bits-per-byte` | how many bits does held-out text cost it, by its own likelihood? | Scores |
| `order-loss` | how well does it predict in its own order, in any order, over several? | ScoresInOrder |
| `linear-probe` | can a linear map read a document's topic off its hidden states? | Encodes |
| `attention` | how spread is its attention, and how much gradient passes through it? | any objective with attention |
| `dot-products` | what does a scaling do before training? | any objective |
| `stable-rate` | up to which learning rate does it learn? | one loss, one optimizer |
| `generation` | are its texts good, and are they varied? | Samples |
| `latent` | what does its latent vector know of a text? | Latent |
| `fine-tuning` | how good a start is it for a classifier, compared with random weights? | Summarizes |
| `text-to-text` | can it learn to write the answer? | Answers |
| `own-loss` | how low is its own loss on held-out text? | any objective |
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from ablate.config import choose

if TYPE_CHECKING:
    from ablate.evaluation.reading import Evaluation

EVALUATIONS: dict[str, str] = {
    "masked-bits": "ablate.evaluation.masked_bits:MaskedBits",
    "cloze": "ablate.evaluation.cloze:Cloze",
    "sentence-pairs": "ablate.evaluation.sentence_pairs:SentencePairs",
    "minimal-pairs": "ablate.evaluation.minimal_pairs:MinimalPairs",
    "blimp": "ablate.evaluation.blimp:Blimp",
    "bits-per-byte": "ablate.evaluation.bits_per_byte:BitsPerByte",
    "order-loss": "ablate.evaluation.order_loss:OrderLoss",
    "linear-probe": "ablate.evaluation.linear_probe:LinearProbe",
    "attention": "ablate.evaluation.attention_statistics:AttentionStatistics",
    "dot-products": "ablate.evaluation.dot_products:DotProducts",
    "stable-rate": "ablate.evaluation.stable_rate:StableRate",
    "generation": "ablate.evaluation.generation:Generation",
    "latent": "ablate.evaluation.latent:Latent",
    "fine-tuning": "ablate.evaluation.fine_tuning:FineTuning",
    "text-to-text": "ablate.evaluation.text_to_text:TextToText",
    "own-loss": "ablate.evaluation.own_loss:OwnLoss",
}
"""Name -> where its class is defined. The module is imported on first use."""


def evaluation_of(name: str) -> type[Evaluation]:
    """Return the class of the evaluation with this name; `ConfigError` lists the nearest names for any other."""
    module, _, attribute = EVALUATIONS[choose(name, EVALUATIONS, "evaluation")].partition(":")
    found: type[Evaluation] = getattr(importlib.import_module(module), attribute)
    return found
