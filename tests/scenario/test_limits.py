"""The limits on time and memory hold, by the benchmark that the changelog quotes."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType

import pytest

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "first_flight.py"


def first_flight() -> ModuleType:
    """The benchmark as a module: it is a script, and on no path."""
    spec = importlib.util.spec_from_file_location("first_flight", BENCHMARK)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.long
def test_every_limit_is_kept() -> None:
    """A backtest of half a year, a daemon at rest and the commands that people wait for stay within their limits."""
    module = first_flight()
    folder = os.environ.get("AUTOPILOT_TEST_DATA")
    rates = Path(folder, "tokens.csv.gz") if folder else module.EXAMPLE

    broken = [figure for figure in module.measure(rates, seconds=15) if not figure.kept]

    assert [] == broken
