"""Switching with care: what is asked before a node is touched, who may call a switch off, and what is learned of the time it takes."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from autopilot.contracts import Scope
from autopilot.errors import NodeFault, Transient
from autopilot.guards import Cooldown, RigScope
from autopilot.model.device import IDLE, Device, DeviceId, Venue
from autopilot.model.experience import Hire
from autopilot.model.node import PREPARED, Lease, Observation, Phase, Placement, Readiness, Stage
from autopilot.model.order import FREE, Bounds, Order
from autopilot.model.plan import EntryCost, ExitCost, PlanId
from autopilot.model.switch import State, Switch, SwitchId
from autopilot.pilot.costs import Costs
from autopilot.pilot.mending import Mending
from autopilot.sim.clock import SimClock
from autopilot.sim.node import Manner
from autopilot.testing.views import START, device, venue
from autopilot.testing.worlds import Fleet, Site
from autopilot.units import HOUR

GPU = device()
MINUTE = timedelta(minutes=1)
SLOW = Manner(boot=HOUR / 4, drain=HOUR / 2)


class PreparedSite(Site):
    """A network whose node can be asked beforehand."""

    def __init__(self, name: str, clock: SimClock, manner: Manner | None = None) -> None:
        super().__init__(name, clock, manner)
        self.readiness: Readiness | Exception = PREPARED
        self.apart: dict[DeviceId, Readiness] = {}
        """What it says of some devices, where that is something else."""

    def prepare(self, device: Device, venue: Venue) -> Readiness:  # noqa: ARG002
        self.told.append("prepare")
        if isinstance(self.readiness, Exception):
            raise self.readiness
        return self.apart.get(device.id, self.readiness)


class Owner:
    """Somebody who may want the device to be idle."""

    def __init__(self) -> None:
        self.wants = FREE

    def bounds(self, now: datetime, placements: Mapping[DeviceId, Placement]) -> Bounds:  # noqa: ARG002
        return self.wants

    def sit_down(self) -> None:
        """From now on it is his."""
        self.wants = Bounds({GPU.id: Order(IDLE, "its owner is on it")})


def serving(manner: Manner = SLOW) -> tuple[Fleet, PreparedSite]:
    """A fleet whose device serves akash, and a target that can be asked beforehand."""
    fleet = Fleet("akash", "nosana", manner=manner)
    target = PreparedSite("nosana", fleet.clock, manner)
    fleet.sites["nosana"] = target
    fleet.restart()
    fleet.wish("akash")
    fleet.decide()
    fleet.fly(HOUR)
    fleet.sites["akash"].told.clear()

    assert venue("akash") == fleet.at()
    return fleet, target


def last(fleet: Fleet) -> State:
    """How the newest switch stands."""
    return fleet.store.journal.switches()[-1].state


def test_the_source_earns_until_the_target_is_ready() -> None:
    """Nothing is told to it while an image is pulled; the sentence says how far that is, and a restart goes on with it."""
    fleet, target = serving()
    target.readiness = Readiness(Stage.WORKING, "1.0 of 3.4 GB so far")
    fleet.wish("nosana")

    assert "nosana is prepared first: 1.0 of 3.4 GB so far" in fleet.decide()
    fleet.restart()
    assert "1.0 of 3.4 GB" in fleet.tick(HOUR / 2)
    assert (State.PREPARING, []) == (last(fleet), fleet.sites["akash"].told)
    earned = fleet.store.ledger.totals()
    target.readiness = PREPARED
    fleet.fly(HOUR, MINUTE)
    assert (venue("nosana"), True) == (fleet.at(), earned.dark <= HOUR / 4)
    assert ["drain", "stop"] == fleet.sites["akash"].told


@pytest.mark.parametrize(
    ("said", "word"), [(Readiness(Stage.REFUSED, "no such image"), "no such image"), (NodeFault("nosana", "no key"), "no key")]
)
def test_a_target_that_cannot_be_started_costs_nothing(said: Readiness | Exception, word: str) -> None:
    """The switch ends with the reason and a strike, and the source was not touched."""
    fleet, target = serving()
    target.readiness = said
    fleet.wish("nosana")
    fleet.decide()
    switch = fleet.store.journal.switches()[-1]

    assert (State.REVERTED, True, []) == (switch.state, switch.failed, fleet.sites["akash"].told)
    assert word in fleet.store.journal.events()[-1].why
    assert venue("akash") == fleet.at()


def rig_of_two(said: Readiness) -> tuple[Fleet, PreparedSite]:
    """Two GPUs on their way from akash to a network that takes both or none, and that says something else of the second."""
    fleet = Fleet("akash", "nosana", gpus=2, manner=SLOW)
    target = PreparedSite("nosana", fleet.clock, SLOW)
    target.scope, target.apart = Scope.RIG, {device(1).id: said}
    fleet.sites["nosana"] = target
    fleet.guards = [RigScope({target.network: Scope.RIG})]
    fleet.restart()
    for name in ("akash", "nosana"):
        fleet.wish(name, 0)
        fleet.wish(name, 1)
        fleet.decide()
        fleet.fly(HOUR)
    return fleet, target


def test_a_rig_goes_when_its_last_gpu_is_ready() -> None:
    """Neither is touched before: the one that would be ready earns on."""
    fleet, target = rig_of_two(Readiness(Stage.WORKING, "1.0 of 3.4 GB so far"))

    assert [State.PREPARING] * 2 == [progress.switch.state for progress in fleet.pilot.open_switches.values()]
    assert "1.0 of 3.4 GB so far" in fleet.tick()
    target.apart.clear()
    fleet.fly(2 * HOUR)
    assert [venue("nosana")] * 2 == [fleet.at(0), fleet.at(1)]


def test_a_rig_of_which_one_gpu_is_refused_stays_together() -> None:
    """Half a rig is none to such a network: both stay where they earn, and nothing was told to their nodes."""
    fleet, target = rig_of_two(Readiness(Stage.REFUSED, "no such image"))
    ends = [switch.state for switch in fleet.store.journal.switches()[2:4]]

    assert [State.REVERTED] * 2 == ends
    assert [venue("akash")] * 2 == [fleet.at(0), fleet.at(1)]
    assert {"start"} == set(fleet.sites["akash"].told)
    assert {"prepare"} == set(target.told)


def test_a_target_that_cannot_say_is_asked_again_and_not_for_ever() -> None:
    """An engine that does not answer is no refusal; after the limit it is left alone."""
    fleet, target = serving()
    target.readiness = Transient("nosana", "the engine does not answer")
    fleet.wish("nosana")

    assert "the engine does not answer" in fleet.decide()
    fleet.wishes.targets.clear()
    fleet.fly(2 * HOUR)
    assert (State.REVERTED, []) == (last(fleet), fleet.sites["akash"].told)


def test_a_gain_that_goes_while_the_target_prepares_ends_the_switch() -> None:
    """Without a word to the source, and without a strike."""
    fleet, target = serving()
    target.readiness = Readiness(Stage.WORKING, "1.0 of 3.4 GB so far")
    fleet.wish("nosana")
    fleet.decide()
    fleet.wish("akash")
    fleet.later(HOUR / 2)
    fleet.decide()
    switch = fleet.store.journal.switches()[-1]

    assert (State.REVERTED, False, []) == (switch.state, switch.failed, fleet.sites["akash"].told)


def test_a_broken_node_keeps_the_work_that_may_not_be_broken() -> None:
    """A tenant works on without his provider, a job under a health check that fails: it is told nothing until that has ended."""
    fleet, _ = serving()
    fleet.authorities = (Mending(fleet.store),)
    fleet.restart()
    akash, jobs = fleet.sites["akash"], [Lease("job", START)]
    akash.seen = lambda device: Observation(device.id, akash.venue, Phase.FAULT, fleet.clock.now(), tuple(jobs), "it crashes")
    fleet.fly(HOUR)
    assert (venue("akash"), []) == (fleet.at(), akash.told)
    jobs.clear()
    fleet.tick(MINUTE)

    assert {"stop"} == set(akash.told)
    assert "akash is fault and runs no work" in [event.why for event in fleet.store.journal.events()]


def test_a_strangers_process_is_waited_for_and_then_left_alone() -> None:
    """Nothing is started beside it; where it stays, the device is left idle, not fenced."""
    fleet, target = serving()
    fleet.holder = lambda _: "blender (4242) is on it"
    fleet.wish("nosana")
    fleet.decide()
    fleet.fly(HOUR * 3 / 4)

    assert "nosana waits: blender (4242) is on it" in fleet.tick()
    assert "start" not in target.told
    fleet.wishes.targets.clear()
    fleet.fly(2 * HOUR)
    assert (State.CLEARED, IDLE, {}) == (last(fleet), fleet.at(), fleet.store.journal.fences())
    fleet.holder = lambda _: ""
    fleet.wish("nosana")
    fleet.decide()
    fleet.fly(HOUR)
    assert venue("nosana") == fleet.at()


@pytest.mark.parametrize("boots", [False, True])
def test_an_owner_who_sits_down_during_a_start_has_the_device_at_once(*, boots: bool) -> None:
    """Neither end is brought up first; both are gone, the switch is over without a strike, and the strategy goes on when he leaves."""
    fleet, _ = serving(Manner(boot=HOUR / 4 if boots else timedelta(0), drain=HOUR / 2))
    owner = Owner()
    fleet.authorities = (owner,)
    fleet.restart()
    fleet.holder = lambda _: "" if boots else "a game is on it"
    fleet.wish("nosana")
    fleet.decide()
    fleet.fly(HOUR / 2 + 5 * MINUTE)
    assert State.STARTING is last(fleet)
    owner.sit_down()
    fleet.tick(MINUTE)
    switch = fleet.store.journal.switches()[-1]

    assert (State.CLEARED, False, IDLE) == (switch.state, switch.failed, fleet.at())
    assert not any(site.holds(GPU) for site in fleet.sites.values())
    fleet.fly(HOUR)
    assert not any(site.holds(GPU) for site in fleet.sites.values())
    owner.wants, fleet.holder = FREE, lambda _: ""
    fleet.decide()
    fleet.fly(HOUR)
    assert venue("nosana") == fleet.at()


def test_a_node_that_somebody_else_started_is_never_ended() -> None:
    """Its refusal turns the switch back at once, in its own words; the device is neither fenced nor moved."""
    fleet, target = serving(Manner())
    fleet.sites["akash"].seen = lambda each: Observation(each.id, None, Phase.DRAINING, fleet.clock.now())
    fleet.sites["akash"].deaf = NodeFault("akash", "we did not start this node")
    fleet.wish("nosana")
    fleet.decide()
    fleet.sites["akash"].seen = None
    fleet.wishes.targets.clear()
    fleet.tick(MINUTE)

    assert "akash: we did not start this node" in [event.why for event in fleet.store.journal.events()]
    assert (State.REVERTED, venue("akash"), {}) == (last(fleet), fleet.at(), fleet.store.journal.fences())
    assert "start" not in target.told


def test_a_venue_that_fails_again_and_again_is_left_alone_for_longer_each_time() -> None:
    """Two hours, four, eight: until a switch there succeeds."""
    fleet, target = serving()
    fleet.guards = (Cooldown(2 * HOUR),)
    fleet.restart()
    target.readiness = Readiness(Stage.REFUSED, "no such image")
    fleet.wish("nosana")
    tried = []
    for _ in range(17):
        fleet.decide()
        tried.append(len(fleet.store.journal.switches()) - 1)
        fleet.later(HOUR)

    assert [1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3, 4, 4, 4] == tried


def test_what_boots_really_take_becomes_the_cost_that_the_strategy_sees(caplog: pytest.LogCaptureFixture) -> None:
    """Drawn towards the adapter's word, which is doubted once in the log; the limits make room; and another process knows as much."""
    fleet, target = serving(Manner(boot=HOUR / 4))
    target.entry = EntryCost(boot=5 * MINUTE)
    with caplog.at_level(logging.WARNING, "autopilot.pilot.costs"):
        for _ in range(3):
            for name in ("nosana", "akash"):
                fleet.wish(name)
                fleet.decide()
                fleet.fly(HOUR)
    fleet.decide()
    seen = fleet.wishes.views[-1].entries
    fleet.restart()
    fleet.decide()

    assert 1 == len([each for each in caplog.messages if "its adapter says 5m" in each])
    assert (4 * 5 + 3 * 15) * MINUTE / 7 == seen[venue("nosana"), GPU.id].boot
    assert HOUR / 4 == seen[venue("akash"), GPU.id].boot, "an adapter that tells the truth is believed to the microsecond"
    assert seen == fleet.wishes.views[-1].entries
    assert HOUR / 4 == Costs(fleet.pilot.world).longest_boot(GPU, (venue("nosana"),))


