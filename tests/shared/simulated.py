"""What the suites of simulated networks share: two devices that are alike, and a clock that patience moves."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from autopilot.contracts import NodeDriver
from autopilot.model.device import Device, NetworkId, Venue
from autopilot.sim.clock import SimClock
from autopilot.testing.adapters import NodeDriverContract, RateSourceContract
from autopilot.testing.views import START, device

NOSANA = NetworkId("nosana")


class SimulatedRatesContract(RateSourceContract):
    """The suite of rate sources. The fixture ``source`` is still to be given."""

    @pytest.fixture
    def devices(self) -> Sequence[Device]:
        """Two that are alike."""
        return [device(0), device(1)]


class SimulatedNodeContract(NodeDriverContract):
    """The suite of node drivers. The fixtures ``reopened`` and ``patience`` are still to be given."""

    @pytest.fixture
    def clock(self) -> SimClock:
        """Moved by patience."""
        return SimClock(START)

    @pytest.fixture
    def node(self, reopened: Callable[[], NodeDriver]) -> NodeDriver:
        """The first of them."""
        return reopened()

    @pytest.fixture
    def device(self) -> Device:
        """Any."""
        return device()

    @pytest.fixture
    def venue(self) -> Venue:
        """The network's only one."""
        return Venue(NOSANA)
