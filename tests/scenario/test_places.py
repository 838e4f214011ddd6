"""A simulated venue with few places and falling pay: what it shows, and what it pays to the nano-dollar."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from autopilot.backtest.replay import replay
from autopilot.backtest.runner import Course, Terms, fly
from autopilot.contracts import NamedStrategy
from autopilot.kit import Kit
from autopilot.model.device import DeviceId, NetworkId, Venue
from autopilot.model.market import Quote, Room
from autopilot.plugins import make_strategy
from autopilot.sim.adapter import SimNetwork
from autopilot.sim.clock import SimClock
from autopilot.sim.market import FluidMarket, Tape
from autopilot.sim.node import Manner
from autopilot.sim.panel import Panel
from autopilot.sim.places import Guest, shares
from autopilot.sim.plugin import SimulatorSettings, simulated_network
from autopilot.testing.views import MODEL, START, device
from autopilot.units import ALL, HOUR, NONE, Share, Usd, UsdPerHour

NOSANA = NetworkId("nosana")
HALF = Share.of("0.5")


def panel(hours: int = 6, rate: float = 1.0) -> Panel:
    """One network at one rate."""
    return Panel(START, MODEL, (str(NOSANA),), np.full((hours, 1), rate))


def network(room: Room, clock: SimClock, devices: int = 3) -> SimNetwork:
    """It starts at once."""
    market = FluidMarket({MODEL: Tape(panel(), panel().rates)}, rooms={NOSANA: room})
    return SimNetwork(NOSANA, clock, market, [device(number) for number in range(devices)], Manner())


def paid(net: SimNetwork) -> dict[DeviceId, Usd]:
    """What each device was paid."""
    sums: dict[DeviceId, Usd] = {}
    for payout in net.payouts.payouts(START):
        sums[payout.device] = sums.get(payout.device, Usd(0)) + payout.amount
    return sums


def test_each_place_pays_less_than_the_one_before() -> None:
    """The first that came earns all, the second half, the third a quarter."""
    clock = SimClock(START)
    net = network(Room(fall=HALF), clock)
    for number in range(3):
        net.node.start(device(number), Venue(NOSANA))
    clock.move_to(START + HOUR)

    assert [Usd.of("1"), Usd.of("0.5"), Usd.of("0.25")] == [paid(net)[device(number).id] for number in range(3)]


def test_who_comes_after_the_last_place_earns_nothing_until_one_leaves() -> None:
    """After half an hour the first leaves: the second moves up, and is paid from then on."""
    clock = SimClock(START)
    net = network(Room(places=1), clock, devices=2)
    net.node.start(device(0), Venue(NOSANA))
    net.node.start(device(1), Venue(NOSANA))
    clock.move_to(START + HOUR / 2)
    net.node.stop(device(0))
    clock.move_to(START + HOUR)

    assert {device(0).id: Usd.of("0.5"), device(1).id: Usd.of("0.5")} == paid(net)


def test_a_quote_shows_the_places_that_are_left() -> None:
    """Those who are on their way have theirs."""
    clock = SimClock(START + HOUR)
    net = network(Room(2, HALF), clock)
    net.node.start(device(0), Venue(NOSANA))
    (quote,) = net.quotes([device(1)])

    assert isinstance(quote, Quote)
    assert Room(1, HALF) == quote.room


def test_the_simulator_of_a_configuration_has_its_room(tmp_path: Path) -> None:
    """``places`` and ``fall`` of its table come back in its quotes."""
    clock = SimClock(START + timedelta(days=40))
    nobody: Any = None
    kit = Kit(NOSANA, clock, [device(0)], tmp_path, nobody, nobody)
    net = simulated_network(SimulatorSettings(places=3, fall=HALF), kit)
    (quote,) = net.quotes([device(0)])

    assert isinstance(quote, Quote)
    assert Room(3, HALF) == quote.room


def test_the_best_paid_has_the_first_place() -> None:
    """Whoever came first: it is so that a mixed rig earns most there."""
    cheap = Guest(DeviceId("a"), UsdPerHour.of("0.3"), START, START + HOUR)
    dear = Guest(DeviceId("b"), UsdPerHour.of("2"), START + HOUR / 4, START + HOUR / 2)
    room = Room(fall=HALF)

    assert [ALL, HALF, ALL] == [share for _, share in shares(room, cheap, [dear], START, START + HOUR)]
    assert [ALL] == [share for _, share in shares(room, dear, [cheap], dear.start, dear.end)]
    assert [NONE] == [share for _, share in shares(Room(places=0), dear, [], dear.start, dear.end)]
    assert [HOUR / 4, HOUR / 4, HOUR / 2] == [span for span, _ in shares(room, cheap, [dear], START, START + HOUR)]


@pytest.mark.parametrize(("room", "shares_"), [(Room(), 3.0), (Room(fall=HALF), 1.75), (Room(places=2), 2.0), (Room(2, HALF), 1.5)])
def test_a_flight_is_paid_by_place(room: Room, shares_: float) -> None:
    """Three GPUs on one network for five hours, and every decision comes out again from the record, rooms and all."""
    course = Course(panel(), panel().rates, START + HOUR, START + 6 * HOUR)
    terms = Terms(downtime=timedelta(0), gpus=3, rooms={NOSANA: room})
    flight = fly(course, terms, NamedStrategy("greedy", make_strategy("greedy", {}).strategy))

    assert Usd.nearest(5 * shares_) == flight.totals.paid
    assert all(each.same for each in replay(flight.store))
