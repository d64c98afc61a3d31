"""Abbreviations that end in a full stop inside a sentence, by language, and German months, before which a number is an ordinal.

An abbreviation is here only if a capital letter often follows it: before a small letter no sentence ends anyway. Words that
also end sentences are left out. All lists hold for every text, because a text may mix languages.
"""

from __future__ import annotations

import re

BY_LANGUAGE = {
    "English": """e.g i.e i.i.d etc cf vs viz resp approx al Fig fig Figs Eq eq Eqs eqs Sec sec Ch ch Ref ref No no vol Vol pp p
        ed eds Dr Mr Mrs Ms Prof St Jr Sr Inc Ltd Co dept incl""",
    "German": "z d u a h bzw ca Nr Abs Hr Fr Str evtl ggf vgl inkl usw Bd Jh Mio Mrd Tel Aufl Hrsg geb gest",
    "French": "M Mme Mlle MM ex env av apr chap",
    "Spanish": "Sra Srta Dra Ud Uds pág págs núm aprox",
    "Italian": "sig dott ing avv pag",
    "Portuguese": "Exmo Exma",
    "Dutch": "dhr mevr bijv drs",
    "Russian": "г гг т д п е н э Проф Акад См Рис др пр им ул стр рис см ср напр тыс млн млрд руб коп вв проф акад табл гл обл",
    "Polish": "np tj tzn prof godz wyd",
    "Turkish": "vb Doç Sn",
}
"""Language -> abbreviations without their last full stop."""
MONTHS = re.compile("Januar|Jänner|Februar|März|April|Mai|Juni|Juli|August|September|Oktober|November|Dezember|Jahrhundert")

ABBREVIATIONS = frozenset(word for words in BY_LANGUAGE.values() for word in words.split())
