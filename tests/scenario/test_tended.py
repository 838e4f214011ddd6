"""Power limits by venue, and venues that ask for more than a GPU or its host has."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import timedelta

import pytest

from autopilot.daemon.gauge import Gauge
from autopilot.model.gpu import Needs
from autopilot.pilot.eligibility import Eligibility, Host, lacks
from autopilot.pilot.limiting import Limiter
from autopilot.pilot.tending import Household, Tending
from autopilot.store.power_limits import Changed
from autopilot.testing.views import device
from autopilot.testing.worlds import Fleet
from autopilot.units import Watts
from shared.probes import Driver

GPU = device()
MOMENT = timedelta(minutes=1)
HOST = Host("575.57.08", lambda: 100)


class Limited(Fleet):
    """A GPU of 450 W that may draw 300 W at akash."""

    def __init__(self, limit: str = "300") -> None:
        super().__init__("akash", "render")
        self.driver = Driver(self.devices)
        self.gauge = Gauge(self.driver)
        self.wanted = {self.venue("akash"): Watts.of(limit)}
        self.tend()

    def tend(self) -> None:
        """Start afresh."""
        limiter = Limiter(self.wanted, self.gauge.limit, self.store.power_limits)
        self.authorities = (Tending(self.devices, self.gauge.look, Household(), self.store.owners, set, limiter=limiter),)
        self.restart()

    def goes(self, name: str) -> Watts:
        """The limit that is in force when it is there."""
        self.wish(name)
        self.decide()
        self.tick(MOMENT)
        assert self.venue(name) == self.at()
        return self.now

    @property
    def now(self) -> Watts:
        return self.driver.limits.get(GPU.id, Watts.of(450))


def test_a_power_limit_comes_and_goes_with_its_venue() -> None:
    """What was in force before is in force again, and nothing of ours is left in the books."""
    rig = Limited()

    assert [Watts.of(300), Watts.of(450), Watts.of(300)] == [rig.goes(name) for name in ("akash", "render", "akash")]
    assert {GPU.id: Changed(Watts.of(450), Watts.of(300))} == rig.store.power_limits.changed()
    rig.goes("render")
    assert {} == rig.store.power_limits.changed()


def test_a_crash_forgets_no_power_limit() -> None:
    """The one before is written down before it is changed: a pilot that has just started takes ours back, where none is set any more."""
    rig = Limited()
    rig.goes("akash")
    rig.wanted = {}
    rig.tend()
    rig.tick(MOMENT)

    assert Watts.of(450) == rig.now


def test_what_somebody_else_has_set_is_his() -> None:
    """It is neither changed while the GPU is there nor taken back when it leaves; what a driver's reload undid is set again."""
    rig = Limited()
    rig.goes("akash")
    del rig.driver.limits[GPU.id]
    rig.tick(MOMENT)
    assert Watts.of(300) == rig.now
    rig.driver.limits[GPU.id] = Watts.of(250)
    rig.tick(MOMENT)

    assert [Watts.of(250), Watts.of(250)] == [rig.now, rig.goes("render")]
    assert {} == rig.store.power_limits.changed()


@pytest.mark.parametrize(
    ("limit", "forbids", "said"),
    [
        ("300", True, "gpu-0: its power limit stays as it is, 300 W was refused: this user may not"),
        ("700", False, "gpu-0: a power limit of 700 W is outside of 150 W to 600 W, and is not set"),
    ],
)
def test_a_limit_that_cannot_be_set_is_one_sentence(caplog: pytest.LogCaptureFixture, limit: str, forbids: bool, said: str) -> None:  # noqa: FBT001
    """However often it is tried; the GPU earns all the same, and nothing is taken back that was never set."""
    rig = Limited(limit)
    rig.driver.forbids = forbids
    with caplog.at_level(logging.WARNING, "autopilot.pilot.limiting"):
        rig.goes("akash")
        rig.fly(timedelta(hours=1))
        rig.goes("render")

    assert [said] == caplog.messages
    assert {} == rig.store.power_limits.changed()
    assert Watts.of(450) == rig.now


@pytest.mark.parametrize(
    ("needs", "lack"),
    [
        (Needs(24, 100, "575.57", ("RTX 4090",)), ""),
        (Needs(memory_gib=48), "it needs 48 GiB of memory, and GPU-0 has 24"),
        (Needs(disk_gib=101), "it needs 101 GiB of free disk, and this host has 100"),
        (Needs(driver="580.65.06"), "it needs driver 580.65.06, and this host has 575.57.08"),
        (Needs(models=("H100", "A100")), "it takes H100 or A100, not RTX 4090"),
    ],
)
def test_what_a_venue_asks_for_is_compared_with_what_there_is(needs: Needs, lack: str) -> None:
    """Memory, disk, driver and model, each with its own sentence; what is just enough is enough."""
    assert lack == lacks(GPU, HOST, needs)


def test_what_is_not_known_is_not_missing() -> None:
    """A simulated GPU has no memory size, and a host without a driver no version: neither is zero."""
    assert "" == lacks(replace(GPU, memory_gib=0), replace(HOST, driver=""), Needs(memory_gib=48, driver="999"))


@pytest.mark.parametrize("driver", ["580.65.06", "580.65", "580.65.06-grid", "580.97", "unknown"])
def test_a_driver_of_another_spelling_is_not_an_older_one(driver: str) -> None:
    """What its version leaves out is not known: nobody is kept from a venue that pays for that."""
    assert "" == lacks(GPU, replace(HOST, driver=driver), Needs(driver="580.65.06"))


def test_a_venue_that_asks_for_more_is_not_planned_for() -> None:
    """The strategy does not even see it, from the first decision on; who is there already stays."""
    fleet = Fleet("akash", "render")
    free = [100]
    needs = {fleet.venue("render"): Needs(disk_gib=50)}
    fleet.authorities = (Eligibility(fleet.devices, Host("", lambda: free[0]), needs, fleet.store.rates),)
    fleet.restart()
    free[0] = 10
    fleet.wish("render")
    fleet.pilot.poll()
    fleet.tick()
    assert {"akash", "idle"} == {venue.network for venue, _ in fleet.wishes.views[-1].entries}
    assert fleet.venue("idle") == fleet.at()

    free[0] = 100
    fleet.later(MOMENT)
    fleet.decide()
    assert fleet.venue("render") == fleet.at()
    free[0] = 10
    fleet.fly(timedelta(hours=3))
    assert fleet.venue("render") == fleet.at()
