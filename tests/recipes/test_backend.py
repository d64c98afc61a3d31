"""A new attention backend is a function, a line and a rule; the tests of backends then compare it with float64."""

from __future__ import annotations

from typing import Any

PLAIN = '''"""Attention with the scores in memory, once more under another name."""

from ablate.nn.attention.naive import attend

__all__ = ["attend"]
'''


def test_the_tests_of_backends_enrol_it(house: Any) -> None:
    house.write("ablate/nn/attention/plain.py", PLAIN)
    house.add("ablate/nn/attention/__init__.py", "BACKENDS = {", '    "plain": "plain:attend",')
    rules = "RULES: dict[str, Callable[[Call, Machine], str]] = {"
    house.add("ablate/nn/attention/eligibility.py", rules, '    "plain": _keeps_all,')
    tests = "tests/nn/attention/test_backends.py"
    text = (house.root / tests).read_text(encoding="utf-8")
    (house.root / tests).write_text(text.replace("HALF_HERE = [", 'HALF_HERE = ["plain", ', 1), encoding="utf-8")
    house.test(tests, "-k", "plain and full")
