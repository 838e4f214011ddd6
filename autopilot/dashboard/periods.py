"""What the last days came to, and what they would have come to without a single move."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from autopilot.dashboard.means import Means
from autopilot.model.device import IDLE, DeviceId, Venue
from autopilot.model.power import Draw
from autopilot.model.view import View
from autopilot.store.journal import Arrival
from autopilot.store.ledger import Kind, Totals
from autopilot.store.schema import instant, stamp
from autopilot.store.store import Store
from autopilot.units import HOUR, Usd, UsdPerHour, hour_start

DAY = 24 * HOUR
_SPANS = (("today", timedelta(0)), ("7 days", 6 * DAY), ("30 days", 29 * DAY))
"""How far before the midnight (UTC) that today began with."""
_SUMS = 'SELECT kind, sum(amount_nanos), sum(micros) FROM ledger WHERE hour >= ? AND "end" <= ? GROUP BY kind'
_LATELY = (
    "SELECT device, sum(CASE kind WHEN 'earned' THEN amount_nanos WHEN 'dark' THEN 0 WHEN 'power' THEN -amount_nanos"
    " WHEN 'fee' THEN -amount_nanos ELSE 0 END), min(start) FROM ledger WHERE hour >= ? AND \"end\" <= ? GROUP BY device"
)


@dataclass(frozen=True, slots=True)
class Period:
    """Sums since a midnight."""

    name: str
    earned: Usd
    """By our own estimate, from the rates in force."""
    paid: Usd | None
    """None where no network has told of a payout."""
    power: Usd
    fees: Usd
    dark: timedelta
    stayed: Usd | None = None
    """What the GPUs would have earned after power where they were when it began; None where those rates are not known."""

    @property
    def net(self) -> Usd:
        """Earned, less power and fees."""
        return self.earned - self.power - self.fees


@dataclass(frozen=True, slots=True)
class Books:
    """What the ledger says of the last days."""

    devices: Mapping[DeviceId, Totals]
    """Of each device all that was ever booked."""
    periods: tuple[Period, ...] = ()
    lately: Mapping[DeviceId, UsdPerHour] = field(default_factory=dict)
    """What each device earned an hour over the last day, net of power and fees."""


def read_totals(store: Store) -> Books:
    """The sums of all time, without the last days."""
    return Books(store.ledger.by_device())


def read_books(store: Store, means: Means, at: datetime, view: View) -> Books:
    """Of an instant, by the last decision's view. It reads a month of the ledger: worth keeping for a while."""
    midnight = at.replace(hour=0, minute=0, second=0, microsecond=0)
    arrivals = store.journal.arrivals()
    means.forget(midnight - _SPANS[-1][1])
    return Books(
        store.ledger.by_device(),
        tuple(
            _period(store, name, midnight - before, at, _stayed(means, _put(arrivals, view, midnight - before), at))
            for name, before in _SPANS
        ),
        _lately(store, at),
    )


def _period(store: Store, name: str, start: datetime, at: datetime, stayed: Usd | None) -> Period:
    rows = store.connection.execute(_SUMS, (stamp(start), stamp(at)))
    sums = {Kind(kind): (Usd(nanos), timedelta(microseconds=span)) for kind, nanos, span in rows}
    nothing = Usd(0), timedelta(0)
    return Period(
        name,
        sums.get(Kind.EARNED, nothing)[0],
        sums[Kind.PAID][0] if Kind.PAID in sums else None,
        sums.get(Kind.POWER, nothing)[0],
        sums.get(Kind.FEE, nothing)[0],
        sums.get(Kind.DARK, nothing)[1],
        stayed,
    )


def _lately(store: Store, at: datetime) -> dict[DeviceId, UsdPerHour]:
    since = hour_start(at) - DAY
    rows = store.connection.execute(_LATELY, (stamp(since), stamp(at)))
    return {DeviceId(device): Usd(nanos) / max(at - max(instant(first), since), HOUR) for device, nanos, first in rows if device}


class _Place(NamedTuple):
    """Where a device would have stayed."""

    venue: Venue
    model: str
    since: datetime
    power: UsdPerHour


def _put(arrivals: Sequence[Arrival], view: View, start: datetime) -> list[_Place]:
    """Where every device was at an instant; one that came later, where it first came to."""
    places = []
    for device in view.devices:
        own = [each for each in arrivals if each.device == device.id]
        before = [each for each in own if each.at <= start]
        put = before[-1:] or own[:1]
        draw, price = view.draws.get(device.id, Draw()), view.power.at(view.now)
        places += [_Place(each.venue, device.model, max(start, each.at), draw.at(each.venue) * price) for each in put]
    return places


def _stayed(means: Means, places: Sequence[_Place], at: datetime) -> Usd | None:
    """By the mean of the expected rates since then, and power at the price of now."""
    total, known = Usd(0), {}
    for place in places:
        if place[:3] not in known:
            known[place[:3]] = UsdPerHour(0) if place.venue == IDLE else means.mean(*place[:3], at)
        mean = known[place[:3]]
        if mean is None:
            return None
        total = total + (mean - place.power) * (at - place.since)
    return total if places else None
