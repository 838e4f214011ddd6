"""``forecast`` in the pilot: the benchmark's flight on arrays is its flight, and on a market with a rhythm it beats every fixed lead."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from runpy import run_path
from typing import Any

import numpy as np
import pytest

from autopilot.backtest.compiler import compiled
from autopilot.backtest.runner import Terms, fly
from autopilot.plugins import make_strategy
from autopilot.sim.panel import Panel
from autopilot.testing.views import MODEL, START
from autopilot.units import UsdPerHour
from autopilot_strategies import accounts

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "fluid.py"


@pytest.fixture(scope="module")
def fluid() -> dict[str, Any]:
    """The benchmark."""
    return run_path(str(BENCHMARK))


def _panel(hours: int) -> Panel:
    """Four venues that lead at different hours of the day, with noise, gaps, and an outage of all of them."""
    random = np.random.default_rng(7)
    hour = np.arange(hours)[:, None]
    daily = 0.25 * np.cos(2 * np.pi * (hour - np.array([0, 6, 12, 18])) / 24)
    rates = 0.3 * np.exp(daily + random.normal(0, 0.02, (hours, 4)))
    rates[random.random(rates.shape) < 0.01] = np.nan
    rates[hours // 2 + 40 : hours // 2 + 45] = np.nan
    whole = np.vectorize(lambda rate: rate if np.isnan(rate) else float(UsdPerHour.nearest(rate)))(rates)
    return Panel(START, MODEL, ("alder", "birch", "cedar", "dogwood"), whole)


@pytest.fixture(scope="module")
def sky(fluid: dict[str, Any]) -> Any:
    """Six weeks, of which the last two are scored."""
    panel = _panel(6 * 168)
    return fluid["Sky"].over("rhythm", 0.0, panel, panel.rates, panel.at(4 * 168))


@pytest.mark.parametrize("hours", [0.25, 3.0])
def test_the_flight_on_arrays_is_the_pilots(fluid: dict[str, Any], sky: Any, hours: float) -> None:
    """To the last bit of a nano-dollar, and a tenth: only the order of the sums differs."""
    flown = fly(sky.course, Terms(downtime=timedelta(hours=hours)), make_strategy("forecast", {}))

    assert fluid["fly"](sky, hours, fluid["Way"]("forecast")) == pytest.approx(float(flown.totals.net), rel=1e-9)


def test_the_accounts_can_be_compiled(fluid: dict[str, Any], sky: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """As machine code they keep the same books, to the last bit."""
    pytest.importorskip("numba")
    plain = fluid["fly"](sky, 3.0, fluid["Way"]("forecast"))
    monkeypatch.setattr(accounts, "keep", compiled(accounts.keep))

    assert plain == fluid["fly"](sky, 3.0, fluid["Way"]("forecast"))


def test_a_rhythm_is_learned(fluid: dict[str, Any], sky: Any) -> None:
    """Where another venue leads every few hours, it loses half as much as the best fixed lead chosen in hindsight."""
    case = fluid["Case"].of(sky, 0.25)

    assert case.regret(fluid["Way"]("forecast")) < min(case.leads) / 2


@pytest.mark.parametrize("broken", ["permuted", "flipped", "frozen"])
def test_the_guard_bounds_what_a_broken_forecast_costs(fluid: dict[str, Any], sky: Any, broken: str) -> None:
    """Plans on nonsense lose more without the guard, and with it no more than its budget over the base rule."""
    way, alone = fluid["Way"], frozenset({"forecast"})
    bend = fluid["BROKEN"][broken]
    base = fluid["fly"](sky, 3.0, way("base", frozenset({"slow"})))
    free = fluid["fly"](sky, 3.0, way("plans", alone, guarded=False, bend=bend))
    guarded = fluid["fly"](sky, 3.0, way("plans", alone, bend=bend))

    assert free <= guarded
    assert guarded >= 0.998 * base - (17 + 4 * 3 + 2 * 3) * 0.4
