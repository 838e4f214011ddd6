"""Sums and newest figures for those who only read along."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import chain
from typing import NamedTuple

from autopilot.model.device import NetworkId, Venue
from autopilot.store.ledger import Kind
from autopilot.store.schema import Connection, instant, stamp
from autopilot.units import Usd, UsdPerHour, hour_start

_NEWEST = (  # a bare column beside max() is that of the row with the maximum (SQLite, "Bare columns in an aggregate query")
    "SELECT network, market, model, max(id), seen_at, expires, expected_nanos FROM quotes"
    " WHERE seen_at > ? AND seen_at <= ? GROUP BY network, market, model ORDER BY network, market, model"
)
_OPEN = timedelta(days=2)
"""How long a booking may still grow or come late. Payouts come as late as they like."""
_KEPT = timedelta(days=1)
"""How long the sum of all that is older is kept."""
_SUMS = "SELECT kind, network, sum(amount_nanos), sum(micros) FROM ledger"
_PAYOUTS = f"kind IN ('{Kind.PAID}', '{Kind.REPORTED}')"
_OLD = f"{_SUMS} WHERE hour < ? AND NOT {_PAYOUTS} GROUP BY kind, network"
_NEW = f"{_SUMS} INDEXED BY ledger_by_hour WHERE hour >= ? AND NOT {_PAYOUTS} GROUP BY kind, network"
_PAID = f"{_SUMS} WHERE {_PAYOUTS} GROUP BY kind, network"


_Sum = tuple[str, str, int, int]
"""Kind, network, nano-dollars and microseconds."""


class Newest(NamedTuple):
    """The newest answer of a venue about a GPU model."""

    venue: Venue
    model: str
    seen_at: datetime
    expected: UsdPerHour | None
    """None where the venue offers nothing, or the quote has expired."""


class Figures:
    """Questions to a state file, asked again and again: what does not change is read once and kept."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._old: list[_Sum] = []
        """Of all that was booked before the cut, without payouts."""
        self._cut: datetime | None = None

    def quotes(self, after: datetime, at: datetime) -> Iterator[Newest]:
        """The newest answer of every venue about every GPU model, of those that came after an instant."""
        for network, market, model, _, seen_at, expires, nanos in self._connection.execute(_NEWEST, (stamp(after), stamp(at))):
            good = nanos is not None and (expires is None or at < instant(expires))
            yield Newest(Venue(NetworkId(network), market), model, instant(seen_at), UsdPerHour(nanos) if good else None)

    def booked(self, at: datetime) -> Iterator[tuple[Kind, str, Usd, timedelta]]:
        """The ledger's sums of all time, by kind and network: amounts and lengths.

        Payouts and the last two days are always read anew. What is older is summed up once a day, since all that a tick books begins
        with the tick before it.
        """
        cut = self._settle(at)
        totals: dict[tuple[str, str], tuple[int, int]] = {}
        for kind, network, nanos, micros in chain(self._old, self._connection.execute(_NEW, (cut,)), self._connection.execute(_PAID)):
            before = totals.get((kind, network), (0, 0))
            totals[kind, network] = before[0] + nanos, before[1] + micros
        for (kind, network), (nanos, micros) in sorted(totals.items()):
            yield Kind(kind), network, Usd(nanos), timedelta(microseconds=micros)

    def _settle(self, at: datetime) -> str:
        """The hour before which the sums are kept; they are read anew where they are too old."""
        if self._cut is None or not _OPEN <= at - self._cut <= _OPEN + _KEPT:
            self._cut = hour_start(at - _OPEN)
            self._old = list(self._connection.execute(_OLD, (stamp(self._cut),)))
        return stamp(self._cut)
