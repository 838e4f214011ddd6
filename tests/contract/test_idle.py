"""Idle passes the suite of node drivers, and costs nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from autopilot.contracts import Adapter, NodeDriver
from autopilot.idle import Idle
from autopilot.model.device import IDLE, Device, Venue
from autopilot.model.plan import EntryCost, ExitCost
from autopilot.sim.clock import SimClock
from autopilot.testing.adapters import NodeDriverContract
from autopilot.testing.views import START, device


class TestIdleNode(NodeDriverContract):
    """Resting is started, drained and stopped like work. It ends with the process, so nothing is reopened."""

    @pytest.fixture
    def node(self) -> NodeDriver:
        """One that has nothing at rest yet."""
        return Idle(SimClock(START)).node

    @pytest.fixture
    def device(self) -> Device:
        """Any."""
        return device()

    @pytest.fixture
    def venue(self) -> Venue:
        """The only one."""
        return IDLE

    @pytest.fixture
    def patience(self) -> Callable[[], object]:
        """Nothing takes time."""
        return lambda: None


def test_idle_is_an_adapter_that_offers_nothing() -> None:
    """It quotes nobody, pays nobody, and costs neither time nor money."""
    idle = Idle(SimClock(START))

    assert isinstance(idle, Adapter)
    assert list(idle.rates.quotes([device(0), device(1)])) == []
    assert idle.payouts is None
    assert ExitCost() == idle.exit_cost(idle.node.observe(device()))
    assert EntryCost() == idle.entry_cost(device(), IDLE)


def test_idle_holds_only_what_it_was_told() -> None:
    """A device at rest says nothing about another one."""
    idle = Idle(SimClock(START))
    idle.node.start(device(0), IDLE)

    assert idle.node.observe(device(0)).venue == IDLE
    assert idle.node.observe(device(1)).venue is None
