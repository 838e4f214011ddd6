"""The pilot in its world: it moves what it is told to, from wherever the world is found, and is never misled by doubt."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from autopilot.errors import NodeFault, StoreError, Transient
from autopilot.guards import Cooldown
from autopilot.model.device import IDLE
from autopilot.model.node import Observation, Phase
from autopilot.model.switch import State
from autopilot.sim.node import Manner
from autopilot.store.journal import Arrival
from autopilot.store.store import Store
from autopilot.testing.views import START, device, venue
from autopilot.testing.worlds import Fleet
from autopilot.units import HOUR
from shared.pilots import serving, states

GPU = device()
BOOT = timedelta(minutes=15)
SLOW = Manner(boot=BOOT, drain=HOUR / 2)


def test_a_device_is_moved_step_by_step() -> None:
    """Drained, stopped, and only then started elsewhere; each state is an event, and the sentence says where it is."""
    fleet = Fleet("akash", "nosana", manner=SLOW)
    serving(fleet, "akash")
    fleet.wish("nosana")

    assert "GPU-0: akash -> nosana: akash drains, 1 job to finish" == fleet.decide()
    assert (venue("akash"), venue("nosana")) == (fleet.at(), fleet.pilot.heading(GPU.id))
    assert {GPU.id: State.DRAINING} == {gpu: progress.switch.state for gpu, progress in fleet.pilot.open_switches.items()}
    assert "GPU-0: akash -> nosana: nosana starts" == fleet.tick(HOUR / 2)
    assert not fleet.sites["akash"].holds(GPU)
    assert "GPU-0: akash -> nosana settled" == fleet.tick(BOOT)
    assert venue("nosana") == fleet.at() == fleet.pilot.heading(GPU.id)
    assert ["drain", "stop"] == fleet.sites["akash"].told
    assert [State.DRAINING, State.STOPPING, State.STARTING, State.SETTLED] == [event.after for event in fleet.store.journal.events()][-4:]


def test_a_node_that_obeys_at_once_costs_no_tick() -> None:
    """All of a move happens at one instant, where the nodes let it."""
    fleet = Fleet("akash", "nosana")
    for name in ("akash", "nosana", "idle", "akash"):
        fleet.wish(name)
        fleet.decide()
        fleet.later(timedelta(seconds=1))

        assert fleet.venue(name) == fleet.at()
    assert [State.SETTLED] * 4 == states(fleet)


def test_what_is_found_running_is_adopted() -> None:
    """It was not ordered here, but it earns: it is journalled as found, told nothing, and found again after a restart."""
    fleet = Fleet("akash", "nosana")
    fleet.sites["akash"].start(GPU, venue("akash"))
    fleet.sites["akash"].told.clear()
    fleet.tick()

    assert venue("akash") == fleet.at()
    assert [Arrival(START, GPU.id, venue("akash"), "found there")] == fleet.store.journal.arrivals()
    fleet.later(HOUR)
    assert START == fleet.restart().placements[GPU.id].since
    fleet.tick()
    assert [] == fleet.sites["akash"].told
    assert 1 == len(fleet.store.journal.arrivals())


def test_what_went_away_is_idle() -> None:
    """A node that somebody stopped no longer earns, and the device is free for another."""
    fleet = Fleet("akash", "nosana")
    serving(fleet, "akash")
    fleet.sites["akash"].stop(GPU)
    fleet.tick()

    assert IDLE == fleet.at()
    assert "no network holds it" == fleet.store.journal.arrivals()[-1].why


def test_a_device_that_is_held_twice_is_fenced() -> None:
    """A human must look: nothing is begun on it, after a restart neither, while the other device flies on."""
    fleet = Fleet("akash", "nosana", "render", gpus=2)
    for name in ("akash", "nosana"):
        fleet.sites[name].start(GPU, venue(name))
        fleet.sites[name].told.clear()
    fleet.wish("render", 0)
    fleet.wish("render", 1)

    assert "GPU-0: fenced: seen at akash and nosana at once: stop all but one by hand" == fleet.decide()
    fleet.restart()
    fleet.decide()
    assert [[], [], ["start"]] == [site.told for site in fleet.sites.values()]
    assert [device(1).id] == [switch.device for switch in fleet.store.journal.switches()]
    assert 1 == len(list(fleet.store.connection.execute("SELECT * FROM fences")))


def test_a_third_network_that_may_hold_the_device_keeps_the_target_waiting() -> None:
    """Nothing is started beside a node that is not seen to be gone, whoever it belongs to."""
    fleet = Fleet("akash", "nosana", "render", manner=SLOW)
    serving(fleet, "akash")
    fleet.wish("nosana")
    fleet.decide()
    fleet.sites["render"].start(GPU, venue("render"))

    assert "GPU-0: akash -> nosana: nosana waits: render may hold the device" == fleet.tick(HOUR / 2)
    fleet.sites["render"].stop(GPU)
    assert "GPU-0: akash -> nosana: nosana starts" == fleet.tick(timedelta(minutes=1))


def leaving_for_more() -> Fleet:
    """A fleet whose device drains for a better rate elsewhere, for a quarter of an hour."""
    fleet = Fleet("akash", "nosana", manner=SLOW)
    fleet.sites["nosana"].rate = "0.60"
    serving(fleet, "akash")
    fleet.wish("nosana")
    fleet.decide()
    fleet.later(HOUR / 4)
    return fleet


def test_a_gain_that_is_gone_while_draining_turns_back() -> None:
    """Newer quotes say so; the source takes work again, and the device never left."""
    fleet = leaving_for_more()
    fleet.sites["nosana"].rate = "0.30"
    fleet.wish("akash")
    fleet.decide()

    assert State.REVERTED is states(fleet)[-1]
    assert ["drain", "start"] == fleet.sites["akash"].told
    assert [] == fleet.sites["nosana"].told
    assert venue("akash") == fleet.at()


def test_silence_while_draining_turns_nothing_back() -> None:
    """A network that does not answer has not taken its offer back."""
    fleet = leaving_for_more()
    for site in fleet.sites.values():
        site.rate = Transient("any", "no answer")
    fleet.decide()
    fleet.fly(HOUR)

    assert State.SETTLED is states(fleet)[-1]


def test_a_broken_node_brings_the_device_back_and_is_left_alone() -> None:
    """The switch turns back at once, and a guard keeps the next one away for a while."""
    fleet = Fleet("akash", "nosana", guards=[Cooldown(2 * HOUR)])
    serving(fleet, "akash")
    fleet.sites["nosana"].deaf = NodeFault("nosana", "no such image")
    fleet.wish("nosana")
    fleet.decide()
    fleet.tick(timedelta(seconds=15))

    assert State.REVERTED is states(fleet)[-1]
    assert venue("akash") == fleet.at()
    assert "nosana: no such image" in fleet.store.journal.events()[-2].why
    fleet.later(HOUR)
    assert "held back: a switch to nosana turned back" in fleet.decide()
    assert 2 == len(states(fleet))
    fleet.sites["nosana"].deaf = None
    fleet.later(HOUR)
    fleet.decide()
    assert venue("nosana") == fleet.at()


@pytest.mark.parametrize("trouble", [Transient("nosana", "no answer"), RuntimeError("a bug in the driver")])
def test_a_verb_that_was_not_heard_is_repeated(trouble: Exception) -> None:
    """At every tick until it is, and the switch goes on as if nothing had been."""
    fleet = Fleet("akash", "nosana")
    serving(fleet, "akash")
    fleet.sites["nosana"].deaf = trouble
    fleet.wish("nosana")

    assert str(trouble) in fleet.decide()
    fleet.tick(timedelta(seconds=15))
    assert ["start", "start"] == fleet.sites["nosana"].told[-2:]
    fleet.sites["nosana"].deaf = None
    fleet.tick(timedelta(seconds=15))
    assert State.SETTLED is states(fleet)[-1]


def test_a_source_that_does_not_go_strands_the_device() -> None:
    """It is fenced, said so, and nothing is started beside it."""
    fleet = Fleet("akash", "nosana")
    serving(fleet, "akash")
    fleet.sites["akash"].seen = lambda each: Observation(each.id, venue("akash"), Phase.DRAINING, fleet.clock.now())
    fleet.wish("nosana")
    fleet.decide()
    fleet.fly(HOUR)

    assert State.STRANDED is states(fleet)[-1]
    assert "fenced: akash did not go within 10m: stop it by hand" in fleet.tick()
    assert [] == fleet.sites["nosana"].told


def test_what_cannot_be_journalled_is_not_done(tmp_path: Path) -> None:
    """The store is full before the switch is opened: the tick ends in a StoreError, and no node was told anything."""
    fleet = Fleet("akash", "nosana")
    fleet.store = Store.open(tmp_path / "autopilot.db")
    fleet.restart()
    fleet.wish("akash")
    fleet.pilot.poll()
    fleet.store.connection.execute("PRAGMA query_only = 1")
    with pytest.raises(StoreError):
        fleet.tick()

    assert [] == fleet.sites["akash"].told
    fleet.store.connection.execute("PRAGMA query_only = 0")
    fleet.restart()
    fleet.decide()
    assert venue("akash") == fleet.at()
    fleet.store.close()
