"""The rate book: every quote seen, and the hourly histories that were imported."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from autopilot.model.device import DeviceId, NetworkId, Venue
from autopilot.model.market import ROOMY, Answer, Basis, Fee, NativePrice, NoQuote, Quote, Room, Working
from autopilot.store.schema import Connection, instant, stamp
from autopilot.units import Share, UsdPerHour

_COLUMNS = (
    "seen_at, network, market, device, model, as_of, expires, gross_nanos, idle_nanos, occupancy_ppb,"
    " expected_nanos, basis, source, detail, reason"
)

_BACK = 1024
"""How many answers are looked through first for the newest of each venue; twice as many each time."""
VENUE = "CASE market WHEN '' THEN network ELSE network || '/' || market END"
"""How a venue of the table ``rates`` is written where people read it."""


class RateBook:
    """Quotes go in as they are seen and are never changed."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def record(self, answers: Iterable[tuple[Answer, str]]) -> None:
        """Keep what was answered, each with the model of its device. Call it inside a transaction."""
        self._connection.executemany(
            f"INSERT INTO quotes ({_COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",  # noqa: S608  # constants only
            (_row(answer, model) for answer, model in answers),
        )

    def answers(self, after: datetime | None = None, until: datetime | None = None) -> Iterator[tuple[Answer, str]]:
        """What was answered after one instant and up to another, oldest first, each with its device's model."""
        low = stamp(after) if after else ""
        high = stamp(until) if until else "9"
        rows = self._connection.execute(
            f"SELECT {_COLUMNS} FROM quotes WHERE seen_at > ? AND seen_at <= ? ORDER BY id",  # noqa: S608
            (low, high),
        )
        return map(_answer, rows)

    def last(self) -> int:
        """The number of the last answer; they are counted from 1 as they come in."""
        return int(self._connection.execute("SELECT coalesce(max(id), 0) FROM quotes").fetchone()[0])

    def numbered(self, after: int, until: int) -> Iterator[tuple[Answer, str]]:
        """The answers after one number and up to another, in the order in which they came in, each with its device's model."""
        rows = self._connection.execute(f"SELECT {_COLUMNS} FROM quotes WHERE id > ? AND id <= ? ORDER BY id", (after, until))  # noqa: S608
        return map(_answer, rows)

    def newest(self, wanted: Collection[tuple[Venue, DeviceId]], until: int) -> dict[tuple[Venue, DeviceId], Answer]:
        """The newest answer of each of these venues for each device, up to one number. No more is read than it takes to find them."""
        back = _BACK
        while True:
            found = {(each.venue, each.device): each for each, _ in self.numbered(until - back, until)}
            if back >= until or all(key in found for key in wanted):
                return {key: found[key] for key in wanted if key in found}
            back *= 2

    def points(self, after: int, until: int) -> Iterator[tuple[Venue, str, datetime, UsdPerHour | None]]:
        """The expected rate of each venue and GPU model by the answers after one number and up to another: the first of each instant.

        None where the venue offered nothing. It is read much faster than whole answers.
        """
        rows = self._connection.execute(
            "SELECT network, market, model, coalesce(as_of, seen_at), expected_nanos FROM quotes WHERE id > ? AND id <= ? ORDER BY id",
            (after, until),
        )
        seen: dict[tuple[str, str, str], str] = {}
        for network, market, model, at, nanos in rows:
            key = (network, market, model)
            if at > seen.get(key, ""):
                seen[key] = at
                yield Venue(NetworkId(network), market), model, instant(at), None if nanos is None else UsdPerHour(nanos)

    def latest(self, count: int) -> list[tuple[Venue, str, UsdPerHour | None]]:
        """The last so many expected rates of each venue and model, oldest first: of its first device, None where there was none."""
        rows = self._connection.execute(
            "SELECT network, market, model, expected_nanos FROM ("
            " SELECT *, row_number() OVER (PARTITION BY network, market, model ORDER BY seen_at DESC) AS back FROM ("
            "  SELECT network, market, model, seen_at, expected_nanos FROM quotes GROUP BY network, market, model, seen_at)"
            ") WHERE back <= ? ORDER BY seen_at",
            (count,),
        )
        named = ((Venue(NetworkId(network), market), model, nanos) for network, market, model, nanos in rows)
        return [(venue, model, None if nanos is None else UsdPerHour(nanos)) for venue, model, nanos in named]

    def remember(self, hours: Iterable[tuple[Venue, str, datetime, UsdPerHour | None]]) -> None:
        """Add hourly history: venue, GPU model, start of the hour, rate or None where it is missing. Call it inside a transaction."""
        self._connection.executemany(
            "INSERT OR REPLACE INTO rates (network, market, gpu, hour, usd_per_hour_nanos) VALUES (?, ?, ?, ?, ?)",
            ((venue.network, venue.market, model, stamp(hour), None if rate is None else rate.count) for venue, model, hour, rate in hours),
        )

    def hours(self) -> Iterator[tuple[Venue, str, datetime, UsdPerHour | None]]:
        """The imported history, oldest first: venue, GPU model, start of the hour, rate or None where it is missing."""
        rows = self._connection.execute(
            "SELECT network, market, gpu, hour, usd_per_hour_nanos FROM rates ORDER BY hour, network, market, gpu"
        )
        for network, market, gpu, hour, nanos in rows:
            rate = None if nanos is None else UsdPerHour(nanos)
            yield Venue(NetworkId(network), market), gpu, instant(hour), rate


