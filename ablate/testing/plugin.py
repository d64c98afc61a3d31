"""Options of pytest that name the classes to test: `--objective package:Name` and `--metric package:Name`."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("ablate")
    for kind in ("objective", "metric"):
        group.addoption(f"--{kind}", action="append", default=[], metavar="PACKAGE:NAME", help=f"class of the {kind} to test")


def pytest_configure(config: pytest.Config) -> None:
    # As `python -m` does: a package in the current folder need not be installed.
    if "" not in sys.path:
        sys.path.insert(0, "")
    places = config.getoption("objective") + config.getoption("metric")
    if not places:
        raise pytest.UsageError("nothing to test; name a class: --objective PACKAGE:NAME or --metric PACKAGE:NAME")
    for place in places:
        found(place)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    from ablate.testing.cases import Case

    if "case" in metafunc.fixturenames:
        cases = [Case(found(place)) for place in metafunc.config.getoption("objective")]
        metafunc.parametrize("case", cases, ids=str)
    if "metric" in metafunc.fixturenames:
        metrics = [found(place) for place in metafunc.config.getoption("metric")]
        metafunc.parametrize("metric", metrics, ids=[metric.name for metric in metrics])


def found(place: str) -> Any:
    """The class at `package.module:Name`; an error of usage that says what is missing otherwise."""
    module, colon, name = place.partition(":")
    if not (module and colon and name):
        raise pytest.UsageError(f"{place!r} names no class; write PACKAGE:NAME, e.g. my_package.electra:Electra")
    try:
        return getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise pytest.UsageError(f"{place!r} cannot be imported: {error}") from error
