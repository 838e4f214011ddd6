"""The table ``[power]``: what GPUs draw, and what that costs, as a person writes it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import time
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pydantic import BeforeValidator, Field, PlainSerializer, model_validator

from autopilot.errors import did_you_mean
from autopilot.kit.fields import Table, UsdPerKwhField, WattsField
from autopilot.kit.http import Http
from autopilot.kit.redaction import shown
from autopilot.kit.series import Form, Series, from_file, from_url
from autopilot.model.device import IDLE, NetworkId, Venue
from autopilot.model.power import Calendar, Draw, Period, PowerPrice
from autopilot.model.week import Hours
from autopilot.units import UsdPerKwh, Watts

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_TIME = re.compile(r"([01]?\d|2[0-4]):([0-5]\d)")


def _days(written: object) -> object:
    """``"mon-fri"``, ``"sat, sun"``, or a list of such; Monday is 0. From a later day to an earlier one is over the weekend."""
    if isinstance(written, frozenset):
        return written
    found: set[int] = set()
    for part in written if isinstance(written, list) else str(written).split(","):
        first, _, last = str(part).strip().lower().partition("-")
        start, end = _day(first), _day(last or first)
        found |= {(start + step) % 7 for step in range((end - start) % 7 + 1)}
    return found


def _day(name: str) -> int:
    if name.strip()[:3] not in _DAYS:
        msg = f"{name.strip()!r} is no day; write them like 'mon-fri' or 'sat, sun'"
        raise ValueError(msg)
    return _DAYS.index(name.strip()[:3])


def _time(written: object) -> object:
    """``"7:00"``; ``"24:00"`` is midnight, too."""
    if isinstance(written, time):
        return written
    match = _TIME.fullmatch(str(written).strip())
    if not match or (match[1] == "24" and match[2] != "00"):
        msg = f"{written!r} is no time of the day; write it like '07:00'"
        raise ValueError(msg)
    return time(int(match[1]) % 24, int(match[2]))


def _zone(written: object) -> object:
    if isinstance(written, ZoneInfo):
        return written
    try:
        return ZoneInfo(str(written))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        msg = f"{written!r} is no time zone like 'Europe/Prague'; {did_you_mean(str(written), available_timezones())}"
        raise ValueError(msg) from None


TimeField = Annotated[time, BeforeValidator(_time)]


class HoursSettings(Table):
    """The same hours of certain days: ``{ days = "mon-fri", from = "18:00", to = "23:00" }``."""

    days: Annotated[frozenset[int], BeforeValidator(_days)] = frozenset(range(7))
    start: TimeField = Field(default=time(0), alias="from")
    end: TimeField = Field(default=time(0), alias="to")

    def hours(self) -> Hours:
        """As a rule takes them."""
        return Hours(self.days, self.start, self.end)


class PeriodSettings(HoursSettings):
    """A part of the week with a price of its own."""

    price: UsdPerKwhField

    @model_validator(mode="after")
    def _possible(self) -> Self:
        self.period()
        return self

    def period(self) -> Period:
        """As a calendar takes it. Raises ValueError where it does not change on a quarter of an hour."""
        return Period(self.days, self.start, self.end, self.price)


class CalendarSettings(Table):
    """Prices by local time, the first period that holds; outside of all, ``power.price``."""

    zone: Annotated[ZoneInfo, BeforeValidator(_zone)]
    periods: tuple[PeriodSettings, ...]

    model_config = Table.model_config | {"arbitrary_types_allowed": True}

    def calendar(self) -> Calendar:
        """As a tariff takes it."""
        return Calendar(self.zone, tuple(each.period() for each in self.periods))


def _shown(url: str | None) -> str | None:
    return shown(url) if url else None


class SeriesSettings(Table):
    """Day-ahead prices: asked for anew with every poll, and remembered."""

    file: Path | None = None
    url: Annotated[str | None, PlainSerializer(_shown, when_used="json")] = Field(default=None, repr=False)
    """It may hold a key."""
    hour: str = Form().hour
    price: str = Form().price
    rows: str = Form().rows
    factor: Decimal = Form().factor

    @model_validator(mode="after")
    def _from_somewhere(self) -> Self:
        if (self.file is None) == (self.url is None):
            msg = "name the file or the url that has the prices, one of them"
            raise ValueError(msg)
        return self

    def form(self) -> Form:
        """How they are written."""
        return Form(self.hour, self.price, self.rows, self.factor)

    def series(self, http: Http) -> Series:
        """What asks for them."""
        return from_file(self.file, self.form()) if self.file else from_url(http, self.url or "", self.form())


def venue_of(name: str) -> Venue:
    """A venue as it is written in a configuration: ``akash``, ``nosana/rtx-4090``."""
    network, _, market = name.partition("/")
    return Venue(NetworkId(network), market)


class PowerSettings(Table):
    """What the GPUs draw, each, and what that costs."""

    price: UsdPerKwhField = UsdPerKwh(0)
    """Where neither the series nor the calendar says another."""
    lit: WattsField = Watts(0)
    idle: WattsField = Watts(0)
    venues: Mapping[str, WattsField] = Field(default_factory=dict)
    """At work at certain networks, ``akash``, or at one market of a network, ``nosana/rtx-4090``."""
    limits: Mapping[str, WattsField] = Field(default_factory=dict)
    """The power limit that is set while a GPU is at a network or a market, named like ``venues``, or at ``idle``."""
    calendar: CalendarSettings | None = None
    series: SeriesSettings | None = None

    @model_validator(mode="after")
    def _drawn(self) -> Self:
        if min(self.lit, self.idle, *self.venues.values()) < Watts(0):
            msg = "lit and idle are what a GPU draws, and must not be negative"
            raise ValueError(msg)
        if any(watts <= Watts(0) for watts in self.limits.values()):
            msg = "a power limit must be more than nothing"
            raise ValueError(msg)
        if IDLE.network in self.venues:
            msg = "what is drawn at idle is set by power.idle, not among the venues"
            raise ValueError(msg)
        if self.series and self.calendar is None and "price" not in self.model_fields_set:
            msg = "a series needs a price too, for the hours that it does not tell"
            raise ValueError(msg)
        return self

    def draw(self) -> Draw:
        """Of each GPU."""
        return Draw(self.lit, self.idle, {venue_of(name): watts for name, watts in self.venues.items()})

    def tariff(self) -> PowerPrice:
        """All but the series."""
        return PowerPrice(self.price, calendar=self.calendar.calendar() if self.calendar else None)
