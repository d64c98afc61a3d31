"""Deshuffling: the encoder reads the tokens of a text in random order and the decoder writes them in the right one.

Liu, Chung and Ren 2019, as taken up by Raffel et al. 2020, section 3.3.1 and table 3.
"""

from __future__ import annotations

import numpy as np

from ablate.collators.text_to_text import Example


def shuffle(text_T: np.ndarray, generator: np.random.Generator) -> Example:
    """The shuffled text and the text."""
    return Example(generator.permutation(text_T), text_T)
