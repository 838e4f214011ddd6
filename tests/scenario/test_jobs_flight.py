"""The Pilot and the flight over arrays are one: the same policy on the same tape and draws comes to the same money."""
# ruff: noqa: ARG001, ARG002, ARG005  # every policy is given the same arguments

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from typing import Any, Literal, Self

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autopilot.backtest.informed import BOUND, policy
from autopilot.backtest.jobflight import HIRED, WAITED, WORKED, Costs, Decide, Power, costs, flyer, plain
from autopilot.backtest.jobs_course import START, setting_course
from autopilot.backtest.oracle import NOWHERE
from autopilot.backtest.runner import Course, Terms, fly, perfect
from autopilot.contracts import NamedStrategy
from autopilot.model.device import IDLE, Device, NetworkId, Venue
from autopilot.model.history import History
from autopilot.model.market import Quote
from autopilot.model.node import Phase
from autopilot.model.plan import Decision, Hold, Move, Plan, PlanId
from autopilot.model.power import Draw, PowerPrice
from autopilot.model.view import View
from autopilot.sim.hazards import Regimes, Rhythm, Walk
from autopilot.sim.jobs import Shown, to_hours
from autopilot.sim.jobs_setting import Jobs, Moves, Place, Public, Setting
from autopilot.units import HOUR, Usd, UsdPerKwh, Watts

MINUTE = timedelta(minutes=1)
PLACES = (
    Place(name="akash", pay=0.39, occupancy=0.72, job=24 * HOUR),
    Place(name="lium", pay=0.32, occupancy=0.60, job=1.8 * HOUR, idle=0.15),
    Place(name="nosana", pay=0.33, occupancy=0.70, job=2.5 * HOUR),
    Place(name="render", pay=3.0, occupancy=0.085, job=12 * MINUTE, idle=0.01),
)
RESTLESS = Moves(
    pay=Walk(sd=0.4, half_life=12 * HOUR),
    network=Walk(sd=0.8, half_life=8 * HOUR),
    regime=Regimes(sd=0.6, every=60 * HOUR),
    rhythm=Rhythm(swing=0.5, peak=14),
    queue=90 * MINUTE,
)


def setting(dark: timedelta, **others: Any) -> Setting:
    """A few days in a restless market."""
    return Setting(world=PLACES, moves=RESTLESS, downtime=dark, fee=Usd.of("0.01"), days=6, **others)


def posted(now: float, hour: int, venue: int, shown: Shown, lead: float) -> int:
    """The highest posted pay, when it leads."""
    best = int(np.nanargmax(shown.pay[hour]))
    return best if venue == NOWHERE or shown.pay[hour, best] > (1 + lead) * shown.pay[hour, venue] else venue


def stay(now: float, hour: int, venue: int, shown: Shown, state: None) -> int:
    """The highest expected rate at first, and never anything else."""
    busy = shown.occupancy[hour]
    return int((busy * shown.pay[hour] + (1 - busy) * shown.idle[hour]).argmax()) if venue == NOWHERE else venue


def nervous(now: float, hour: int, venue: int, shown: Shown, state: None) -> int:
    """Somewhere else at every free moment, and nowhere at all every seventh hour."""
    return NOWHERE if hour % 7 == 0 else (venue + 1) % shown.pay.shape[1]


@dataclass(frozen=True)
class Rule:
    """A plain function as a strategy, asked at free moments, with what the quotes show in place of the tape."""

    rule: Decide
    state: Any
    venues: tuple[str, ...]

    def decide(self, view: View) -> Decision:
        """Every device that is at work is left alone."""
        moves = tuple(move for device in view.free() if (move := self._move(view, device)))
        plan = Plan(PlanId(str(view.now)), view.now, moves, Usd(0), Usd(0), HOUR, "a rule")
        return plan if moves else Hold(view.now, "nothing to do")

    def _move(self, view: View, device: Device) -> Move | None:
        place = view.placements[device.id]
        if place.seen.phase is Phase.BUSY:
            return None
        now = to_hours(view.now - START)
        row = int(now)
        told = np.full((4, row + 1, len(self.venues)), np.nan)
        for column, name in enumerate(self.venues):
            quote = view.quotes[Venue(NetworkId(name)), device.id]
            assert isinstance(quote, Quote)
            assert quote.job_length is not None
            told[:, row, column] = float(quote.gross), float(quote.idle), float(quote.occupancy), to_hours(quote.job_length)
        here = NOWHERE if place.venue == IDLE else self.venues.index(place.venue.network)
        there = self.rule(now, row, here, Shown(*told), self.state)
        target = IDLE if there == NOWHERE else Venue(NetworkId(self.venues[there]))
        return None if target == place.venue else Move(device.id, place.venue, target)

    def fit(self, history: History) -> Self:
        """Nothing is learned."""
        return self


