"""The switch machine, look by look: what it is shown, where it goes, what it tells whom."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from autopilot.model.device import IDLE, Venue
from autopilot.model.node import PREPARED, Lease, Observation, Phase, Readiness, Stage
from autopilot.model.plan import PlanId
from autopilot.model.switch import Limits, State, Switch, SwitchId
from autopilot.switching import Command, Sight, Verb, advance, resume
from autopilot.testing.views import START, device, venue
from autopilot.units import HOUR

HERE, THERE = venue("akash"), venue("nosana")
LIMITS = Limits(drain=6 * HOUR, stop=HOUR / 6, start=HOUR / 2, revert=HOUR / 2)
AT_ONCE = timedelta(0)
FIRM, BREAKABLE = Lease("job", START), Lease("job", START, breakable=True)
DRAIN, STOP_HERE, START_HERE = Command(Verb.DRAIN, HERE), Command(Verb.STOP, HERE), Command(Verb.START, HERE)
STOP_THERE, START_THERE = Command(Verb.STOP, THERE), Command(Verb.START, THERE)

ABSENT, READY, BUSY, DRAINING = Phase.ABSENT, Phase.READY, Phase.BUSY, Phase.DRAINING
STARTING, FAULT, UNKNOWN = Phase.STARTING, Phase.FAULT, Phase.UNKNOWN
Seen = Phase | tuple[Phase, Lease]


def switch(state: State) -> Switch:
    """A switch that has just entered the state."""
    return Switch(SwitchId("one"), PlanId("plan"), device().id, HERE, THERE, state, START, START)


def look(seen: Seen) -> Observation:
    """One end, with its lease where it has one."""
    phase, *leases = seen if isinstance(seen, tuple) else (seen,)
    return Observation(device().id, None, phase, START, tuple(leases))


def step(state: State, source: Seen, target: Seen, waited: timedelta = AT_ONCE, gone: str = "") -> tuple[State, Command | None]:
    """What the machine answers."""
    answer = advance(switch(state), Sight(look(source), look(target), gone), START + waited, LIMITS)

    assert answer.why
    if answer.switch.state is not state:
        assert (START + waited, None) == (answer.switch.since, answer.command)
    return answer.switch.state, answer.command


@pytest.mark.parametrize(
    ("source", "outcome"),
    [
        (ABSENT, (State.STARTING, None)),
        (READY, (State.DRAINING, DRAIN)),
        ((BUSY, FIRM), (State.DRAINING, DRAIN)),
        ((DRAINING, FIRM), (State.DRAINING, None)),
        ((FAULT, FIRM), (State.DRAINING, DRAIN)),
        (DRAINING, (State.STOPPING, None)),
        (STARTING, (State.STOPPING, None)),
        (FAULT, (State.STOPPING, None)),
        (UNKNOWN, (State.DRAINING, None)),
    ],
)
def test_draining_waits_for_the_work_to_end(source: Seen, outcome: tuple[State, Command | None]) -> None:
    """It asks for no new work, and goes on when none is left; what cannot be seen is not touched."""
    assert outcome == step(State.DRAINING, source, ABSENT)


@pytest.mark.parametrize(
    ("source", "outcome"),
    [
        ((DRAINING, BREAKABLE), State.STOPPING),
        (READY, State.STOPPING),
        ((DRAINING, FIRM), State.REVERTING),
        ((BUSY, FIRM), State.REVERTING),
        (UNKNOWN, State.REVERTING),
    ],
)
def test_patience_with_a_drain_ends(source: Seen, outcome: State) -> None:
    """At the limit breakable work is broken; work that may not be broken, or cannot be seen, makes the switch turn back."""
    assert State.DRAINING is step(State.DRAINING, source, ABSENT, LIMITS.drain - timedelta(microseconds=1))[0]
    assert (outcome, None) == step(State.DRAINING, source, ABSENT, LIMITS.drain)


def test_a_drain_that_is_cut_short_teaches_nothing() -> None:
    """What it was said to take is forgotten, so that nobody compares the two."""
    told = replace(switch(State.DRAINING), told=HOUR)
    cut = advance(told, Sight(look((DRAINING, BREAKABLE)), look(ABSENT)), START + LIMITS.drain, LIMITS).switch
    empty = advance(told, Sight(look(DRAINING), look(ABSENT)), START, LIMITS).switch

    assert (State.STOPPING, None) == (cut.state, cut.told)
    assert (State.STOPPING, HOUR) == (empty.state, empty.told)


@pytest.mark.parametrize(
    ("state", "end"),
    [(State.PREPARING, THERE), (State.STARTING, THERE), (State.REVERTING, HERE), (State.CLEARING, IDLE), (State.SETTLED, THERE)],
)
def test_a_switch_knows_where_it_leads(state: State, end: Venue) -> None:
    """As it stands."""
    assert end == switch(state).heading


@pytest.mark.parametrize("source", [READY, (BUSY, FIRM), DRAINING, UNKNOWN, FAULT])
def test_a_gain_that_is_gone_turns_a_drain_back(source: Seen) -> None:
    """While the source is still there, whatever it does."""
    assert (State.REVERTING, None) == step(State.DRAINING, source, ABSENT, gone="the lead is gone")


def test_a_gain_that_is_gone_comes_too_late_for_an_empty_place() -> None:
    """A source that has left is not called back, and a switch that stops or starts goes on."""
    assert (State.STARTING, None) == step(State.DRAINING, ABSENT, ABSENT, gone="the lead is gone")
    assert (State.STOPPING, STOP_HERE) == step(State.STOPPING, DRAINING, ABSENT, gone="the lead is gone")
    assert (State.STARTING, START_THERE) == step(State.STARTING, ABSENT, STARTING, gone="the lead is gone")


@pytest.mark.parametrize(
    ("source", "waited", "outcome"),
    [
        (ABSENT, AT_ONCE, (State.STARTING, None)),
        (ABSENT, LIMITS.stop, (State.STARTING, None)),
        (DRAINING, AT_ONCE, (State.STOPPING, STOP_HERE)),
        ((BUSY, BREAKABLE), AT_ONCE, (State.STOPPING, STOP_HERE)),
        (FAULT, AT_ONCE, (State.STOPPING, STOP_HERE)),
        (UNKNOWN, AT_ONCE, (State.STOPPING, None)),
        (DRAINING, LIMITS.stop, (State.STRANDED, None)),
        (UNKNOWN, LIMITS.stop, (State.STRANDED, None)),
        ((BUSY, FIRM), AT_ONCE, (State.REVERTING, None)),
        ((BUSY, FIRM), LIMITS.stop, (State.REVERTING, None)),
    ],
)
def test_stopping_waits_until_the_source_is_gone(source: Seen, waited: timedelta, outcome: tuple[State, Command | None]) -> None:
    """A source that does not go strands the device; one that has found work that may not be broken keeps it."""
    assert outcome == step(State.STOPPING, source, ABSENT, waited)


@pytest.mark.parametrize(
    ("source", "target", "waited", "outcome"),
    [
        (ABSENT, ABSENT, AT_ONCE, (State.STARTING, START_THERE)),
        (ABSENT, STARTING, AT_ONCE, (State.STARTING, START_THERE)),
        (ABSENT, UNKNOWN, AT_ONCE, (State.STARTING, START_THERE)),
        (ABSENT, DRAINING, AT_ONCE, (State.STARTING, START_THERE)),
        (ABSENT, READY, AT_ONCE, (State.SETTLED, None)),
        (ABSENT, (BUSY, FIRM), LIMITS.start, (State.SETTLED, None)),
        (ABSENT, FAULT, AT_ONCE, (State.REVERTING, None)),
        (ABSENT, STARTING, LIMITS.start, (State.REVERTING, None)),
        (UNKNOWN, ABSENT, AT_ONCE, (State.STARTING, None)),
        (UNKNOWN, READY, AT_ONCE, (State.STARTING, None)),
        (UNKNOWN, ABSENT, LIMITS.start, (State.STRANDED, None)),
        (READY, ABSENT, AT_ONCE, (State.STARTING, STOP_HERE)),
        (READY, UNKNOWN, AT_ONCE, (State.STARTING, STOP_HERE)),
        ((BUSY, FIRM), ABSENT, AT_ONCE, (State.REVERTING, None)),
        (READY, STARTING, AT_ONCE, (State.STRANDED, None)),
        ((BUSY, FIRM), READY, AT_ONCE, (State.STRANDED, None)),
        (READY, ABSENT, LIMITS.start, (State.STRANDED, None)),
    ],
)
def test_starting_never_beside_the_source(source: Seen, target: Seen, waited: timedelta, outcome: tuple[State, Command | None]) -> None:
    """The target is started only while the source is seen ABSENT; a source that came back goes first, unless it has work."""
    assert outcome == step(State.STARTING, source, target, waited)


@pytest.mark.parametrize(
    ("source", "target", "waited", "outcome"),
    [
        (READY, ABSENT, AT_ONCE, (State.REVERTED, None)),
        ((BUSY, FIRM), ABSENT, LIMITS.revert, (State.REVERTED, None)),
        (ABSENT, READY, AT_ONCE, (State.SETTLED, None)),
        (ABSENT, ABSENT, AT_ONCE, (State.REVERTING, START_HERE)),
        ((DRAINING, FIRM), ABSENT, AT_ONCE, (State.REVERTING, START_HERE)),
        (UNKNOWN, ABSENT, AT_ONCE, (State.REVERTING, None)),
        (ABSENT, STARTING, AT_ONCE, (State.REVERTING, STOP_THERE)),
        (ABSENT, FAULT, AT_ONCE, (State.REVERTING, STOP_THERE)),
        (READY, (BUSY, BREAKABLE), AT_ONCE, (State.REVERTING, STOP_THERE)),
        (READY, (BUSY, FIRM), AT_ONCE, (State.REVERTING, None)),
        (ABSENT, UNKNOWN, AT_ONCE, (State.REVERTING, None)),
        (ABSENT, ABSENT, LIMITS.revert, (State.CLEARING, None)),
        (STARTING, ABSENT, LIMITS.revert, (State.CLEARING, None)),
        (ABSENT, FAULT, LIMITS.revert, (State.CLEARING, None)),
        (ABSENT, (FAULT, FIRM), LIMITS.revert, (State.STRANDED, None)),
        ((FAULT, FIRM), ABSENT, AT_ONCE, (State.REVERTING, START_HERE)),
        ((FAULT, FIRM), ABSENT, LIMITS.revert, (State.REVERTED, None)),
        ((FAULT, FIRM), UNKNOWN, LIMITS.revert, (State.STRANDED, None)),
        ((FAULT, FIRM), FAULT, LIMITS.revert, (State.STRANDED, None)),
        ((DRAINING, FIRM), ABSENT, LIMITS.revert, (State.STRANDED, None)),
        (READY, (BUSY, FIRM), LIMITS.revert, (State.STRANDED, None)),
        (READY, UNKNOWN, LIMITS.revert, (State.STRANDED, None)),
    ],
)
def test_reverting_never_beside_the_target(source: Seen, target: Seen, waited: timedelta, outcome: tuple[State, Command | None]) -> None:
    """The source comes back only while the target is seen ABSENT; where neither comes, the device is left idle if nothing serves.

    A broken source with work that may not be broken keeps it, where nothing is left of the target: nobody has to lift it for that.
    """
    assert outcome == step(State.REVERTING, source, target, waited)


@pytest.mark.parametrize(
    ("source", "target", "waited", "outcome"),
    [
        (ABSENT, ABSENT, AT_ONCE, (State.CLEARED, None)),
        (ABSENT, STARTING, AT_ONCE, (State.CLEARING, STOP_THERE)),
        (ABSENT, READY, AT_ONCE, (State.CLEARING, STOP_THERE)),
        (FAULT, ABSENT, AT_ONCE, (State.CLEARING, STOP_HERE)),
        (FAULT, STARTING, AT_ONCE, (State.CLEARING, STOP_THERE)),
        (ABSENT, UNKNOWN, AT_ONCE, (State.CLEARING, None)),
        (UNKNOWN, ABSENT, AT_ONCE, (State.CLEARING, None)),
        (ABSENT, (BUSY, FIRM), AT_ONCE, (State.SETTLED, None)),
        ((BUSY, FIRM), ABSENT, AT_ONCE, (State.REVERTED, None)),
        (ABSENT, (BUSY, BREAKABLE), AT_ONCE, (State.CLEARING, STOP_THERE)),
        (ABSENT, STARTING, LIMITS.stop, (State.STRANDED, None)),
        (UNKNOWN, ABSENT, LIMITS.stop, (State.STRANDED, None)),
    ],
)
def test_clearing_waits_until_both_are_gone(source: Seen, target: Seen, waited: timedelta, outcome: tuple[State, Command | None]) -> None:
    """Only then the device is idle; work that turned up and may not be broken is kept where it runs."""
    assert outcome == step(State.CLEARING, source, target, waited)


@pytest.mark.parametrize(
    ("state", "source", "target", "outcome"),
    [
        (State.STARTING, ABSENT, ABSENT, State.CLEARING),
        (State.STARTING, ABSENT, STARTING, State.CLEARING),
        (State.STARTING, ABSENT, FAULT, State.CLEARING),
        (State.STARTING, ABSENT, READY, State.SETTLED),
        (State.STARTING, ABSENT, BUSY, State.SETTLED),
        (State.STARTING, READY, ABSENT, State.STARTING),
        (State.REVERTING, ABSENT, ABSENT, State.CLEARING),
        (State.REVERTING, STARTING, ABSENT, State.CLEARING),
        (State.REVERTING, READY, ABSENT, State.REVERTED),
        (State.REVERTING, (DRAINING, FIRM), ABSENT, State.REVERTING),
        (State.REVERTING, UNKNOWN, ABSENT, State.REVERTING),
        (State.STOPPING, DRAINING, ABSENT, State.STOPPING),
        (State.DRAINING, READY, ABSENT, State.DRAINING),
    ],
)
def test_what_is_called_off_starts_nothing(state: State, source: Seen, target: Seen, outcome: State) -> None:
    """Where nothing serves both ends go; what serves, or cannot be seen, is dealt with as before."""
    answer = advance(switch(state), Sight(look(source), look(target), called_off="its owner is on it"), START, LIMITS)

    assert outcome is answer.switch.state
    assert not answer.switch.failed


@pytest.mark.parametrize(
    ("readiness", "waited", "gone", "outcome", "failed"),
    [
        (PREPARED, AT_ONCE, "", State.DRAINING, False),
        (Readiness(Stage.WORKING, "1 of 3 GB"), AT_ONCE, "", State.PREPARING, False),
        (Readiness(Stage.WORKING, "1 of 3 GB"), LIMITS.prepare, "", State.REVERTED, True),
        (Readiness(Stage.REFUSED, "no such image"), AT_ONCE, "", State.REVERTED, True),
        (PREPARED, AT_ONCE, "the lead is gone", State.REVERTED, False),
    ],
)
def test_preparing_touches_nothing(readiness: Readiness, waited: timedelta, gone: str, outcome: State, *, failed: bool) -> None:
    """The source earns on until the target is ready; what cannot be readied ends the switch in its own words, and is a strike."""
    sight = Sight(look((BUSY, FIRM)), look(ABSENT), gone, readiness=readiness)
    answer = advance(switch(State.PREPARING), sight, START + waited, LIMITS)

    assert (outcome, None, failed) == (answer.switch.state, answer.command, answer.switch.failed)
    assert (gone or readiness.note) in answer.why


@pytest.mark.parametrize(
    ("state", "source", "target", "command"),
    [
        (State.STARTING, ABSENT, ABSENT, None),
        (State.STARTING, ABSENT, UNKNOWN, None),
        (State.STARTING, ABSENT, STARTING, START_THERE),
        (State.REVERTING, ABSENT, ABSENT, None),
        (State.REVERTING, STARTING, ABSENT, START_HERE),
    ],
)
def test_nothing_is_started_beside_a_strangers_process(state: State, source: Seen, target: Seen, command: Command | None) -> None:
    """The GPU must be free first; a node that is there already may be the process itself."""
    sight = Sight(look(source), look(target), holder="blender (4242) is on it")
    answer = advance(switch(state), sight, START, LIMITS)

    assert (state, command) == (answer.switch.state, answer.command)
    assert command or "blender (4242)" in answer.why


def test_a_stranger_who_stays_turns_the_switch_back_and_leaves_the_device_idle() -> None:
    """With the reason; and idle itself takes no GPU, so it is never kept from one."""
    sight = Sight(look(ABSENT), look(ABSENT), holder="blender (4242) is on it")
    late = advance(switch(State.STARTING), sight, START + LIMITS.start, LIMITS)
    to_idle = replace(switch(State.STARTING), target=IDLE)

    assert State.REVERTING is late.switch.state
    assert "blender (4242)" in late.why
    assert State.CLEARING is advance(switch(State.REVERTING), sight, START + LIMITS.revert, LIMITS).switch.state
    assert Command(Verb.START, IDLE) == advance(to_idle, sight, START, LIMITS).command


def test_a_target_is_believed_when_it_has_served_for_a_while() -> None:
    """Or as soon as it has work; one that never holds out turns the switch back."""
    limits = replace(LIMITS, steady=timedelta(minutes=1))
    waiting, working = Sight(look(ABSENT), look(READY)), Sight(look(ABSENT), look(BUSY))
    held = replace(waiting, steady=limits.steady)

    def after(sight: Sight, waited: timedelta = AT_ONCE) -> tuple[State, Command | None]:
        answer = advance(switch(State.STARTING), sight, START + waited, limits)
        return answer.switch.state, answer.command

    assert (State.STARTING, None) == after(waiting) == after(waiting, limits.start)
    assert (State.SETTLED, None) == after(held) == after(working)
    assert (State.REVERTING, None) == after(waiting, limits.start + limits.steady)


def test_a_source_that_refuses_to_stop_keeps_its_device() -> None:
    """Somebody else started it: the switch says so and turns back, rather than wait for what will not come."""
    sight = Sight(look(DRAINING), look(ABSENT), refusal="we did not start this node")
    answer = advance(switch(State.STOPPING), sight, START, LIMITS)

    assert (State.REVERTING, "we did not start this node", False) == (answer.switch.state, answer.why, answer.switch.failed)


@pytest.mark.parametrize(("target", "waited"), [(FAULT, AT_ONCE), (STARTING, LIMITS.start)])
def test_a_target_that_does_not_come_up_is_a_strike_to_the_end(target: Phase, waited: timedelta) -> None:
    """The switch remembers it on its way back; one that is only taken back has none."""
    failed = advance(switch(State.STARTING), Sight(look(ABSENT), look(target)), START + waited, LIMITS).switch
    back = advance(failed, Sight(look(READY), look(ABSENT)), START + waited, LIMITS).switch
    taken_back = advance(switch(State.DRAINING), Sight(look(READY), look(ABSENT), "the lead is gone"), START, LIMITS).switch

    assert (State.REVERTED, True) == (back.state, back.failed)
    assert (State.REVERTING, False) == (taken_back.state, taken_back.failed)


@pytest.mark.parametrize("state", [state for state in State if state.over])
def test_what_is_over_stays_over(state: State) -> None:
    """Whatever is seen, and however often it is asked."""
    assert (state, None) == step(state, READY, READY, 100 * HOUR, "the lead is gone")


def test_a_fault_is_told_in_the_words_of_the_node() -> None:
    """So that a person knows what to look for."""
    broken = replace(look(FAULT), note="no driver")

    assert "no driver" in advance(switch(State.STARTING), Sight(look(ABSENT), broken), START, LIMITS).why
    assert "no reason given" in advance(switch(State.STARTING), Sight(look(ABSENT), look(FAULT)), START, LIMITS).why


def test_the_way_from_idle() -> None:
    """Idle drains and goes like any source."""
    from_idle = replace(switch(State.DRAINING), source=IDLE)

    assert Command(Verb.DRAIN, IDLE) == advance(from_idle, Sight(look(READY), look(ABSENT)), START, LIMITS).command


@pytest.mark.parametrize("state", State)
def test_the_time_that_we_were_away_counts_against_no_limit(state: State) -> None:
    """After an outage an open switch is as patient as on its first look; one that is over is left alone."""
    before = switch(state)
    later = resume(before, START + 2 * HOUR)

    assert (before if state.over else replace(before, since=START + 2 * HOUR)) == later
