"""What is true of the strategy: what the suite asks of every strategy, and what makes it this one."""

from __future__ import annotations

from datetime import timedelta

import pytest
from my_strategy import Average, Mean, Smoothed

from autopilot.contracts import Strategy
from autopilot.testing.strategies import StrategyContract
from autopilot.testing.views import START, view
from autopilot.units import HOUR


class TestSmoothed(StrategyContract):
    """Legal, pure, blind to the future, blind to the order of devices, calm when nobody answers."""

    @pytest.fixture
    def strategy(self) -> Strategy:
        """As it is shipped."""
        return Smoothed()


def test_a_spike_is_not_followed() -> None:
    """One high hour in ten does not lift the average enough; five do."""
    calm, spike, rise = [1.0] * 10, [0.9] * 9 + [2], [0.9] * 5 + [2] * 5

    assert not Smoothed().decide(view({"own": calm, "rival": spike}, "own")).moves
    assert Smoothed().decide(view({"own": calm, "rival": rise}, "own")).moves


def test_the_average_halves_what_is_old() -> None:
    """After a half-life the old average counts half, and an hour without an offer counts as zero."""
    step = Average(timedelta(hours=1))

    assert Mean(START, 4.0) == step(None, START, 4.0)
    assert Mean(START + HOUR, 3.0) == step(Mean(START, 4.0), START + HOUR, 2.0)
    assert Mean(START + HOUR, 2.0) == step(Mean(START, 4.0), START + HOUR, None)
