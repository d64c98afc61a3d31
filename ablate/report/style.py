"""How figures look, and how they become bytes that are the same each time.

Arms differ in colour, marker and dash at once, so that a grey print and a colour-blind reader lose nothing. Colours hold
a contrast of 3 to 1 on white and on near-black. Ink, rule and paper are colours found nowhere else, which lets the HTML page
put its own in their place. SVG text is drawn as paths: the same picture wherever it is opened.
"""

from __future__ import annotations

import io
import re
import textwrap
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, RULE, PAPER, SOFT = "#1d2127", "#d8dce2", "#fffffe", "#7d8590"
COLOURS = ("#2f7fc1", "#d0661f", "#2a9370", "#c25a9a", "#a8850f", "#7a6fd0", "#5f8a1d", "#c4504e")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "h")
DASHES: tuple[Any, ...] = ((), (5, 1.5), (1.5, 1.2), (5, 1.2, 1.2, 1.2), (8, 2), (3, 1), (1, 1.8), (6, 1, 1, 1, 1, 1))
MOST = len(COLOURS)
"""Arms with a look of their own; more are drawn, but alike."""
WIDTH = 5.0
"""Inches: one column of a page, and legible on a telephone."""


LONGEST = 27
"""Characters of an arm's label in a picture."""


class Look(NamedTuple):
    colour: str
    marker: str
    dashes: Any


BACKGROUND = Look(SOFT, "o", ())


def looks(arms: Sequence[str]) -> dict[str, Look]:
    """Arm -> look: the first `MOST` arms have their own, the rest share the background's."""
    own = {arm: Look(*look) for arm, look in zip(arms, zip(COLOURS, MARKERS, DASHES, strict=True), strict=False)}
    return {arm: own.get(arm, BACKGROUND) for arm in arms}


def styled() -> AbstractContextManager[None]:
    """matplotlib settings for the length of a `with`: nothing a user has set shows, and nothing is left behind."""
    import matplotlib

    matplotlib.use("Agg", force=False)
    settings = {
        **{name: value for name, value in matplotlib.rcParamsDefault.items() if not name.startswith(("backend", "date"))},
        "font.family": "DejaVu Sans",
        "font.size": 8.5,
        "axes.titlesize": 9.5,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "axes.labelsize": 8.5,
        "axes.edgecolor": INK,
        "axes.labelcolor": INK,
        "axes.linewidth": 0.8,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.facecolor": "none",
        "axes.axisbelow": True,
        "axes.unicode_minus": True,
        "figure.facecolor": PAPER,
        "savefig.facecolor": PAPER,
        "text.color": INK,
        "text.parse_math": False,
        "xtick.color": INK,
        "ytick.color": INK,
        "xtick.labelsize": 8,
        "ytick.labelsize": 8,
        "grid.color": RULE,
        "grid.linewidth": 0.7,
        "lines.solid_capstyle": "round",
        "svg.fonttype": "path",
        "svg.hashsalt": "ablate",
        "path.simplify": True,
    }
    return matplotlib.rc_context(settings)


def panel(title: str, axis: str, height: float, left: float = 0.55, right: float = 0.15) -> tuple[Figure, Axes]:
    """One panel, `WIDTH` wide; height and the margins for what stands beside the axes are in inches.

    Margins are given and not searched for: a layout engine draws every text several times, and that is most of the time
    a report takes. The figure belongs to the caller; pyplot, which would keep it, is not used.
    """
    from matplotlib.figure import Figure

    bottom, top = 0.46, 0.32
    figure = Figure(figsize=(WIDTH, height))
    across = WIDTH - left - right
    axes = figure.add_axes((left / WIDTH, bottom / height, across / WIDTH, (height - bottom - top) / height))
    figure.text(0.01, 1 - 0.07 / height, shortened(title, 66), va="top", fontsize=9.5, fontweight="bold")
    figure.text((left + across / 2) / WIDTH, 0.05 / height, axis, ha="center", va="bottom")
    return figure, axes


def few_ticks(axes: Axes) -> None:
    """As many numbers under the picture as stand beside each other without touching."""
    axes.locator_params(axis="x", nbins=max(2, int(axes.get_position().width * WIDTH / 0.55)))


def room(labels: Iterable[str], most: int, size: float = 8) -> float:
    """Inches that the longest of the labels takes; the font's mean letter is a little over half as wide as it is high."""
    longest = max((min(len(label), most) for label in labels), default=0)
    return 0.12 + longest * size * 0.57 / 72


def svg(figure: Figure) -> str:
    """The drawing as SVG text: no date, no indentation, coordinates to a hundredth of a point.

    The canvas is asked directly, because `savefig` draws everything once more to find out how large it is.
    """
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    buffer = io.BytesIO()
    FigureCanvasSVG(figure).print_svg(buffer, metadata={"Date": None, "Creator": None})
    text = re.sub(r"<!--.*?-->|<metadata>.*?</metadata>", "", buffer.getvalue().decode(), flags=re.DOTALL)
    text = re.sub(r"(?<!scale\()\b(\d+\.\d\d)\d+", r"\1", text)
    text = text.replace("DejaVuSans-Bold-", "b").replace("DejaVuSans-", "g")
    return "\n".join(line for line in map(str.strip, text.splitlines()) if line) + "\n"


