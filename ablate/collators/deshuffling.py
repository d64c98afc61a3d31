"""Deshuffling: the encoder reads the tokens of a text in random order, and the decoder writes them in text order.

Liu, Chung and Ren 2019, as used by Raffel et al. 2020, section 3.3.1 and table 3.
"""

from __future__ import annotations

import numpy as np

from ablate.collators.text_to_text import Example


def shuffle(text_T: np.ndarray, generator: np.random.Generator) -> Example:
    """Return the shuffled text as input and the text as target."""
    return Example(generator.permutation(text_T), text_T)
