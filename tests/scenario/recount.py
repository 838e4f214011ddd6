"""Two independent accounts of a backtest, in whole numbers and from the files alone.

``account`` says what a course netted that a ``--decisions`` file describes, and ``best`` what the best course would
have netted. Both go through the panel hour by hour with a device that knows how long it will still be dark; neither
shares a line with the package. Durations are whole minutes.
"""

from __future__ import annotations

import csv
import gzip
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from functools import cache
from pathlib import Path

IDLE = "idle"
HOUR = timedelta(hours=1)
MINUTES = 60
SCALE = 60_000_000
"""A millionth of a nano-dollar for a minute of an hour: in it, rates and milliwatts for whole minutes are whole numbers."""
USD = SCALE * 10**9


@cache
def nanos(text: str | float) -> int:
    """The nearest whole number of nanos to what was written."""
    return round(Fraction(text) * 10**9)


@dataclass(frozen=True)
class Panel:
    """The rates of every hour from the first to the last, in nano-dollars an hour; a missing one is not in it."""

    start: datetime
    rates: list[dict[str, int]]

    @property
    def networks(self) -> list[str]:
        """Every network that has a rate somewhere, by name."""
        return sorted({network for hour in self.rates for network in hour})

    def cut(self, start: datetime | None = None, end: datetime | None = None) -> Panel:
        """The hours from the first that is not before the start up to the last before the end."""
        kept = [hour for hour in range(len(self.rates)) if (not start or self.time(hour) >= start) and (not end or self.time(hour) < end)]
        return Panel(self.time(kept[0]), [self.rates[hour] for hour in kept])

    def time(self, hour: int) -> datetime:
        """When the hour begins."""
        return self.start + hour * HOUR


@dataclass(frozen=True)
class Terms:
    """What moving and running cost."""

    downtime: int = 30
    """Dark minutes of a move."""
    fee: str = "0"
    power: int = 0
    """Watts while lit at a venue."""
    idle_power: int = 0
    """Watts while dark or idle."""
    tariff: str | Mapping[datetime, str] = "0"
    """USD per kWh: one, or one for each hour."""

    @property
    def entry(self) -> int:
        """The fee in the scale of the accounts."""
        return nanos(self.fee) * SCALE

    def energy(self, time: datetime, lit: int) -> int:
        """What the power of an hour costs with some minutes of it lit, in the scale of the accounts."""
        price = self.tariff if isinstance(self.tariff, str) else self.tariff[time]
        return nanos(price) * 1000 * (self.power * lit + self.idle_power * (MINUTES - lit))


@dataclass(frozen=True)
class Account:
    """What a course came to, in USD."""

    net: float
    gross: float
    fees: float
    power: float
    moves: int
    dark_hours: float


