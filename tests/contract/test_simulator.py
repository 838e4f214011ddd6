"""The simulator passes the suites of real adapters, so it cannot be more forgiving than the world."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from autopilot.contracts import Adapter, NodeDriver, RateSource
from autopilot.model.device import Venue
from autopilot.model.market import NoQuote, Quote
from autopilot.model.node import Phase
from autopilot.sim.adapter import SimNetwork
from autopilot.sim.clock import SimClock
from autopilot.sim.market import FluidMarket, Tape
from autopilot.sim.node import Manner, Memory
from autopilot.sim.panel import Panel
from autopilot.testing.views import MODEL, START, device
from autopilot.units import HOUR
from shared.simulated import NOSANA, SimulatedNodeContract, SimulatedRatesContract

MINUTE = timedelta(minutes=1)
MANNERS = {
    "at once": Manner(),
    "slow": Manner(boot=5 * MINUTE, drain=20 * MINUTE),
    "unsteady": Manner(boot=25 * MINUTE, drain=3 * HOUR, jitter=0.5, seed=3),
}


def network(clock: SimClock, manner: Manner = MANNERS["slow"], memory: Memory | None = None, *, silent: bool = False) -> SimNetwork:
    """A network that pays 0.30 $/h in its first hour and nothing that anybody knows of in its second."""
    panel = Panel(START, MODEL, (NOSANA,), np.array([[0.3], [np.nan]]))
    market = FluidMarket({MODEL: Tape(panel, panel.rates)})
    return SimNetwork(NOSANA, clock, market, [device(0), device(1)], manner, memory=memory, silent=silent)


class TestRateSource(SimulatedRatesContract):
    """An hour with a rate, and an hour without."""

    @pytest.fixture(params=[1, 2], ids=["a rate", "no rate"])
    def source(self, request: pytest.FixtureRequest) -> RateSource:
        """What is known at the end of each hour."""
        return network(SimClock(START + request.param * HOUR))

    @pytest.fixture
    def broken(self) -> Sequence[RateSource]:
        """One whose outages are silence."""
        return [network(SimClock(START + 2 * HOUR), silent=True)]


class TestNode(SimulatedNodeContract):
    """Nodes of every manner, each in the memory of its process and in a file."""

    @pytest.fixture(params=MANNERS)
    def manner(self, request: pytest.FixtureRequest) -> Manner:
        """How the node behaves."""
        return MANNERS[request.param]

    @pytest.fixture
    def reopened(self, clock: SimClock, manner: Manner, tmp_path: Path) -> Callable[[], NodeDriver]:
        """The host's memory is in a file."""
        return lambda: network(clock, manner, Memory(tmp_path / "node.json")).node

    @pytest.fixture
    def patience(self, clock: SimClock) -> Callable[[], object]:
        """A minute."""
        return lambda: clock.move_to(clock.now() + MINUTE)


def test_the_simulator_is_an_adapter() -> None:
    """With every member that the contract names."""
    assert isinstance(network(SimClock(START)), Adapter)


def test_an_hour_without_a_rate_is_no_quote() -> None:
    """It was asked, and there is nothing to earn: that is an answer, not silence."""
    answers = [network(SimClock(START + hours * HOUR)).quotes([device()])[0] for hours in (1, 2)]

    assert [Quote, NoQuote] == [type(answer) for answer in answers]


def test_a_node_that_never_comes_up_is_seen_starting() -> None:
    """Like a real one that hangs: nobody says that it is broken."""
    clock = SimClock(START)
    node = network(clock, Manner(boot=MINUTE, faults=1.0)).node
    node.start(device(), Venue(NOSANA))
    clock.move_to(START + 1000 * HOUR)

    assert Phase.STARTING is node.observe(device()).phase


def test_devices_are_apart() -> None:
    """What one is told, the other does not do."""
    clock = SimClock(START)
    node = network(clock, Manner()).node
    node.start(device(0), Venue(NOSANA))

    assert [Phase.READY, Phase.ABSENT] == [node.observe(device(number)).phase for number in (0, 1)]
