"""The fast lane flies what the pilot flies: the same decisions hour by hour, and the same money."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autopilot.backtest.compiler import compiled
from autopilot.backtest.runner import Course, Terms, fly
from autopilot.backtest.sweep import sweep
from autopilot.contracts import NamedStrategy
from autopilot.model.device import NetworkId, Venue
from autopilot.model.kernel import Kernel, Offers, Seat
from autopilot.model.power import Calendar, Draw, Period, PowerPrice
from autopilot.plugins import make_strategy
from autopilot.sim.panel import Panel
from autopilot.units import HOUR, Share, Usd, UsdPerKwh, Watts
from autopilot_strategies import accounts, experts, hours, plans
from autopilot_strategies.alone import Banded, Follower, Planner
from autopilot_strategies.digests import Averaged, Digest, Filtered, Foreseen
from autopilot_strategies.forecast import Levels
from autopilot_strategies.forecasting import Forecaster
from autopilot_strategies.signals import AVERAGES, FILTERS, Signals
from autopilot_strategies.targets import first_best, settled

START = datetime(2026, 1, 1, tzinfo=UTC)
NAMES = ("a", "b", "c")
SHARES = st.sampled_from(["0", "0.02", "0.05", "0.1", "0.5", "1"]) | st.floats(0, 1).map(lambda share: f"{share:.6f}")
SPANS = st.sampled_from(["1s", "44.5s", "20m", "59m", "60m", "61m", "3h", "10h", "7d"])
COUNTS = st.integers(0, 4).map(str)
PARAMETERS: Mapping[str, Mapping[str, st.SearchStrategy[str]]] = {
    "stay": {},
    "greedy": {},
    "threshold": {"lead": SHARES},
    "payback": {"theta": SHARES, "horizon": SPANS},
    "rainbow": {
        **dict.fromkeys(("interval", "live_window", "stable_window"), SPANS),
        **dict.fromkeys(("minimum_intervals", "prevention"), COUNTS),
        **dict.fromkeys(("decay", "hysteresis"), SHARES),
    },
    "rainbow-ticks": {"hysteresis": SHARES, "live_window": SPANS},
    "nemos": {"interval": SPANS, "minimum_cycles": COUNTS, "bonus": SHARES},
    "nemos-ticks": {"bonus": SHARES},
    "nicehash": {"interval": SPANS, "least_samples": st.just("1"), "most_samples": st.integers(1, 5).map(str), "lead": SHARES},
    "nicehash-ticks": {"lead": SHARES},
    "mindminer": {"lead": SHARES, "timeout": SPANS},
    "mindminer-ticks": {"lead": SHARES},
}
"""Every strategy with a kernel, and what can be set. Each is also flown as it is shipped."""

DOWNTIMES = st.sampled_from([0, 1, 15, 20, 30, 60, 61, 80, 150, 240, 6000]).map(lambda minutes: timedelta(minutes=minutes))
DOWNTIMES |= st.integers(0, 4 * 3_600_000_000).map(lambda span: timedelta(microseconds=span))
PRICES = st.sampled_from(["0", "0.2", "1", "0.123456789", "-0.1"]).map(UsdPerKwh.of)


@st.composite
def named(draw: st.DrawFn) -> NamedStrategy:
    """A strategy as it is shipped, or with some of its parameters set."""
    name = draw(st.sampled_from(sorted(PARAMETERS)))
    chosen = draw(st.fixed_dictionaries({}, optional=dict(PARAMETERS[name])))
    if "least_samples" in chosen:
        chosen.setdefault("most_samples", "2")
    elif chosen.get("most_samples") == "1":
        chosen["least_samples"] = "1"
    return make_strategy(name, chosen)


@st.composite
def experts_alone(draw: st.DrawFn) -> NamedStrategy:
    """Any expert of ``forecast``, and more of its kind, flown by itself."""
    share, hours = Share.nearest(draw(st.floats(0.01, 1))), draw(st.floats(1, 400))
    planner = Planner(timedelta(hours=hours), share, draw(st.booleans()))
    follower = Follower(share, draw(st.integers(0, len(AVERAGES) - 1)))
    return NamedStrategy("expert", draw(st.sampled_from([planner, follower, Banded(0), Banded(1)])), {})


def rates(draw: st.DrawFn, hours: int) -> Any:
    """Walks with steps of some per cent, or values of which many are equal; with gaps, hours without any, and a late venue."""
    seed, step, gaps = draw(st.integers(0, 2**32 - 1)), draw(st.sampled_from([0.0, 0.02, 0.2])), draw(st.sampled_from([0.0, 0.1, 0.5]))
    dice = np.random.default_rng(seed)
    walk = 0.4 * np.exp(np.cumsum(step * dice.standard_normal((hours, 3)), axis=0))
    table = np.round(walk if step else dice.choice([0.0, 1e-9, 0.3, 0.306, 0.315, 0.33], (hours, 3)), 9)
    table[dice.random((hours, 3)) < gaps] = np.nan
    table[dice.random(hours) < gaps / 2] = np.nan
    table[: draw(st.integers(0, hours)), 2] = np.nan
    return table


@st.composite
def flights(draw: st.DrawFn) -> tuple[Course, Terms]:
    """A course and terms of every kind that a sweep knows."""
    hours = draw(st.integers(1, 70))
    paid = rates(draw, hours)
    noise = np.exp(0.1 * np.random.default_rng(hours).standard_normal(paid.shape)) if draw(st.booleans()) else 1.0
    first = draw(st.integers(0, hours - 1))
    panel = Panel(START, "RTX 4090", NAMES, paid)
    course = Course(panel, paid * noise, START + first * HOUR, START + draw(st.integers(first + 1, hours)) * HOUR)
    by_hour = {course.start + hour * HOUR: draw(PRICES) for hour in range(course.hours + 40)} if draw(st.booleans()) else {}
    day = Period(frozenset({3, 4}), time(7), time(22), draw(PRICES))
    terms = Terms(
        draw(DOWNTIMES),
        draw(st.sampled_from(["0", "0.003", "0.1"]).map(Usd.of)),
        draw(st.integers(0, 3)),
        draw(st.sampled_from([1, 2])),
        Draw(
            draw(st.sampled_from([0, 300, 333, 2000]).map(Watts.of)),
            draw(st.sampled_from([0, 30]).map(Watts.of)),
            draw(st.dictionaries(st.sampled_from(NAMES).map(lambda name: Venue(NetworkId(name))), st.integers(0, 900).map(Watts.of))),
        ),
        PowerPrice(draw(PRICES), by_hour, draw(st.sampled_from([None, Calendar(ZoneInfo("Europe/Prague"), (day,))]))),
    )
    return course, terms


@pytest.mark.long
@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])
@given(flights(), st.lists(named(), min_size=1, max_size=3))
def test_many_random_histories(flight: tuple[Course, Terms], strategies: list[NamedStrategy]) -> None:
    """The same as below, for longer."""
    check_flight(flight, strategies)


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(flights(), st.lists(named(), min_size=1, max_size=2))
def test_a_sweep_is_the_pilots_own_flight(flight: tuple[Course, Terms], strategies: list[NamedStrategy]) -> None:
    """Every decision is the same; moves and dark hours agree to the last, and money to 1e-9."""
    check_flight(flight, strategies)


@pytest.mark.long
@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(flights(), st.lists(experts_alone(), min_size=1, max_size=3))
def test_many_random_histories_of_experts(flight: tuple[Course, Terms], strategies: list[NamedStrategy]) -> None:
    """The same as below, for longer."""
    check_flight(flight, strategies)


@settings(max_examples=6, suppress_health_check=[HealthCheck.too_slow])
@given(flights(), st.lists(experts_alone(), min_size=1, max_size=2))
def test_a_sweep_of_experts_is_the_pilots_own_flight(flight: tuple[Course, Terms], strategies: list[NamedStrategy]) -> None:
    """What one expert would do is one piece of code, run plainly by the pilot, and compiled."""
    check_flight(flight, strategies)


def check_flight(flight: tuple[Course, Terms], strategies: list[NamedStrategy]) -> None:
    """Fly each strategy by the pilot, and hold the sweep of all against it."""
    course, terms = flight
    swept = sweep([each.strategy for each in strategies], course, terms, paths=True)
    for index, strategy in enumerate(strategies):
        flown = fly(course, terms, strategy)
        path = [("idle", *NAMES)[place] for place in swept.paths[index]]
        rounding = 1e-9 * (course.hours + 1) * terms.gpus  # the pilot books whole nano-dollars, hour by hour

        assert [list(map(str, course)) for course in flown.placements.values()] == [path] * terms.gpus, strategy
        assert flown.moves == swept.moves[index]
        assert flown.totals.dark / HOUR == pytest.approx(swept.dark_hours[index], rel=1e-12)
        assert float(flown.totals.net) == pytest.approx(swept.net_usd[index], rel=1e-9, abs=rounding)


@pytest.mark.parametrize("name", sorted(PARAMETERS))
def test_every_kernel_as_it_is_shipped(name: str) -> None:
    """On a week in which the best venue changes by the hour, with power that makes some of them lose money."""
    dice = np.random.default_rng(7)
    table = np.round(0.4 * np.exp(np.cumsum(0.05 * dice.standard_normal((168, 3)), axis=0)), 9)
    table[dice.random((168, 3)) < 0.05] = np.nan
    panel = Panel(START, "RTX 4090", NAMES, table)
    course = Course(panel, table, START + 24 * HOUR, panel.end)
    terms = Terms(timedelta(minutes=20), Usd.of("0.001"), draw=Draw(Watts.of(900)), power=PowerPrice(UsdPerKwh.of("0.4")))

    check_flight((course, terms), [make_strategy(name, {})])


OFFERS = st.lists(st.just(math.nan) | st.sampled_from([0.0, 0.3, 0.306, 0.315]) | st.floats(0, 10), min_size=1, max_size=6)
ALARMED = [name for name in sorted(PARAMETERS) if make_strategy(name, {}).strategy.kernel.alarm]  # type: ignore[attr-defined]


@settings(max_examples=300)
@given(st.sampled_from(ALARMED), OFFERS, st.floats(0, 1), st.integers(0, 5), st.sampled_from([0.0, 1e3, 1e12]))
def test_without_an_alarm_nothing_moves(name: str, rates: list[float], lift: float, place: int, age: float) -> None:
    """So that a sweep may pass over these hours."""
    kernel: Kernel = make_strategy(name, {}).strategy.kernel  # type: ignore[attr-defined]
    here = place % (len(rates) + 1)
    places = len(rates) + 1
    offers = Offers([0.0, *rates], [0.0, *[lift] * len(rates)], [0.0, *[0.5] * len(rates)], [0.0] * places)

    assert kernel.alarm
    if kernel.alarm.urge(here, offers) <= kernel.alarm.calm * (1 - 1e-9) - 1e-12:
        assert kernel.choose(kernel.setting, Seat(here, age), offers, offers.rates)[0] == here


def test_settings_are_told_apart() -> None:
    """In one sweep of many leads each one is the flight of its own lead."""
    dice = np.random.default_rng(5)
    table = np.round(0.4 * np.exp(np.cumsum(0.03 * dice.standard_normal((400, 3)), axis=0)), 9)
    panel = Panel(START, "RTX 4090", NAMES, table)
    course = Course(panel, table, START, panel.end)
    leads = [make_strategy("threshold", {"lead": f"{lead / 100}"}).strategy for lead in range(60)]
    together = sweep(leads, course, Terms())
    alone = [sweep([each], course, Terms()) for each in leads]

    assert len(set(together.moves.tolist())) > 5
    assert [each.net_usd[0] for each in alone] == together.net_usd.tolist()


def test_the_experts_of_forecast_keep_the_same_accounts() -> None:
    """Compiled and plain, to the last bit: whatever they decide, with gaps, a dark time of more than an hour and a stay."""
    dice, cast = np.random.default_rng(3), experts.panel()
    rates = 0.4 * np.exp(0.05 * dice.standard_normal((1000, 4)))
    rates[dice.random(rates.shape) < 0.1] = np.nan
    stay = np.tile(np.arange(5, dtype=np.int16), (1000, len(cast.prior), 1))
    decided = np.where(dice.random(stay.shape) < 0.05, dice.integers(0, 5, stay.shape), stay).astype(np.int16)
    fares = accounts.Fares(np.array([0, 1.5, 0.25, 2, 0]), np.array([0, 0.01, 0, 0, 0.02]), np.array([0, 2, 9, 2, 0]))
    plain, fast = (accounts.Accounts.start(cast)._books() for _ in range(2))
    accounts.keep(decided, rates, 5, 0, fares, accounts._voters(cast), plain)
    compiled(accounts.keep)(decided, rates, 5, 0, fares, accounts._voters(cast), fast)

    assert len(set(plain.profit)) > 10
    assert [each.tolist() for each in plain] == [each.tolist() for each in fast]


@pytest.mark.parametrize("kept", [24 * 400, 24 * 5])
def test_experts_over_weeks_of_forecasts(kept: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the forecasters have learned, and where the history is longer than what is looked at."""
    monkeypatch.setattr(hours, "KEPT", kept)
    monkeypatch.setattr(hours, "_QUARTER", 48)
    panel = Panel(START, "RTX 4090", NAMES, walk(24 * 16))
    course, terms = Course(panel, panel.rates, panel.at(24 * 8), panel.end), Terms(timedelta(minutes=20), Usd.of("0.001"))

    check_flight((course, terms), [NamedStrategy("expert", each, {}) for each in (Planner(), Follower(), Banded())])


