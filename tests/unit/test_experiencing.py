"""What is seen of the nodes becomes hires, waits and lengths of jobs: all of it once, and nothing that nobody saw."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autopilot import occupancy
from autopilot.idle import Idle
from autopilot.model.device import IDLE, Device, Venue
from autopilot.model.experience import Tally
from autopilot.model.market import Answer, Basis, Quote
from autopilot.model.node import Lease, Observation, Phase, Placement
from autopilot.pilot.experiencing import Experiencer
from autopilot.pilot.observing import Sightings
from autopilot.pilot.world import World
from autopilot.sim.clock import SimClock
from autopilot.store.context import pack, unpack
from autopilot.store.store import Store
from autopilot.testing.views import MODEL, START, device, venue, view
from autopilot.units import ALL, HOUR, Share, UsdPerHour

GPU = device()
AKASH, NOSANA = venue("akash"), venue("nosana")
JOB = 2 * HOUR
HAZARD = 0.6 / 0.4 / 2
"""Of the quote: hires per hour of waiting."""


def quote(place: Venue, at: datetime, occupancy_: Share) -> Quote:
    """An offer of jobs of two hours."""
    money = UsdPerHour.of("0.3")
    return Quote(place, GPU.id, money, at, at, at + 1000 * HOUR, Basis.ASK, "a test", occupancy=occupancy_, job_length=JOB)


class Rig:
    """One device whose nodes show what the test says, and whoever looks at it."""

    def __init__(self, occupancy_: Share = Share.of("0.6"), devices: tuple[Device, ...] = (GPU,)) -> None:  # frozen
        self.clock = SimClock(START)
        self.store = Store.in_memory()
        self.world = World(self.clock, devices, {IDLE.network: Idle(self.clock)}, self.store)
        self.answers: dict[tuple[Venue, str], Answer] = {
            (place, each.id): replace(quote(place, START, occupancy_), device=each.id) for place in (AKASH, NOSANA) for each in devices
        }
        self.restart()

    def restart(self) -> None:
        """A new process, which knows what the store and the newest answers tell."""
        self.experiencer = Experiencer(self.world)
        self.experiencer.publish(self.answers)

    def look(self, hours: float, phase: Phase, *leases: Lease, place: Venue = AKASH) -> Tally:
        """So many hours after the start this is seen; every other GPU waits. What is known of akash then."""
        now = START + hours * HOUR
        seen = Observation(GPU.id, None if phase is Phase.ABSENT else place, phase, now, leases)
        nodes = {each.id: Observation(each.id, place, Phase.READY, now) for each in self.world.devices} | {GPU.id: seen}
        sightings: dict[str, Sightings] = {each: {place.network: node} for each, node in nodes.items()}
        self.experiencer.look({each: Placement(each, place, START, node) for each, node in nodes.items()}, sightings, now)
        self.experiencer.publish(self.answers)
        return self.experiencer.experience(now).own(AKASH, GPU)


def lease(name: str, since: float, until: float | None = None) -> Lease:
    """A job, by the hours at which it began and will end."""
    return Lease(name, START + since * HOUR, None if until is None else START + until * HOUR)


def test_a_wait_counts_as_it_goes_on() -> None:
    """An hour without a hire is most of the hazard's hires; without a look in between it comes to the same."""
    rig, other = Rig(), Rig()
    rig.look(0, Phase.READY)
    other.look(0, Phase.READY)
    rig.look(0.25, Phase.READY)

    assert rig.look(1, Phase.READY).expected == pytest.approx(other.look(1, Phase.READY).expected)
    assert rig.look(1, Phase.READY).expected == pytest.approx(HAZARD, rel=0.003)
    assert 0.0 == rig.look(1, Phase.READY).hires


def test_a_hire_ends_the_wait_when_it_began() -> None:
    """Not when it was seen; and the work itself is no wait. The job counts with its length when it is over."""
    rig = Rig()
    rig.look(0, Phase.READY)
    hired = rig.look(1, Phase.BUSY, lease("one", 0.5))
    rig.look(2, Phase.BUSY, lease("one", 0.5))
    done = rig.look(3.5, Phase.READY)

    assert hired.expected == pytest.approx(HAZARD / 2, rel=0.01)
    assert 1.0 == pytest.approx(hired.hires, rel=0.01)
    assert hired.expected == pytest.approx(done.expected, rel=0.02)
    assert (1.0, 3.0) == (done.jobs, done.hours)


