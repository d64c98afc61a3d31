from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ablate.report import html, style


def luminance(colour: str) -> float:
    """WCAG 2.1 relative luminance."""
    channels = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("colour", style.COLOURS)
@pytest.mark.parametrize("paper", ["#fffffd", "#15181c"])
def test_colours_are_legible_on_light_and_dark_paper(colour: str, paper: str) -> None:
    light, dark = sorted((luminance(colour), luminance(paper)), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= 3


def test_arms_differ_in_more_than_colour() -> None:
    looks = style.looks([f"arm {n}" for n in range(style.MOST + 2)])
    own = [look for look in looks.values() if look != style.BACKGROUND]
    assert len({(look.marker, str(look.dashes)) for look in own}) == style.MOST
    assert list(looks.values())[-2:] == [style.BACKGROUND] * 2


@settings(deadline=None)
@given(st.lists(st.floats(-100, 100), min_size=1, max_size=12), st.floats(0.01, 5))
def test_labels_are_moved_apart_and_keep_their_order(places: list[float], least: float) -> None:
    moved = style.spread(places, least)
    order = sorted(range(len(places)), key=lambda n: (places[n], n))
    gaps = [moved[b] - moved[a] for a, b in itertools.pairwise(order)]
    assert all(gap >= least - 1e-6 for gap in gaps)
    if all(places[b] - places[a] >= least for a, b in itertools.pairwise(order)):
        assert moved == pytest.approx(places)


@settings(deadline=None)
@given(st.lists(st.floats(0, 10), min_size=1, max_size=9, unique=True))
def test_labels_that_fit_stay_inside(places: list[float]) -> None:
    moved = style.within(style.spread(places, 1.0), 1.0, 0.0, 10.0)
    ordered = sorted(moved)
    assert ordered[0] >= -1e-6
    assert ordered[-1] <= 10 + 1e-6
    assert all(b - a >= 1 - 1e-6 for a, b in itertools.pairwise(ordered))


def test_a_drawing_is_the_same_bytes_and_takes_the_colours_of_the_page() -> None:
    def drawn() -> tuple[str, bytes]:
        with style.styled():
            figure, axes = style.panel("title", "axis", 2.0)
            axes.plot([0, 1], [0, 1], color=style.COLOURS[0])
            return style.svg(figure), style.png(figure)

    assert drawn() == drawn()
    page = html.inline_svg(drawn()[0], "name")
    assert "var(--ink)" in page
    assert style.INK not in page
    assert style.PAPER not in page
    assert "xlink" not in page
    assert "<?xml" not in page
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(re.findall(r'id="([^"]+)"', page))
