"""Yardsticks: what a trained model is measured by, one to a file, the same for all arms of a study.

| yardstick | question | needs |
| --- | --- | --- |
| `masked-bits` | how well does it predict hidden tokens, under common corruptions? | FillsMasks |
| `cloze` | does its first guess restore a missing word? | FillsMasks |
| `sentence-pairs` | can its sentence head tell what follows, and the order? | JudgesPairs |
| `minimal-pairs` | does it prefer a sentence to the same one broken in one place? | Scores |
| `blimp` | does it prefer the grammatical one of two sentences, as people do? | Scores |
| `bits-per-byte` | how many bits does held-out text cost it, by its own likelihood? | Scores |
| `order-loss` | how well does it predict in its own order, in any order, over several? | ScoresInOrder |
| `linear-probe` | can a document's topic be read off its hidden states? | Encodes |
| `attention` | how spread is its attention, how much gradient goes through? | any objective with attention |
| `dot-products` | what does a scaling do before training? | any objective |
| `stable-rate` | up to which learning rate does it learn? | one loss, one optimizer |
| `generation` | is what it writes good, and is it varied? | Samples |
| `latent` | what does its latent vector know of a text? | Latent |
| `fine-tuning` | what is it worth as the start of a classifier, beside random weights? | Summarizes |
| `text-to-text` | can it learn to write the answer? | Answers |
| `own-loss` | what does it itself minimise, on held-out text? | any objective |
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from ablate.config import choose

if TYPE_CHECKING:
    from ablate.evaluation.reading import Yardstick

YARDSTICKS: dict[str, str] = {
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
"""Name -> where its class is; imported when asked for."""


def yardstick(name: str) -> type[Yardstick]:
    """The class of the yardstick with this name; `ConfigError` with the nearest names for any other."""
    module, _, attribute = YARDSTICKS[choose(name, YARDSTICKS, "yardstick")].partition(":")
    found: type[Yardstick] = getattr(importlib.import_module(module), attribute)
    return found
