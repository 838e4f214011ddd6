"""The tariff: by the hour, by the calendar, and over a stay."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autopilot.model.device import NetworkId, Venue
from autopilot.model.power import Calendar, Draw, Period, PowerPrice
from autopilot.units import HOUR, UsdPerKwh, Watts

PRAGUE = ZoneInfo("Europe/Prague")
WEEK = frozenset(range(7))
DEAR, CHEAP, FLAT = UsdPerKwh.of("0.40"), UsdPerKwh.of("0.10"), UsdPerKwh.of("0.25")


def day_and_night(*, days: frozenset[int] = WEEK) -> PowerPrice:
    """Dear from 7 to 22, cheap from 22 to 7, by Prague's clocks; flat where neither holds."""
    day, night = Period(days, time(7), time(22), DEAR), Period(days, time(22), time(7), CHEAP)
    return PowerPrice(FLAT, calendar=Calendar(PRAGUE, (day, night)))


def local(*parts: int) -> datetime:
    """An instant that Prague's clocks show."""
    return datetime(*parts, tzinfo=PRAGUE).astimezone(UTC)  # type: ignore[arg-type, misc]  # year, month, day, hour, minute


@pytest.mark.parametrize("day", [datetime(2026, 1, 14, tzinfo=UTC), datetime(2026, 7, 15, tzinfo=UTC)])
def test_a_calendar_goes_by_the_clocks_on_the_wall(day: datetime) -> None:
    """In winter and in summer alike the dear hours begin at seven."""
    tariff = day_and_night()

    assert CHEAP == tariff.at(local(day.year, day.month, day.day, 6, 59))
    assert DEAR == tariff.at(local(day.year, day.month, day.day, 7))
    assert DEAR == tariff.at(local(day.year, day.month, day.day, 21, 59))
    assert CHEAP == tariff.at(local(day.year, day.month, day.day, 22))


@pytest.mark.parametrize(("midnight", "hours"), [((2026, 3, 29), 23), ((2026, 10, 25), 25)])
def test_the_night_of_the_change_is_an_hour_shorter_or_longer(midnight: tuple[int, int, int], hours: int) -> None:
    """Summer time begins and ends within the cheap hours: they lose an hour, or gain one; the dear ones are always fifteen."""
    start = local(*midnight, 0)
    pieces = list(day_and_night().spans(start, start + hours * HOUR))

    assert local(*midnight, 23) + HOUR == start + hours * HOUR
    assert 15 * HOUR == sum((span for price, span in pieces if price == DEAR), timedelta(0))
    assert (hours - 15) * HOUR == sum((span for price, span in pieces if price == CHEAP), timedelta(0))


def test_a_night_belongs_to_the_day_on_which_it_began() -> None:
    """A period of Friday from 22 to 7 holds on Saturday morning, and not on Friday morning."""
    friday = Period(frozenset({4}), time(22), time(7), CHEAP)

    assert friday.holds(datetime(2026, 1, 17, 6, 45, tzinfo=PRAGUE))
    assert not friday.holds(datetime(2026, 1, 16, 6, 45, tzinfo=PRAGUE))


def test_outside_of_all_periods_the_flat_price_holds() -> None:
    """A calendar of working days says nothing of Sunday noon."""
    assert FLAT == day_and_night(days=frozenset(range(5))).at(local(2026, 1, 18, 12))


def test_an_hour_that_is_known_goes_before_the_calendar() -> None:
    """Day-ahead prices are what will be billed; the calendar speaks for the hours that are not published yet."""
    noon = local(2026, 1, 14, 12)
    tariff = day_and_night()
    known = PowerPrice(tariff.flat, {noon: UsdPerKwh.of("-0.02")}, tariff.calendar)

    assert UsdPerKwh.of("-0.02") == known.at(noon + timedelta(minutes=59))
    assert DEAR == known.at(noon + HOUR)


def test_a_cheap_night_does_not_hide_a_dear_noon() -> None:
    """Over a day from midnight the price is the mean of both, whatever it is now."""
    tariff = day_and_night()
    midnight = local(2026, 1, 14, 0)

    assert CHEAP == tariff.at(midnight)
    assert UsdPerKwh.of("0.2875") == tariff.mean(midnight, midnight + 24 * HOUR)
    with pytest.raises(ValueError, match="needs time"):
        tariff.mean(midnight, midnight)


@given(st.integers(0, 400 * 24 * 60), st.integers(1, 5 * 24 * 60))
def test_the_pieces_make_the_whole(start: int, length: int) -> None:
    """Pieces follow one another without a gap, each has the price of any instant in it, and their mean is the mean."""
    tariff = day_and_night()
    first = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=start)
    last = first + timedelta(minutes=length)
    at, money = first, 0.0
    for price, span in tariff.spans(first, last):
        assert price == tariff.at(at) == tariff.at(at + span - timedelta(microseconds=1))

        money += float(price) * (span / HOUR)
        at += span

    assert last == at
    assert money / (length / 60) == pytest.approx(float(tariff.mean(first, last)), abs=1e-9)


def test_a_period_must_change_on_a_quarter() -> None:
    """No zone and no supplier has less, and the pieces rely on it."""
    with pytest.raises(ValueError, match="quarter"):
        Period(WEEK, time(7, 10), time(22), DEAR)


def test_a_venue_may_draw_less_than_another() -> None:
    """A market's own figure goes before its network's, and that before the device's."""
    akash, nosana = Venue(NetworkId("akash")), Venue(NetworkId("nosana"), "rtx-4090")
    draw = Draw(Watts.of(350), Watts.of(20), {Venue(NetworkId("nosana")): Watts.of(250), Venue(NetworkId("nosana"), "a"): Watts.of(0)})

    assert [Watts.of(350), Watts.of(250), Watts.of(0)] == [draw.at(akash), draw.at(nosana), draw.at(Venue(nosana.network, "a"))]
