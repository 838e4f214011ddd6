"""What a device draws, and what that costs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from autopilot.model.device import IDLE, Venue
from autopilot.model.week import Hours
from autopilot.units import HOUR, UsdPerKwh, Watts, divide_rounded, hour_start, micros

_NO_TIME = timedelta(0)
_QUARTER = HOUR / 4
"""Every zone of today is off UTC by whole quarters of an hour, and so are the periods of a calendar."""
KNOWN = 36
"""Hours from the present one on for which prices by the hour are believed: day-ahead ones are published by the afternoon before."""


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
        """At work at a venue, or idle; a figure for the whole network holds for each of its markets."""
        if venue == IDLE:
            return self.idle
        return self.venues.get(venue, self.venues.get(Venue(venue.network), self.lit))


@dataclass(frozen=True, slots=True)
class Period(Hours):
    """A part of the week with a price of its own."""

    price: UsdPerKwh

    def __post_init__(self) -> None:
        for at in (self.start, self.end):
            if at.minute % 15 or at.second or at.microsecond:
                msg = f"a tariff changes on a quarter of an hour, not at {at}"
                raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class Calendar:
    """Prices by the day of the week and the hour of the day. The zone knows when summer time begins and ends."""

    zone: ZoneInfo
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
        whole = micros(end - start)
        if self.calendar is None:
            more = sum((price - self.flat).count * micros(_shared(hour, start, end)) for hour, price in self.hours.items())
            return UsdPerKwh(self.flat.count + divide_rounded(more, whole))
        return UsdPerKwh(divide_rounded(sum(price.count * micros(span) for price, span in self.spans(start, end)), whole))

    def hourly(self, start: datetime, count: int) -> list[UsdPerKwh]:
        """The mean of each of so many hours from an instant on."""
        last = max(self.hours, default=start)
        known = count if self.calendar else min(count, max(1 - (start - last) // HOUR, 0))
        means = [self.mean(start + hour * HOUR, start + (hour + 1) * HOUR) for hour in range(known)]
        return means + [self.flat] * (count - known)

    def foreseen(self, now: datetime) -> PowerPrice:
        """As far as it is known at an instant: what was written down for a year is no foresight of day-ahead prices."""
        if not self.hours:
            return self
        hours = [hour_start(now) + ahead * HOUR for ahead in range(KNOWN)]
        return replace(self, hours={hour: self.hours[hour] for hour in hours if hour in self.hours})

    def _next(self, now: datetime) -> datetime:
        """The next instant at which the price may be another; far away where it never is."""
        if self.calendar is not None:
            return now + _QUARTER - (now - hour_start(now)) % _QUARTER
        return hour_start(now) + HOUR if self.hours else datetime.max.replace(tzinfo=UTC)


def _shared(hour: datetime, start: datetime, end: datetime) -> timedelta:
    """How much of an hour lies between two instants."""
    return max(min(end, hour + HOUR) - max(start, hour), _NO_TIME)
