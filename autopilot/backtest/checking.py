"""Whether a backtest can be trusted: decided without the future, counted right, and never better than perfect foresight."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import zip_longest
from math import isclose
from typing import Any

import numpy as np

from autopilot.backtest.futures import FUTURES, changed
from autopilot.backtest.report import Result
from autopilot.backtest.runner import Course, Flight, Terms, fly
from autopilot.contracts import NamedStrategy
from autopilot.model.device import IDLE, NetworkId, Venue
from autopilot.units import HOUR

_FIRST = 168
"""Hours from the start after which the future is another, when a flight is compared with the one that is reported."""
_LATER = 24
"""The same in each of the parts that are flown on their own."""
_PARTS = 3
"""A part begins after the first third of the course, and after the second."""
_PAST = 336
"""Hours of history that a part has at least, where the panel has them."""
_CLOSE = 1e-6
"""Sums agree to this share of them, however often money is booked (docs/market.md §2)."""

Decisions = list[tuple[datetime, Mapping[str, Any]]]


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found about one strategy."""

    check: str
    strategy: str
    passed: bool
    sentence: str
    """What was compared, or what differs and where."""


def part(course: Course, first: int, hours: int) -> Course:
    """Some scored hours of a course, from the first with this index on, with two weeks of history before them and the whole future."""
    begin = (course.start - course.panel.start) // HOUR + first
    skip = max(begin - _PAST, 0)
    panel = replace(course.panel, start=course.panel.at(skip), rates=course.panel.rates[skip:], occupancy=None, idle=None, job_hours=None)
    start = course.start + first * HOUR
    return Course(panel, course.shown[skip:], start, start + hours * HOUR)


def no_future(course: Course, terms: Terms, strategy: NamedStrategy, reported: Flight) -> Finding:
    """Fly again where everything after an hour is another: no decision up to that hour may be.

    One flight starts with the reported one and is held against its journal, so that a strategy which remembers the rates of
    an earlier flight is found too. What was fitted to these rates outside the backtest, and knows them by heart, is not found.
    """
    tried = 0
    for start, told, cut, names in _cuts(course, terms, strategy, reported):
        for name in names:
            tried += 1
            other = _otherwise(start, cut, name, terms)
            again = _decisions(fly(other, terms, strategy))
            differing = _first_difference([each for each in told if each[0] < other.end], again)
            if differing:
                then = f"{start.start + cut * HOUR:%Y-%m-%d %H:%M}"
                sentence = f"its decision at {differing:%Y-%m-%d %H:%M} is another when what comes after {then} is {name}"
                return Finding("no future", strategy.name, passed=False, sentence=sentence)
    sentence = f"its decisions are the same under {tried} other futures" if tried else "the course is too short to try another future"
    return Finding("no future", strategy.name, passed=True, sentence=sentence)


