"""How numbers are written, the same in every table, caption and sentence.

A metric says its own digits and its display scale; a mean, its half-width and its differences share them, so that
columns can be compared by eye. A minus is U+2212, a missing number an en dash; CSV files keep the unrounded numbers.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

from ablate.report.blocks import one_line
from ablate.specification import Metric

MINUS = "\u2212"
MISSING = "\u2013"
PREFIXES = ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def words(metric: Metric) -> str:
    """The metric's label, with a number and its per cent sign on one line."""
    return held(one_line(metric.label)) or metric.key


def setting(level: object) -> str:
    """A level of a factor as it is read, `0.166667`; a command needs all digits."""
    return f"{level:g}" if isinstance(level, float) else str(level)


def held(text: str) -> str:
    """Text in which no line breaks between a number and its per cent sign."""
    return re.sub(r"(?<=\d) (?=%)", "\u00a0", text)


def capital(text: str) -> str:
    """The start of a sentence."""
    return text[:1].upper() + text[1:]


def fixed(value: float | None, digits: int) -> str:
    """`-0.0312` with 3 digits is `−0.031`; a rounded zero has no sign; NaN is a dash."""
    if value is None or not math.isfinite(value):
        return MISSING
    text = f"{abs(value):.{digits}f}"
    return MINUS + text if value < 0 and float(text) != 0 else text


def signed(value: float | None, digits: int) -> str:
    """As `fixed`, with a plus for positive numbers: the form of differences."""
    text = fixed(value, digits)
    return f"+{text}" if value is not None and value > 0 and text != MISSING and float(text) != 0 else text


def plain(metric: Metric, value: float | None) -> str:
    """A value in the metric's display scale and digits."""
    return fixed(None if value is None else value * metric.scale, metric.digits)


def with_half_width(metric: Metric, mean: float, low: float, high: float) -> str:
    """`3.214 ± 0.012`, the half-width of the interval; the mean alone where one seed gives no interval."""
    text = plain(metric, mean)
    if text == MISSING or not math.isfinite(high - low):
        return text
    return f"{text}\u00a0±\u00a0{plain(metric, (high - low) / 2)}"


def difference(metric: Metric, mean: float, low: float, high: float) -> str:
    """`−0.130 [−0.160, −0.100]`; the mean alone where there is no interval."""
    text = signed(mean * metric.scale, metric.digits)
    if text == MISSING or not math.isfinite(high - low):
        return text
    return f"{text} [{signed(low * metric.scale, metric.digits)},\u00a0{signed(high * metric.scale, metric.digits)}]"


def p_value(p: float | None) -> str:
    """Three digits, `< 0.001` below them."""
    if p is None or not math.isfinite(p):
        return MISSING
    return "< 0.001" if p < 0.0005 else f"{p:.3f}"


def p_clause(p: float) -> str:
    """`p = 0.012` or `p < 0.001`."""
    text = p_value(p)
    return f"p {text}" if text.startswith("<") else f"p = {text}"


def amount(value: float | None, unit: str = "") -> str:
    """Three significant digits and an SI prefix: `1.25 M tokens`, `3.2 TFLOP` when the unit is `FLOP`."""
    if value is None or not math.isfinite(value):
        return MISSING
    size, prefix = next((step for step in PREFIXES if abs(value) >= 0.9995 * step[0]), (1.0, ""))
    number = f"{abs(value) / size:.3g}"
    if "e" in number:
        number = f"{abs(value) / size:.0f}"
    number = MINUS + number if value < 0 else number
    if unit in ("FLOP", "J", "B"):
        return f"{number} {prefix}{unit}"
    return " ".join(part for part in (number, prefix, unit) if part)


def duration(seconds: float | None) -> str:
    """`0.82 s`, `41 s`, `3 min 05 s`, `2 h 10 min`."""
    if seconds is None or not math.isfinite(seconds):
        return MISSING
    if seconds < 59.5:
        return f"{seconds:.2g} s" if seconds < 9.95 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def listed(words: list[str], last: str = "and") -> str:
    """`a`, `a and b`, `a, b and c`."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {last} {words[-1]}"


def counted(number: int, noun: str, plural: str = "") -> str:
    """`1 seed`, `5 seeds`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}".replace(",", "\u202f")


def ordinal(ratio: float) -> str:
    """The denominator, in words up to a tenth: `half`, `third`, `13th`; no finer than a twentieth, being a ratio of noise."""
    number = math.floor(ratio)
    words = {2: "half", 3: "third", 4: "quarter", 5: "fifth", 6: "sixth", 7: "seventh", 8: "eighth", 9: "ninth", 10: "tenth"}
    return words.get(number, f"{number}th" if number <= 20 else "twentieth or less")


def span(numbers: Iterable[int]) -> str:
    """`5`, or `3 to 5` where they differ: how n is written in captions."""
    found = sorted(numbers)
    return f"{found[0]}" if found[0] == found[-1] else f"{found[0]} to {found[-1]}"


def level(alpha: float) -> str:
    """`95 %` for alpha = 0.05."""
    return f"{100 * (1 - alpha):.4g} %"
