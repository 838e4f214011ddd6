"""What moves the pay and the hazard of a jobs market: factors near one that are multiplied, each a small pure piece.

The *hazard* of a venue is how many hires an hour a device that waits there can expect (docs/market.md §1). It is a level times
the factors of the network, of this rig and of the time of day, hour by hour; a device that has just arrived waits behind
those that were there before it, so its first hours count less.

Each factor says two things: its hours from a seed, and what an hour that comes is expected to have, given the present one.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from autopilot.kit.fields import SpanField, Table
from autopilot.units import HOUR

Floats = NDArray[np.float64]

_DAY_HOURS = 24


class Factor(Protocol):
    """One thing that multiplies a level."""

    def series(self, draws: Sequence[np.random.Generator], hours: int) -> Floats:
        """The factor in every hour, hours x venues; each venue has draws of its own."""
        ...

    def ahead(self, series: Floats, lead: int) -> Floats:
        """What is expected some hours after each hour, given that hour; hours x venues."""
        ...


class Walk(Table):
    """A logarithm that wanders and comes back to zero (Ornstein-Uhlenbeck), seen once an hour."""

    sd: float = Field(ge=0)
    """Of the logarithm, in the long run."""
    half_life: SpanField = Field(gt=timedelta(0))
    """Half of a distance from zero is gone after this."""
    settled: bool = True
    """Whether it starts anywhere that it could be after a long time; else it starts at zero."""

    def _kept(self, hours: int) -> float:
        return float(np.exp2(-hours * HOUR / self.half_life))

    def series(self, draws: Sequence[np.random.Generator], hours: int) -> Floats:
        """A step for each hour."""
        shocks = self.sd * np.stack([draw.standard_normal(hours) for draw in draws], axis=1)
        kept = self._kept(1)
        shocks[0] *= self.settled
        shocks[1:] *= np.sqrt(1.0 - kept * kept)
        for hour in range(1, hours):
            shocks[hour] += kept * shocks[hour - 1]
        return np.exp(shocks)

    def ahead(self, series: Floats, lead: int) -> Floats:
        """The mean of a log-normal whose logarithm has gone back that far."""
        kept = self._kept(lead)
        return np.asarray(series**kept * np.exp(self.sd**2 * (1.0 - kept * kept) / 2))


class Regimes(Table):
    """A level that is drawn anew now and then, and holds until the next time."""

    sd: float = Field(ge=0)
    """Of the logarithm."""
    every: SpanField = Field(gt=HOUR)
    """From one to the next, on average."""

    def series(self, draws: Sequence[np.random.Generator], hours: int) -> Floats:
        """Each hour is the last drawn level; the first one is drawn too."""
        columns = []
        for draw in draws:
            levels = np.exp(self.sd * draw.standard_normal(hours))
            anew = draw.random(hours) < HOUR / self.every
            anew[0] = True
            columns.append(levels[np.maximum.accumulate(np.where(anew, np.arange(hours), 0))])
        return np.stack(columns, axis=1)

    def ahead(self, series: Floats, lead: int) -> Floats:
        """The present level where it still holds, the mean of all levels where it does not."""
        holds = (1.0 - HOUR / self.every) ** lead
        return np.asarray(holds * series + (1.0 - holds) * np.exp(self.sd**2 / 2))


class Rhythm(Table):
    """The hours of a day, the same every day."""

    swing: float = Field(default=0.0, ge=0, lt=1)
    """Half the way between the best and the worst hour, as a share of the mean."""
    peak: int = Field(default=0, ge=0, lt=_DAY_HOURS)
    """The best hour, counted from the first one of the series."""

    def series(self, draws: Sequence[np.random.Generator], hours: int) -> Floats:
        """Nothing is drawn."""
        return np.repeat(self._at(np.arange(hours))[:, None], len(draws), axis=1)

    def ahead(self, series: Floats, lead: int) -> Floats:
        """Known for ever."""
        return np.repeat(self._at(np.arange(len(series)) + lead)[:, None], series.shape[1], axis=1)

    def _at(self, hours: NDArray[np.intp]) -> Floats:
        return 1.0 + self.swing * np.cos(2 * np.pi * (hours - self.peak) / _DAY_HOURS)


def exposure(hazard: float, since: float, until: float, queue: float) -> float:
    """The hires that a wait can expect under one hazard, from one time after arrival to another, all in hours.

    The hazard rises evenly from nothing on arrival to its full height when the queue is over. Plain arithmetic, so that it
    can be compiled.
    """
    full = max(until, queue) - max(since, queue)
    early, late = min(since, queue), min(until, queue)
    rising = (late * late - early * early) / (2.0 * queue) if queue > 0.0 else 0.0
    return hazard * (full + rising)


def reached(hazard: float, since: float, need: float, queue: float) -> float:
    """How long after arrival the exposure from ``since`` on has grown to ``need``: the inverse of ``exposure``, in hours."""
    wanted = need / hazard
    if since < queue:
        squared = since * since + 2.0 * queue * wanted
        if squared <= queue * queue:
            return float(squared**0.5)
        wanted -= (queue * queue - since * since) / (2.0 * queue)
        since = queue
    return since + wanted
