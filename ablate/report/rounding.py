"""Format numbers and names, in the same way in every table, caption and sentence.

A metric declares its digits and its display scale. Its mean, half-width and differences share them, so that columns line up.
A minus sign is U+2212 and a missing number is an en dash. CSV files keep the unrounded numbers.
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


def label(metric: Metric) -> str:
    """Return the metric's label; no line breaks between a number and its per cent sign."""
    return unbroken(one_line(metric.label)) or metric.key


def setting(level: object) -> str:
    """Return a factor's level for display, e.g. `0.166667`; a command needs all digits."""
    return f"{level:g}" if isinstance(level, float) else str(level)


def unbroken(text: str) -> str:
    """Put a no-break space between each number and its per cent sign."""
    return re.sub(r"(?<=\d) (?=%)", "\u00a0", text)


def capital(text: str) -> str:
    """Return the text with a capital first letter, to start a sentence."""
    return text[:1].upper() + text[1:]


def quoted(name: str) -> str:
    """Return a name for use in a sentence: it may contain commas and start in lower case."""
    return f"\u201c{name}\u201d"


def fixed(value: float | None, digits: int) -> str:
    """`-0.0312` with 3 digits is `−0.031`; a rounded zero has no sign; NaN is a dash."""
    if value is None or not math.isfinite(value):
        return MISSING
    text = f"{abs(value):.{digits}f}"
    return MINUS + text if value < 0 and float(text) != 0 else text


def signed(value: float | None, digits: int) -> str:
    """Format like `fixed`, with a plus sign for positive numbers; used for differences."""
    text = fixed(value, digits)
    return f"+{text}" if value is not None and value > 0 and text != MISSING and float(text) != 0 else text


def plain(metric: Metric, value: float | None) -> str:
    """Format a value in the metric's display scale and digits."""
    return fixed(None if value is None else value * metric.scale, metric.digits)


def with_half_width(metric: Metric, mean: float, low: float, high: float) -> str:
    """Return `3.214 ± 0.012`, with the interval's half-width; only the mean if one seed gives no interval."""
    text = plain(metric, mean)
    if text == MISSING or not math.isfinite(high - low):
        return text
    return f"{text}\u00a0±\u00a0{plain(metric, (high - low) / 2)}"


def difference(metric: Metric, mean: float, low: float, high: float) -> str:
    """Return `−0.130 [−0.160, −0.100]`; only the mean if there is no interval."""
    text = signed(mean * metric.scale, metric.digits)
    if text == MISSING or not math.isfinite(high - low):
        return text
    return f"{text} [{signed(low * metric.scale, metric.digits)},\u00a0{signed(high * metric.scale, metric.digits)}]"


def p_value(p: float | None) -> str:
    """Return p with three digits, or `< 0.001`."""
    if p is None or not math.isfinite(p):
        return MISSING
    return "< 0.001" if p < 0.0005 else f"{p:.3f}"


def p_clause(p: float) -> str:
    """`p = 0.012` or `p < 0.001`."""
    text = p_value(p)
    return f"p {text}" if text.startswith("<") else f"p = {text}"


def amount(value: float | None, unit: str = "") -> str:
    """Return three significant digits and an SI prefix: `1.25 M tokens`, `3.2 TFLOP` when the unit is `FLOP`."""
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


def fraction(ratio: float) -> str:
    """Return 1 / ratio rounded up to `half`, `a third`, ... `a twentieth`; noise does not justify finer steps.

    Raises `ValueError` for a ratio below 2.
    """
    if ratio < 2:
        raise ValueError(f"ratio {ratio:g}: must be at least 2")
    words = {2: "half", 3: "a third", 4: "a quarter", 5: "a fifth", 6: "a sixth", 7: "a seventh", 8: "an eighth", 9: "a ninth"}
    number = math.floor(ratio)
    return words.get(number) or ("a tenth" if number < 20 else "a twentieth")


def span(numbers: Iterable[int], noun: str = "") -> str:
    """Return `5`, or `3 to 5` if the numbers differ; with a noun `1 seed`, `5 seeds`, `3 to 5 seeds`."""
    ordered = sorted(numbers)
    text = f"{ordered[0]}" if ordered[0] == ordered[-1] else f"{ordered[0]} to {ordered[-1]}"
    return f"{text} {noun if text == '1' else noun + 's'}" if noun else text


def level(alpha: float) -> str:
    """`95 %` for alpha = 0.05."""
    return f"{100 * (1 - alpha):.4g} %"