def test_what_drains_take_beyond_the_word_is_learned() -> None:
    """A network that says nothing of its last jobs is believed less with each of them; what is said of a long one still counts."""
    fleet, _ = serving(Manner(drain=HOUR / 2))
    for name in ("nosana", "akash"):
        fleet.wish(name)
        fleet.decide()
        fleet.fly(HOUR)
    fleet.decide()

    assert HOUR / 2 / 5 == fleet.wishes.views[-1].exits[GPU.id].drain
    fleet.sites["akash"].exit = ExitCost(drain=HOUR)
    fleet.decide()
    assert HOUR * 11 / 10 == fleet.wishes.views[-1].exits[GPU.id].drain


def moved(fleet: Fleet, source: str, target: str, hour: int) -> None:
    """Journal a switch that was made in an instant."""
    at = START + hour * HOUR
    opened = Switch(SwitchId(f"at {hour}"), PlanId("p"), GPU.id, fleet.venue(source), fleet.venue(target), State.STARTING, at, at)
    fleet.store.journal.open(opened, "a lead")
    fleet.store.journal.change(replace(opened, state=State.SETTLED), State.STARTING, "it serves")


def test_a_ramp_is_learned_where_a_network_has_one() -> None:
    """From serving to the first work; where nobody speaks of a ramp, to wait for work is a matter of being hired."""
    fleet = Fleet("akash", "nosana")
    moved(fleet, "idle", "nosana", 0)
    fleet.store.experience.hired(Hire(GPU.id, venue("nosana"), "job", START + HOUR / 2), START + HOUR)
    moved(fleet, "nosana", "akash", 2)
    costs = Costs(fleet.pilot.world)
    fleet.sites["nosana"].entry = EntryCost(ramp=10 * MINUTE)
    known = costs.entry(GPU, venue("nosana"))
    fleet.sites["nosana"].entry = EntryCost()

    assert known == EntryCost(ramp=(4 * 10 + 30) * MINUTE / 5)
    assert EntryCost() == costs.entry(GPU, venue("nosana"))
