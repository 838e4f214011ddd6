"""The owner of a GPU goes before every network, and a GPU that cannot be seen stays where it is."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import time, timedelta, timezone

import pytest

from autopilot.contracts import Scope
from autopilot.daemon.gauge import Gauge
from autopilot.guards import RigScope
from autopilot.model.device import IDLE, Device, NetworkId
from autopilot.model.gpu import Ailment, Condition, GpuProcess, GpuState, Kin
from autopilot.model.node import Observation
from autopilot.model.owner import OwnerRule, Policy
from autopilot.model.switch import State
from autopilot.model.week import Hours
from autopilot.pilot.tending import Household, Tending
from autopilot.sim.node import Manner
from autopilot.testing.views import device
from autopilot.testing.worlds import Fleet
from shared.probes import LOST, Driver

QUIET = timedelta(minutes=10)
WORK = timedelta(minutes=20)
EVERY_DAY = frozenset(range(7))


class Rig(Fleet):
    """A fleet whose GPUs are looked at, and that is at work at akash."""

    def __init__(self, rule: OwnerRule = OwnerRule(quiet=QUIET), *, gpus: int = 1, **house: object) -> None:  # noqa: B008  # frozen
        super().__init__("akash", "render", gpus=gpus, manner=Manner(drain=WORK))
        self.driver = Driver(self.devices)
        self.gauge = Gauge(self.driver, life=timedelta(0))
        self.house = Household(self.driver.who, {each.id: rule for each in self.devices}, ("Xorg", "kwin*"), **house)  # type: ignore[arg-type]
        self.whole: set[NetworkId] = set()
        self.tending = self.tend()
        for gpu in range(gpus):
            self.wish("akash", gpu)
        self.decide()
        self.later(timedelta(minutes=1))
        assert self.sites["akash"].venue == self.at()

    def tend(self) -> Tending:
        """Start afresh, and look at the GPUs from now on."""
        moving = self.store.journal.open_switches
        devices, owners, whole = self.devices, self.store.owners, self.whole
        self.tending = Tending(devices, self.gauge.look, self.house, owners, lambda: {switch.device for switch in moving()}, whole=whole)
        self.authorities = (self.tending,)
        self.restart()
        return self.tending

    @property
    def gpu(self) -> Device:
        return self.devices[0]

    @property
    def state(self) -> GpuState:
        return self.tending.states[self.gpu.id]


def test_a_game_drains_the_node_and_it_comes_back_after_a_quiet_while() -> None:
    """What runs for the network may finish, nothing new begins, and the node is back when the owner was away for long enough."""
    rig = Rig()
    rig.driver.runs(rig.gpu, "elden_ring.exe")

    assert "GPU-0: akash -> idle: akash drains, 1 job to finish" == rig.tick(timedelta(seconds=15))
    rig.fly(WORK)
    assert IDLE == rig.at()
    said = "GPU-0: its owner is on it with elden_ring.exe (4242), and it is his until 10m after that ends"
    assert said == rig.decide()
    rig.driver.ends(rig.gpu)
    rig.fly(QUIET - timedelta(minutes=1), timedelta(minutes=1))
    assert IDLE == rig.at()
    rig.fly(timedelta(minutes=3), timedelta(minutes=1))  # and does not wait for the next rates
    assert rig.venue("akash") == rig.at()


def test_a_restart_does_not_bring_the_node_back_sooner() -> None:
    """A game that was seen a minute before the daemon ended, and is gone when it begins: its owner may come back as long as ever."""
    rig = Rig()
    rig.driver.runs(rig.gpu, "elden_ring.exe")
    rig.tick(timedelta(seconds=15))
    rig.fly(WORK)
    assert IDLE == rig.at()
    left = rig.clock.now()
    rig.driver.ends(rig.gpu)
    rig.later(timedelta(minutes=1))
    rig.tend()

    assert f"its owner was on it with elden_ring.exe (4242), and may come back until {left + QUIET:%H:%M:%S} UTC" in rig.decide()
    rig.fly(QUIET - timedelta(minutes=2), timedelta(minutes=1))
    assert IDLE == rig.at()
    rig.fly(timedelta(minutes=5), timedelta(minutes=1))
    assert rig.venue("akash") == rig.at()


def test_a_clock_that_is_put_back_does_not_end_the_quiet_while() -> None:
    """He was seen by a clock that had leapt forward: it counts from now, no shorter than ever, and not until that hour comes."""
    rig = Rig()
    rig.store.owners.note(rig.gpu.id, rig.clock.now() + timedelta(hours=5), "elden_ring.exe (4242)")
    back = rig.clock.now() + QUIET
    rig.decide()

    assert f"its owner was on it with elden_ring.exe (4242), and may come back until {back:%H:%M:%S} UTC" == rig.state.owner
    rig.fly(QUIET, timedelta(minutes=1))
    assert "" == rig.state.owner


def test_other_gpus_of_the_rig_go_on() -> None:
    """A game on one GPU is no reason to leave another."""
    rig = Rig(gpus=2)
    rig.driver.runs(rig.gpu, "game")
    rig.fly(WORK + timedelta(minutes=10))

    assert [IDLE, rig.venue("akash")] == [rig.at(0), rig.at(1)]


def test_a_network_that_takes_the_whole_rig_is_left_by_all() -> None:
    """A game on one GPU takes the others with it: half a rig is none to such a network. They are back together."""
    rig = Rig(gpus=2)
    rig.guards = (RigScope({rig.sites["akash"].network: Scope.RIG}),)
    rig.whole = {rig.sites["akash"].network}
    rig.tend()
    rig.driver.runs(rig.gpu, "game")
    rig.fly(WORK + timedelta(minutes=10))
    assert [IDLE, IDLE] == [rig.at(0), rig.at(1)]
    rig.driver.ends(rig.gpu)
    rig.fly(QUIET + timedelta(minutes=10))
    rig.decide()

    assert [rig.venue("akash")] * 2 == [rig.at(0), rig.at(1)]


@pytest.mark.parametrize(("policy", "gone"), [(Policy.STOP, True), (Policy.DRAIN, False), (Policy.IGNORE, False)])
def test_the_policy_says_how_soon_the_node_goes(policy: Policy, gone: bool) -> None:  # noqa: FBT001
    """Stop breaks what may be broken at once; drain lets it finish; ignore leaves the node alone."""
    rig = Rig(OwnerRule(policy, QUIET))
    akash = rig.sites["akash"]
    akash.seen = lambda device: breakable(akash._sim.observe(device))
    rig.driver.runs(rig.gpu, "train.py")
    rig.fly(timedelta(minutes=15))

    assert gone is (rig.at() == IDLE)
    assert (policy is not Policy.IGNORE) is bool(akash.memory.last(rig.gpu.id) is None or rig.pilot.open_switches)


def breakable(seen: Observation) -> Observation:
    """The same, with work that may be broken."""
    return replace(seen, leases=tuple(replace(lease, breakable=True) for lease in seen.leases))


@pytest.mark.parametrize(
    ("name", "kin"),
    [("Xorg", Kin.FOREIGN), ("kwin_wayland", Kin.FOREIGN), ("miner", Kin.OURS), ("tenant", Kin.BOXED), ("secret", Kin.UNTOLD)],
)
def test_who_may_be_there_moves_nothing(name: str, kin: Kin) -> None:
    """A desktop, our own node, a tenant in its container, and a program that nobody can look at: none is the owner."""
    rig = Rig()
    rig.driver.runs(rig.gpu, name, kin=kin)
    rig.fly(timedelta(hours=1))

    assert rig.venue("akash") == rig.at()
    assert "" == rig.state.owner


def test_doubt_about_programs_is_said(caplog: pytest.LogCaptureFixture) -> None:
    """Once in the log, and in what is known of the GPU for as long as it lasts."""
    rig = Rig()
    rig.driver.runs(rig.gpu, "secret", kin=Kin.UNTOLD)
    with caplog.at_level(logging.WARNING, "autopilot.pilot.tending"):
        rig.fly(timedelta(hours=1))

    assert ["gpu-0: secret (4242) cannot be looked at by this user: taken for nobody's"] == caplog.messages
    rig.driver.programs[rig.gpu.id] = None
    rig.tick()
    assert "the driver does not tell who is on it: its owner is not noticed" == rig.state.doubt


def test_a_container_on_an_idle_gpu_is_its_owners() -> None:
    """Where no node of ours is, and none is on its way, nobody but the owner can have started it."""
    rig = Rig()
    rig.wish("idle")
    rig.decide()
    rig.fly(WORK)
    assert IDLE == rig.at()
    rig.driver.runs(rig.gpu, "python3", kin=Kin.BOXED)
    rig.wish("render")

    assert rig.decide().startswith("GPU-0: its owner is on it with python3 (4242)")
    assert IDLE == rig.at()


def on_its_way(boot: timedelta) -> Rig:
    """A rig whose GPU has left akash, and is on its way from idle to a render node that is slow to come up."""
    rig = Rig()
    render = rig.sites["render"]
    render._sim = type(render._sim)(render.network, rig.clock, Manner(boot=boot), render.memory)
    rig.wish("idle")
    rig.decide()
    rig.fly(WORK)
    rig.wish("render")
    rig.decide()
    return rig


def test_a_node_that_starts_in_a_container_is_not_taken_for_the_owner() -> None:
    """The GPU is idle until the node has come up, and the node's container is on it before that."""
    rig = on_its_way(boot=timedelta(minutes=30))
    rig.driver.runs(rig.gpu, "node", kin=Kin.BOXED)
    rig.fly(timedelta(minutes=40))

    assert rig.venue("render") == rig.at()
    assert "" == rig.state.owner


