"""What holds for every switch, whatever its nodes do and however little of them can be seen."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from autopilot.model.device import Venue
from autopilot.model.node import PREPARED, Lease, Observation, Phase, Readiness, Stage
from autopilot.model.plan import PlanId
from autopilot.model.switch import Limits, State, Switch, SwitchId
from autopilot.switching import Command, Sight, Verb, advance, resume
from autopilot.testing.views import START, device, venue
from autopilot.units import HOUR

HERE, THERE = venue("akash"), venue("nosana")
LIMITS = Limits(drain=2 * HOUR, stop=HOUR / 6, start=HOUR / 2, revert=HOUR / 2, prepare=HOUR)
TICK = timedelta(minutes=1)
LONGEST = LIMITS.prepare + LIMITS.drain + 2 * LIMITS.stop + LIMITS.start + LIMITS.revert + 10 * TICK
MINUTE = timedelta(minutes=1)
WAYS = {
    State.PREPARING: {State.DRAINING, State.REVERTED},
    State.DRAINING: {State.STOPPING, State.STARTING, State.REVERTING},
    State.STOPPING: {State.STARTING, State.STRANDED, State.REVERTING},
    State.STARTING: {State.SETTLED, State.REVERTING, State.STRANDED, State.CLEARING},
    State.REVERTING: {State.REVERTED, State.SETTLED, State.STRANDED, State.CLEARING},
    State.CLEARING: {State.CLEARED, State.REVERTED, State.SETTLED, State.STRANDED},
}
"""The drawing in the machine's docstring, as a table: no way leads back, so every way ends."""


def opened() -> Switch:
    """A switch that was opened just now."""
    return Switch(SwitchId("one"), PlanId("plan"), device().id, HERE, THERE, State.PREPARING, START, START)


@dataclass(frozen=True)
class Course:
    """What comes between, in time since the switch was opened; None where it never comes."""

    gone_at: timedelta | None = None
    off_at: timedelta | None = None
    ready_at: timedelta | None = timedelta(0)
    free_at: timedelta = timedelta(0)
    """Until then a stranger is on the GPU."""

    def sight(self, source: Observation, target: Observation, since: timedelta) -> Sight:
        """What the machine is shown."""
        ready = self.ready_at is not None and since >= self.ready_at
        return Sight(
            source,
            target,
            "the lead is gone" if self.gone_at is not None and since >= self.gone_at else "",
            "its owner is on it" if self.off_at is not None and since >= self.off_at else "",
            readiness=PREPARED if ready else Readiness(Stage.WORKING, "1 of 3 GB"),
            holder="" if since >= self.free_at else "a stranger is on it",
        )


@dataclass
class Node:
    """A node with jobs, as it really is; what is seen of it may be less."""

    venue: Venue
    random: Random
    boot: timedelta | None
    """None: it never comes up."""
    stop: timedelta = timedelta(0)
    longest_job: timedelta = timedelta(0)
    hire: float = 0.0
    """The chance of a new job in any tick while it serves."""
    blind: float = 0.0
    broken: float = 0.0
    held: bool = False
    ready: datetime | None = None
    gone: datetime | None = None
    draining: bool = False
    jobs: list[Lease] = field(default_factory=list)
    cut: list[Lease] = field(default_factory=list)
    """Jobs that might not be broken, and were."""

    def live(self, now: datetime) -> None:
        """Let time do its work up to this instant."""
        if self.gone is not None and now >= self.gone:
            self.held, self.gone, self.draining, self.jobs = False, None, False, []
        self.jobs = [job for job in self.jobs if job.until is None or job.until > now]
        if self.serves(now) and not self.draining and not self.jobs and self.random.random() < self.hire:
            until = now + self.random.random() * self.longest_job
            self.jobs = [Lease("job", now, until, breakable=self.random.random() < 0.3)]

    def serves(self, now: datetime) -> bool:
        """Whether it is up."""
        return self.held and self.ready is not None and now >= self.ready

    def observe(self, now: datetime) -> Observation:
        """What a look shows."""
        if self.random.random() < self.blind:
            return Observation(device().id, None, Phase.UNKNOWN, now)
        if self.held and self.random.random() < self.broken:
            return Observation(device().id, self.venue, Phase.FAULT, now, tuple(self.jobs))
        if not self.held:
            return Observation(device().id, None, Phase.ABSENT, now)
        if not self.serves(now):
            return Observation(device().id, self.venue, Phase.STARTING, now)
        phase = Phase.DRAINING if self.draining else Phase.BUSY if self.jobs else Phase.READY
        return Observation(device().id, self.venue, phase, now, tuple(self.jobs))

    def obey(self, verb: Verb, now: datetime) -> None:
        """Do as told, in its own time."""
        match verb:
            case Verb.START:
                self.draining, self.gone = False, None
                if not self.held:
                    self.held, self.ready = True, None if self.boot is None else now + self.boot
            case Verb.DRAIN:
                self.draining = True
            case Verb.STOP:
                self.cut += [job for job in self.jobs if not job.breakable]
                if self.held and self.gone is None:
                    self.gone = now + self.stop