def test_one_job_after_the_other_is_two_hires() -> None:
    """Where the end of the first was told, the time in between was a wait; where it was not, there was none."""
    rig = Rig()
    rig.look(0, Phase.READY)
    rig.look(0.5, Phase.BUSY, lease("one", 0.0, 1.0))
    after = rig.look(2, Phase.BUSY, lease("two", 1.5))

    assert 2.0 == pytest.approx(after.hires, rel=0.01)
    assert after.expected == pytest.approx(HAZARD / 2, rel=0.01)
    assert (1.0, 1.0) == pytest.approx((after.jobs, after.hours), rel=0.01)


def test_a_long_job_is_capped() -> None:
    """At five times the published length."""
    rig = Rig()
    rig.look(0, Phase.READY)
    for hour in range(1, 100):
        rig.look(hour, Phase.BUSY, lease("one", 0.5))

    assert 10.0 == pytest.approx(rig.look(100, Phase.READY).hours)


@pytest.mark.parametrize("blind", ["restart", "unknown", "asleep"])
def test_what_nobody_saw_is_neither_a_wait_nor_a_hire(blind: str) -> None:
    """After a restart, a node that could not be asked, or a host that slept, a job may have come and gone."""
    rig = Rig()
    rig.look(0, Phase.READY)
    before = rig.look(1, Phase.READY)
    if blind == "restart":
        rig.restart()
    elif blind == "unknown":
        rig.look(1.5, Phase.UNKNOWN)
    hours = 5.0 if blind == "asleep" else 2.0
    after = rig.look(hours, Phase.READY)

    assert before.expected * occupancy.kept(hours - 1) == pytest.approx(after.expected)
    assert rig.look(hours + 1, Phase.READY).expected > after.expected


def test_a_lease_that_ran_already_is_nobodys_hire() -> None:
    """Nobody knows what was waited for it, nor whether it is a long one because long ones are found more often."""
    rig = Rig()
    rig.look(0, Phase.BUSY, lease("one", -3.0))
    rig.look(1, Phase.BUSY, lease("one", -3.0))

    assert Tally(MODEL) == rig.look(2, Phase.READY)


def test_a_job_that_a_restart_fell_into_is_known_again() -> None:
    """It was hired once, before the restart, and its length counts when it ends."""
    rig = Rig()
    rig.look(0, Phase.READY)
    rig.look(1, Phase.BUSY, lease("one", 0.5))
    rig.restart()
    rig.look(2, Phase.BUSY, lease("one", 0.5))
    after = rig.look(3.5, Phase.READY)

    assert 1.0 == pytest.approx(after.hires, rel=0.02)
    assert (1.0, 3.0) == (after.jobs, after.hours)
    assert [] == list(rig.store.experience.running())


def test_a_drain_and_a_journey_are_no_waits() -> None:
    """A node that takes no new work cannot be hired; and elsewhere, akash gathers nothing."""
    rig = Rig()
    rig.look(0, Phase.READY)
    rig.look(0, Phase.DRAINING)
    rig.look(1, Phase.ABSENT)
    rig.look(1, Phase.STARTING, place=NOSANA)
    rig.look(2, Phase.READY, place=NOSANA)
    after = rig.look(3, Phase.READY, place=NOSANA)

    assert Tally(MODEL) == after
    assert {(NOSANA, GPU.id)} == rig.experiencer.experience(START + 3 * HOUR).tallies.keys()


def test_a_job_that_was_broken_has_no_length() -> None:
    """It vanished with its node: nobody knows how long it would have been. The hire counts."""
    rig = Rig()
    rig.look(0, Phase.READY)
    rig.look(1, Phase.BUSY, lease("one", 0.5))
    after = rig.look(1.5, Phase.ABSENT)

    assert 1.0 == pytest.approx(after.hires, rel=0.01)
    assert 0.0 == after.jobs


def test_a_venue_that_pays_for_every_hour_hires_nobody() -> None:
    """Whatever its node shows."""
    rig = Rig(ALL)
    rig.look(0, Phase.READY)
    rig.look(1, Phase.BUSY, lease("one", 0.5))
    rig.look(2, Phase.READY)
    experience = rig.experiencer.experience(START + 2 * HOUR)

    assert ({}, {}) == (experience.tallies, experience.odds)


def test_a_busy_node_that_names_no_lease_has_one() -> None:
    """Its hire is counted from the look that saw it."""
    rig = Rig()
    rig.look(0, Phase.READY)

    assert 1.0 == rig.look(1, Phase.BUSY).hires
    assert 1.0 == pytest.approx(rig.look(2, Phase.READY).jobs)