def png(figure: Figure) -> bytes:
    """The drawing as a PNG of 64 colours, which these pictures do not exceed to the eye, at a third of the size."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    figure.set_dpi(144)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    image = Image.frombuffer("RGBA", canvas.get_width_height(), canvas.buffer_rgba(), "raw", "RGBA", 0, 1).convert("RGB")
    buffer = io.BytesIO()
    image.quantize(64, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE).save(buffer, format="PNG")
    return buffer.getvalue()


def within(places: Sequence[float], least: float, low: float, high: float) -> list[float]:
    """Places at least `least` apart pushed between the ends, their order kept; too many of them start at the top."""
    moved = list(places)
    order = sorted(range(len(moved)), key=lambda number: moved[number])
    for rank, number in enumerate(order):
        moved[number] = max(moved[number], low + rank * least)
    for rank, number in enumerate(reversed(order)):
        moved[number] = min(moved[number], high - rank * least)
    return moved


def shortened(text: str, most: int) -> str:
    """A label that leaves room for the picture."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def wrapped(text: str, most: int) -> str:
    """A label on as many lines as it needs, whole words on each."""
    return "\n".join(textwrap.wrap(text, most, break_long_words=True)) or text


def name_beside(axes: Axes, names: Sequence[tuple[float, float, str, str]]) -> None:
    """Write each (x, y, label, colour) right of the picture, moved apart where needed and joined to its point by a hairline."""
    low, high = axes.get_ylim()
    left, right = axes.get_xlim()
    least = 0.066 * (high - low)
    places = within(spread([y for _, y, _, _ in names], least), least, low, high)
    for place, (x, y, label, colour) in zip(places, names, strict=True):
        edge = right + 0.035 * (right - left)
        axes.plot([x, right, edge], [y, y, place], color=colour, linewidth=0.5, alpha=0.7, clip_on=False, zorder=1)
        axes.text(edge + 0.01 * (right - left), place, shortened(label, LONGEST), color=colour, fontsize=8, va="center")
    axes.set_xlim(left, right)
    axes.set_ylim(low, high)


def name_points(axes: Axes, names: Sequence[tuple[float, float, str, str]]) -> None:
    """Write each (x, y, label, colour) at its point, on the first side where it covers no other name or point."""
    low, high = axes.get_ylim()
    left, right = axes.get_xlim()
    points = [((x - left) / (right - left), (y - low) / (high - low)) for x, y, _, _ in names]
    taken = [(px - 0.02, py - 0.03, px + 0.02, py + 0.03) for px, py in points]
    for number, ((px, py), (_, _, label, colour)) in enumerate(zip(points, names, strict=True)):
        text = shortened(label, LONGEST)
        wide, tall = 0.0165 * len(text), 0.066
        sides = [(px + 0.03, py, "left"), (px - 0.03, py, "right"), (px, py + 0.075, "center"), (px, py - 0.075, "center")]
        sides += [
            (px + 0.03, py + 0.06, "left"),
            (px + 0.03, py - 0.06, "left"),
            (px - 0.03, py + 0.06, "right"),
            (px - 0.03, py - 0.06, "right"),
        ]
        boxes = []
        for tx, ty, side in sides:
            start = tx - {"left": 0.0, "right": wide, "center": wide / 2}[side]
            boxes.append((start, ty - tall / 2, start + wide, ty + tall / 2))
        others = taken[:number] + taken[number + 1 :]
        free = [
            k
            for k, box in enumerate(boxes)
            if box[0] > -0.02 and box[2] < 1.25 and not any(_overlap(box, other) for other in others)
        ]
        best = free[0] if free else 0
        tx, ty, side = sides[best]
        taken.append(boxes[best])
        axes.text(tx, ty, text, transform=axes.transAxes, color=colour, fontsize=8, ha=side, va="center")


def _overlap(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def spread(places: Sequence[float], least: float) -> list[float]:
    """The places moved apart until neighbours are `least` away from each other, their order and about their middle kept."""
    order = sorted(range(len(places)), key=lambda number: (places[number], number))
    clusters: list[tuple[float, int]] = []
    for number in order:
        centre, size = places[number], 1
        while clusters and clusters[-1][0] + least * (clusters[-1][1] + size) / 2 > centre:
            other, count = clusters.pop()
            centre, size = (other * count + centre * size) / (count + size), count + size
        clusters.append((centre, size))
    moved = [centre + least * (k - (size - 1) / 2) for centre, size in clusters for k in range(size)]
    result = [0.0] * len(places)
    for number, place in zip(order, moved, strict=True):
        result[number] = place
    return result
