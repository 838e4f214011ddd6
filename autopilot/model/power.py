"""What a device draws, and what that costs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from autopilot.units import HOUR, UsdPerKwh, Watts, hour_start


@dataclass(frozen=True, slots=True)
class Draw:
    """The power of one device at work and at rest."""

    lit: Watts = Watts(0)
    """While a node serves, hired or not."""
    idle: Watts = Watts(0)
    """While dark or idle."""


@dataclass(frozen=True, slots=True)
class PowerPrice:
    """The tariff: one price, or a price for each hour."""

    flat: UsdPerKwh = UsdPerKwh(0)
    hours: Mapping[datetime, UsdPerKwh] = field(default_factory=dict)
    """By the start of the hour, UTC. An hour that is not named has the flat price."""

    def at(self, now: datetime) -> UsdPerKwh:
        """The price in force."""
        return self.hours.get(hour_start(now), self.flat) if self.hours else self.flat

    def spans(self, start: datetime, end: datetime) -> Iterator[tuple[UsdPerKwh, timedelta]]:
        """The time between two instants in pieces of one price."""
        while start < end:
            until = min(end, hour_start(start) + HOUR) if self.hours else end
            yield self.at(start), until - start
            start = until
