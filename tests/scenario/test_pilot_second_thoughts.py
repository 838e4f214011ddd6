"""While a device drains, its move is decided again: the strategy that began it is asked whether it would still make it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from autopilot.contracts import Scope
from autopilot.errors import StrategyError, Transient
from autopilot.guards import Dwell, PayBack, RigScope
from autopilot.model.device import IDLE
from autopilot.model.node import Lease, Observation, Phase
from autopilot.model.plan import Decision, Hold
from autopilot.model.switch import State
from autopilot.model.view import View
from autopilot.sim.node import Manner
from autopilot.testing.views import START, device, venue
from autopilot.testing.worlds import Fleet
from autopilot.units import HOUR

GPU = device()
SLOW = Manner(boot=HOUR / 4, drain=HOUR / 2)


def draining(gpus: int = 1, *, later: timedelta = HOUR / 4, manner: Manner = SLOW) -> Fleet:
    """A fleet whose first device left akash for nosana a while ago and still drains."""
    fleet = Fleet("akash", "nosana", "render", gpus=gpus, manner=manner)
    fleet.wish("akash")
    fleet.decide()
    fleet.fly(2 * HOUR)
    for site in fleet.sites.values():
        site.told.clear()
    fleet.wish("nosana")
    fleet.decide()
    fleet.later(later)

    assert State.DRAINING is last(fleet)
    return fleet


def last(fleet: Fleet) -> State:
    """How the newest switch stands."""
    return fleet.store.journal.switches()[-1].state


def events(fleet: Fleet) -> list[str]:
    """Why the newest switch came to each of its states."""
    newest = fleet.store.journal.switches()[-1].id
    return [event.why for event in fleet.store.journal.events() if event.switch == newest]


def test_the_strategy_is_asked_again_and_shown_the_device_at_its_source() -> None:
    """Once for all devices, and free to be moved; a move to where it is going already means to go on."""
    fleet = draining(gpus=2)
    fleet.wish("render", 1)
    seen = len(fleet.wishes.views)
    fleet.decide()
    (view,) = fleet.wishes.views[seen:]

    assert [GPU.id, device(1).id] == [each.id for each in view.free()]
    assert venue("akash") == view.venue(GPU)
    assert [State.DRAINING, State.STARTING] == [switch.state for switch in fleet.store.journal.switches()[-2:]]
    fleet.fly(HOUR)
    assert (venue("nosana"), venue("render")) == (fleet.at(0), fleet.at(1))
    assert 3 == len(fleet.store.journal.switches())


def test_what_would_stay_turns_back_with_the_strategy_s_own_words() -> None:
    """The decision is journalled before the switch turns."""
    fleet = draining()
    fleet.wish("akash")
    fleet.decide()

    assert State.REVERTED is last(fleet)
    assert "the gain is gone: all is as it should be" in events(fleet)
    assert "hold" == list(fleet.store.journal.rulings())[-1].decision["kind"]
    assert ["drain", "start"] == fleet.sites["akash"].told


def test_a_sentence_about_the_device_is_the_reason() -> None:
    """Where the strategy has one."""
    fleet = draining()
    fleet.wishes.decide = lambda view: Hold(view.now, "calm", {GPU.id: "GPU-0: stay at akash"})  # type: ignore[method-assign]
    fleet.decide()

    assert "the gain is gone: GPU-0: stay at akash" in events(fleet)


@pytest.mark.parametrize("target", ["render", "idle"])
def test_a_move_to_somewhere_else_goes_on(target: str) -> None:
    """And says so, until it has arrived; then the next decision takes it there."""
    fleet = draining()
    fleet.wish(target)

    assert f"akash drains, 1 job to finish; {target} is wanted now, and looked at again from nosana" in fleet.decide()
    assert State.DRAINING is last(fleet)
    fleet.fly(HOUR / 4)
    assert "is wanted now" in fleet.tick()
    fleet.fly(HOUR / 2)
    assert venue("nosana") == fleet.at()
    assert "is wanted now" not in fleet.tick()
    fleet.decide()
    fleet.fly(HOUR)
    assert (IDLE if target == "idle" else venue("render")) == fleet.at()


def test_an_aside_is_withdrawn() -> None:
    """When the strategy wants again what it is doing."""
    fleet = draining(later=timedelta(minutes=5))
    fleet.wish("render")
    fleet.decide()
    fleet.later(timedelta(minutes=5))
    fleet.wish("nosana")

    assert "akash -> nosana: akash drains, 1 job to finish" in fleet.decide()
    assert "is wanted now" not in fleet.tick()


def failing(view: View) -> Decision:
    """A strategy that is at its wits' end."""
    raise StrategyError(f"nothing is clear at {view.now}")


@pytest.mark.parametrize("decide", [failing, lambda _: "sell"])
def test_a_strategy_that_fails_turns_nothing_back(decide: Callable[[View], Decision]) -> None:
    """Doubt means to go on as it was decided."""
    fleet = draining()
    fleet.wishes.decide = decide  # type: ignore[method-assign]
    fleet.decide()

    assert State.DRAINING is last(fleet)
    fleet.fly(HOUR)
    assert venue("nosana") == fleet.at()


def test_without_news_of_its_ends_a_plan_stands() -> None:
    """What is heard of a third venue is no reason to ask again, nor is a target that has fallen silent."""
    fleet = draining(manner=Manner(drain=3 * HOUR))
    for name in ("akash", "nosana"):
        fleet.sites[name].rate = Transient(name, "no answer")
    fleet.wish("akash")
    fleet.decide()

    assert [] == list(fleet.wishes.views[-1].free())
    fleet.sites["akash"].rate = "0.40"
    fleet.later(HOUR)
    fleet.decide()
    assert not fleet.wishes.views[-1].answered(venue("nosana"), GPU)
    assert [] == list(fleet.wishes.views[-1].free())
    assert State.DRAINING is last(fleet)


