"""One history through the daemon's wiring and through the runner: the same journal, and the same again from the record."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import numpy as np
import pytest

from autopilot.backtest import runner
from autopilot.backtest.replay import replay
from autopilot.backtest.runner import Course, Terms
from autopilot.daemon.service import Cadence, Service
from autopilot.guards import Cooldown, DailyBudget, Dwell, PayBack, StaleQuote
from autopilot.model.power import Draw, PowerPrice
from autopilot.pilot import Pilot
from autopilot.plugins import make_strategy
from autopilot.sim.clock import SimClock
from autopilot.sim.panel import Panel
from autopilot.sim.timetable import SimTimetable
from autopilot.store.store import Store
from autopilot.testing.views import MODEL, START
from autopilot.units import HOUR, Usd, UsdPerKwh, Watts

HOURS, PAST = 72, 24
TICK = timedelta(minutes=15)
BOOKS = {
    "quotes": "seen_at, network, device, as_of, expires, expected_nanos, reason",
    "decisions": "at, strategy, context, decision, vetoes",
    "switches": "id, plan, device, source_network, target_network, state, since, opened_at",
    "events": "at, switch, before, after, why",
    "placements": "at, device, network, why",
    "fences": "at, device, why",
    "ledger": 'kind, network, device, hour, ref, start, "end", micros, amount_nanos, basis',
    "sentences": "device, at, sentence",
}


def course(seed: int) -> Course:
    """Three days at three networks that take the lead from each other, each with hours that nobody recorded."""
    random = np.random.default_rng(seed)
    rates = np.abs(0.4 + np.cumsum(random.normal(0, 0.04, (PAST + HOURS, 3)), axis=0))
    rates[random.random(rates.shape) < 0.08] = np.nan
    panel = Panel(START - PAST * HOUR, MODEL, ("akash", "nosana", "render"), rates.round(9))
    return Course(panel, panel.rates, START, START + HOURS * HOUR)


def terms(downtime: timedelta) -> Terms:
    """Two GPUs, with a fee, a power bill that changes by the hour, and every guard that there is."""
    tariff = PowerPrice(hours={START + hour * HOUR: UsdPerKwh.of(f"0.1{hour % 7}") for hour in range(-1, HOURS + 1)})
    guards = (StaleQuote(), Dwell(2 * HOUR), Cooldown(HOUR), DailyBudget(6), PayBack(48 * HOUR))
    return Terms(downtime, Usd.of("0.004"), gpus=2, draw=Draw(Watts.of(333), Watts.of(21)), power=tariff, guards=guards)


def in_world(flown: Course, given: Terms, clock: SimClock, store: Store, strategy: str) -> Pilot:
    """A pilot in the runner's own world."""
    devices = runner.rig(given.gpus, MODEL)
    world = runner._world(clock, devices, runner.simulated(flown, given, devices, clock), store, given)
    return Pilot(world, make_strategy(strategy, {}), given.guards)


def live(flown: Course, given: Terms, strategy: str, tick: timedelta) -> Store:
    """The same history through the daemon's wiring, on a timetable that is driven by hand."""
    clock, store, failures = SimClock(flown.start), Store.in_memory(), list[Exception]()
    with store.atomic():
        store.rates.remember(runner._past(flown, given.lag))
    pilot = in_world(flown, given, clock, store, strategy)
    timetable = SimTimetable(clock)
    Service(pilot, Cadence(HOUR, tick, 24 * HOUR), lambda _: None, failures.append).schedule(timetable, clock.now())
    timetable.run_until(flown.end)
    pilot.tick()
    pilot.collect()

    assert [] == failures
    assert pilot.world.store is store
    return store


def books(store: Store) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every book."""
    return {book: sorted(store.connection.execute(f"SELECT {columns} FROM {book}")) for book, columns in BOOKS.items()}  # noqa: S608


@pytest.mark.parametrize("tick", [TICK, TICK / 3], ids=["15m", "5m"])
@pytest.mark.parametrize("downtime", [timedelta(0), TICK, 3 * TICK, 6 * TICK], ids=["0m", "15m", "45m", "90m"])
@pytest.mark.parametrize("strategy", ["payback", "greedy", "threshold"])
def test_live_and_backtest_keep_the_same_books(strategy: str, downtime: timedelta, tick: timedelta) -> None:
    """Every quote, decision, switch, event, sentence and nano-dollar."""
    flown, given = course(len(strategy)), terms(downtime)
    backtest = books(runner.fly(flown, given, make_strategy(strategy, {})).store)

    assert backtest == books(live(flown, given, strategy, tick))
    assert HOURS == len(backtest["decisions"])
    assert len(backtest["switches"]) > 3


def test_the_comparison_can_fail() -> None:
    """Another downtime, and the books differ in more than one place."""
    flown = course(1)
    one = books(runner.fly(flown, terms(TICK), make_strategy("greedy", {})).store)
    other = books(live(flown, terms(2 * TICK), "greedy", TICK))

    assert {"events", "ledger", "decisions"} <= {book for book in BOOKS if one[book] != other[book]}


@pytest.fixture
def recorded() -> Store:
    """The record of a daemon that was started anew every day, in the middle of an hour."""
    flown, given, clock, store = course(3), terms(3 * TICK), SimClock(START), Store.in_memory()
    with store.atomic():
        store.rates.remember(runner._past(flown, given.lag))
    for strategy in ("payback", "greedy", "threshold"):
        timetable, failures = SimTimetable(clock), list[Exception]()
        pilot = in_world(flown, given, clock, store, strategy)
        Service(pilot, Cadence(HOUR, TICK, 24 * HOUR), lambda _: None, failures.append).schedule(timetable, clock.now())
        timetable.run_until(clock.now() + 24 * HOUR - TICK / 7)

        assert [] == failures
    return store


def test_every_decision_can_be_made_again(recorded: Store) -> None:
    """From the record alone, to the last word."""
    decisions = list(replay(recorded))

    assert len(decisions) > 70
    assert {"hold", "plan"} == {decision.recorded["kind"] for decision in decisions}
    assert [] == [decision for decision in decisions if not decision.same]


def raise_the_quotes(store: Store) -> None:
    """Let a network have offered more than it did."""
    store.connection.execute("UPDATE quotes SET gross_nanos = gross_nanos * 3 WHERE network = 'render'")


def change_a_word(store: Store) -> None:
    """Let a decision have been another."""
    (plan,) = store.connection.execute("SELECT min(id) FROM decisions WHERE decision LIKE '%plan%'").fetchone()
    store.connection.execute("UPDATE decisions SET decision = replace(decision, 'plan', 'hold') WHERE id = ?", (plan,))


def change_the_parameters(store: Store) -> None:
    """Let the strategy have been set otherwise."""
    changed = '{"name": "threshold", "parameters": {"lead": "0.9"}}'
    store.connection.execute("UPDATE decisions SET strategy = ? WHERE strategy LIKE '%threshold%'", (changed,))


@pytest.mark.parametrize(("tamper", "least", "most"), [(change_a_word, 1, 1), (raise_the_quotes, 10, 99), (change_the_parameters, 1, 40)])
def test_a_record_that_was_tampered_with_is_found(recorded: Store, tamper: Callable[[Store], None], least: int, most: int) -> None:
    """What was decided does not follow any more from what was known."""
    tamper(recorded)

    assert least <= sum(not decision.same for decision in replay(recorded)) <= most
