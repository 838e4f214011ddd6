"""The ledger: money and dark time, to the nano-dollar, however often it is booked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import reduce
from typing import NamedTuple

from autopilot.model.device import DeviceId, NetworkId, Venue
from autopilot.model.market import Basis
from autopilot.model.node import NativeAmount, Payout
from autopilot.store.schema import Connection, instant, stamp
from autopilot.units import HOUR, Usd, UsdPerHour, divide_rounded, hour_start, micros


class Kind(StrEnum):
    """What an entry is about."""

    EARNED = "earned"
    """Our estimate, from the quote in force while the device served."""
    REPORTED = "reported"
    """What the network says it owes for the work, paid or not."""
    PAID = "paid"
    """What the network says it paid, or a person saw to have been paid."""
    POWER = "power"
    FEE = "fee"
    DARK = "dark"
    """Time that a switch took; its amount is zero, its length is the fact."""


@dataclass(frozen=True, slots=True)
class Entry:
    """Money over a span of time. Costs are positive amounts; the kind says which way they go."""

    start: datetime
    end: datetime
    device: DeviceId
    venue: Venue
    kind: Kind
    amount: Usd
    basis: Basis
    ref: str = ""
    """The network's own id of a payout. Entries without one are merged by the hour."""
    native: NativeAmount | None = None


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over a part of the ledger."""

    earned: Usd
    paid: Usd
    power: Usd
    fees: Usd
    dark: timedelta

    def __add__(self, other: Totals) -> Totals:
        parts = (self.earned + other.earned, self.paid + other.paid, self.power + other.power, self.fees + other.fees)
        return Totals(*parts, self.dark + other.dark)

    @property
    def net(self) -> Usd:
        """Paid less fees and power: what is left, by what the networks say."""
        return self.paid - self.fees - self.power

    @property
    def expected_net(self) -> Usd:
        """The same by our own estimate, where a network reports no payouts (yet)."""
        return self.earned - self.fees - self.power


NOTHING = Totals(Usd(0), Usd(0), Usd(0), Usd(0), timedelta(0))


class Row(NamedTuple):
    """What is booked of one kind for a device at a venue: an hour's sum, or a payout."""

    hour: datetime
    """The start of the hour in which it began."""
    start: datetime
    """Of the first entry in it."""
    end: datetime
    """Of the last."""
    span: timedelta
    """Their lengths together."""
    amount: Usd


class Meter:
    """Turns rates into amounts without losing the parts of a nano-dollar between two bookings.

    It keeps the exact running total of each key and gives out the difference of its rounded value: the sum of what it
    gave is the rounded total, whether it was asked every second or once a year.
    """

    def __init__(self) -> None:
        self._totals: dict[object, int] = {}

    def run(self, key: object, rate: UsdPerHour, span: timedelta) -> Usd:
        """What the rate comes to over the span."""
        before = self._totals.get(key, 0)
        after = before + rate.count * micros(span)
        self._totals[key] = after
        hour = micros(HOUR)
        return Usd(divide_rounded(after, hour) - divide_rounded(before, hour))


