"""Sums and newest figures for those who only read along."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from autopilot.model.device import NetworkId, Venue
from autopilot.store.ledger import Kind
from autopilot.store.schema import Connection, instant, stamp
from autopilot.units import Usd, UsdPerHour

_NEWEST = (  # a bare column beside max() is that of the row with the maximum (SQLite, "Bare columns in an aggregate query")
    "SELECT network, market, model, max(id), seen_at, expires, expected_nanos FROM quotes"
    " WHERE seen_at > ? AND seen_at <= ? GROUP BY network, market, model ORDER BY network, market, model"
)
_BOOKED = "SELECT kind, network, sum(amount_nanos), sum(micros) FROM ledger GROUP BY kind, network ORDER BY kind, network"


class Newest(NamedTuple):
    """The newest answer of a venue about a GPU model."""

    venue: Venue
    model: str
    seen_at: datetime
    expected: UsdPerHour | None
    """None where the venue offers nothing, or the quote has expired."""


class Figures:
    """Questions to a state file, none of which needs more than one pass over one table."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def quotes(self, after: datetime, at: datetime) -> Iterator[Newest]:
        """The newest answer of every venue about every GPU model, of those that came after an instant."""
        for network, market, model, _, seen_at, expires, nanos in self._connection.execute(_NEWEST, (stamp(after), stamp(at))):
            good = nanos is not None and (expires is None or at < instant(expires))
            yield Newest(Venue(NetworkId(network), market), model, instant(seen_at), UsdPerHour(nanos) if good else None)

    def booked(self) -> Iterator[tuple[Kind, str, Usd, timedelta]]:
        """The ledger's sums of all time, by kind and network: amounts and lengths."""
        for kind, network, nanos, micros in self._connection.execute(_BOOKED):
            yield Kind(kind), network, Usd(nanos), timedelta(microseconds=micros)