def carried(source: Node, target: Node, flaws: list[timedelta], course: Course = Course()) -> tuple[Switch, datetime]:
    """Carry a switch to its end, checking at every tick what must hold at all times; ``flaws`` are outages of the autopilot."""
    switch, now = opened(), START
    away = sum(flaws, timedelta(0))
    pauses = list(flaws)
    while not switch.state.over:
        assert now - START <= LONGEST + away, f"it does not end: {switch.state} since {switch.since}"
        for node in (source, target):
            node.live(now)
        switch, command = _looked(switch, source, target, now, course)
        if command:
            _obeyed(command, source, target, now)

        assert not (source.held and target.held), "two nodes hold one device"
        now += TICK
        if pauses and source.random.random() < 0.05:
            now += pauses.pop()
            switch = resume(switch, now)
    return switch, now


def _looked(switch: Switch, source: Node, target: Node, now: datetime, course: Course) -> tuple[Switch, Command | None]:
    sight = course.sight(source.observe(now), target.observe(now), now - START)
    step = advance(switch, sight, now, LIMITS)
    while step.switch.state is not switch.state:
        assert step.switch.state in WAYS[switch.state]
        assert step.command is None, "a new state is journalled before anything is told"
        switch = step.switch
        step = advance(switch, sight, now, LIMITS)
    _check(step.command, sight)
    return switch, step.command


def _check(command: Command | None, sight: Sight) -> None:
    """What a command may be given for."""
    if command is None:
        return
    own, other = (sight.source, sight.target) if command.venue == HERE else (sight.target, sight.source)
    if command.verb is Verb.START:
        assert other.phase is Phase.ABSENT, "started beside a node that is not seen to be gone"
        assert not sight.holder or own.phase not in (Phase.ABSENT, Phase.UNKNOWN), "started beside a stranger"
    if command.verb is Verb.STOP:
        assert own.phase is not Phase.UNKNOWN, "stopped unseen"
        assert all(lease.breakable for lease in own.leases), "cut a lease that may not be broken"


def _obeyed(command: Command, source: Node, target: Node, now: datetime) -> None:
    node = source if command.venue == HERE else target
    node.obey(command.verb, now)
    node.live(now)


SHORT = st.integers(0, 20).map(lambda count: count * MINUTE)
BOOTS = st.none() | st.integers(0, 50).map(lambda count: count * MINUTE)
OUTAGES = st.lists(st.integers(0, 120).map(lambda count: count * MINUTE), max_size=4)
CHANCE = st.sampled_from([0.0, 0.1, 0.5, 1.0])


NODES = st.fixed_dictionaries({"boot": BOOTS, "stop": SHORT})
CONDITIONS = st.fixed_dictionaries(
    {"longest_job": st.integers(0, 400).map(lambda count: count * MINUTE), "hire": CHANCE, "blind": CHANCE, "broken": CHANCE}
)


COURSES = st.builds(Course, st.none() | SHORT, st.none() | BOOTS, st.none() | SHORT, SHORT)


