"""A strategy's decision as plain functions of numbers: the daemon runs them as they are, a sweep compiles them.

Places are numbered: 0 is idle, and from 1 on stand the venues in the order of their names. Spans and instants are whole microseconds,
kept as floats, so that comparing them is exact. What is compiled may call other such functions, ``math``, and build NamedTuples; it
may not touch any other object.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, Protocol
from zlib import crc32

from autopilot.units import micros

NOWHERE = 0
"""The place of idle."""
NEVER = -math.inf
"""An instant before all others."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Seat(NamedTuple):
    """Where a device is."""

    place: int
    age: float
    """How long it has been there, in microseconds."""


class Offers(NamedTuple):
    """What there is to choose from, by place."""

    rates: Sequence[float]
    """Expected, in USD per hour: 0 for idle, NaN where a venue offers nothing."""
    lifts: Sequence[float]
    """What serving there adds to the power bill, in USD per hour, at the price that the kernel looks at; 0 for idle."""
    dark: Sequence[float]
    """Hours without income when going there."""
    cash: Sequence[float]
    """What going there costs in USD; the forfeits of leaving are in it."""


Choose = Callable[[Any, Seat, Offers, Sequence[Any]], Any]
"""``choose(setting, seat, offers, memories)``: a tuple of which the first item is the place to be; the rest is for the sentence.

``memories`` are what is remembered of each place; they mean nothing to a kernel that has neither recall nor digest.
"""
Take = Callable[[Any, Any, float, float, int], Any]
"""``take(setting, memory, as_of, rate, chance)``: the memory of a venue after one more rate.

``as_of`` is an ``instant``, and ``chance`` is the one ``chance_at`` it.
"""
Urge = Callable[[int, Offers], float]
"""``urge(place, offers)``: how strongly the offers ask to leave a place."""


def instant(at: datetime) -> float:
    """Microseconds since 1970."""
    return float(micros(at - _EPOCH))


def chance_at(at: datetime) -> int:
    """A number below 2**32 that hangs on the instant alone: as good as random, and the same on any machine and in every replay."""
    return crc32(int(at.timestamp()).to_bytes(8, "big", signed=True))


@dataclass(frozen=True, slots=True)
class Recall:
    """What is remembered of every venue's rates. A missing rate changes nothing."""

    take: Take
    setting: Any
    """A NamedTuple of numbers."""
    empty: Any
    """Before the first rate: a NamedTuple of floats, of which the first is ``as_of``, the instant of the newest rate."""


class Digest(Protocol):
    """What is read off the rates of all venues together. Equal ones read the same."""

    def rows(self, rates: Any, as_of: datetime) -> Any:
        """The memories after each hour: (hours, places, numbers), from rates (hours, venues) of which the first row is of ``as_of``."""
        ...


@dataclass(frozen=True, slots=True)
class Alarm:
    """When a decision is worth making: while ``urge`` is not above ``calm``, ``choose`` stays. It only saves time."""

    urge: Urge
    calm: float


@dataclass(frozen=True, slots=True)
class Kernel:
    """How one device is decided upon."""

    choose: Choose
    setting: Any
    """The strategy's parameters: a NamedTuple of numbers."""
    recall: Recall | None = None
    digest: Digest | None = None
    """Instead of a recall."""
    alarm: Alarm | None = None
    """Without one, every hour is worth a decision."""
    stay: timedelta = timedelta(0)
    """It looks at the mean price of power over so long; over no time, at the price in force."""