class Ledger:
    """Entries of one hour, device, venue and kind are one row, which grows; a payout is a row of its own."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def book(self, entries: Iterable[Entry]) -> None:
        """Add entries. Call it inside a transaction. A payout that is there already changes nothing."""
        self._connection.executemany(
            'INSERT INTO ledger (kind, network, market, device, hour, ref, start, "end", micros, amount_nanos, basis,'
            " token, token_amount, usd_per_token) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT DO UPDATE SET"
            ' "end" = max("end", excluded."end"), micros = micros + excluded.micros, amount_nanos = amount_nanos + excluded.amount_nanos'
            " WHERE excluded.ref = ''",
            (_row(entry) for entry in entries),
        )

    def paid(self, payouts: Iterable[Payout]) -> None:
        """Add payouts; each is booked once, however often it is told, also where its span, its market or its devices are others then."""
        new: dict[tuple[str, str, bool], Payout] = {}
        for each in payouts:
            if not self.knows(each.venue.network, each.whole, settled=each.settled):
                new.setdefault((each.venue.network, each.id, each.settled), each)
        self.book(map(_entry, new.values()))

    def last_payout(self, network: str) -> datetime | None:
        """The end of the newest work that the network itself has told to be paid: what a person entered names no device."""
        row = self._connection.execute(
            "SELECT max(\"end\") FROM ledger WHERE kind = ? AND network = ? AND device <> ''", (Kind.PAID, network)
        ).fetchone()
        return instant(row[0]) if row[0] else None

    def knows(self, network: str, ref: str, *, settled: bool) -> bool:
        """Whether a payout of this id is booked, whole or in parts; not settled, whether it is reported."""
        kind = Kind.PAID if settled else Kind.REPORTED
        found = self._connection.execute(
            "SELECT 1 FROM ledger INDEXED BY ledger_by_ref WHERE kind = ? AND network = ? AND ref <> ''"
            " AND ref >= ? AND ref < ? || '0' AND (ref = ? OR ref > ? || '/') LIMIT 1",  # of the signs, the one after / is 0
            (kind, network, ref, ref, ref, ref),
        ).fetchone()
        return found is not None

    def rows(self, kind: Kind, venue: Venue, device: DeviceId, since: datetime, before: timedelta = timedelta(0)) -> Iterator[Row]:
        """What ended after the start of an instant's hour, and began in it or at most so long before, oldest first.

        It reads nothing else, however much there is.
        """
        first = hour_start(since)
        rows = self._connection.execute(
            'SELECT hour, start, "end", micros, amount_nanos FROM ledger'
            ' WHERE kind = ? AND network = ? AND market = ? AND device = ? AND hour >= ? AND "end" > ? ORDER BY hour, ref',
            (kind, venue.network, venue.market, device, stamp(first - before), stamp(first)),
        )
        for hour, start, end, span, nanos in rows:
            yield Row(instant(hour), instant(start), instant(end), timedelta(microseconds=span), Usd(nanos))

    def booked(self, since: datetime) -> set[tuple[Venue, DeviceId]]:
        """Where anything is booked for which device, from the hour of an instant on. It reads nothing but an index."""
        rows = self._connection.execute("SELECT DISTINCT network, market, device FROM ledger WHERE hour >= ?", (stamp(hour_start(since)),))
        return {(Venue(NetworkId(network), market), DeviceId(device)) for network, market, device in rows}

    def sums(self, since: datetime) -> dict[tuple[DeviceId, Kind], tuple[Usd, timedelta]]:
        """Amounts and lengths, by device and kind, of the hour of an instant and of all later ones."""
        rows = self._connection.execute(
            "SELECT device, kind, sum(amount_nanos), sum(micros) FROM ledger WHERE hour >= ? GROUP BY device, kind",
            (stamp(hour_start(since)),),
        )
        return {(DeviceId(device), Kind(kind)): (Usd(nanos), timedelta(microseconds=span)) for device, kind, nanos, span in rows}

    def totals(self, since: datetime | None = None, device: DeviceId | None = None) -> Totals:
        """The sums over all that ended after an instant, of one device or of all."""
        rows = self._connection.execute(
            'SELECT kind, sum(amount_nanos), sum(micros) FROM ledger WHERE "end" > ? AND (? IS NULL OR device = ?) GROUP BY kind',
            (stamp(since) if since else "", device, device),
        )
        return _totals(rows)

    def by_device(self) -> dict[DeviceId, Totals]:
        """The sums of each device over all time."""
        rows: dict[DeviceId, list[tuple[str, int, int]]] = {}
        for device, *sums in self._connection.execute(
            "SELECT device, kind, sum(nanos), sum(micros) FROM (SELECT device, kind, sum(amount_nanos) AS nanos, sum(micros) AS micros"
            " FROM ledger GROUP BY kind, network, market, device) GROUP BY device, kind"  # the inner groups are in the order of the rows
        ):
            rows.setdefault(DeviceId(device), []).append(tuple(sums))
        return {device: _totals(sums) for device, sums in rows.items()}


def added(every: Iterable[Totals]) -> Totals:
    """The sums of all of these."""
    return reduce(Totals.__add__, every, NOTHING)


def _totals(rows: Iterable[tuple[str, int, int]]) -> Totals:
    sums = {Kind(kind): (Usd(nanos), timedelta(microseconds=span)) for kind, nanos, span in rows}
    nothing = (Usd(0), timedelta(0))
    money = {kind: sums.get(kind, nothing)[0] for kind in Kind}
    return Totals(money[Kind.EARNED], money[Kind.PAID], money[Kind.POWER], money[Kind.FEE], sums.get(Kind.DARK, nothing)[1])


def _entry(payout: Payout) -> Entry:
    kind = Kind.PAID if payout.settled else Kind.REPORTED
    return Entry(payout.start, payout.end, payout.device, payout.venue, kind, payout.amount, Basis.REALISED, payout.id, payout.native)


def _row(entry: Entry) -> tuple[str | int | None, ...]:
    venue, native = entry.venue, entry.native
    return (
        entry.kind.value,
        venue.network,
        venue.market,
        entry.device,
        stamp(hour_start(entry.start)),
        entry.ref,
        stamp(entry.start),
        stamp(entry.end),
        micros(entry.end - entry.start),
        entry.amount.count,
        entry.basis.value,
        *((native.token, str(native.amount), str(native.usd_per_token)) if native else (None, None, None)),
    )
