from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from ablate.data.corpora.near_duplicates import FreshText
from ablate.data.document import Document

LONG = "The first sentence of this document tells what the whole of it is about in many words."
OTHER = "Nothing in this second sentence was ever said before, so that it must surely be kept here."
EDITED = "The first sentence of this document tells what the rest of it is about in many words."


def test_a_repeated_document_goes_and_a_new_one_stays() -> None:
    fresh = FreshText()
    assert fresh.keep(Document((LONG, OTHER), "a")) == Document((LONG, OTHER), "a")
    assert fresh.keep(Document((LONG, OTHER), "b")) is None


def test_a_lightly_edited_sentence_counts_as_read() -> None:
    fresh = FreshText()
    fresh.keep(Document((LONG, "Some more words are needed to make this long enough.")))
    new = "But this one is entirely new, and it is also long enough to make a document by itself, as you see."
    assert fresh.keep(Document((EDITED, new, OTHER))) == Document((new, OTHER))


def test_a_document_that_repeats_itself_says_it_once() -> None:
    assert FreshText().keep(Document((LONG, OTHER, LONG))) == Document((LONG, OTHER))


def test_a_document_that_was_not_kept_was_not_read() -> None:
    fresh = FreshText()
    few = "Only these few words are new."
    assert fresh.keep(Document((few,))) is None
    assert fresh.keep(Document((few, LONG, OTHER))) == Document((few, LONG, OTHER))


def test_what_is_left_must_make_a_document() -> None:
    fresh = FreshText()
    fresh.keep(Document((LONG, OTHER)))
    assert fresh.keep(Document((LONG, OTHER, "Only these few words are new."))) is None


@settings(deadline=None)
@given(st.lists(st.lists(st.text("abc ", max_size=60), max_size=4), max_size=8))
def test_no_sentence_kept_was_mostly_read_before(texts: list[list[str]]) -> None:
    def shingles(sentence: str) -> set[tuple[str, ...]]:
        words = sentence.split()
        return {tuple(words[i : i + 5]) for i in range(max(1, len(words) - 4))}

    fresh, seen = FreshText(), set()
    for sentences in texts:
        kept = fresh.keep(Document(tuple(sentences)))
        for sentence in kept.sentences if kept else ():
            assert sum(s in seen for s in shingles(sentence)) < 0.5 * len(shingles(sentence))
            seen |= shingles(sentence)