def test_his_hours_are_by_the_clock_on_his_wall() -> None:
    """From 18:00 in a zone two hours ahead, which is 16:00 UTC: nothing needs to run for it. Afterwards the node is back."""
    evening = Hours(EVERY_DAY, time(18), time(23))
    rig = Rig(OwnerRule(hours=(evening,)), zone=timezone(timedelta(hours=2)))
    rig.fly(timedelta(hours=15, minutes=55))
    assert rig.venue("akash") == rig.at()
    rig.fly(timedelta(minutes=30))

    assert IDLE == rig.at()
    assert "GPU-0: its owner has it from 18:00 to 23:00" == rig.decide()
    rig.fly(timedelta(hours=5))
    rig.decide()
    assert rig.venue("akash") == rig.at()


def test_what_he_lends_is_ours_for_as_long_as_he_said() -> None:
    """In his own hours, and whatever else runs there."""
    lent = {device().id}
    rig = Rig(OwnerRule(hours=(Hours(EVERY_DAY, time(0), time(0)),)), lent=lambda _: lent)
    rig.driver.runs(rig.gpu, "blender")
    rig.decide()
    rig.fly(timedelta(hours=1))
    assert rig.venue("akash") == rig.at()
    lent.clear()
    rig.fly(timedelta(hours=1))

    assert IDLE == rig.at()


