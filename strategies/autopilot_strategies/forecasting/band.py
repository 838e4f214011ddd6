"""How far off the forecasts were of late: what to allow below and above the next ones (docs/market.md §5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from autopilot_strategies.forecasting.features import ANCHORS, Origins
from autopilot_strategies.forecasting.rhythm import DAY, Floats, beside

_OUTSIDE = 0.1
"""Of the rates are to lie below the band, and as many above it."""
_DAYS = 60
_HOURS = slice(1, DAY, 8)
"""Of each day: neighbouring hours err alike, so three tell as much as all."""


@dataclass(frozen=True, slots=True)
class Band:
    """The errors of the last 60 days, walked forward, and their quantiles. It learns a day at a time."""

    errors: Floats
    """(rows, anchors, venues): rate minus forecast, in the recent scale; NaN where either is missing."""
    low: Floats
    """(anchors): the quantiles, in scales; NaN while nothing is measured."""
    high: Floats

    @classmethod
    def start(cls, venues: int) -> Self:
        """Nothing measured."""
        unknown = np.full(len(ANCHORS), np.nan)
        return cls(np.zeros((0, len(ANCHORS), venues)), unknown, unknown)

    def widened(self, venues: int) -> Band:
        """With so many more venues, never seen."""
        return Band(beside(self.errors, venues, np.nan), self.low, self.high)

    def around(self, mid: Floats, scale: Floats) -> tuple[Floats, Floats]:
        """The low and the high ends for forecasts (hours, anchors, venues) in scales (hours, venues)."""
        scale = scale[:, None]
        return mid + self.low[:, None] * scale, mid + self.high[:, None] * scale

    def learn(self, rates: Floats, origins: Origins, mid: Floats) -> Band:
        """Take in a day of rates (24, venues), where they were forecast from, and what was said: (hours, anchors, venues)."""
        fresh = ((rates[:, None] - mid) / origins.scale)[_HOURS]
        errors = np.concatenate((self.errors, fresh))[-_DAYS * len(fresh) :]
        ends = np.array([_ends(errors[:, a]) for a in range(len(ANCHORS))])
        return Band(errors, ends[:, 0], ends[:, 1])


def _ends(errors: Floats) -> Floats:
    known = errors[np.isfinite(errors)]
    return np.quantile(known, (_OUTSIDE, 1.0 - _OUTSIDE)) if len(known) else np.full(2, np.nan)
