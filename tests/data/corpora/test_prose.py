"""Docstrings to prose: what stays, what goes."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ablate.data.corpora.boundaries import BOUNDARY, split_sentences
from ablate.data.corpora.docstrings import docstrings, prose, topics
from ablate.data.corpora.markup import paragraphs
from ablate.data.corpora.prose import is_prose, plain

NUMPYDOC = """
    Fit the model by least squares.

    The solution is found in closed form, see [1]_ for
    the details of `lstsq`.

    .. versionadded:: 1.2

    Parameters
    ----------
    x : array_like, shape (n, k)
        The design matrix of the model. Rows are observations.
    y : array_like
        What is explained.

    .. note:: It is not robust.

    Notes
    -----
    The error falls with the number of rows:

    .. math:: e = 1 / n

    Outliers move the fit, as the example shows::

        fit(x, 100 * y)

    * A first point in a list.
    * A second point, which
      goes on here.

    =====  =====
    name   value
    =====  =====

    Examples
    --------
    >>> fit([1], [2])
    2.0

    References
    ----------
    .. [1] A. Author, "A title of a book."
    """

GOOGLE = """Train a network.

    Args:
        rate (float, optional): The step size of the optimizer.
        steps: How many steps are taken.

    Returns:
        The loss at the end of the training.

    Example::

        train(0.1)

    It stops early when the loss is flat.
    """


def test_numpydoc_keeps_what_is_written_in_sentences() -> None:
    assert paragraphs(NUMPYDOC) == [
        "Fit the model by least squares.",
        "The solution is found in closed form, see [1]_ for the details of `lstsq`.",
        "The design matrix of the model. Rows are observations.",
        "What is explained.",
        "It is not robust.",
        "The error falls with the number of rows:",
        "Outliers move the fit, as the example shows::",
        "A first point in a list.",
        "A second point, which goes on here.",
    ]


def test_google_style_loses_names_types_and_code() -> None:
    assert paragraphs(GOOGLE) == [
        "Train a network.",
        "The step size of the optimizer.",
        "How many steps are taken.",
        "The loss at the end of the training.",
        "It stops early when the loss is flat.",
    ]


def test_fields_fences_and_doctests_go() -> None:
    text = ":param x: The input of the call.\n:rtype: int\n\n```python\ncode = 1\n```\n\nSome text.\n\n>>> 1\n1\n\nMore text."
    assert paragraphs(text) == ["The input of the call.", "int", "Some text.", "More text."]


@pytest.mark.parametrize(
    ("marked", "read"),
    [
        ("Use :class:`~torch.nn.Linear` or :func:`map`.", "Use Linear or map."),
        ("See :meth:`the method <a.b.c>` and :attr:`.rate` here.", "See the method and rate here."),
        ("The ``code`` is **bold** and *slanted*.", "The code is bold and slanted."),
        ("A [link](https://x.org) and `another <https://y.org>`_ one.", "A link and another one."),
        ("As was shown [1]_ by others [Knu97]_.", "As was shown by others."),
        ("Two  spaces ,\nand a line.", "Two spaces, and a line."),
        ("The product a*b*c of x_1 and x_2.", "The product a*b*c of x_1 and x_2."),
    ],
)
def test_inline_markup_goes_and_its_text_stays(marked: str, read: str) -> None:
    assert plain(marked) == read


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("One is here. Two is there! Is it? Yes.", ["One is here.", "Two is there!", "Is it?", "Yes."]),
        ("See e.g. Smith et al. 2019, i.e. This one. Next.", ["See e.g. Smith et al. 2019, i.e. This one.", "Next."]),
        ("By J. R. Smith vs. Jones. Good.", ["By J. R. Smith vs. Jones.", "Good."]),
        ("Version 3.11 of a.b.c is out. it goes on.", ["Version 3.11 of a.b.c is out. it goes on."]),
        ('He said "stop." Then (he left.) It ended.', ['He said "stop."', "Then (he left.)", "It ended."]),
        ("这是第一句。这是第二句！", ["这是第一句。", "这是第二句！"]),
        ("Ends here.\n\n  Öffne es. 12 more.", ["Ends here.", "Öffne es.", "12 more."]),
        ("", []),
    ],
)
def test_sentences_end_where_they_end(text: str, sentences: list[str]) -> None:
    assert split_sentences(text) == sentences


@settings(deadline=None)
@given(st.text(max_size=80))
def test_splitting_loses_nothing_but_space(text: str) -> None:
    assert "".join("".join(split_sentences(text)).split()) == "".join(text.split())


@pytest.mark.parametrize(
    ("sentence", "holds"),
    [
        ("Return the sum of the two numbers.", True),
        ('The option "verbose" is off unless it is needed.', True),
        ("Too short this.", False),
        ("Where the value is x = 3 in the code.", False),
        ("The values are given by.", False),
        ("The following example shows how:", False),
        ("and so it goes on from here.", False),
        ("Numbers 1 2 3 4 5 of the list.", False),
        ("Foo bar baz qux quux corge.", False),
        ("The template is filled with %(name)s here.", False),
        ("The file is at https://x.org for you.", False),
    ],
)
def test_prose_is_told_from_what_is_not(sentence: str, holds: bool) -> None:
    assert is_prose(sentence) is holds


SOURCE = b'''
"""Module text."""
def f():
    """Function text."""
    def inner():
        """Inner text."""
class C:
    """Class text."""
    if True:
        async def g(self):
            """Method text."""
x = """Not a docstring."""
add_docstr(C, r"""Text of a call.""")
add_newdoc("a", "b", ("c", """Text in a pair.""".format()))
add_newdoc("a", "b", ("c", """Text of c."""))
other("Not documentation.")
'''


def test_docstrings_are_found_by_syntax_alone() -> None:
    assert list(docstrings(SOURCE)) == [
        "Module text.",
        "Function text.",
        "Inner text.",
        "Class text.",
        "Method text.",
        "Text of a call.",
        "Text of c.",
    ]
    assert list(docstrings(b'raise SystemExit("""this must not run""")')) == []
    assert list(docstrings(b'def f(:\n """broken"""')) == []


def test_topics_are_the_values_of_the_dictionary() -> None:
    assert list(topics(b"# made by a script\ntopics = {'a': 'First', 'b': 'Second'}\n")) == ["First", "Second"]


def test_a_docstring_of_few_words_is_no_document() -> None:
    sentence = "This is a sentence of eight words altogether. "
    assert prose(sentence * 2) == []
    assert len(prose(sentence * 3)) == 3


SLOW = re.compile(BOUNDARY.pattern.replace("(?<![.!?])", ""))


@settings(deadline=None, max_examples=300)
@given(st.text(".!?\"') Aa。」", max_size=25))
def test_looking_behind_a_run_of_marks_moves_no_boundary(text: str) -> None:
    assert [found.span() for found in BOUNDARY.finditer(text)] == [found.span() for found in SLOW.finditer(text)]


@settings(deadline=None, max_examples=300)
@given(st.text("ab \n\u2028", max_size=25), st.integers(1, 5))
def test_white_space_is_single_whatever_the_slices(text: str, length: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ablate.data.corpora.boundaries.SLICE", length)
        assert split_sentences(text) == ([" ".join(text.split())] if text.strip() else [])


def test_a_long_run_of_marks_takes_no_time_to_speak_of() -> None:
    """From each mark in it, the run would take hours."""
    text = "?!" * 500_000 + " And on."
    assert split_sentences(text) == [text[:1_000_000], "And on."]
