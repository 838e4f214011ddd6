"""The jobs market of one seed (docs/market.md §1): what venues pay, how soon they hire, and what the public is told of it.

A tape is the same for every strategy, and so are its draws: unit exponentials and unit job lengths for each venue and device.
A device is hired for the k-th time at a venue when the hazard that it has waited through there exceeds the sum of the first k
exponentials, and that job has the k-th length, whatever the strategy did before. What differs between two strategies is then
what they decided, not their luck.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import IntEnum
from math import erfc, exp, log, sqrt
from typing import NamedTuple

import numpy as np

from autopilot.sim.hazards import Factor, Floats, exposure, reached

MICRO_HOURS = 3_600_000_000.0
"""Microseconds in an hour: every instant of a market is a whole number of them, as every instant of a clock is."""


class Purpose(IntEnum):
    """What a stream of random numbers is for: each has its own, so that one more draw here changes nothing there."""

    WORLD = 0
    PAY = 1
    NETWORK = 2
    REGIME = 3
    RHYTHM = 4
    RIG = 5
    ERROR = 6
    KNOWN_JOB = 7
    SHAPE = 8
    WAIT = 9
    LENGTH = 10


def stream(seed: int, purpose: Purpose, *place: int) -> np.random.Generator:
    """The random numbers of one purpose, for one venue, or one venue and device."""
    return np.random.default_rng((seed, purpose, *place))


@dataclass(frozen=True, eq=False)
class Motion:
    """A level and the factors that move it, hours x venues. Hours before the first scored one may come before it."""

    level: Floats
    factors: Sequence[tuple[Factor, Floats]] = ()
    """Each with its own hours."""

    @classmethod
    def of(cls, level: Floats, factors: Mapping[Purpose, Factor], seed: int) -> Motion:
        """With every factor drawn by the seed."""
        hours, venues = level.shape
        streams = {why: [stream(seed, why, venue) for venue in range(venues)] for why in factors}
        return cls(level, [(factor, factor.series(streams[why], hours)) for why, factor in factors.items()])

    @property
    def values(self) -> Floats:
        """What it is in every hour."""
        return self.ahead(0)

    def ahead(self, lead: int) -> Floats:
        """What is expected some hours after each hour, by one who knows the present factors; the level is believed to last."""
        expected = self.level
        for factor, series in self.factors:
            expected = expected * factor.ahead(series, lead)
        return expected


class Shown(NamedTuple):
    """What a strategy may know at the start of every hour, hours x venues; NaN where nothing is known."""

    pay: Floats
    """USD an hour while a job runs, as posted."""
    idle: Floats
    """USD an hour while waiting."""
    occupancy: Floats
    """The share of their time that devices are said to be hired there: noisy, and late."""
    job_hours: Floats
    """The mean length of a job, as it is said to be."""


class Truth(NamedTuple):
    """What happens. Arrays are hours x venues, USD and hours."""

    pay: Floats
    """Locked at the hire, for the whole job."""
    idle: Floats
    hazard: Floats
    """Of this rig, for each hour of waiting; zero where there is nothing to be hired for."""
    job_hours: Floats
    """The mean length of a job that begins in the hour."""
    waits: Floats
    """Venues x devices x hires: unit exponentials."""
    lengths: Floats
    """Venues x devices x hires: lengths of jobs, as multiples of their mean."""
    queue: float
    """Hours after which an arrival no longer waits behind others."""


@dataclass(frozen=True, eq=False)
class Tape:
    """One seed of one market. Row 0 is the first hour that is scored."""

    venues: tuple[str, ...]
    told: Shown
    """What the public is told of each hour, those before row 0 included."""
    shown: Shown
    """What of that is known at the start of every scored hour."""
    truth: Truth
    sigmas: tuple[float, ...]
    """Of the logarithm of a job's length at each venue; zero where lengths are exponential."""
    pay: Motion
    """How the truth's pay came about, hours before row 0 included."""
    hazard: Motion
    """How the truth's hazard did."""

    @property
    def hours(self) -> int:
        """How many are scored."""
        return len(self.truth.pay)


def whole_nanos(values: Floats) -> Floats:
    """Rates and shares as quantities can count them."""
    return np.asarray(np.round(values * 1e9) / 1e9)


def whole_micros(hours: Floats) -> Floats:
    """Spans as clocks can count them."""
    return np.asarray(np.round(hours * MICRO_HOURS) / MICRO_HOURS)


def draws(seed: int, hazard: Floats, devices: int, sigmas: Sequence[float]) -> tuple[Floats, Floats]:
    """Waits and lengths, more than any device can use: one that waited through every hour would have this many hires.

    A sigma of zero stands for exponential lengths; else they are log-normal, of mean one.
    """
    total = float(hazard.sum(axis=0).max())
    count = int(total + 8.0 * np.sqrt(total) + 32.0)
    shape = (hazard.shape[1], devices, count)
    waits, lengths = np.empty(shape), np.empty(shape)
    for venue, sigma in enumerate(sigmas):
        for device in range(devices):
            waits[venue, device] = stream(seed, Purpose.WAIT, venue, device).standard_exponential(count)
            luck = stream(seed, Purpose.LENGTH, venue, device)
            if sigma:
                lengths[venue, device] = np.exp(sigma * luck.standard_normal(count) - sigma**2 / 2)
            else:
                lengths[venue, device] = luck.standard_exponential(count)
    return waits, lengths


def to_hours(span: timedelta) -> float:
    """A span as the arrays count it; exact to the microsecond."""
    return (span // timedelta(microseconds=1)) / MICRO_HOURS


def snapped(hours: float) -> float:
    """The nearest whole microsecond. Plain arithmetic, so that it can be compiled."""
    return float(np.round(hours * MICRO_HOURS) / MICRO_HOURS)


def wait(truth: Truth, venue: int, start: float, end: float, came: float, need: float) -> tuple[float, float]:
    """Wait at a venue from one time to another, both in hours, having come at a third.

    ``need`` is the exposure that a hire still takes. Returns the time of the hire and zero, or the end and what is needed then.
    """
    while start < end:
        hour = int(start)
        until = min(hour + 1.0, end)
        grown = exposure(truth.hazard[hour, venue], start - came, until - came, truth.queue)
        if grown >= need:
            return snapped(came + reached(truth.hazard[hour, venue], start - came, need, truth.queue)), 0.0
        need -= grown
        start = until
    return end, need


def remaining(age: float, mean: float, sigma: float) -> float:
    """Hours that a job of this age is expected to go on, where lengths have this mean.

    Exponential lengths forget their age. A log-normal length L beyond a has the mean E[L] Phi(s - z) / Phi(-z), where z is the
    standardised logarithm of a and s the sigma.
    """
    if not sigma or age <= 0.0:
        return mean
    middle = log(mean) - sigma**2 / 2
    # Beyond six standard deviations the quotient has no digits left: the job is taken for one of that age.
    z = min((log(age) - middle) / sigma, 6.0)
    return mean * erfc((z - sigma) / sqrt(2.0)) / erfc(z / sqrt(2.0)) - exp(middle + sigma * z)
