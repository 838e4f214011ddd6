"""A tariff that changes by the hour, flown: no cheap night sells a dear noon, and a dear noon is left where the way back costs less."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from autopilot.backtest.checking import recount
from autopilot.backtest.replay import replay
from autopilot.backtest.runner import Course, Flight, Terms, fly, perfect
from autopilot.model.device import NetworkId, Venue
from autopilot.model.power import Calendar, Draw, Period, PowerPrice
from autopilot.plugins import make_strategy
from autopilot.sim.panel import Panel
from autopilot.testing.views import MODEL, START
from autopilot.units import HOUR, Usd, UsdPerKwh, Watts

KNOWN, FLOWN = 15 * 24, 2 * 24
"""Hours: longer than the experts need to be heard, and what is scored."""
DRAW = Draw(Watts.of(400), Watts.of(20))


def tariff(dear: tuple[int, int], zone: str = "UTC", cheap: str = "0.10") -> PowerPrice:
    """Cheap, and 1 $/kWh between two hours of every day: at 400 W, that takes more than any venue here pays."""
    period = Period(frozenset(range(7)), time(dear[0]), time(dear[1]), UsdPerKwh.of(1))
    return PowerPrice(UsdPerKwh.of(cheap), calendar=Calendar(ZoneInfo(zone), (period,)))


def flown(name: str, terms: Terms, start: datetime = START) -> tuple[Course, Flight]:
    """Over venues a and b that pay nearly the same in every hour, 0.20 and 0.18 $."""
    paid = np.round(np.array([0.20, 0.18]) * np.exp(np.random.default_rng(1).normal(0, 0.01, (KNOWN + FLOWN, 2))), 9)
    panel = Panel(start, MODEL, ("a", "b"), paid)
    course = Course(panel, paid, panel.at(KNOWN), panel.end)
    return course, fly(course, terms, make_strategy(name, {}))


def days(flight: Flight) -> list[str]:
    """Where the GPU was or went, hour by hour: a, b, or - for idle."""
    (places,) = flight.placements.values()
    line = "".join("-" if str(venue) == "idle" else str(venue) for venue in places)
    return [line[day : day + 24] for day in range(0, len(line), 24)]


@pytest.mark.parametrize(
    ("dear", "fee", "day"),
    [
        ((12, 18), "0", "aaaaaaaaaaaa------aaaaaa"),
        ((12, 18), "2", "aaaaaaaaaaaaaaaaaaaaaaaa"),
        ((6, 22), "0", "aaaaaa----------------aa"),
        ((6, 22), "2", "------------------------"),
    ],
    ids=["noon is left", "but not for a fee above it", "a night is worth the way", "but not a fee above it"],
)
def test_forecast_is_lit_when_it_pays(dear: tuple[int, int], fee: str, day: str) -> None:
    """A noon costs 1.1 $ of power above income, a night of eight hours earns 1.3 $, and coming back costs half an hour and the fee."""
    terms = Terms(fee=Usd.of(fee), draw=DRAW, power=tariff(dear))
    course, flight = flown("forecast", terms)

    assert [day] * 2 == days(flight)
    assert perfect(course, terms).net_usd == pytest.approx(float(flight.totals.net), abs=0.25 if fee == "2" else 0.01)


@pytest.mark.parametrize(("dear", "day"), [((12, 18), "a" * 24), ((6, 22), "-" * 24)])
def test_payback_reckons_with_the_mean_of_its_horizon(dear: tuple[int, int], day: str) -> None:
    """At midnight power is cheap in either case; over two days the one tariff leaves something of the rate, and the other nothing."""
    assert [day] * 2 == days(flown("payback", Terms(draw=DRAW, power=tariff(dear)))[1])


def test_a_hungry_venue_is_only_the_best_while_power_is_cheap() -> None:
    """What pays and draws more is left for the dear hours; the ledger has each hour at the watts of where it was, to the nano-dollar."""
    draw = Draw(Watts.of(400), Watts.of(20), {Venue(NetworkId("b")): Watts.of(60)})
    terms = Terms(timedelta(0), draw=draw, power=tariff((12, 18), cheap="0.01"))
    course, flight = flown("forecast", terms)
    (places,) = flight.placements.values()
    sums = recount(course, terms, [{"a": 0, "b": 1, "idle": -1}[str(venue)] for venue in places])

    assert ["aaaaaaaaaaaabbbbbbaaaaaa"] * 2 == days(flight)
    assert sums.net == pytest.approx(float(flight.totals.net), abs=FLOWN * 1e-9)
    assert perfect(course, terms).net_usd * 0.98 <= float(flight.totals.net) <= perfect(course, terms).net_usd + 1e-6


def test_every_decision_can_be_made_again() -> None:
    """With the watts of its venues, and its calendar on the day on which summer time begins: noon comes an hour earlier then."""
    draw = Draw(Watts.of(400), Watts.of(20), {Venue(NetworkId("b")): Watts.of(380)})
    _, flight = flown("forecast", Terms(draw=draw, power=tariff((12, 18), "Europe/Prague")), datetime(2026, 3, 13, tzinfo=UTC))
    again = list(replay(flight.store))

    assert ["aaaaaaaaaaa------aaaaaaa", "aaaaaaaaaa------aaaaaaaa"] == days(flight)
    assert FLOWN <= len(again)
    assert [] == [each.at for each in again if not each.same]


def test_day_ahead_prices_are_not_foreseen_for_longer_than_they_are_published() -> None:
    """A tariff by the hour that turns dear in 38 hours changes nothing in the hours before that could be known."""
    begin = START + KNOWN * HOUR
    cheap = {begin + hour * HOUR: UsdPerKwh.of("0.10") for hour in range(FLOWN)}
    dear = {hour: UsdPerKwh.of(1) if hour >= begin + 38 * HOUR else price for hour, price in cheap.items()}
    flights = [
        flown("forecast", Terms(fee=Usd.of("0.5"), draw=DRAW, power=PowerPrice(UsdPerKwh.of("0.10"), each)))[1] for each in (cheap, dear)
    ]
    one, other = ([ruling.decision["notes"] for ruling in flight.store.journal.rulings()] for flight in flights)

    assert one[:2] == other[:2]
    assert one[3] != other[3]
    assert ["a" * 24, "a" * 14 + "-" * 10] == days(flights[1])
