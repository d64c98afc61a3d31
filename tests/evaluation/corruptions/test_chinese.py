"""Chinese corruptions: one place changes, into what a speaker rejects; the examples are judged by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablate.data import words
from ablate.evaluation.corruptions import chinese, corruptions, english
from ablate.evaluation.corruptions.chinese import CLASSIFIERS, classifier, function_word, swap
from ablate.seeds import generator


def rng(number: int = 0) -> np.random.Generator:
    return generator(number, "chinese corruptions")


@pytest.mark.parametrize(
    ("sentence", "place"),
    [
        ("他买了一本书。", 4),
        ("那只猫睡着了。", 1),
        ("图书馆有三台电脑。", 5),
        ("这个问题很难。", 1),
        ("每张桌子都是新的。", 1),
    ],
)
def test_the_classifier_and_nothing_else_changes(sentence: str, place: int) -> None:
    seen = set()
    for number in range(60):
        broken = classifier(sentence, rng(number))
        assert broken is not None
        assert broken[:place] + sentence[place] + broken[place + 1 :] == sentence
        assert broken[place] in CLASSIFIERS and broken[place] != sentence[place]
        seen.add(broken)
    assert len(seen) > 5


@pytest.mark.parametrize("sentence", ["他是本地人。", "她一本正经地说。", "数据被写入文件。", "The book."])
def test_no_classifier_no_change(sentence: str) -> None:
    assert classifier(sentence, rng()) is None


@pytest.mark.parametrize(
    ("sentence", "broken"),
    [
        ("他把书放在桌上。", "他被书放在桌上。"),
        ("窗户被风吹开了。", "窗户把风吹开了。"),
        ("他没有钱。", "他不有钱。"),
        ("这不是他。", "这没是他。"),
        ("漂亮花园。", None),
        ("漂亮的花园。", "漂亮得花园。"),
        ("这是他的。", None),
        ("他跑得很快。", "他跑的很快。"),
        ("我觉得很好。", None),
        ("目的很清楚。", None),
        ("你要把握机会。", None),
        ("被子很暖。", None),
    ],
)
def test_function_words(sentence: str, broken: str | None) -> None:
    assert function_word(sentence, rng()) == broken


def test_a_rare_function_word_goes_before_the_particle() -> None:
    assert {function_word("他把红色的书放好。", rng(number)) for number in range(20)} == {"他被红色的书放好。"}


@pytest.mark.skipif(words.ICU is not None, reason="with dictionaries words are longer: the next test")
def test_neighbours_are_characters_without_a_dictionary() -> None:
    assert {swap("风停了。", rng(number)) for number in range(40)} == {"停风了。", "风了停。"}
    assert swap("哈哈。", rng()) is None
    assert swap("风。停。", rng()) is None


@given(st.text(st.sampled_from("一本书把被的没有不是了风停在个人，。 ab"), max_size=20), st.integers(0, 99))
def test_each_rule_changes_one_place_or_nothing(sentence: str, seed: int) -> None:
    for name, corrupt in chinese.CORRUPTIONS.items():
        broken = corrupt(sentence, rng(seed))
        if broken is None:
            continue
        assert broken != sentence
        assert len(broken) == len(sentence)
        assert corrupt(sentence, rng(seed)) == broken
        changed = [place for place, (a, b) in enumerate(zip(sentence, broken, strict=True)) if a != b]
        if name == "swap":
            assert sorted(sentence) == sorted(broken)
        else:
            assert len(changed) == 1


def test_the_script_decides_the_rules() -> None:
    assert corruptions(["The wind turned.", "风"]) is english.CORRUPTIONS
    assert corruptions(["风停了，wind。", "他走了。", "雨下了。"]) is chinese.CORRUPTIONS
    assert corruptions([]) is english.CORRUPTIONS