def both(course: Course, terms: Terms, rule: Decide, state: Any) -> Mapping[str, list[float]]:
    """Net, gross, fees, power, moves and dark hours by the Pilot and by arrays, over all devices."""
    assert course.jobs is not None
    tape = course.jobs.tape
    flight = fly(course, terms, NamedStrategy("rule", Rule(rule, state, tape.venues)))
    outcomes = [flyer(rule).fly(tape, costs_of(course, terms), state, device) for device in range(terms.gpus)]
    totals = flight.totals
    pilots = [float(totals.net), float(totals.paid), float(totals.fees), float(totals.power), flight.moves, totals.dark / HOUR]
    arrays = [sum(column) for column in zip(*((o.net, o.gross, o.fees, o.power, o.moves, o.dark) for o in outcomes), strict=True)]
    paths = [[NOWHERE if venue == IDLE else tape.venues.index(venue.network) for venue in hours] for hours in flight.placements.values()]

    assert [outcome.path.tolist() for outcome in outcomes] == paths
    return {"pilot": pilots, "arrays": arrays, "booked": [float(totals.earned)]}


def costs_of(course: Course, terms: Terms) -> Costs:
    """At one price of power all the time."""
    power = Power(float(terms.draw.lit), float(terms.draw.idle), np.full(course.hours, float(terms.power.flat)))
    return costs(course.hours, to_hours(terms.downtime), float(terms.fee), power)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("dark", [15 * MINUTE, 2 * HOUR, 80 * MINUTE], ids=str)
@pytest.mark.parametrize("name", ["stay", "posted", "nervous", "bound"])
def test_the_pilot_comes_to_what_the_arrays_come_to(name: str, dark: timedelta, seed: int) -> None:
    """To nine digits, device by device and hour by hour, with a power bill, a queue and a market that never rests."""
    course = setting_course(setting(dark), seed, gpus=2)
    assert course.jobs is not None
    terms = Terms(dark, Usd.of("0.01"), gpus=2, draw=Draw(Watts.of(300), Watts.of(20)), power=PowerPrice(UsdPerKwh.of("0.12")))
    table = policy(course.jobs.tape, costs_of(course, terms))
    rules: Mapping[str, tuple[Decide, Any]] = {
        "stay": (stay, None),
        "posted": (posted, 0.05),
        "nervous": (nervous, None),
        "bound": (lambda now, hour, venue, shown, state: int(state[hour, venue + 1]), table),
    }
    seen = both(course, terms, *rules[name])

    assert seen["pilot"] == pytest.approx(seen["arrays"], rel=1e-9, abs=1e-9)
    assert seen["booked"][0] == pytest.approx(seen["pilot"][1], rel=1e-9)


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10**6), st.integers(0, 200), st.integers(0, 180), st.sampled_from(["log-normal", "exponential"]), st.integers(0, 3))
def test_no_market_tells_the_two_apart(seed: int, dark: int, queue: int, lengths: Literal["log-normal", "exponential"], late: int) -> None:
    """Whatever the dark time, the queue, the lengths and the delay, for a rule that moves whenever it may."""
    moves = RESTLESS.model_copy(update={"queue": queue * MINUTE})
    drawn = Setting(
        world=PLACES, moves=moves, jobs=Jobs(lengths=lengths), public=Public(late=late), downtime=dark * MINUTE, fee=Usd(0), days=2
    )
    course = setting_course(drawn, seed, gpus=1)
    seen = both(course, Terms(dark * MINUTE, lag=late), nervous, None)

    # Every payout is rounded to a nano-dollar; in two days that can be more than the ninth digit.
    assert seen["pilot"] == pytest.approx(seen["arrays"], rel=1e-9, abs=5e-8)


def test_the_bound_is_that_of_every_device() -> None:
    """What the report prints is the sum over the devices, each flown with its own draws by the same table."""
    dark = 15 * MINUTE
    course, terms = setting_course(setting(dark), 3, gpus=2), Terms(dark, Usd.of("0.01"), gpus=2)
    assert course.jobs is not None
    tape, free = course.jobs.tape, costs(course.hours, 0.25, 0.01)
    nets = [BOUND.fly(tape, free, policy(tape, free), device).net for device in range(2)]

    assert nets[0] != nets[1]
    assert perfect(course, terms).net_usd == pytest.approx(sum(nets), rel=1e-12)


