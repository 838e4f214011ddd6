"""What holds for every switch, whatever its nodes do and however little of them can be seen."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from random import Random
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from autopilot.model.device import Venue
from autopilot.model.node import Lease, Observation, Phase
from autopilot.model.plan import PlanId
from autopilot.model.switch import Limits, State, Switch, SwitchId
from autopilot.switching import Command, Sight, Verb, advance, resume
from autopilot.testing.views import START, device, venue
from autopilot.units import HOUR

HERE, THERE = venue("akash"), venue("nosana")
LIMITS = Limits(drain=2 * HOUR, stop=HOUR / 6, start=HOUR / 2, revert=HOUR / 2)
TICK = timedelta(minutes=1)
LONGEST = LIMITS.drain + LIMITS.stop + LIMITS.start + LIMITS.revert + 8 * TICK
MINUTE = timedelta(minutes=1)
WAYS = {
    State.DRAINING: {State.STOPPING, State.STARTING, State.REVERTING},
    State.STOPPING: {State.STARTING, State.STRANDED, State.REVERTING},
    State.STARTING: {State.SETTLED, State.REVERTING, State.STRANDED},
    State.REVERTING: {State.REVERTED, State.SETTLED, State.STRANDED},
}
"""The drawing in the machine's docstring, as a table: no way leads back, so every way ends."""


def opened() -> Switch:
    """A switch that was opened just now."""
    return Switch(SwitchId("one"), PlanId("plan"), device().id, HERE, THERE, State.DRAINING, START, START)


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


def carried(source: Node, target: Node, flaws: list[timedelta], gone_at: timedelta | None = None) -> tuple[Switch, datetime]:
    """Carry a switch to its end, checking at every tick what must hold at all times; ``flaws`` are outages of the autopilot."""
    switch, now = opened(), START
    away = sum(flaws, timedelta(0))
    pauses = list(flaws)
    while not switch.state.over:
        assert now - START <= LONGEST + away, f"it does not end: {switch.state} since {switch.since}"
        for node in (source, target):
            node.live(now)
        switch, command = _looked(switch, source, target, now, gone_at)
        if command:
            _obeyed(command, source, target, now)

        assert not (source.held and target.held), "two nodes hold one device"
        now += TICK
        if pauses and source.random.random() < 0.05:
            now += pauses.pop()
            switch = resume(switch, now)
    return switch, now


def _looked(switch: Switch, source: Node, target: Node, now: datetime, gone_at: timedelta | None) -> tuple[Switch, Command | None]:
    gone = "the lead is gone" if gone_at is not None and now - START >= gone_at else ""
    sight = Sight(source.observe(now), target.observe(now), gone)
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


@given(st.randoms(use_true_random=False), NODES, NODES, CONDITIONS, OUTAGES, st.none() | SHORT)
def test_every_switch_ends_and_nothing_is_ever_held_twice(
    random: Random,
    here: dict[str, Any],
    there: dict[str, Any],
    conditions: dict[str, Any],
    outages: list[timedelta],
    gone_at: timedelta | None,
) -> None:
    """With jobs of any length, nodes that never come up, do not go, cannot be seen or say that they are broken, and outages."""
    source = Node(HERE, random, held=True, ready=START, **here, **conditions)
    target = Node(THERE, random, **there, **conditions)
    carried(source, target, outages, gone_at)

    assert not source.cut
    assert not target.cut


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
    lambda source, target, here, there, gone: Sight(
        Observation(device().id, None, source, START, here), Observation(device().id, None, target, START, there), gone
    ),
    PHASES,
    PHASES,
    LEASES,
    LEASES,
    st.sampled_from(["", "", "", "the lead is gone"]),
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
            assert replace(switch, state=step.switch.state, since=now) == step.switch
        else:
            _check(step.command, sight)
            now, looks = now + pace, looks + 1
        switch = step.switch