def test_published_figures_are_followed_once_each() -> None:
    """The same figure asked for again, or a look in between, moves nothing; a newer one moves the mean towards it."""
    rig = Rig()
    first = rig.experiencer.experience(START).odds[AKASH, MODEL]
    rig.look(1, Phase.ABSENT)
    again = rig.experiencer.experience(START).odds[AKASH, MODEL]
    rig.answers[AKASH, GPU.id] = quote(AKASH, START + HOUR, Share.of("0.9"))
    rig.look(1, Phase.ABSENT)
    newer = rig.experiencer.experience(START).odds[AKASH, MODEL]

    assert first == again
    assert first.mean < newer.mean < newer.mean + newer.moved < occupancy.log_odds(0.9)


def test_a_figure_takes_in_what_was_seen_since_the_last() -> None:
    """Until then hires and waits add up, in lengths of a job; with it they are part of what is known, and nothing is to come."""
    rig = Rig()
    rig.look(0, Phase.READY)
    rig.look(1, Phase.BUSY, lease("one", 0.5))
    before = rig.experiencer.experience(START + HOUR).odds[AKASH, MODEL]
    rig.answers[AKASH, GPU.id] = quote(AKASH, START + 2 * HOUR, Share.of("0.6"))
    rig.look(2, Phase.BUSY, lease("one", 0.5))
    after = rig.experiencer.experience(START + 2 * HOUR).odds[AKASH, MODEL]

    assert (1.0, 0.25) == (before.hires, before.waited)
    assert (0.0, 0.0) == (after.hires, after.waited)
    assert after.bias > before.bias
    assert after == occupancy.followed(before, occupancy.log_odds(0.6), 2.0)


STEPS = st.lists(st.tuples(st.integers(1, 90), st.sampled_from(["wait", "work", "drain", "away"]), st.booleans()), max_size=25)


@given(STEPS)
def test_a_restart_at_any_moment_loses_nothing_and_counts_nothing_twice(steps: list[tuple[int, str, bool]]) -> None:
    """Whatever the node does: a process that is replaced between two looks at one instant comes to what an old one comes to."""
    old, new = Rig(), Rig()
    now, job, began = 0.0, 0, 0.0
    for minutes, deed, replaced in steps:
        now += minutes / 60
        if deed == "work" and not job % 2:
            job, began = job + 1, now - minutes / 120
        elif deed != "work":
            job += job % 2
        leases = (lease(f"job {job}", began),) if job % 2 else ()
        phase = {"wait": Phase.READY, "work": Phase.BUSY, "drain": Phase.DRAINING, "away": Phase.ABSENT}[deed]
        old.look(now, phase, *leases)
        new.look(now, phase, *leases)
        if replaced:
            new.restart()
            new.look(now, phase, *leases)
    at = START + now * HOUR

    assert old.experiencer.experience(at) == new.experiencer.experience(at)
    assert old.experiencer.experience(at) == Experiencer(old.world).experience(at)


def test_a_view_keeps_its_experience_in_the_journal() -> None:
    """To the last bit: a replay must decide by the same figures."""
    rig = Rig()
    rig.look(0, Phase.READY)
    rig.look(1 / 3, Phase.BUSY, lease("one", 1 / 7))
    experience = rig.experiencer.experience(START + HOUR * 0.7)
    seen = replace(view({"akash": ["0.3"]}), experience=experience)

    assert experience.tallies
    assert experience == unpack(pack(seen), seen.now, seen.quotes, seen.history).experience


def test_the_gpus_of_a_rig_learn_together_in_any_order() -> None:
    """What one waits and what another is hired for make one belief of the rig, whoever is looked at first."""
    other = device(1)
    known = []
    for devices in ((GPU, other), (other, GPU)):
        rig = Rig(devices=devices)
        rig.look(0, Phase.READY)
        rig.look(1, Phase.BUSY, lease("one", 0.3))
        rig.look(2, Phase.BUSY, lease("one", 0.3))
        known.append(rig.experiencer.experience(START + 2 * HOUR))
    one, other_way = (each.odds[AKASH, MODEL] for each in known)

    assert (1.0, 2.3 / 2) == pytest.approx((one.hires, one.waited))
    assert one == pytest.approx(other_way)
    assert known[0].tallies == known[1].tallies


def test_another_device_of_the_model_is_kin() -> None:
    """Its sums are added up; the device's own are not among them."""
    rig = Rig()
    rig.look(0, Phase.READY)
    rig.look(1, Phase.READY)
    experience = rig.experiencer.experience(START + HOUR)

    assert experience.own(AKASH, GPU) == experience.kin(AKASH, device(1))
    assert Tally(MODEL) == experience.kin(AKASH, GPU)
