"""What the hour of day and the hour of week add to a venue's rate: seasonal profiles with shrinkage (docs/market.md §5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

DAY, WEEK = 24, 168
"""Hours."""
_DAYS, _WEEKS = 21.0, 8.0
"""Half-lives of the profiles, in days and in weeks."""
_DAY_DOUBT, _WEEK_DOUBT = 3.0, 4.0
"""Days and weeks without rhythm that the profiles start from."""


@dataclass(frozen=True, slots=True)
class Rhythm:
    """Two profiles of each venue, USD/h; the venues are the last axis. It learns a day at a time."""

    by_day: Floats
    """(24, venues): the mean distance from the slow average."""
    by_week: Floats
    """(168, venues): what is left after that."""
    days: Floats
    """(24, venues): how many rates went in."""
    weeks: Floats
    """(168, venues)"""

    @classmethod
    def start(cls, venues: int) -> Self:
        """No rhythm."""
        return cls(*(np.zeros((hours, venues)) for hours in (DAY, WEEK, DAY, WEEK)))

    def widened(self, venues: int) -> Rhythm:
        """With so many more venues, never seen."""
        return Rhythm(*(beside(getattr(self, name), venues, 0.0) for name in self.__slots__))

    def at(self, hours: NDArray[np.int64]) -> Floats:
        """(..., 2, venues) for hours since 1970-01-01T00Z: what the hour of day and the hour of week add."""
        return np.stack((self.by_day[hours % DAY], self.by_week[hours % WEEK]), axis=-2)

    def learn(self, hour: int, away: Floats) -> Rhythm:
        """Take in a day: distances from the slow average (24, venues), NaN where missing, from this hour on."""
        hours = hour + np.arange(DAY)
        day, week = hours % DAY, hours % WEEK
        known = np.isfinite(away)
        days, weeks = self.days.copy(), self.weeks.copy()
        days[day] += known
        weeks[week] += known
        by_day, by_week = self.by_day.copy(), self.by_week.copy()
        by_day[day] += np.where(known, _gain(_DAYS, days[day] + _DAY_DOUBT) * (away - by_day[day]), 0.0)
        by_week[week] += np.where(known, _gain(_WEEKS, weeks[week] + _WEEK_DOUBT) * (away - by_day[day] - by_week[week]), 0.0)
        return Rhythm(by_day, by_week, days, weeks)


def _gain(half_life: float, seen: Floats) -> Floats:
    """A plain mean, the doubt counted in, until that is slower than the half-life."""
    gain: Floats = np.maximum(1.0 - np.exp2(-1.0 / half_life), 1.0 / seen)
    return gain


def beside(values: Floats, venues: int, fill: float) -> Floats:
    """The values with so many more venues, which are the last axis."""
    return np.concatenate((values, np.full((*values.shape[:-1], venues), fill)), axis=-1)
