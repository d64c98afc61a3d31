"""Chinese: classifiers, function words, and the order of two words.

| phenomenon | change | after |
| --- | --- | --- |
| classifier | after a number or a demonstrative, another classifier: 一本书, 一匹书 | Xiang et al. 2021 (CLiMP), section 3 |
| function word | 把 and 被 change places; 没 and 不 before 有 and 是; the particles 得 and 的 | the same; Liu et al. 2024 |
| swap | two neighbouring different words change places; without a dictionary, two characters (`ablate.data.words`) | |

Xiang et al. 2021, "CLiMP: A Benchmark for Chinese Language Model Evaluation" (arXiv:2101.11131). Liu et al. 2024, "A Systematic
Assessment of Language Models with Linguistic Minimal Pairs in Chinese" (arXiv:2411.06096), the benchmark ZhoBLiMP.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable

import numpy as np
import regex

from ablate.data import words

CLASSIFIERS = ("本", "只", "张", "条", "辆", "台", "座", "棵", "封", "匹", "朵", "艘", "顿", "幅", "篇", "位")
"""Each fits a small class of nouns, so that in the place of another it is nearly always wrong."""
NUMBERED = re.compile(rf"(?<=[一二两三四五六七八九十几数百千这那每某])(?:[个{''.join(CLASSIFIERS)}])(?=[\u4e00-\u9fff])")
FIXED = re.compile("一本正经|一条龙|一位数|一张一弛")
"""Strings in which the second character classifies nothing."""

FUNCTION_WORDS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile("把(?![握手柄戏关])"), "被"),
    (re.compile("被(?![子褥动单窝告])"), "把"),
    (re.compile("(?<![从还并])没有"), "不有"),
    (re.compile("不是(?![吗嘛])"), "没是"),
    (re.compile("(?<![觉取获使懂值记不显难舍所])得(?=[\u4e00-\u9fff])(?![到出知以益了分体])"), "的"),
    (re.compile("(?<![目有])的(?=[\u4e00-\u9fff])(?![确士])"), "得"),
)
"""Where a function word stands, and the one that does not fit there."""

HAN = regex.compile(r"\p{Script=Han}+")


def classifier(sentence: str, rng: np.random.Generator) -> str | None:
    """Replace one classifier by another; None if the sentence has none."""
    fixed = [found.span() for found in FIXED.finditer(sentence)]
    places = [found.start() for found in NUMBERED.finditer(sentence) if not any(a <= found.start() < b for a, b in fixed)]
    if not places:
        return None
    place = places[int(rng.integers(len(places)))]
    others = [other for other in CLASSIFIERS if other != sentence[place]]
    return sentence[:place] + others[int(rng.integers(len(others)))] + sentence[place + 1 :]


def function_word(sentence: str, rng: np.random.Generator) -> str | None:
    """Replace one function word by one that does not fit; None if the sentence has none. A rare one goes before 的."""
    for group in (FUNCTION_WORDS[:-1], FUNCTION_WORDS[-1:]):
        places = [(found.span(), wrong) for pattern, wrong in group for found in pattern.finditer(sentence)]
        if places:
            (start, end), wrong = places[int(rng.integers(len(places)))]
            return sentence[:start] + wrong + sentence[end:]
    return None


def swap(sentence: str, rng: np.random.Generator) -> str | None:
    """Exchange two neighbouring words of Chinese characters that differ; None if there are none."""
    segments = list(words.each(sentence))
    places = [
        place
        for place, (left, right) in enumerate(itertools.pairwise(segments))
        if left != right and HAN.fullmatch(left) and HAN.fullmatch(right)
    ]
    if not places:
        return None
    place = places[int(rng.integers(len(places)))]
    segments[place], segments[place + 1] = segments[place + 1], segments[place]
    return "".join(segments)


CORRUPTIONS: dict[str, Callable[[str, np.random.Generator], str | None]] = {
    "classifier": classifier,
    "function word": function_word,
    "swap": swap,
}
"""The rarest first: a sentence goes to the first phenomenon that applies and still needs pairs."""
