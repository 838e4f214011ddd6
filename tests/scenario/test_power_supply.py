"""What power really costs and what is really drawn: prices that are told by the hour, and watts that are measured."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, time
from zoneinfo import ZoneInfo

import pytest

from autopilot.errors import Transient
from autopilot.kit.series import Series
from autopilot.model.device import IDLE, DeviceId
from autopilot.model.power import Calendar, Draw, Period, PowerPrice
from autopilot.testing.views import MODEL, START, venue
from autopilot.testing.worlds import Fleet
from autopilot.units import HOUR, Usd, UsdPerKwh, Watts

GPU = DeviceId("gpu-0")
KILOWATT = Draw(lit=Watts.of(1000))
DAY = Calendar(ZoneInfo("UTC"), (Period(frozenset(range(7)), time(1), time(22), UsdPerKwh.of("0.40")),))


def hours(*prices: str) -> dict[datetime, UsdPerKwh]:
    """From the start on."""
    return {START + hour * HOUR: UsdPerKwh.of(price) for hour, price in enumerate(prices)}


class Told:
    """A series whose next answer is set by hand."""

    def __init__(self, *prices: str) -> None:
        self.answer: Mapping[datetime, UsdPerKwh] | Exception = hours(*prices)

    def __call__(self) -> Mapping[datetime, UsdPerKwh]:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def lit(series: Series | None = None, power: PowerPrice = PowerPrice(), draw: Draw = KILOWATT) -> Fleet:
    """A device that serves at akash from the start on."""
    fleet = Fleet("akash", draw=draw, power=power)
    fleet.series = series
    fleet.restart()
    fleet.wish("akash")
    fleet.decide()
    return fleet


def spent(fleet: Fleet) -> Usd:
    """On power."""
    return fleet.store.ledger.totals().power


def bases(fleet: Fleet) -> list[str]:
    """How the power of each hour is known."""
    return [basis for (basis,) in fleet.store.connection.execute("SELECT basis FROM ledger WHERE kind = 'power' ORDER BY hour")]


def test_each_hour_is_booked_at_the_price_that_was_told_for_it() -> None:
    """To the nano-dollar, across the change of the hour, and after a restart by what was told before it."""
    told = Told("0.100000001", "0.30", "-0.02")
    fleet = lit(told)
    fleet.tick(HOUR / 2)
    fleet.tick(HOUR)

    assert Usd.of("0.100000001") + Usd.of("0.15") == spent(fleet)
    told.answer = Transient("power", "no answer")
    fleet.restart()
    fleet.tick()
    fleet.tick(HOUR)
    assert Usd.of("0.100000001") + Usd.of("0.15") + Usd.of("0.15") - Usd.of("0.01") == spent(fleet)


@pytest.mark.parametrize(
    ("calendar", "instead", "price"), [(DAY, "0.4 $/kWh by the calendar", "0.40"), (None, "0.25 $/kWh by the fixed price", "0.25")]
)
def test_a_broken_series_falls_back_and_says_so(calendar: Calendar | None, instead: str, price: str) -> None:
    """As long as the hours that were told last, all is well; then the next best is reckoned with, with the reason, until it is mended."""
    told = Told("0.10")
    fleet = lit(told, PowerPrice(UsdPerKwh.of("0.25"), calendar=calendar))
    told.answer = Transient("power", "https://prices.example answered 500")
    fleet.later(HOUR / 2)
    calm = fleet.decide()
    fleet.later(HOUR / 2)
    alarm = fleet.decide()

    assert "price" not in calm
    assert alarm.endswith(f"; power at {instead}, no price of this hour is known: power: https://prices.example answered 500")
    assert UsdPerKwh.of(price) == fleet.wishes.views[-1].power.at(START + HOUR)
    fleet.tick(HOUR / 2)
    assert Usd.of("0.10") + Usd(UsdPerKwh.of(price).count // 2) == spent(fleet)
    told.answer = hours("0.10", "0.20")
    fleet.decide()
    assert "price" not in fleet.tick()
    assert UsdPerKwh.of("0.20") == fleet.wishes.views[-1].power.at(START + HOUR)


def test_a_series_that_raises_anything_grounds_nobody() -> None:
    """A stranger's server is no reason to stop."""
    told = Told()
    told.answer = ZeroDivisionError("by zero")
    fleet = lit(told)

    assert fleet.at() == venue("akash")
    assert fleet.tick().endswith("no price of this hour is known: ZeroDivisionError: by zero")


def test_measured_watts_replace_the_configured_ones_in_the_ledger() -> None:
    """As they were at the start of each span; where nobody can tell them, the configured ones are booked, as an estimate."""
    watts = {GPU: Watts.of(700)}
    fleet = lit(power=PowerPrice(UsdPerKwh.of("0.5")))
    fleet.drawn = watts.get
    fleet.tick()
    fleet.tick(HOUR)

    assert (Usd.of("0.35"), ["realised"]) == (spent(fleet), bases(fleet))
    assert KILOWATT == fleet.pilot._supply.draws[GPU]
    watts.clear()
    fleet.tick()
    fleet.tick(HOUR)
    assert (Usd.of("0.85"), ["realised", "estimate"]) == (spent(fleet), bases(fleet))


def test_what_is_drawn_is_learned_where_nothing_is_configured() -> None:
    """By venue and model, to the watt, kept over a restart; a venue where nobody was yet is taken to draw as much as the hungriest."""
    watts = {GPU: Watts.of(30)}
    fleet = Fleet("akash", "nosana")
    fleet.drawn = watts.get
    fleet.tick()
    fleet.tick(2 * HOUR)
    fleet.wish("akash")
    fleet.decide()
    watts[GPU] = Watts.of("300.4")
    fleet.tick()
    fleet.tick(12 * HOUR)
    fleet.decide()
    draw = Draw(Watts.of(300), Watts.of(30), {venue("akash"): Watts.of(300)})

    assert draw == fleet.wishes.views[-1].draws[GPU]
    fleet.restart()
    fleet.decide()
    assert draw == fleet.wishes.views[-1].draws[GPU]
    assert {(IDLE, MODEL), (venue("akash"), MODEL)} == {key for key, _ in fleet.store.power.measured()}
    assert Watts.of(300) == draw.at(venue("nosana"))


def test_what_a_stranger_draws_is_not_ours() -> None:
    """A game on an idle GPU is neither learned as its rest nor booked as measured."""
    fleet = Fleet("akash")
    fleet.drawn, fleet.holder = (lambda _: Watts.of(400)), (lambda _: "game")
    fleet.tick()
    fleet.tick(HOUR)

    assert [] == list(fleet.store.power.measured())
    assert Usd(0) == spent(fleet)
