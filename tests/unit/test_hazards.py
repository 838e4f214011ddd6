"""The factors of a hazard: each keeps to its own law, and forecasts itself without bias."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autopilot.sim.hazards import Factor, Floats, Regimes, Rhythm, Walk, exposure, reached
from autopilot.units import HOUR

times = st.floats(0, 50)
DAYS = timedelta(days=1)


def streams(count: int, seed: int = 0) -> list[np.random.Generator]:
    """One for each venue."""
    return [np.random.default_rng((seed, venue)) for venue in range(count)]


@given(times, times, times, st.floats(0.001, 20), st.floats(0, 10))
def test_exposure_adds_up(first: float, second: float, third: float, hazard: float, queue: float) -> None:
    """A wait is the sum of its parts, never less than nothing and never more than without a queue."""
    a, b, c = sorted((first, second, third))
    whole = exposure(hazard, a, c, queue)

    assert exposure(hazard, a, b, queue) + exposure(hazard, b, c, queue) == pytest.approx(whole, abs=1e-9)
    assert -1e-9 <= whole <= hazard * (c - a) + 1e-9


@given(times, st.floats(0.001, 20), st.floats(0.001, 10), st.floats(0, 10))
def test_the_need_is_reached_when_the_exposure_has_grown_to_it(since: float, hazard: float, need: float, queue: float) -> None:
    """One is the inverse of the other."""
    at = reached(hazard, since, need, queue)

    assert exposure(hazard, since, at, queue) == pytest.approx(need, rel=1e-6, abs=1e-9)


def test_an_arrival_waits_behind_others_for_half_the_queue() -> None:
    """Past the queue the exposure is that of a wait that began half of it later."""
    assert exposure(2.0, 0.0, 10.0, 3.0) == pytest.approx(2.0 * (10.0 - 1.5))


def test_a_walk_has_its_spread_and_its_memory() -> None:
    """In the long run: the sd of its logarithm, and half of a distance gone after its half-life."""
    logs = np.log(Walk(sd=0.4, half_life=6 * HOUR).series(streams(400), 200))

    assert logs.std() == pytest.approx(0.4, rel=0.02)
    assert np.corrcoef(logs[:-6].ravel(), logs[6:].ravel())[0, 1] == pytest.approx(0.5, abs=0.02)


def test_a_walk_may_start_at_its_mean() -> None:
    """A rig that nobody knows yet is a usual one at first."""
    assert Walk(sd=0.4, half_life=DAYS, settled=False).series(streams(3), 2)[0].tolist() == [1.0, 1.0, 1.0]


@pytest.mark.parametrize("lead", [1, 5, 48])
@pytest.mark.parametrize("factor", [Walk(sd=0.5, half_life=10 * HOUR), Regimes(sd=0.6, every=20 * HOUR)], ids=["walk", "regimes"])
def test_a_forecast_is_right_on_average(factor: Factor, lead: int) -> None:
    """After high hours as after low ones: what is expected is the mean of what comes."""
    series = factor.series(streams(3000), 60)
    expected, came = factor.ahead(series, lead)[:-lead], series[lead:]
    for half in (series[:-lead] > np.median(series), series[:-lead] <= np.median(series)):
        assert came[half].mean() == pytest.approx(expected[half].mean(), rel=0.04)


def test_a_regime_holds_until_the_next() -> None:
    """It is redrawn about as often as it says, and is the same in between."""
    series = Regimes(sd=0.6, every=25 * HOUR).series(streams(50), 2000)
    changes = (np.diff(series, axis=0) != 0).sum()

    assert changes == pytest.approx(50 * 2000 / 25, rel=0.05)


def test_a_rhythm_is_known_for_ever() -> None:
    """Every day is the same, the best hour is the peak, and the forecast is what comes."""
    rhythm = Rhythm(swing=0.3, peak=15)
    series = rhythm.series(streams(2), 72)

    assert series[:24].argmax() // 2 == 15
    assert series[:24].mean() == pytest.approx(1.0)
    assert np.allclose(series[:48], series[24:])
    assert np.allclose(rhythm.ahead(series, 31)[:-31], series[31:])


@pytest.mark.parametrize("factor", [Walk(sd=0.5, half_life=DAYS), Rhythm(swing=0.1)], ids=["walk", "rhythm"])
def test_a_further_hour_or_venue_changes_nothing_that_was_there(factor: Factor) -> None:
    """Every venue has draws of its own, taken hour by hour."""
    small: Floats = factor.series(streams(2), 50)

    assert np.array_equal(small, factor.series(streams(3), 80)[:50, :2])


def test_now_is_known() -> None:
    """A forecast of no hours is the present."""
    for factor in (Walk(sd=0.5, half_life=DAYS), Regimes(sd=0.5, every=DAYS), Rhythm(swing=0.2, peak=3)):
        series = factor.series(streams(2), 30)

        assert np.allclose(series, factor.ahead(series, 0))
