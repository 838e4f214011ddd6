"""The parts of the pilot that are pure: what a device is doing, what one end of a switch shows, whether a gain is gone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from autopilot.errors import StrategyError
from autopilot.guards import Case
from autopilot.model.device import IDLE, NetworkId, Venue
from autopilot.model.node import Lease, Observation, Phase
from autopilot.model.plan import Decision, Hold, Move, Plan, PlanId
from autopilot.model.switch import State, Switch, SwitchId
from autopilot.model.view import View
from autopilot.pilot.booking import Mode, mode_of
from autopilot.pilot.deciding import check, describe, judge
from autopilot.pilot.observing import end_of, present
from autopilot.pilot.world import in_turn
from autopilot.testing.views import START, device, venue, view
from autopilot.units import HOUR, Usd

GPU = device()
AKASH, NOSANA = venue("akash"), venue("nosana")
MOVE = Move(GPU.id, AKASH, NOSANA)


def look(phase: Phase, where: Venue | None = AKASH, *leases: Lease) -> Observation:
    """One look at the device."""
    return Observation(GPU.id, where, phase, START, leases)


def switch(state: State, source: Venue = AKASH, target: Venue = NOSANA) -> Switch:
    """A switch of the device."""
    return Switch(SwitchId("one"), PlanId("plan"), GPU.id, source, target, state, START, START)


@pytest.mark.parametrize(
    ("where", "seen", "under_way", "mode"),
    [
        (IDLE, Phase.READY, None, Mode(IDLE, lit=False, dark=False)),
        (AKASH, Phase.READY, None, Mode(AKASH, lit=True, dark=False)),
        (AKASH, Phase.STARTING, None, Mode(AKASH, lit=False, dark=False)),
        (AKASH, Phase.UNKNOWN, None, Mode(AKASH, lit=False, dark=False)),
        (AKASH, None, None, Mode(AKASH, lit=False, dark=False)),
        (AKASH, Phase.BUSY, State.DRAINING, Mode(AKASH, lit=True, dark=False, works=True)),
        (AKASH, Phase.ABSENT, State.DRAINING, Mode(AKASH, lit=False, dark=False)),
        (AKASH, Phase.DRAINING, State.STOPPING, Mode(AKASH, lit=True, dark=False)),
        (AKASH, Phase.ABSENT, State.STARTING, Mode(NOSANA, lit=False, dark=True)),
        (IDLE, Phase.ABSENT, State.STARTING, Mode(NOSANA, lit=False, dark=True)),
        (AKASH, Phase.STARTING, State.REVERTING, Mode(NOSANA, lit=False, dark=True)),
        (AKASH, Phase.READY, State.REVERTING, Mode(AKASH, lit=True, dark=False)),
    ],
)
def test_what_a_device_is_doing(where: Venue, seen: Phase | None, under_way: State | None, mode: Mode) -> None:
    """Lit where its node works, dark where a switch has taken it away, and neither while it rests."""
    assert mode == mode_of(where, look(seen) if seen else None, switch(under_way) if under_way else None)


def test_a_network_that_serves_another_market_is_absent_from_this_one() -> None:
    """With its leases; a node that cannot tell its market is taken at its word."""
    market = Venue(NetworkId("akash"), "eu")
    busy = look(Phase.BUSY, market, Lease("job", START))

    assert busy == end_of(busy, market)
    assert replace(busy, venue=None, phase=Phase.ABSENT, leases=()) == end_of(busy, AKASH)
    assert look(Phase.FAULT, None) == end_of(look(Phase.FAULT, None), market)


def test_idle_holds_nothing() -> None:
    """A device is held where some network is seen to do anything with it at all."""
    sightings = {NetworkId(phase.value): look(phase) for phase in Phase} | {IDLE.network: look(Phase.READY, IDLE)}

    assert set(sightings) - {"absent", "unknown", "idle"} == set(present(sightings))


def plan(*moves: Move) -> Plan:
    """A plan that makes these moves."""
    return Plan(PlanId("plan"), START, moves, Usd(3), Usd(2), HOUR, "a lead", {GPU.id: "go"})


def test_a_decision_is_kept_with_its_arithmetic() -> None:
    """Every figure with its unit in its name, and one sentence for each device."""
    common = {"reason": "a lead", "notes": {GPU.id: "go"}}
    sums = {"gain_nanos": 3, "cost_nanos": 2, "horizon_seconds": 3600.0}

    assert {"kind": "hold", **common} == describe(Hold(START, "a lead", {GPU.id: "go"}))
    assert {"kind": "plan", "id": "plan", "moves": [[GPU.id, "akash", "", "nosana", ""]], **sums, **common} == describe(plan(MOVE))


@pytest.mark.parametrize("decision", [Hold(START, "nothing"), plan(MOVE), plan(MOVE, Move(device(1).id, AKASH, IDLE))])
def test_what_is_legal_passes(decision: Decision) -> None:
    """Free devices, once each, from where they are to venues that exist."""
    seen = view({"akash": ["0.40"], "nosana": ["0.50"], "idle": []}, "akash", devices=2)

    check(decision, seen)


def test_a_device_that_is_not_free_may_not_be_moved() -> None:
    """A switch is open on it, or it is fenced."""
    seen = replace(view({"akash": ["0.40"], "nosana": ["0.50"]}, "akash"), fixed=frozenset({GPU.id}))
    with pytest.raises(StrategyError, match="which it may not move now"):
        check(plan(MOVE), seen)


class Envious:
    """A guard that lets one move pass only while all others do."""

    absolute = False

    def veto(self, case: Case) -> str | None:
        return None if len(case.moves) == 3 else f"only {len(case.moves)} of 3 are left"


class Named:
    """A guard that holds one device back."""

    absolute = False

    def veto(self, case: Case) -> str | None:
        return "not this one" if case.move.device == device(1).id else None


def test_the_first_veto_counts_and_what_is_left_is_judged_again() -> None:
    """Moves may belong together: where one is held back, a guard may want to hold back the others."""
    seen: View = view({"akash": ["0.40"], "nosana": ["0.50"]}, "akash", devices=3)
    decision = plan(*(Move(device(number).id, AKASH, NOSANA) for number in range(3)))

    assert decision.moves == judge(decision, seen, [Envious()], {}).allowed
    verdict = judge(decision, seen, [Named(), Envious()], {})
    assert () == verdict.allowed
    assert {
        device(0).id: "only 2 of 3 are left",
        device(1).id: "not this one",
        device(2).id: "only 2 of 3 are left",
    } == verdict.vetoes


def test_questions_are_asked_in_turn() -> None:
    """Each outcome is there at once: an answer, or the exception that it ended with."""
    error = ValueError("no")

    def failing() -> None:
        raise error

    assert 1 == in_turn(lambda: 1).result(0)
    assert error is in_turn(failing).exception(0)
