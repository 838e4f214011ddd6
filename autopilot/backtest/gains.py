"""What hours and moves bring in the fluid market, for all that count them by table (docs/market.md §2)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from autopilot.units import HOUR, Usd, micros

Floats = NDArray[np.float64]

NANO = 1e9
"""Nano-dollars in a dollar."""


@dataclass(frozen=True, slots=True, eq=False)
class Gains:
    """In nano-dollars: a row for each hour, a column for each place. Column 0 is idle."""

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
    def of(cls, rates: Floats, draw: Floats, downtime: timedelta, fee: Usd) -> Gains:
        """From USD per hour, a column for each venue, and the power by place. A missing rate pays nothing."""
        hours = len(rates)
        dark = micros(min(downtime, hours * HOUR))
        span = -(-dark // micros(HOUR))
        rest = span - dark / micros(HOUR)
        income = np.pad(np.nan_to_num(np.round(rates * NANO)), ((0, 0), (1, 0)))
        unlit = draw[:, :1]
        entry = rest * _ahead(income - draw + unlit, max(span - 1, 0), 1) - _ahead(unlit, 0, span) - float(fee.count)
        return cls(income, draw, income - draw, entry, float(fee.count), span, rest)


def _ahead(amounts: Floats, skip: int, count: int) -> Floats:
    """For each hour the sum over some hours, after skipping some; what lies past the end is nothing."""
    hours = len(amounts)
    running = np.pad(np.cumsum(np.pad(amounts, ((0, skip + count), (0, 0))), axis=0), ((1, 0), (0, 0)))
    return running[skip + count :][:hours] - running[skip:][:hours]