def _row(answer: Answer, model: str) -> Sequence[Any]:
    venue = answer.venue
    head = (stamp(answer.seen_at), venue.network, venue.market, answer.device, model)
    if isinstance(answer, NoQuote):
        as_of = stamp(answer.as_of) if answer.as_of else None
        return (*head, as_of, None, None, None, None, None, None, None, None, answer.reason)
    return (
        *head,
        stamp(answer.as_of),
        stamp(answer.expires),
        answer.gross.count,
        answer.idle.count,
        answer.occupancy.count,
        answer.expected.count,
        answer.basis.value,
        answer.source,
        _detail(answer),
        None,
    )


def _detail(quote: Quote) -> str | None:
    """What few quotes have, as JSON; None where there is nothing to say."""
    detail: dict[str, Any] = {}
    if quote.job_length is not None:
        detail["job_seconds"] = quote.job_length.total_seconds()
    if quote.fees:
        detail["fees"] = [[fee.name, fee.share.count] for fee in quote.fees]
    if quote.native:
        native = quote.native
        detail["native"] = [native.token, str(native.per_hour), str(native.usd_per_token), stamp(native.as_of)]
    if quote.workings:
        detail["workings"] = [[working.text, *working.inputs] for working in quote.workings]
    if quote.room != ROOMY:
        detail["room"] = [quote.room.places, quote.room.fall.count]
    return json.dumps(detail) if detail else None


def _answer(row: Sequence[Any]) -> tuple[Answer, str]:
    seen_at, network, market, device, model, as_of, expires, gross, idle, occupancy, _, basis, source, detail, reason = row
    venue, device = Venue(NetworkId(network), market), DeviceId(device)
    if reason is not None:
        return NoQuote(venue, device, instant(seen_at), reason, instant(as_of) if as_of else None), model
    extra = json.loads(detail) if detail else {}
    quote = Quote(
        venue,
        device,
        UsdPerHour(gross),
        instant(as_of),
        instant(seen_at),
        instant(expires),
        Basis(basis),
        source,
        UsdPerHour(idle),
        Share(occupancy),
        timedelta(seconds=extra["job_seconds"]) if "job_seconds" in extra else None,
        tuple(Fee(name, Share(count)) for name, count in extra.get("fees", ())),
        _native(extra.get("native")),
        tuple(Working(text, tuple(inputs)) for text, *inputs in extra.get("workings", ())),
        _room(extra.get("room")),
    )
    return quote, model


def _native(parts: Sequence[str] | None) -> NativePrice | None:
    if parts is None:
        return None
    token, per_hour, price, as_of = parts
    return NativePrice(token, Decimal(per_hour), Decimal(price), instant(as_of))


def _room(parts: Sequence[Any] | None) -> Room:
    if parts is None:
        return ROOMY
    places, fall = parts
    return Room(places, Share(fall))
