"""Power over the hours ahead: the tariff's sums, and when to be dark, against courses that are all tried out."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from itertools import product
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autopilot.model.power import KNOWN, Calendar, Period, PowerPrice
from autopilot.units import HOUR, UsdPerKwh
from autopilot_strategies.tariffs import rest

START = datetime(2026, 3, 28, tzinfo=UTC)
"""The night after, summer time begins in Prague."""
PRICES = st.integers(-(10**9), 10**9).map(UsdPerKwh)
CALENDARS = st.builds(
    lambda day, night: Calendar(
        ZoneInfo("Europe/Prague"), (Period(frozenset(range(6)), time(7), time(22), day), Period(frozenset({6}), time(0), time(0), night))
    ),
    PRICES,
    PRICES,
)
HOURS = st.dictionaries(st.integers(-3, 60).map(lambda hour: START + hour * HOUR), PRICES, max_size=40)
TARIFFS = st.builds(PowerPrice, PRICES, HOURS, st.none() | CALENDARS)


@given(TARIFFS, st.integers(0, 3000), st.integers(1, 5000))
def test_a_mean_is_the_sum_of_its_pieces(tariff: PowerPrice, begin: int, length: int) -> None:
    """Whatever is known by the hour, by the calendar or not at all; over minutes and over days."""
    start = START + timedelta(minutes=begin)
    end = start + timedelta(minutes=length)
    money = sum(float(price) * (span / HOUR) for price, span in tariff.spans(start, end))

    assert money / (length / 60) == pytest.approx(float(tariff.mean(start, end)), abs=2e-9)


@given(TARIFFS, st.integers(0, 3000), st.integers(1, 80))
def test_hours_ahead_are_the_means_of_the_hours(tariff: PowerPrice, begin: int, count: int) -> None:
    """Each from the minute on at which one asks."""
    start = START + timedelta(minutes=begin)

    assert [tariff.mean(start + hour * HOUR, start + (hour + 1) * HOUR) for hour in range(count)] == tariff.hourly(start, count)


@given(TARIFFS, st.integers(0, 3000))
def test_what_is_foreseen_is_the_truth_as_far_as_it_is_known(tariff: PowerPrice, begin: int) -> None:
    """And beyond, what holds without any price by the hour."""
    now = START + timedelta(minutes=begin)
    foreseen, blind = tariff.foreseen(now), PowerPrice(tariff.flat, calendar=tariff.calendar)
    edge = now.replace(minute=0) + KNOWN * HOUR

    assert tariff.at(now) == foreseen.at(now)
    assert tariff.at(edge - timedelta(minutes=1)) == foreseen.at(edge - timedelta(minutes=1))
    assert blind.at(edge) == foreseen.at(edge)


NETS = st.lists(st.integers(-4, 4).map(float), min_size=1, max_size=7)


@given(NETS, st.integers(0, 6).map(float), st.integers(1, 4), st.booleans())
def test_being_dark_wins_what_the_best_course_of_all_wins(net: list[float], cost: float, stay: int, lit: bool) -> None:  # noqa: FBT001
    """Of the courses that are dark in this hour, over those that are lit in it; who arrives stays, and coming back costs."""
    courses = [
        (course, worth)
        for course in product([False, True], repeat=len(net))
        if (worth := _worth(course, net, cost, stay, lit=lit)) is not None
    ]
    dark, bright = (max(worth for course, worth in courses if course[0] is on) for on in (False, True))

    assert dark - bright == pytest.approx(rest(net, [cost] * len(net), stay, lit=lit).gain)


def _worth(course: tuple[bool, ...], net: list[float], cost: float, stay: int, *, lit: bool) -> float | None:
    """Of a course; None where it leaves before it may."""
    worth, before, bound = 0.0, lit, 0
    for hour, on in enumerate(course):
        if bound > 0 and not on:
            return None
        if on and not before:
            worth, bound = worth - cost, stay
        worth, before, bound = worth + net[hour] * on, on, bound - 1
    return worth
