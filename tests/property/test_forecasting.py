"""What must hold of the forecasts for any rates: they know nothing of the future, and do not care how the hours came."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from autopilot_strategies.forecasting import ANCHORS, Forecaster, Paths
from autopilot_strategies.forecasting.features import GONE
from autopilot_strategies.forecasting.rhythm import Floats
from autopilot_strategies.forecasting.stacking import simplex

HOUR = 480_007
"""Not a midnight, and not the start of a week."""
ROWS = 24 * 15


def restless(seed: int, rows: int = ROWS, venues: int = 4) -> Floats:
    """Rates with walks, a rhythm, outliers, holes of an hour and of days, a venue that comes late and one that never does."""
    random = np.random.default_rng(seed)
    walk = np.cumsum(random.normal(0.0, 0.02, (rows, venues)), axis=0)
    beat = 0.1 * np.cos(np.arange(rows)[:, None] * np.pi / 12.0 + random.uniform(0.0, 6.0, venues))
    rates = 0.3 * np.exp(walk + beat) * np.where(random.random((rows, venues)) < 0.01, 5.0, 1.0)
    rates[random.random((rows, venues)) < 0.03] = np.nan
    rates[100:160, 0] = np.nan
    rates[:90, 1] = np.nan
    rates[:, 2] = np.nan
    return rates


def same(one: Paths, other: Paths) -> bool:
    """Whether two paths agree to twelve digits."""
    return all(np.allclose(getattr(one, name), getattr(other, name), rtol=1e-12, atol=0.0, equal_nan=True) for name in Paths.__slots__)


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), cuts=st.lists(st.integers(0, ROWS), max_size=12))
def test_it_does_not_matter_how_many_rows_come_at_once(seed: int, cuts: list[int]) -> None:
    """Extending by any pieces says the same of every row as extending by all rows at once."""
    rates = restless(seed)
    state, parts = Forecaster.start(venues=4, hour=HOUR), []
    for first, end in zip([0, *sorted(cuts)], [*sorted(cuts), ROWS], strict=True):
        state, paths = state.extend(rates[first:end])
        parts.append(paths)
    whole, expected = Forecaster.start(venues=4, hour=HOUR).extend(rates)

    assert same(expected, Paths.joined(parts))
    assert (whole.rows, whole.hour) == (state.rows, state.hour)
    assert np.array_equal(whole.stack.weights, state.stack.weights)


def test_row_by_row_is_the_same_too() -> None:
    """A daemon that takes in one hour after the other knows what a backtest knows."""
    rates = restless(7)
    state, parts = Forecaster.start(venues=4, hour=HOUR), []
    for row in range(ROWS):
        state, paths = state.extend(rates[row : row + 1])
        parts.append(paths)
    _, expected = Forecaster.start(venues=4, hour=HOUR).extend(rates)

    assert same(expected, Paths.joined(parts))


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), now=st.integers(1, ROWS))
def test_the_future_changes_nothing(seed: int, now: int) -> None:
    """What is said up to an hour is the same whatever the rates after it are."""
    rates = restless(seed)
    other = rates.copy()
    other[now:] = restless(seed + 1)[now:]
    _, expected = Forecaster.start(venues=4, hour=HOUR).extend(rates)
    _, actual = Forecaster.start(venues=4, hour=HOUR).extend(other)

    assert same(Paths(*(getattr(expected, n)[:now] for n in Paths.__slots__)), Paths(*(getattr(actual, n)[:now] for n in Paths.__slots__)))


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), rows=st.integers(0, ROWS))
def test_a_venue_may_come_later(seed: int, rows: int) -> None:
    """Widening by a venue is the same as if it had been there from the start without a rate."""
    rates = restless(seed)
    rates[:rows, 3] = np.nan
    narrow, _ = Forecaster.start(venues=3, hour=HOUR).extend(rates[:rows, :3])
    _, actual = narrow.widened(1).extend(rates[rows:])
    _, expected = Forecaster.start(venues=4, hour=HOUR).extend(rates)

    assert same(Paths(*(getattr(expected, name)[rows:] for name in Paths.__slots__)), actual)


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_who_was_seen_within_a_day_has_a_forecast_and_nobody_else(seed: int) -> None:
    """A hole of an hour costs no forecast; after a day without a rate there is none, and with the first rate there is one."""
    rates = restless(seed)
    _, paths = Forecaster.start(venues=4, hour=HOUR).extend(rates)
    known = np.isfinite(rates)
    seen = np.array([known[max(row - GONE, 0) : row + 1].any(axis=0) for row in range(ROWS)])
    expected = np.repeat(seen[:, None], len(ANCHORS), axis=1)

    assert np.array_equal(expected, np.isfinite(paths.mid))
    assert not (paths.low > paths.high).any()


@given(seed=st.integers(0, 2**32 - 1), members=st.integers(1, 14))
def test_the_weights_are_the_best_of_the_simplex(seed: int, members: int) -> None:
    """No shift of weight from one member to another makes the squared error smaller, from wherever the search starts."""
    random = np.random.default_rng(seed)
    errors = random.normal(size=(60, members)) + random.normal(size=(60, 1))
    products = errors.T @ errors / 60 + 0.01 * np.eye(members)
    pull = 0.01 * (np.arange(members) == 0)
    weights = simplex(products, pull, random.permutation(np.eye(members)[0]))
    slope = products @ weights - pull

    assert np.isclose(1.0, weights.sum())
    assert (weights >= 0.0).all()
    assert (slope >= slope[weights > 0.0].max() - 1e-4).all()
