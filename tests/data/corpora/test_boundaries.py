"""Sentences that are known because they were joined: they come apart where they were joined, in every script."""

from __future__ import annotations

import itertools

import pytest

from ablate.data.corpora.boundaries import split_sentences

# Language -> (what stands between sentences, subjects, predicates with their last mark). Abbreviations, initials, ordinals,
# decimals, quotations and brackets stand inside them.
WORLD = {
    "English": (
        " ",
        ["Dr. A. B. Smith", "The director (Mr. Jones)", "Prof. Lee et al. of St. Mary", "He, i.e. George,", "Fig. 3"],
        [
            "shows 3.5 of them, cf. Table 2.",
            "asked “Why?”",
            "left at once!",
            "saw e.g. London, Paris, etc. in May.",
            "came (late).",
        ],
    ),
    "German": (
        " ",
        ["Herr Dr. K. Vogel", "Die Universität, z. B. Bonn,", "Prof. Ötker", "Der Bericht vom 3. Oktober", "Nr. 7"],
        [
            "kostet ca. 12,5 Mio. Euro.",
            "heißt u. a. Über uns.",
            "endet am 31. Dezember!",
            "fragt: „Warum?“",
            "gilt ggf. Anfang Mai.",
        ],
    ),
    "French": (
        " ",
        ["M. Dupont", "Mme É. Martin", "Le musée, p. ex. Orsay,", "L’année 1789", "Elle"],
        ["coûte 3,5 euros.", "répond : « Non ! »", "part à midi…", "étudie l’art, cf. Bovary.", "vient-elle ?"],
    ),
    "Russian": (
        " ",
        ["А. С. Пушкин", "Проф. Иванов", "Город, т. е. Москва,", "Книга 1990 г. Петрова", "Она"],
        ["стоит 5 тыс. Рублей.", "спросила: «Где?»", "живёт на ул. Гоголя.", "уехала!", "читает и т. д. Каждый день."],
    ),
    "Hindi": (
        " ",
        ["राम", "वह लड़की", "मेरा भाई", "यह किताब (नई)", "3.5 रुपये"],
        ["घर गया।", "कहाँ है?", "बोली: “नहीं।”", "अच्छी है॥", "पढ़ता है।"],
    ),
    "Arabic": (
        " ",
        ["هو", "المعلم", "الكتاب (الجديد)", "أحمد", "البيت"],
        ["في المدينة.", "أين؟", "قال: «نعم.»", "كبير!", "هنا؟"],
    ),
    "Urdu": (" ", ["وہ", "یہ کتاب", "میرا بھائی", "احمد", "گھر"], ["یہاں ہے۔", "کہاں ہے؟", "اچھا ہے۔", "بڑا ہے۔", "گیا۔"]),
    "Chinese": (
        "",
        ["他", "这本书（新的）", "老师", "3.5元", "A. B. 史密斯"],
        ["走了。", "在哪里？", "很好！", "说：“好。”", "来了。"],
    ),
    "Japanese": (
        "",
        ["彼", "この本（新）", "先生", "3.5円", "猫"],
        ["は来た。", "はどこ？", "はいい！", "は「はい。」", "です｡"],
    ),
    "Armenian": (" ", ["Սա", "Նա", "Գիրքը", "Տունը", "Քաղաքը"], ["գիրք է։", "տուն է։", "մեծ է։", "այստեղ է։", "նոր է։"]),
    "Amharic": (" ", ["ይህ", "ያ", "እሱ", "እሷ", "ቤቱ"], ["መጽሐፍ ነው።", "ቤት ነው።", "የት ነው፧", "ትልቅ ነው።", "አዲስ ነው።"]),
    "Burmese": ("", ["ဒါက", "သူ", "အိမ်", "စာအုပ်", "မြို့"], ["စာအုပ်ပါ။", "အိမ်ပါ။", "ကြီးတယ်။", "သွားတယ်။", "လာတယ်။"]),
}


def joined(language: str) -> tuple[str, list[str]]:
    """Two hundred sentences of a language, each beside each other one, and how they are joined."""
    between, subjects, predicates = WORLD[language]
    space = "" if language in ("Chinese", "Japanese") else " "
    made = [f"{subject}{space}{predicate}" for subject, predicate in itertools.product(subjects, predicates)]
    return between, [made[(number * step) % len(made)] for step in (1, 2, 3, 4, 7, 8, 9, 11) for number in range(len(made))]


@pytest.mark.parametrize("language", WORLD)
def test_what_was_joined_comes_apart(language: str) -> None:
    between, sentences = joined(language)
    assert len(sentences) == 200
    assert split_sentences(between.join(sentences)) == sentences


def test_a_small_letter_continues_in_every_script_that_has_one() -> None:
    for text in ("He left. and came.", "Ушёл. и пришёл.", "Έφυγε. και ήρθε.", "Il part. économie.", "Գնաց. և եկավ"):
        assert split_sentences(text) == [text]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("A. B. Smith came.", ["A. B. Smith came."]),
        ("It costs 3. Then it rains.", ["It costs 3.", "Then it rains."]),
        ("Es endet am 3. Oktober. Danach ist Ruhe.", ["Es endet am 3. Oktober.", "Danach ist Ruhe."]),
        ("¿Dónde está? ¡Aquí! Bien.", ["¿Dónde está?", "¡Aquí!", "Bien."]),
        ("Wait... what? Yes… No.", ["Wait... what?", "Yes…", "No."]),
        ("ไทยไม่มีจุด ประโยคจบที่นี่", ["ไทยไม่มีจุด ประโยคจบที่นี่"]),
        ("...", ["..."]),
        ("", []),
    ],
)
def test_worked_by_hand(text: str, wanted: list[str]) -> None:
    assert split_sentences(text) == wanted