def _cuts(
    course: Course, terms: Terms, strategy: NamedStrategy, reported: Flight
) -> Iterator[tuple[Course, Decisions, int, Sequence[str]]]:
    """Where to cut, with the decisions there and the futures to try."""
    first = min(_FIRST, course.hours * 2 // 3)
    if first:
        yield course, _decisions(reported), first, ["exchanged"]
    for index in range(1, _PARTS):
        begin = course.hours * index // _PARTS
        cut = min(_LATER, (course.hours - begin) // 2)
        if cut:
            flown = part(course, begin, cut + min(terms.lag, 1))
            yield flown, _decisions(fly(flown, terms, strategy)), cut, list(FUTURES)


def _otherwise(course: Course, cut: int, future: str, terms: Terms) -> Course:
    """The course up to its cut, and what is decided at the cut itself where its hour is not known yet."""
    row = (course.start - course.panel.start) // HOUR + cut
    panel = replace(course.panel, rates=changed(course.panel.rates, row, FUTURES[future]))
    return Course(panel, changed(course.shown, row, FUTURES[future]), course.start, course.start + (cut + min(terms.lag, 1)) * HOUR)


def _decisions(flight: Flight) -> Decisions:
    return [(ruling.at, ruling.decision) for ruling in flight.store.journal.rulings()]


def _first_difference(told: Decisions, again: Decisions) -> datetime | None:
    pairs = zip_longest(told, again)
    return next(((before or after)[0] for before, after in pairs if before != after), None)


@dataclass(frozen=True, slots=True)
class Sums:
    """The accounts of a course, in USD and hours."""

    gross: float
    fees: float
    power: float
    dark: float

    @property
    def net(self) -> float:
        """What is left."""
        return self.gross - self.fees - self.power


def recount(course: Course, terms: Terms, places: Sequence[int]) -> Sums:
    """The accounts of one device by where it was, hour by hour: a network's column, -1 while idle (docs/market.md §2).

    Nothing of the pilot, its ledger or the oracle takes part. Raises ValueError for a change of place while dark.
    """
    at = np.asarray(places)
    before = np.concatenate([[-1], at[:-1]])
    entries = np.flatnonzero((at != before) & (at >= 0)).tolist()
    dark = np.zeros(len(at))
    span = terms.downtime / HOUR
    for entry in entries:
        full = np.arange(entry, min(entry + int(np.ceil(span)), len(at)))
        if (at[full] != at[entry]).any():
            raise ValueError(f"it leaves {course.panel.networks[at[entry]]} while dark, {entry} h after the start")
        dark[full] = np.minimum(span - (full - entry), 1)
    lit = np.where(at >= 0, 1 - dark, 0)
    paid = np.nan_to_num(course.scored)[np.arange(len(at)), np.maximum(at, 0)]
    tariff = np.array([float(terms.power.at(course.start + hour * HOUR)) for hour in range(len(at))])
    watts = np.array([float(terms.draw.at(Venue(NetworkId(name)))) for name in course.panel.networks])
    drawn = lit * watts[np.maximum(at, 0)] + (1 - lit) * float(terms.draw.idle)
    return Sums(float((paid * lit).sum()), len(entries) * float(terms.fee), float((drawn * tariff).sum()) / 1000, float(dark.sum()))


def the_sums(course: Course, terms: Terms, flight: Flight) -> Finding:
    """The reported sums are those of the hourly placements."""
    column = {name: index for index, name in enumerate(course.panel.networks)} | {str(IDLE.network): -1}
    totals, slack = flight.totals, 1e-9 * course.hours * terms.gpus
    told = {"gross": totals.paid, "fees": totals.fees, "power": totals.power}
    try:
        sums = [recount(course, terms, [column[venue.network] for venue in venues]) for venues in flight.placements.values()]
    except ValueError as error:
        return Finding("the sums", flight.name, passed=False, sentence=str(error))
    pairs = {what: (sum(getattr(each, what) for each in sums), float(amount)) for what, amount in told.items()}
    pairs["dark"] = (sum(each.dark for each in sums), totals.dark / HOUR)
    wrong = [what for what, (counted, booked) in pairs.items() if not isclose(counted, booked, rel_tol=_CLOSE, abs_tol=slack)]
    if wrong:
        counted, booked = pairs[wrong[0]]
        unit = "h" if wrong[0] == "dark" else "USD"
        sentence = f"{wrong[0]}: the ledger has {booked:.9g} {unit}, the hours of its course come to {counted:.9g}"
        return Finding("the sums", flight.name, passed=False, sentence=sentence)
    return Finding("the sums", flight.name, passed=True, sentence="gross, fees, power and dark hours follow from where it was each hour")


def under_the_oracle(result: Result) -> Iterator[Finding]:
    """Nothing nets more than perfect foresight: no strategy, no network held throughout, and not idling."""
    course, terms, best = result.course, result.terms, result.oracle_net
    for flight in result.flights:
        net = float(flight.totals.net)
        yield _below(flight.name, net, best)
    for column, name in enumerate(["idle", *course.panel.networks], start=-1):
        held = recount(course, terms, [column] * course.hours).net * terms.gpus
        yield _below(f"{name} throughout", held, best)


def _below(name: str, net: float, best: float) -> Finding:
    if net <= best + _CLOSE * max(abs(best), _CLOSE):
        return Finding("perfect foresight", name, passed=True, sentence=f"nets no more than perfect foresight, {best:,.2f} USD")
    return Finding("perfect foresight", name, passed=False, sentence=f"nets {net:,.2f} USD, more than perfect foresight with {best:,.2f}")
