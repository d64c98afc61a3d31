"""Sentences of the Penn Treebank (Mikolov et al. 2010) and captions of COCO (Zhu et al. 2018), a line a document.

`$ABLATE_DATA/ptb` holds a file for each split, `$ABLATE_DATA/texygen/image_coco.txt.gz` all captions.
"""

from __future__ import annotations

from ablate.config import Data
from ablate.data.corpora.data_folder import in_data_folder
from ablate.data.corpora.files import Files


def ptb(argument: str, data: Data) -> Files:
    """The Penn Treebank."""
    return Files(in_data_folder("ptb", data.corpus), data.column, unit="line")


def coco(argument: str, data: Data) -> Files:
    """The captions of COCO."""
    return Files(in_data_folder("texygen/image_coco.txt.gz", data.corpus), data.column, unit="line")