def walk(length: int, venues: int = 3) -> Any:
    """A random walk with gaps, one of them at all venues."""
    dice = np.random.default_rng(11)
    table = np.round(0.4 * np.exp(np.cumsum(0.03 * dice.standard_normal((length, venues)), axis=0)), 9)
    table[dice.random(table.shape) < 0.05] = np.nan
    table[length // 2 : length // 2 + 3] = np.nan
    return table


ALONE: list[tuple[str, Kernel]] = [
    *(
        (f"{family} {hours:g} h{'' if haircut == 1 else f' at {haircut:g}'}", Planner(hours * HOUR, Share.nearest(haircut), lasting).kernel)
        for lasting, family in ((False, "plan"), (True, "average's plan"))
        for hours in plans.HORIZONS
        for haircut in plans.HAIRCUTS
    ),
    *(
        (f"lead {100 * lead:g} % on {AVERAGES[which]:g} h", Follower(Share.nearest(lead), which).kernel)
        for which in range(len(AVERAGES) - 1)
        for lead in experts.LEADS
    ),
    ("slow rule", Follower(Share.nearest(experts.LEADS[0]), len(AVERAGES) - 1).kernel),
    *((f"band {hours:g} h", Banded(which).kernel) for which, hours in enumerate(FILTERS)),
]
"""Every expert of the panel by its name there."""


def test_the_panel_votes_as_its_experts_fly() -> None:
    """The tables for all experts and hours at once say what each kernel says of one hour and place, plain and compiled."""
    table, entry = walk(250), plans.Entry(np.array([0, 0.5, 1.5, 4]), np.array([0, 0, 0.01, 0.1]), np.zeros(4))
    cast = Levels(Forecaster.start(venues=3, hour=480_000))
    levels, readings = cast.extend(table)[1], Signals.start(3).extend(table)[1]
    power = plans.Power(np.full(3, 0.05), np.full((1, 3), 0.05))
    decided, _ = experts.tables(readings, levels, cast.anchors, entry, power)
    columns: Any = np.zeros(4), np.array([0, 0.05, 0.05, 0.05]), entry.dark, entry.cash
    seen: dict[Digest, Any] = {}
    for expert, (_, kernel) in enumerate(ALONE):
        assert isinstance(kernel.digest, Digest)
        pages = seen.setdefault(kernel.digest, kernel.digest.page(readings, levels, cast.anchors))
        for hour, here in ((hour, here) for hour in range(3, 250, 19) for here in range(4)):
            choices = [
                choose(kernel.setting, Seat(here, 0.0), Offers(*columns), pages[hour])
                for choose in (kernel.choose, compiled(kernel.choose))
            ]
            assert choices == [(decided[hour, expert, here],)] * 2, (expert, hour, here)

    assert tuple(name for name, _ in ALONE) == experts.panel().names
    assert {Foreseen(False), Foreseen(True), Filtered(1), Averaged(4)} <= set(seen)  # noqa: FBT003  # which it is


def test_a_plan_with_stays_is_the_same_compiled() -> None:
    """Number by number, where venues keep who goes there for hours or days."""
    dice = np.random.default_rng(4)
    paths = np.pad(dice.uniform(0, 1, (40, 17, 3)), ((0, 0), (0, 0), (1, 0)))
    entry = plans.Entry(np.array([0, 0.5, 2, 0]), np.array([0, 0.01, 0, 0]), np.array([0.0, 0, 7, 200]))
    decided, fast = plans.plan(plans.Outlook(paths), entry), compiled(plans.weighed)
    for hour, path in enumerate(paths):
        staying, going = fast(plans.Aim(48.0, 0.9), np.ascontiguousarray(path.T), entry.dark, entry.cash, entry.stay)
        best, first = first_best(going)

        assert [int(settled(here, staying[here], best, first)) for here in range(4)] == decided[hour, 8].tolist()
