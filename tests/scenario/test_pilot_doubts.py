"""What the pilot does when it cannot see: nodes that are blind, networks and devices that are gone, clocks that jump."""

from __future__ import annotations

from itertools import cycle

import pytest

from autopilot.errors import Transient
from autopilot.model.device import IDLE
from autopilot.model.node import Observation, Phase
from autopilot.model.switch import State
from autopilot.sim.node import Manner
from autopilot.testing.views import START, device, venue
from autopilot.testing.worlds import Fleet
from autopilot.units import HOUR

GPU = device()
SLOW = Manner(boot=HOUR / 4, drain=HOUR / 2)
BLIND = Transient("nosana", "connection refused")


def at_akash(*others: str, manner: Manner | None = None) -> Fleet:
    """A fleet whose first device serves akash."""
    fleet = Fleet("akash", *others, manner=manner)
    fleet.wish("akash")
    fleet.decide()
    fleet.fly(HOUR)

    assert venue("akash") == fleet.at()
    fleet.sites["akash"].told.clear()
    return fleet


@pytest.mark.parametrize("trouble", [BLIND, RuntimeError("a bug in the driver")])
def test_nothing_is_moved_while_a_node_cannot_be_seen(trouble: Exception) -> None:
    """Nothing may be concluded from it, not even that it is absent; when it is seen again, the next decision moves."""
    fleet = at_akash("nosana", "render")
    fleet.sites["nosana"].seen = trouble
    fleet.wish("render")

    assert "nothing is moved while nosana" in fleet.decide()
    assert str(trouble) in fleet.tick()
    assert venue("akash") == fleet.at()
    fleet.sites["nosana"].seen = None
    fleet.decide()
    assert venue("render") == fleet.at()


def test_a_device_stays_where_it_was_while_its_own_node_cannot_be_seen() -> None:
    """It is not idle for that, and not adopted away."""
    fleet = at_akash("nosana")
    fleet.sites["akash"].seen = BLIND
    fleet.fly(HOUR)

    assert venue("akash") == fleet.at()
    assert 1 == len(fleet.store.journal.arrivals())


def test_a_node_that_cannot_tell_its_market_holds_the_device() -> None:
    """A fault without a venue is still a node that holds it: the device is not idle, and the belief stays if it is of that network."""
    fleet = at_akash("nosana")
    fleet.sites["akash"].seen = lambda each: Observation(each.id, None, Phase.FAULT, fleet.clock.now())
    fleet.tick()

    assert venue("akash") == fleet.at()
    fleet.sites["akash"].seen = None
    fleet.sites["akash"].stop(GPU)
    fleet.sites["nosana"].seen = lambda each: Observation(each.id, None, Phase.FAULT, fleet.clock.now())
    fleet.tick()
    assert venue("nosana") == fleet.at()


def test_a_device_at_a_network_that_is_not_configured_any_more_is_left_there() -> None:
    """Its node may well run on: nothing is started beside it, and the sentence says what to do."""
    fleet = at_akash("nosana")
    akash = fleet.sites.pop("akash")
    fleet.restart()
    fleet.wish("nosana")

    assert "nothing is moved while akash (it is not configured any more) cannot be seen" in fleet.decide()
    assert [] == fleet.sites["nosana"].told
    assert venue("akash") == fleet.at()
    assert akash.holds(GPU)
    fleet.sites["akash"] = akash
    fleet.restart()
    fleet.decide()
    assert venue("nosana") == fleet.at()


def test_a_switch_whose_network_is_not_configured_any_more_waits() -> None:
    """Nothing is told to anybody until it is configured again; then the switch goes on. The other device is flown all the while."""
    fleet = Fleet("akash", "nosana", "render", gpus=2, manner=SLOW)
    fleet.wish("akash")
    fleet.decide()
    akash = fleet.sites.pop("akash")
    fleet.restart()
    fleet.wish("render", 1)

    assert "GPU-0: idle -> akash waits: configure akash again" == fleet.decide()
    fleet.fly(HOUR)
    assert (IDLE, venue("render")) == (fleet.at(0), fleet.at(1))
    fleet.sites["akash"] = akash
    fleet.restart()
    fleet.fly(HOUR)
    assert venue("akash") == fleet.at()


def test_a_switch_of_a_device_that_is_gone_waits() -> None:
    """A GPU that fell off its bus must not keep the others from flying; when it is back, its switch goes on."""
    fleet = Fleet("akash", gpus=2, manner=SLOW)
    fleet.wish("akash")
    fleet.decide()
    rig = fleet.devices
    fleet.devices = rig[1:]
    fleet.restart()
    fleet.wish("akash")
    fleet.decide()
    fleet.fly(HOUR)

    assert venue("akash") == fleet.at()
    assert [State.DRAINING, State.STARTING] == [event.after for event in fleet.store.journal.events()[:2]]
    fleet.devices = rig
    fleet.restart()
    fleet.fly(HOUR)
    assert [State.SETTLED] * 2 == [switch.state for switch in fleet.store.journal.switches()]


def test_a_device_that_is_gone_is_remembered() -> None:
    """Where it was is in the journal, and believed when it is back."""
    fleet = at_akash("nosana")
    fleet.devices, rig = (device(1),), fleet.devices
    fleet.restart()
    fleet.tick(HOUR)

    assert {device(1).id} == set(fleet.pilot.placements)
    fleet.devices = rig
    assert START == fleet.restart().placements[GPU.id].since
    assert venue("akash") == fleet.at()


def test_a_node_that_plays_tricks_cannot_hold_up_the_tick() -> None:
    """Every look shows another thing, so there is always something new: it is looked at again only so often."""
    fleet = at_akash("nosana")
    phases = cycle([Phase.READY, Phase.BUSY])
    fleet.sites["akash"].seen = lambda each: Observation(each.id, venue("akash"), next(phases), fleet.clock.now())
    fleet.wish("nosana")

    assert "akash drains" in fleet.decide()
    assert 5 < len(fleet.sites["akash"].told) < 50


def test_a_device_that_cannot_say_what_leaving_costs_stays() -> None:
    """Until it can."""
    fleet = at_akash("nosana")
    fleet.restart()
    fleet.sites["akash"].exit = Transient("akash", "no answer")
    fleet.wish("nosana")
    fleet.decide()

    assert venue("akash") == fleet.at()
    fleet.sites["akash"].exit = fleet.sites["nosana"].exit
    fleet.decide()
    assert venue("nosana") == fleet.at()


def test_a_clock_that_went_back_holds() -> None:
    """Nothing is done until it catches up, and the sentence says why; then the flight goes on."""
    fleet = at_akash("nosana")
    fleet.wish("nosana")
    fleet.clock.move_to(START)

    assert "the clock went back from 2026-01-01 01:00:00+00:00 to 2026-01-01 00:00:00+00:00" in fleet.decide()
    assert venue("akash") == fleet.at()
    fleet.clock.move_to(START + 2 * HOUR)
    fleet.decide()
    assert venue("nosana") == fleet.at()


def test_an_open_switch_waits_for_the_clock() -> None:
    """No verb is repeated and no limit is counted while time is in doubt."""
    fleet = at_akash("nosana", manner=SLOW)
    fleet.wish("nosana")
    fleet.decide()
    told = list(fleet.sites["akash"].told)
    fleet.clock.move_to(START)
    fleet.fly(HOUR / 2)

    assert told == fleet.sites["akash"].told
    fleet.clock.move_to(START + HOUR)
    fleet.fly(2 * HOUR)
    assert venue("nosana") == fleet.at()
