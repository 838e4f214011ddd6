"""What the networks answered within the last day: one rate for each hour, and the last words of each about every device."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from autopilot.model.device import DeviceId, NetworkId, Venue
from autopilot.model.market import NO_QUOTE_LIFE, Answer
from autopilot.store.schema import instant, stamp
from autopilot.store.store import Store
from autopilot.units import UsdPerHour

_BACK = timedelta(hours=24)
_FEW = 1024
"""Answers that are looked through before there is a decision."""
_FIRST = "SELECT min(id) - 1 FROM quotes INDEXED BY quotes_by_time WHERE seen_at > ?"
_HOURS = (
    "SELECT network, market, model, device, seen_at, expires, expected_nanos, max(id) FROM quotes WHERE id > ?"
    " AND +seen_at > ? AND +seen_at <= ? GROUP BY network, market, model, substr(seen_at, 1, 13) ORDER BY max(id)"
)
"""Of each hour the last answer: of one device of every model, since a market knows no other difference.

The pluses keep to the order of the ids: what is new is at the end, and a day is long.
"""


@dataclass(frozen=True, slots=True)
class Heard:
    """One answer, as much of it as a trend needs."""

    number: int
    venue: Venue
    model: str
    device: DeviceId
    seen_at: datetime
    expires: datetime
    """From here on it is too old to count."""
    expected: UsdPerHour | None
    """Before power; None where the venue offers nothing."""


class Ear:
    """Listens to one state file again and again. What was read once is kept until it is a day old."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._hours: dict[tuple[Venue, str, datetime], Heard] = {}
        self._last = 0
        self._newest: tuple[int, Collection[tuple[Venue, DeviceId]], dict[tuple[Venue, DeviceId], Answer]] = -1, (), {}

    def hours(self, at: datetime) -> list[Heard]:
        """Of every venue and GPU model the last answer of each hour, oldest first."""
        for heard in self._read(at):
            key = heard.venue, heard.model, heard.seen_at.replace(minute=0, second=0, microsecond=0)
            self._hours.pop(key, None)
            self._hours[key] = heard
            self._last = heard.number
        self._hours = {key: heard for key, heard in self._hours.items() if at - _BACK < heard.seen_at}
        return list(self._hours.values())

    def newest(self, wanted: Collection[tuple[Venue, DeviceId]], at: datetime) -> dict[tuple[Venue, DeviceId], Answer]:
        """The last answer of each of these venues about each device, of those that came in up to an instant."""
        if self._newest[:2] != (self._last, wanted):
            self._newest = self._last, set(wanted), self._store.rates.newest(wanted, self._last)
        return {key: answer for key, answer in self._newest[2].items() if at - _BACK < answer.seen_at <= at}

    def recent(self, at: datetime) -> dict[tuple[Venue, DeviceId], Answer]:
        """The last answers, whoever gave them: for the time before the first decision, which says whose count."""
        found = self._store.rates.numbered(self._last - _FEW, self._last)
        return {(answer.venue, answer.device): answer for answer, _ in found if at - _BACK < answer.seen_at <= at}

    def _read(self, at: datetime) -> Iterator[Heard]:
        execute, since = self._store.connection.execute, stamp(at - _BACK)
        if not self._last:
            self._last = execute(_FIRST, (since,)).fetchone()[0] or 0
        rows = execute(_HOURS, (self._last, since, stamp(at)))
        for network, market, model, device, seen_at, expires, nanos, number in rows:
            seen = instant(seen_at)
            until = instant(expires) if expires else seen + NO_QUOTE_LIFE
            expected = None if nanos is None else UsdPerHour(nanos)
            yield Heard(number, Venue(NetworkId(network), market), model, DeviceId(device), seen, until, expected)
