"""Prefix language modelling: the encoder reads the beginning of a text, and the decoder writes the rest.

Raffel et al. 2020, section 3.3.1 and table 3. The prefix has 1 to n - 1 of n tokens, each number equally likely, as in the
released code. A text of one token has an empty prefix.
"""

from __future__ import annotations

import numpy as np

from ablate.collators.text_to_text import Example


def split(text_T: np.ndarray, generator: np.random.Generator) -> Example:
    """Split the text into prefix and rest."""
    length = len(text_T)
    prefix = int(generator.integers(min(1, length - 1), max(1, length)))
    return Example(text_T[:prefix], text_T[prefix:])
