"""What the venues offered in the hours of the last month."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from autopilot.model.device import Venue
from autopilot.store.schema import stamp
from autopilot.store.store import Store
from autopilot.units import HOUR, UsdPerHour, hour_start

_RATES = (
    "SELECT network, market, model, avg(coalesce(expected_nanos, 0)) FROM quotes"
    " WHERE seen_at >= ? AND seen_at < ? GROUP BY network, market, model"
)


class _Key(NamedTuple):
    network: str
    market: str
    model: str


class Means:
    """Reads every hour of a state file once, and the one that is not over yet again and again."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._hours: dict[datetime, dict[_Key, float]] = {}

    def forget(self, before: datetime) -> None:
        """Drop what nobody will ask for any more."""
        self._hours = {hour: rates for hour, rates in self._hours.items() if hour >= before}

    def mean(self, venue: Venue, model: str, since: datetime, at: datetime) -> UsdPerHour | None:
        """Of the expected rates of the hours since then, those without an offer as zero; None where nobody answered in any of them."""
        key, hour, known = _Key(venue.network, venue.market, model), hour_start(since), []
        while hour <= at:
            known += [rate for rate in [self._read(hour, at).get(key)] if rate is not None]
            hour += HOUR
        return UsdPerHour(round(sum(known) / len(known))) if known else None

    def _read(self, hour: datetime, at: datetime) -> dict[_Key, float]:
        if hour not in self._hours or hour + HOUR > at:
            rows = self._store.connection.execute(_RATES, (stamp(hour), stamp(hour + HOUR)))
            self._hours[hour] = {_Key(*names): rate for *names, rate in rows}
        return self._hours[hour]