def test_a_node_that_still_drains_is_called_back_when_its_gpu_is_lost() -> None:
    """Nothing is moved on a guess: what has not been stopped goes on, and is left alone until the GPU is back."""
    rig = Rig()
    rig.wish("render")
    rig.decide()
    assert State.DRAINING is rig.pilot.open_switches[rig.gpu.id].switch.state
    rig.driver.ailments[rig.gpu.id] = LOST
    rig.decide()
    rig.fly(timedelta(hours=2))

    assert rig.venue("akash") == rig.at()
    assert "GPU-0: lost: the GPU fell off the bus; until it is back, its node is left alone" == rig.decide()
    assert rig.sites["akash"].memory.last(rig.gpu.id) is not None
    del rig.driver.ailments[rig.gpu.id]
    rig.decide()
    rig.fly(timedelta(hours=1))
    assert rig.venue("render") == rig.at()


def test_a_node_that_boots_on_a_gpu_in_trouble_is_not_called_off() -> None:
    """There is nothing to go back to, and a driver that hangs for a minute is no reason to end what comes up."""
    rig = on_its_way(boot=timedelta(minutes=20))
    rig.driver.ailments[rig.gpu.id] = LOST
    rig.fly(timedelta(minutes=25))

    assert rig.venue("render") == rig.at()


@pytest.mark.parametrize("condition", list(Condition))
def test_a_gpu_in_any_trouble_is_left_alone(condition: Condition) -> None:
    """Whatever is wrong with it, its node is told nothing, also by a pilot that has just started; the sentence says what to do."""
    rig = Rig()
    rig.sites["akash"].told.clear()
    rig.driver.ailments[rig.gpu.id] = Ailment(condition, "do this")
    rig.tend()
    rig.wish("render")
    rig.decide()

    assert f"GPU-0: {condition}: do this; until it is back, its node is left alone" == rig.decide()
    assert [] == rig.sites["akash"].told


def test_a_hung_driver_does_not_hold_up_the_tick() -> None:
    """The tick is through in the time that is granted to the driver, and the next ones in none."""
    rig = Rig()
    rig.gauge = Gauge(rig.driver, wait=timedelta(milliseconds=20), life=timedelta(0))
    rig.tend()
    rig.driver.answers.clear()
    try:
        assert rig.decide().startswith("GPU-0: hung: its driver has given no answer within 0.02s")
        rig.fly(timedelta(hours=8))
        assert rig.venue("akash") == rig.at()
    finally:
        rig.driver.answers.set()


def test_whoever_is_on_a_gpu_is_named_to_the_switch() -> None:
    """Ours or not: between two nodes nobody may be there, but for a desktop; and where nobody can tell, nobody is named."""
    rig = Rig()
    rig.driver.runs(rig.gpu, "old_node", kin=Kin.OURS)
    assert "old_node (4242) still on GPU-0" == rig.tending.holder(rig.gpu)
    rig.driver.runs(rig.gpu, "Xorg")
    assert "" == rig.tending.holder(rig.gpu)
    rig.driver.programs[rig.gpu.id] = None

    assert "" == rig.tending.holder(rig.gpu)


def test_several_programs_are_named_shortly() -> None:
    """Two by name, and how many more there are."""
    rig = Rig()
    rig.driver.programs[rig.gpu.id] = [GpuProcess(pid, name, None) for pid, name in ((7, "one"), (8, ""), (9, "three"), (10, "four"))]
    rig.tick()

    assert rig.state.owner.startswith("its owner is on it with one (7) and a program (8) and 2 more, and")