def test_the_bound_is_above_every_rule() -> None:
    """On average over seeds: it knows what they guess."""
    shares = []
    for seed in range(6):
        course = setting_course(Setting(world=PLACES, downtime=HOUR, fee=Usd.of("0.01"), days=60), seed, 1)
        assert course.jobs is not None
        tape, free = course.jobs.tape, costs(course.hours, 1.0, 0.01)
        best = BOUND.fly(tape, free, policy(tape, free)).net
        shares.append([flyer(rule).fly(tape, free, state).net / best for rule, state in ((stay, None), (posted, 0.1), (nervous, None))])

    assert (np.mean(shares, axis=0) < 0.97).all()


def test_notes_tell_all_that_happened() -> None:
    """Waits, hires and jobs, back to back: nothing lies between them but dark and idle time."""
    notes: list[tuple[int, int, float, float, int]] = []

    def note(*told: Any) -> None:
        notes.append(told[:5])

    course = setting_course(setting(15 * MINUTE), 1, 1)
    assert course.jobs is not None
    outcome = flyer(posted, note).fly(course.jobs.tape, costs(course.hours, 0.25, 0.01), 0.05)
    hires = [told for told in notes if told[0] == HIRED]
    jobs = [told for told in notes if told[0] == WORKED]
    waits = [told for told in notes if told[0] in (WAITED, HIRED)]

    assert outcome.hires == len(hires) > 20
    assert [told[3] for told in hires][: len(jobs)] == [told[2] for told in jobs]
    assert all(told[4] == int(told[2]) and told[3] <= told[4] + 1 for told in waits)
    assert all(before[3] <= after[2] for before, after in pairwise(notes))


def test_a_compiler_is_given_every_function() -> None:
    """Those of the loop and the policy's own: what is compiled together runs together."""
    given: list[str] = []

    def compiler(function: Callable[..., Any]) -> Callable[..., Any]:
        given.append(function.__name__)
        return function

    flyer(posted, compile=compiler)

    assert {"posted", "quiet", "exposure", "reached", "snapped", "run"} <= set(given)


def test_a_compiled_flight_is_the_same_flight() -> None:
    """To the last digit, notes included: a sweep of a thousand flights may be trusted as one."""
    pytest.importorskip("numba")
    from autopilot.backtest.compiler import compiled

    def wander(now: float, hour: int, venue: int, shown: Shown, state: np.ndarray) -> int:
        return int((hour + state[0] / 0.7) % (shown.pay.shape[1] + 1)) - 1

    def count(kind: int, venue: int, start: float, end: float, hour: int, shown: Shown, state: np.ndarray) -> None:
        state[0] += kind * (end - start)

    course = setting_course(setting(80 * MINUTE), 5, 1)
    assert course.jobs is not None
    terms, tape = costs(course.hours, 4 / 3, 0.01), course.jobs.tape
    slow, fast = (flyer(wander, count, lane).fly(tape, terms, np.zeros(1)) for lane in (plain, compiled))

    assert slow[:6] == fast[:6]
    assert slow.path.tolist() == fast.path.tolist()
    assert slow.moves > 20


def test_breaking_a_job_costs_its_forfeit() -> None:
    """Where leases may be broken, one that outlasts the pilot's patience is, and the forfeit is taken from what was paid."""
    long = (Place(name="akash", pay=0.4, occupancy=0.99, job=240 * HOUR), Place(name="nosana", pay=3.9, occupancy=0.01, job=HOUR))
    jobs = Jobs(lengths="exponential", breakable=True, forfeit=Usd.of("0.5"))
    still = Moves(pay=Walk(sd=0.0, half_life=HOUR), network=Walk(sd=0.0, half_life=HOUR), rig=Walk(sd=0.0, half_life=HOUR))
    course = setting_course(Setting(world=long, moves=still, jobs=jobs, downtime=HOUR, fee=Usd(0), days=2), 0, 1)

    class Leaver(Rule):
        def decide(self, view: View) -> Decision:
            (device,) = view.devices
            place, at = view.placements[device.id].venue, view.now - START
            target = Venue(NetworkId("akash" if at < 12 * HOUR else "nosana"))
            moves = () if place == target or not list(view.free()) else (Move(device.id, place, target),)
            return Plan(PlanId(str(view.now)), view.now, moves, Usd(0), Usd(0), HOUR, "leaves")

    flight = fly(course, Terms(HOUR), NamedStrategy("leaver", Leaver(stay, None, ())))
    forfeits = list(flight.store.connection.execute("SELECT amount_nanos FROM ledger WHERE amount_nanos < 0"))

    assert forfeits == [(-500_000_000,)]
    assert flight.moves == 2
