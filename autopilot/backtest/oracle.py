"""Perfect foresight of the fluid market: the most that one device could have netted, by the rules that a backtest keeps.

A device is at a venue or idle, and starts idle. At every full hour that finds it free it stays, goes idle (free and at
once), or moves: the fee is due at that instant, then it is dark for the downtime, then it serves. Where the dark time
ends inside an hour it serves the rest of it, and is free again at the next full hour. What lies past the end of the
panel counts for nothing. A course names one place for every hour, so the best one is a course like any strategy's.

It is found by backward induction over (hour, venue or idle), a move being an edge over its dark hours: Richard Bellman,
Dynamic Programming, Princeton University Press 1957, chapter III.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from autopilot.units import HOUR, Usd, Watts, micros

Floats = NDArray[np.float64]
Columns = NDArray[np.intp]

NOWHERE = -1
"""Stands for idle in a path, where a venue is named by its column."""

_NANO = 1e9


@dataclass(frozen=True, slots=True, eq=False)
class Costs:
    """What moving and running cost. Only the tariff may be negative."""

    downtime: timedelta
    """Dark time of a move."""
    fee: Usd
    """Due at the instant of a move."""
    power: Watts
    """Drawn while lit at a venue, paid or not."""
    idle_power: Watts
    """Drawn while dark or idle."""
    tariff: Floats
    """USD per kWh, one for each hour of the panel."""


@dataclass(frozen=True, slots=True, eq=False)
class OracleResult:
    """The best course of one device, and its accounts in USD."""

    net_usd: float
    gross_usd: float
    fee_usd: float
    power_usd: float
    moves: int
    """Entries into a venue."""
    path: Columns
    """For each hour the venue that the device is on or on its way to, ``NOWHERE`` while idle."""


def oracle(panel_rates: Floats, costs: Costs) -> OracleResult:
    """The best course of one device through the scored hours. Where staying is as good as leaving, it stays.

    ``panel_rates`` has a row for each hour and a column for each venue, USD per hour, NaN where the rate is missing.
    """
    terms = _Terms.of(panel_rates, costs)
    return _fly(terms, _worths(terms))


@dataclass(frozen=True, slots=True, eq=False)
class _Terms:
    """The panel and the costs in nano-dollars: a row for each hour, a column for each place. Column 0 is idle."""

    income: Floats
    """Of a whole hour."""
    draw: Floats
    """Power of a whole hour at a venue; in column 0 dark or idle."""
    gain: Floats
    """Income less power of a whole hour."""
    entry: Floats
    """What a move into a venue brings until the next decision, less what it costs."""
    fee: float
    span: int
    """Full hours from a move to the next decision."""
    rest: float
    """The part of the last of them that the device serves."""

    @classmethod
    def of(cls, rates: Floats, costs: Costs) -> _Terms:
        """In whole nano-dollars, as the ledger counts. A missing rate pays nothing."""
        hours, venues = rates.shape
        dark = micros(min(costs.downtime, hours * HOUR))
        span = -(-dark // micros(HOUR))
        rest = span - dark / micros(HOUR)
        income = np.pad(np.nan_to_num(np.round(rates * _NANO)), ((0, 0), (1, 0)))
        # A milliwatt for an hour at one nano-dollar per kWh costs a millionth of a nano-dollar.
        milliwatt = np.round(costs.tariff * _NANO) / 1e6
        draw = np.outer(milliwatt, [costs.idle_power.count] + [costs.power.count] * venues)
        unlit = draw[:, :1]
        fee = float(costs.fee.count)
        entry = rest * _ahead(income - draw + unlit, max(span - 1, 0), 1) - _ahead(unlit, 0, span) - fee
        return cls(income, draw, income - draw, entry, fee, span, rest)

    def options(self, worth: Floats, hour: int) -> tuple[Floats, Floats]:
        """The best net from an hour on, for each place: of staying there, and of going there from elsewhere."""
        stay = self.gain[hour] + worth[hour + 1]
        go = self.entry[hour] + (worth[hour + self.span] if self.span else stay)
        go[0] = stay[0]
        return stay, go


def _ahead(amounts: Floats, skip: int, count: int) -> Floats:
    """For each hour the sum over some hours, after skipping some; what lies past the end is nothing."""
    hours = len(amounts)
    running = np.pad(np.cumsum(np.pad(amounts, ((0, skip + count), (0, 0))), axis=0), ((1, 0), (0, 0)))
    return running[skip + count :][:hours] - running[skip:][:hours]


def _worths(terms: _Terms) -> Floats:
    """The best net from each hour on, by the place where one is free at its start."""
    hours, places = terms.gain.shape
    worth = np.zeros((hours + max(terms.span, 1), places))
    for hour in reversed(range(hours)):
        stay, go = terms.options(worth, hour)
        first = go.argmax()
        best = np.maximum(stay, go[first])
        # All leave for the same place, but for those who are there: nobody moves to where he is.
        go[first] = -np.inf
        best[first] = max(stay[first], go.max())
        worth[hour] = best
    return worth


def _fly(terms: _Terms, worth: Floats) -> OracleResult:
    """From idle, always to where the worth is; and add up."""
    hours = len(terms.gain)
    path = np.zeros(hours, dtype=np.intp)
    lit = np.ones(hours)
    hour, place, moves = 0, 0, 0
    while hour < hours:
        until = hour + 1
        stay, go = terms.options(worth, hour)
        if stay[place] < worth[hour, place]:
            go[place] = -np.inf
            place = int(go.argmax())
            if place:
                moves += 1
                until = hour + max(terms.span, 1)
                lit[hour:until] = 0
                lit[until - 1 : until] = terms.rest if terms.span else 1
        path[hour:until] = place
        hour = until
    rows = np.arange(hours)
    gross = float((terms.income[rows, path] * lit).sum()) / _NANO
    power = float((terms.draw[rows, path] * lit + terms.draw[:, 0] * (1 - lit)).sum()) / _NANO
    fees = moves * terms.fee / _NANO
    return OracleResult(gross - fees - power, gross, fees, power, moves, path + NOWHERE)