def test_what_has_left_does_not_come_back() -> None:
    """Once the source is stopped, the strategy is not asked about the device any more."""
    fleet = draining(later=HOUR / 2)
    fleet.tick()
    fleet.wish("akash")
    fleet.decide()

    assert State.STARTING is last(fleet)
    assert [] == list(fleet.wishes.views[-1].free())


def test_guards_do_not_judge_a_move_twice() -> None:
    """It was judged when it was begun: no guard holds it back now, and no second switch is opened for it."""
    fleet = Fleet("akash", "nosana", gpus=2, manner=SLOW, guards=[Dwell(HOUR), PayBack(HOUR)])
    fleet.guards = []
    fleet.restart()
    fleet.wish("akash")
    fleet.decide()
    fleet.fly(2 * HOUR)
    fleet.wish("nosana")
    fleet.decide()
    fleet.guards = [Dwell(9 * HOUR), PayBack(HOUR)]
    fleet.restart()
    fleet.later(HOUR / 4)
    fleet.decide()

    assert {} == list(fleet.store.journal.rulings())[-1].vetoes
    assert 2 == len(fleet.store.journal.switches())
    assert State.DRAINING is last(fleet)


def test_a_guard_sees_those_who_are_on_their_way() -> None:
    """A network that takes whole rigs is left by all together: one goes with another that has begun already."""
    fleet = draining(gpus=2)
    fleet.guards = [RigScope({venue("nosana").network: Scope.RIG})]
    fleet.restart()
    fleet.wish("nosana", 1)
    fleet.decide()

    assert {} == list(fleet.store.journal.rulings())[-1].vetoes
    fleet.fly(HOUR)
    assert [venue("nosana")] * 2 == [fleet.at(0), fleet.at(1)]


@pytest.mark.parametrize("network", ["akash", "nosana"])
def test_a_rig_that_moves_as_a_whole_is_not_torn_apart(network: str) -> None:
    """One device that would stay goes on with the other; when all would stay, all turn back."""
    fleet = Fleet("akash", "nosana", gpus=2, manner=SLOW)
    for name in ("akash", "nosana"):
        fleet.wish(name, 0)
        fleet.wish(name, 1)
        fleet.decide()
        fleet.fly(HOUR / 4)
    fleet.sites[network].scope = Scope.RIG
    fleet.wish("akash")

    assert "akash is wanted now, and looked at again from nosana" in fleet.decide()
    assert [State.DRAINING] * 2 == [switch.state for switch in fleet.store.journal.switches()[-2:]]
    fleet.later(timedelta(minutes=5))
    fleet.wish("akash", 1)
    fleet.decide()
    assert [State.REVERTED] * 2 == [switch.state for switch in fleet.store.journal.switches()[-2:]]


def test_a_guard_sees_where_those_under_way_go_and_not_where_they_would() -> None:
    """A network that takes whole rigs gets none while one of them is on its way to somewhere else."""
    fleet = draining(gpus=2)
    fleet.guards = [RigScope({venue("render").network: Scope.RIG})]
    fleet.restart()
    fleet.wish("render", 0)
    fleet.wish("render", 1)
    fleet.decide()

    assert [device(1).id] == list(list(fleet.store.journal.rulings())[-1].vetoes)
    fleet.fly(HOUR)
    assert IDLE == fleet.at(1)


def test_the_strategy_is_shown_how_far_the_drain_has_come() -> None:
    """What is seen of the device now, not what was seen when it set out."""
    fleet = draining()
    fleet.decide()
    seen = fleet.wishes.views[-1].placements[GPU.id].seen

    assert (fleet.clock.now(), Phase.DRAINING, 1) == (seen.at, seen.phase, len(seen.leases))


def test_a_switch_that_cannot_drain_is_not_decided_about_at_every_tick() -> None:
    """A job that ends while a switch is open is no free moment: its device is not asked about."""
    fleet = Fleet("akash", "nosana")
    akash = fleet.sites["akash"]
    fleet.wish("akash")
    fleet.decide()
    akash.seen = lambda _: Observation(GPU.id, akash.venue, Phase.BUSY, fleet.clock.now(), (Lease("job", START),))
    fleet.tick(HOUR / 4)
    akash.deaf = Transient("akash", "no answer")
    fleet.wish("nosana")
    fleet.decide()
    akash.seen = lambda _: Observation(GPU.id, akash.venue, Phase.READY, fleet.clock.now())
    decided = len(list(fleet.store.journal.rulings()))
    fleet.fly(HOUR / 4, timedelta(seconds=15))

    assert decided == len(list(fleet.store.journal.rulings()))
    assert State.DRAINING is last(fleet)


def test_a_dry_run_leaves_a_switch_as_it_found_it() -> None:
    """It tells no node anything, be the switch wanted still or not; the next live flight goes on with it."""
    fleet = draining()
    fleet.restart(live=False)
    for name in ("nosana", "akash"):
        fleet.wish(name)
        fleet.decide()
        fleet.fly(HOUR)

    assert (["drain"], []) == (fleet.sites["akash"].told, fleet.sites["nosana"].told)
    assert State.DRAINING is last(fleet)
    fleet.restart()
    fleet.fly(HOUR)
    assert venue("nosana") == fleet.at()