@given(st.randoms(use_true_random=False), NODES, NODES, CONDITIONS, OUTAGES, COURSES)
def test_every_switch_ends_and_nothing_is_ever_held_twice(
    random: Random,
    here: dict[str, Any],
    there: dict[str, Any],
    conditions: dict[str, Any],
    outages: list[timedelta],
    course: Course,
) -> None:
    """With jobs of any length, nodes that never come up, do not go, cannot be seen or say that they are broken, and outages.

    A switch that ends CLEARED has left nothing on the device, and one that never came to drain has told nobody anything.
    """
    source = Node(HERE, random, held=True, ready=START, **here, **conditions)
    target = Node(THERE, random, **there, **conditions)
    switch, _ = carried(source, target, outages, course)

    assert not source.cut
    assert not target.cut
    if switch.state is State.CLEARED:
        assert not source.held
        assert not target.held
    if course.ready_at is None:
        assert (State.REVERTED, True, False) == (switch.state, source.held and not source.draining, target.held)


@given(st.randoms(use_true_random=False), st.integers(0, 29), st.integers(0, 9), st.integers(0, 110), CHANCE, OUTAGES)
def test_a_good_switch_settles(random: Random, boot: int, stop: int, longest_job: int, hire: float, outages: list[timedelta]) -> None:
    """Where every node does its part within the limits, no outage makes the switch turn back."""
    source = Node(HERE, random, boot * MINUTE, stop * MINUTE, longest_job * MINUTE, hire, held=True, ready=START)
    target = Node(THERE, random, boot * MINUTE)
    switch, end = carried(source, target, outages)

    assert (State.SETTLED, False, True) == (switch.state, source.held, target.serves(end))


@given(st.randoms(use_true_random=False), st.integers(0, 28), st.integers(0, 9), OUTAGES)
def test_a_target_that_never_comes_up_brings_the_source_back(random: Random, boot: int, stop: int, outages: list[timedelta]) -> None:
    """The device earns again where it was, and nobody has to look."""
    source = Node(HERE, random, (boot - stop) % 20 * MINUTE, held=True, ready=START)
    target = Node(THERE, random, None, stop % 10 * MINUTE)
    switch, end = carried(source, target, outages)

    assert (State.REVERTED, True, False) == (switch.state, source.serves(end), target.held)


PHASES = st.sampled_from(Phase)
LEASES = st.lists(st.booleans().map(lambda breakable: Lease("job", START, breakable=breakable)), max_size=2).map(tuple)
SIGHTS = st.builds(
    lambda source, target, here, there, *words: Sight(
        Observation(device().id, None, source, START, here), Observation(device().id, None, target, START, there), *words
    ),
    PHASES,
    PHASES,
    LEASES,
    LEASES,
    st.sampled_from(["", "", "", "the lead is gone"]),
    st.sampled_from(["", "", "", "its owner is on it"]),
    st.sampled_from(["", "", "", "we did not start this node"]),
    st.sampled_from([PREPARED, Readiness(Stage.WORKING), Readiness(Stage.REFUSED, "no such image")]),
    st.sampled_from(["", "", "", "a stranger is on it"]),
)


@given(st.lists(SIGHTS, min_size=1, max_size=20), st.sampled_from([TICK, HOUR / 4, HOUR]))
def test_whatever_is_shown_it_ends(sights: list[Sight], pace: timedelta) -> None:
    """Nodes that play tricks may strand a device, but never make the machine go round, start two, or cut what is promised."""
    switch, now, looks = opened(), START, 0
    while not switch.state.over:
        assert now - START <= LONGEST + 4 * pace
        sight = sights[looks % len(sights)]
        step = advance(switch, sight, now, LIMITS)

        assert step == advance(switch, sight, now, LIMITS), "asked again, it answers otherwise"
        if step.switch.state is not switch.state:
            assert step.switch.state in WAYS[switch.state]
            assert replace(switch, state=step.switch.state, since=now, failed=step.switch.failed) == step.switch
            assert step.switch.failed or not switch.failed, "a strike was forgotten"
        else:
            _check(step.command, sight)
            now, looks = now + pace, looks + 1
        switch = step.switch
