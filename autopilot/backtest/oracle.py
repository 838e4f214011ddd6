"""Perfect foresight of the fluid market: the most that one device could have netted, by the rules that a backtest keeps.

A device is at a venue or idle, and starts idle. At every full hour that finds it free it stays, goes idle (free and at
once), or moves: the fee is due at that instant, then it is dark for the downtime, then it serves. Where the dark time
ends inside an hour it serves the rest of it, and is free again at the next full hour. What lies past the end of the
panel counts for nothing. A course names one place for every hour, so the best one is a course like any strategy's.

It is found by backward induction over (hour, venue or idle), a move being an edge over its dark hours: Richard Bellman,
Dynamic Programming, Princeton University Press 1957, chapter III.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from autopilot.backtest.gains import NANO, Floats, Gains
from autopilot.units import Usd, Watts

Columns = NDArray[np.intp]

NOWHERE = -1
"""Stands for idle in a path, where a venue is named by its column."""


@dataclass(frozen=True, slots=True, eq=False)
class Costs:
    """What moving and running cost. Only the tariff may be negative."""

    downtime: timedelta
    """Dark time of a move."""
    fee: Usd
    """Due at the instant of a move."""
    power: Watts | Sequence[Watts]
    """Drawn while lit at a venue, paid or not: one for all, or one for each."""
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
    devices: int = 1
    """How many devices the amounts are of; the path is that of the first."""
    hourly: Floats | None = None
    """The net of each hour, a fee in the hour in which it is due; None where only the sums are known."""


def oracle(panel_rates: Floats, costs: Costs) -> OracleResult:
    """The best course of one device through the scored hours. Where staying is as good as leaving, it stays.

    ``panel_rates`` has a row for each hour and a column for each venue, USD per hour, NaN where the rate is missing.
    """
    # A milliwatt for an hour at one nano-dollar per kWh costs a millionth of a nano-dollar.
    milliwatt = np.round(costs.tariff * NANO) / 1e6
    lit = [costs.power] * panel_rates.shape[1] if isinstance(costs.power, Watts) else costs.power
    draw = np.outer(milliwatt, [watts.count for watts in (costs.idle_power, *lit)])
    gains = Gains.of(panel_rates, draw, costs.downtime, costs.fee)
    return _fly(gains, _worths(gains))


def _options(gains: Gains, worth: Floats, hour: int) -> tuple[Floats, Floats]:
    """The best net from an hour on, for each place: of staying there, and of going there from elsewhere."""
    stay = gains.gain[hour] + worth[hour + 1]
    go = gains.entry[hour] + (worth[hour + gains.span] if gains.span else stay)
    go[0] = stay[0]
    return stay, go


def _worths(gains: Gains) -> Floats:
    """The best net from each hour on, by the place where one is free at its start."""
    hours, places = gains.gain.shape
    worth = np.zeros((hours + max(gains.span, 1), places))
    for hour in reversed(range(hours)):
        stay, go = _options(gains, worth, hour)
        first = go.argmax()
        best = np.maximum(stay, go[first])
        # All leave for the same place, but for those who are there: nobody moves to where he is.
        go[first] = -np.inf
        best[first] = max(stay[first], go.max())
        worth[hour] = best
    return worth


def _fly(gains: Gains, worth: Floats) -> OracleResult:
    """From idle, always to where the worth is; and add up."""
    hours = len(gains.gain)
    path = np.zeros(hours, dtype=np.intp)
    lit, due = np.ones(hours), np.zeros(hours)
    hour, place, moves = 0, 0, 0
    while hour < hours:
        until = hour + 1
        stay, go = _options(gains, worth, hour)
        if stay[place] < worth[hour, place]:
            go[place] = -np.inf
            place = int(go.argmax())
            if place:
                moves += 1
                due[hour] = gains.fee
                until = hour + max(gains.span, 1)
                lit[hour:until] = 0
                lit[until - 1 : until] = gains.rest if gains.span else 1
        path[hour:until] = place
        hour = until
    rows = np.arange(hours)
    gross = gains.income[rows, path] * lit
    power = gains.draw[rows, path] * lit + gains.draw[:, 0] * (1 - lit)
    earned, drawn, fees = (float(each) / NANO for each in (gross.sum(), power.sum(), moves * gains.fee))
    return OracleResult(earned - drawn - fees, earned, fees, drawn, moves, path + NOWHERE, hourly=(gross - power - due) / NANO)
