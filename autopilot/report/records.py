"""What a store has recorded of one flight, as lines, strips and marks. A backtest's is read like the rig's."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice, takewhile

from autopilot.dashboard.trips import Trip
from autopilot.model.device import Device, DeviceId
from autopilot.model.switch import State
from autopilot.report.shapes import DARK, Curve, Mark, Piece, Strip
from autopilot.store.journal import Arrival
from autopilot.store.ledger import Kind
from autopilot.store.schema import instant, stamp
from autopilot.store.store import Store
from autopilot.units import HOUR, Usd, hour_start

_POINTS = 500
"""Of a line, and of a strip: more than a screen has columns to tell apart."""
_PAYOUT = timedelta(days=31)
"""No payout is of longer work: it is booked by the hour in which that began."""
_SUMS = (
    'SELECT "end", kind, sum(amount_nanos) FROM ledger WHERE hour >= ? AND (hour >= ? OR "end" > ?) AND "end" <= ? AND kind IN (?, ?, ?)'
    ' GROUP BY "end", kind ORDER BY "end"'
)


def instants(start: datetime, end: datetime) -> list[datetime]:
    """At which a line has its points: full hours from the start on, and the end itself."""
    step = max(-(-(end - start) // (_POINTS * HOUR)), 1) * HOUR
    return [start + index * step for index in range(-(-(end - start) // step))] + [end]


def net_curve(store: Store, name: str, income: Kind, at: Sequence[datetime], *, strategy: str = "") -> Curve:
    """Income less power and fees, summed up since the first instant. What is booked counts when its span is over."""
    span = (stamp(hour_start(at[0]) - _PAYOUT), stamp(at[0]), stamp(at[0]), stamp(at[-1]))
    rows = store.connection.execute(_SUMS, (*span, income, Kind.POWER, Kind.FEE))
    changes = ((instant(end), nanos if kind == income else -nanos) for end, kind, nanos in rows)
    return Curve(name, list(zip(at, running(changes, at), strict=True)), strategy)


def running(changes: Iterable[tuple[datetime, int]], at: Sequence[datetime]) -> Iterator[float]:
    """USD at each instant, of changes in nano-dollars, oldest first."""
    ahead, total = iter(changes), 0
    change = next(ahead, None)
    for moment in at:
        while change is not None and change[0] <= moment:
            total += change[1]
            change = next(ahead, None)
        yield float(Usd(total))


def strips(
    arrivals: Sequence[Arrival], made: Sequence[Trip], devices: Sequence[Device], strategy: str, within: tuple[datetime, datetime]
) -> Iterator[Strip]:
    """One for each device. Before its first arrival nothing is known, and nothing is drawn."""
    for device in devices:
        stays = [each for each in arrivals if each.device == device.id]
        ends = [*(each.at for each in stays[1:]), within[1]][: len(stays)]
        lit = [Piece(each.at, end, str(each.venue)) for each, end in zip(stays, ends, strict=True)]
        unlit = [Piece(*_dark(each), DARK) for each in made if each.switch.device == device.id and each.dark]
        yield Strip(strategy, device.label, thinned(laid(lit, unlit), *within))


def _dark(trip: Trip) -> tuple[datetime, datetime]:
    """From when to when. Its states follow one another, and it serves until the drain is over."""
    total = sum((time for _, time in trip.states), timedelta(0))
    return trip.switch.opened_at + total - trip.dark, trip.switch.opened_at + total


def laid(below: Sequence[Piece], above: Sequence[Piece]) -> list[Piece]:
    """The second ones laid over the first: what is covered is cut away. Both are in order, and neither overlaps itself."""
    cut, first = list(above), 0
    for piece in below:
        at = piece.start
        while first < len(above) and above[first].end <= at:
            first += 1
        for over in takewhile(lambda over: over.start < piece.end, islice(above, first, None)):  # noqa: B023  # used up at once
            cut.append(Piece(at, over.start, piece.what))
            at = over.end
        cut.append(Piece(at, piece.end, piece.what))
    return sorted((piece for piece in cut if piece.end > piece.start), key=lambda piece: piece.start)


def thinned(pieces: Sequence[Piece], start: datetime, end: datetime) -> list[Piece]:
    """No more than a screen can show: where there are more, each slot of time is what most of it was."""
    if len(pieces) <= _POINTS:
        return list(pieces)
    slot = (end - start) / _POINTS
    filled: dict[int, Counter[str]] = defaultdict(Counter)
    for piece in pieces:
        for index in range(max((piece.start - start) // slot, 0), min((piece.end - start) // slot + 1, _POINTS)):
            over = min(piece.end, start + (index + 1) * slot) - max(piece.start, start + index * slot)
            filled[index][piece.what] += over // timedelta(microseconds=1)
    return list(_merged(filled, start, slot))


def _merged(filled: Mapping[int, Counter[str]], start: datetime, slot: timedelta) -> Iterator[Piece]:
    """Equal neighbours are one piece."""
    last: Piece | None = None
    for index in sorted(filled):
        begin, what = start + index * slot, filled[index].most_common(1)[0][0]
        if last and (last.what != what or last.end != begin):
            yield last
            last = None
        last = Piece(last.start if last else begin, begin + slot, what)
    if last:
        yield last


def marks(made: Iterable[Trip], devices: Mapping[DeviceId, Device], strategy: str) -> Iterator[Mark]:
    """One for each switch that was opened."""
    for each in made:
        switch, device = each.switch, devices.get(each.switch.device)
        ended = "" if switch.state is State.SETTLED else f" – {switch.state}: {each.end}"
        label, model = (device.label, device.model) if device else (switch.device, "")
        yield Mark(switch.opened_at, strategy, label, model, str(switch.source), str(switch.target), f"{each.why}{ended}")
