"""Power: the day-ahead prices that were told, and what GPUs were measured to draw."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import NamedTuple

from autopilot.model.device import NetworkId, Venue
from autopilot.store.schema import Connection, instant, stamp
from autopilot.units import UsdPerKwh


class Measured(NamedTuple):
    """What a GPU model was measured to draw at a venue."""

    milliwatts: float
    """The mean, in which what was long ago has faded."""
    hours: float
    """How long it was measured for, faded as well."""


class PowerBook:
    """It outlives a restart: what was told or measured is not asked for twice."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def price(self, hours: Mapping[datetime, UsdPerKwh], since: datetime) -> None:
        """Keep the prices of hours, and forget those of before an instant. Call it inside a transaction."""
        self._connection.executemany(
            "INSERT OR REPLACE INTO power_prices VALUES (?, ?)", ((stamp(hour), price.count) for hour, price in hours.items())
        )
        self._connection.execute("DELETE FROM power_prices WHERE hour < ?", (stamp(since),))

    def prices(self) -> dict[datetime, UsdPerKwh]:
        """By the start of the hour."""
        rows = self._connection.execute("SELECT hour, usd_per_kwh_nanos FROM power_prices ORDER BY hour")
        return {instant(hour): UsdPerKwh(nanos) for hour, nanos in rows}

    def measure(self, draws: Mapping[tuple[Venue, str], Measured]) -> None:
        """Keep what was measured, by venue and model. Call it inside a transaction."""
        self._connection.executemany(
            "INSERT OR REPLACE INTO draws VALUES (?, ?, ?, ?, ?)",
            ((venue.network, venue.market, model, *each) for (venue, model), each in draws.items()),
        )

    def measured(self) -> Iterator[tuple[tuple[Venue, str], Measured]]:
        """All that was measured; what is drawn doing nothing stands under idle."""
        rows = self._connection.execute("SELECT network, market, model, milliwatts, hours FROM draws ORDER BY network, market, model")
        for network, market, model, milliwatts, hours in rows:
            yield (Venue(NetworkId(network), market), model), Measured(milliwatts, hours)
