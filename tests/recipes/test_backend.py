"""A new attention backend is a function and a registration; the tests of backends then compare it with float64."""

from __future__ import annotations

from typing import Any

PLAIN = '''"""Attention with the scores in memory, once more under another name."""

from ablate.kernels.naive import attend

__all__ = ["attend"]
'''


def test_the_tests_of_backends_enrol_it(house: Any) -> None:
    house.write("ablate/kernels/plain.py", PLAIN)
    house.add("ablate/kernels/on_cpu.py", "BACKENDS = (", '    Backend("plain", "ablate.kernels.plain:attend", keeps_all),')
    tests = "tests/kernels/test_on_cpu.py"
    text = (house.root / tests).read_text(encoding="utf-8")
    assert text.count('HERE = ["naive", ') == 1
    (house.root / tests).write_text(text.replace('HERE = ["naive", ', 'HERE = ["naive", "plain", '), encoding="utf-8")
    house.test(tests, "-k", "plain and full")
