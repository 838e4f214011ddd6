"""What a device draws, and what that costs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta, tzinfo

from autopilot.model.device import Venue
from autopilot.units import HOUR, UsdPerKwh, Watts, divide_rounded, hour_start, micros

_QUARTER = HOUR / 4
"""Every zone of today is off UTC by whole quarters of an hour, and so are the periods of a calendar."""


@dataclass(frozen=True, slots=True)
class Draw:
    """The power of one device at work and at rest."""

    lit: Watts = Watts(0)
    """While a node serves, hired or not, at a venue that is not named below."""
    idle: Watts = Watts(0)
    """While dark or idle."""
    venues: Mapping[Venue, Watts] = field(default_factory=dict)
    """At work at certain venues: a network's work may draw less than another's."""

    def at(self, venue: Venue) -> Watts:
        """At work at a venue; a figure for the whole network holds for each of its markets."""
        return self.venues.get(venue, self.venues.get(Venue(venue.network), self.lit))


@dataclass(frozen=True, slots=True)
class Period:
    """A part of the week with a price of its own, by local time."""

    days: frozenset[int]
    """Monday is 0."""
    start: time
    end: time
    """Exclusive; midnight is the end of the day. Where it is not later than the start, the period ends on the next day."""
    price: UsdPerKwh

    def __post_init__(self) -> None:
        for at in (self.start, self.end):
            if at.minute % 15 or at.second or at.microsecond:
                msg = f"a tariff changes on a quarter of an hour, not at {at}"
                raise ValueError(msg)

    def holds(self, local: datetime) -> bool:
        """Whether an instant, by local time, is in it."""
        at, today = local.time(), local.weekday()
        if self.start < self.end:
            return today in self.days and self.start <= at < self.end
        began_yesterday = (today - 1) % 7 in self.days and at < self.end
        return began_yesterday or (today in self.days and at >= self.start)


@dataclass(frozen=True, slots=True)
class Calendar:
    """Prices by the day of the week and the hour of the day. The zone knows when summer time begins and ends."""

    zone: tzinfo
    periods: tuple[Period, ...]

    def at(self, now: datetime) -> UsdPerKwh | None:
        """The price of the first period that holds; None outside of all."""
        local = now.astimezone(self.zone)
        return next((period.price for period in self.periods if period.holds(local)), None)


@dataclass(frozen=True, slots=True)
class PowerPrice:
    """The tariff: prices hour by hour where they are known, else by a calendar, else one price."""

    flat: UsdPerKwh = UsdPerKwh(0)
    hours: Mapping[datetime, UsdPerKwh] = field(default_factory=dict)
    """By the start of the hour, UTC: day-ahead prices."""
    calendar: Calendar | None = None

    def at(self, now: datetime) -> UsdPerKwh:
        """The price in force."""
        price = self.hours.get(hour_start(now)) if self.hours else None
        if price is None and self.calendar is not None:
            price = self.calendar.at(now)
        return self.flat if price is None else price

    def spans(self, start: datetime, end: datetime) -> Iterator[tuple[UsdPerKwh, timedelta]]:
        """The time between two instants in pieces of one price."""
        while start < end:
            until = min(end, self._next(start))
            yield self.at(start), until - start
            start = until

    def mean(self, start: datetime, end: datetime) -> UsdPerKwh:
        """The price of a steady draw between two instants. Raises ValueError where no time is between them."""
        if start >= end:
            msg = f"a mean price needs time to be taken over: {start} to {end}"
            raise ValueError(msg)
        if not self.hours and self.calendar is None:
            return self.flat
        total = sum(price.count * micros(span) for price, span in self.spans(start, end))
        return UsdPerKwh(divide_rounded(total, micros(end - start)))

    def _next(self, now: datetime) -> datetime:
        """The next instant at which the price may be another; far away where it never is."""
        if self.calendar is not None:
            return now + _QUARTER - (now - hour_start(now)) % _QUARTER
        return hour_start(now) + HOUR if self.hours else datetime.max.replace(tzinfo=UTC)