@dataclass
class Device:
    """One device on its way through the panel. It starts idle. Money is in the scale of the accounts."""

    terms: Terms
    place: str = IDLE
    dark: int = 0
    """Minutes that it will still be dark."""
    gross: int = 0
    power: int = 0
    moves: int = 0
    dark_minutes: int = 0

    def wish(self, place: str) -> None:
        """Be there from this hour on. Raises ValueError for a change of place while dark."""
        if place == self.place:
            return
        if self.dark:
            msg = f"went to {place} with {self.dark} dark minutes on the way to {self.place} left"
            raise ValueError(msg)
        self.place = place
        if place != IDLE:
            self.dark = self.terms.downtime
            self.moves += 1

    def pass_hour(self, time: datetime, rates: Mapping[str, int]) -> None:
        """Earn and draw for an hour."""
        dark = min(self.dark, MINUTES)
        lit = 0 if self.place == IDLE else MINUTES - dark
        self.gross += rates.get(self.place, 0) * lit * (SCALE // MINUTES)
        self.power += self.terms.energy(time, lit)
        self.dark_minutes += dark
        self.dark -= dark


def account(panel: Panel, courses: Mapping[str, list[str]], terms: Terms) -> Account:
    """What the courses of all devices came to: each names, for every hour, where the device is or is on its way to."""
    devices = []
    for course in courses.values():
        device = Device(terms)
        for hour, (place, rates) in enumerate(zip(course, panel.rates, strict=True)):
            device.wish(place)
            device.pass_hour(panel.time(hour), rates)
        devices.append(device)
    gross, power, moves = (sum(getattr(device, what) for device in devices) for what in ("gross", "power", "moves"))
    fees = moves * terms.entry
    dark = sum(device.dark_minutes for device in devices)
    return Account((gross - fees - power) / USD, gross / USD, fees / USD, power / USD, moves, dark / MINUTES)


State = tuple[str, int]
"""A place, and the minutes that the device will still be dark there."""


def best(panel: Panel, terms: Terms) -> float:
    """The most that one device can net, in USD: the longest path through (hour, place, dark minutes left)."""
    networks = panel.networks
    reached: dict[State, int] = {(IDLE, 0): 0}
    for hour, rates in enumerate(panel.rates):
        after: dict[State, int] = {}
        for (place, dark), money in _decide(reached, networks, terms).items():
            passed = min(dark, MINUTES)
            lit = 0 if place == IDLE else MINUTES - passed
            earned = rates.get(place, 0) * lit * (SCALE // MINUTES) - terms.energy(panel.time(hour), lit)
            _keep(after, (place, dark - passed), money + earned)
        reached = after
    return max(reached.values()) / USD


def _decide(reached: Mapping[State, int], networks: Iterable[str], terms: Terms) -> dict[State, int]:
    """Every state that one decision of each device leads to, with the most money that one can have there."""
    decided = dict(reached)
    for (place, dark), money in reached.items():
        if dark:
            continue
        _keep(decided, (IDLE, 0), money)
        for network in networks:
            if network != place:
                _keep(decided, (network, terms.downtime), money - terms.entry)
    return decided


def _keep(states: dict[State, int], state: State, money: int) -> None:
    states[state] = max(states.get(state, money), money)


def read_panel(path: Path, gpu: str | None = None) -> Panel:
    """The rates of one GPU model in a CSV file, gzipped or not. Every hour of the file counts, whichever model it names."""
    hours: defaultdict[datetime, dict[str, int]] = defaultdict(dict)
    for row in _rows(path):
        hour = hours[_time(row["timestamp"])]
        if row["usd_per_hour"] and gpu in {None, row["gpu"]}:
            hour[row["network"]] = nanos(row["usd_per_hour"])
    start, end = min(hours), max(hours)
    return Panel(start, [hours.get(start + index * HOUR, {}) for index in range((end - start) // HOUR + 1)])


def read_tariff(path: Path) -> dict[datetime, str]:
    """The price of every hour in a CSV file of ``timestamp,usd_per_kwh``, as written."""
    return {_time(row["timestamp"]): row["usd_per_kwh"] for row in _rows(path)}


def read_courses(path: Path, panel: Panel) -> dict[str, list[str]]:
    """The course of every device in a ``--decisions`` file. Raises ValueError unless each hour is there once for each device."""
    seen: defaultdict[str, dict[datetime, str]] = defaultdict(dict)
    for row in _rows(path):
        time = datetime.strptime(row["timestamp"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        if time in seen[row["device"]]:
            msg = f"{row['device']} is there twice at {time}"
            raise ValueError(msg)
        seen[row["device"]][time] = row["network"]
    times = {panel.time(hour) for hour in range(len(panel.rates))}
    for device, places in seen.items():
        if places.keys() != times:
            msg = f"the hours of {device} are not those of the panel: {sorted(places.keys() ^ times)[:3]} …"
            raise ValueError(msg)
    return {device: [places[time] for time in sorted(times)] for device, places in seen.items()}


def _rows(path: Path) -> Iterator[dict[str, str]]:
    unpack = gzip.open if path.suffix == ".gz" else open
    with unpack(path, "rt", encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
