"""The rates that the rig has seen, hour by hour, and what they would have come to for who never moved, or knew them all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate
from typing import TYPE_CHECKING

from autopilot.model.device import IDLE, Device, NetworkId, Venue
from autopilot.model.power import Draw
from autopilot.model.view import View
from autopilot.report.drawing import Rates
from autopilot.store.journal import Arrival
from autopilot.store.schema import instant, stamp
from autopilot.store.store import Store
from autopilot.units import HOUR, Usd

if TYPE_CHECKING:
    from autopilot.backtest.oracle import Costs

_HOURLY = (
    "SELECT network, market, model, substr(seen_at, 1, 13) || ':00:00+00:00' AS hour, avg(coalesce(expected_nanos, 0)),"
    " count(expected_nanos) FROM quotes WHERE seen_at >= ? AND seen_at < ? GROUP BY network, market, model, hour"
)
_NANO = 1e9
_WATT = 1000.0

Column = Sequence[float | None]


@dataclass(frozen=True, slots=True)
class Recorded:
    """Expected rates before power, USD per hour, by venue and GPU model: one for each hour."""

    start: datetime
    """A full hour."""
    hours: int
    shown: Mapping[tuple[Venue, str], Column]
    """None where nothing was offered, or nobody asked."""
    paying: Mapping[tuple[Venue, str], Sequence[float]]
    """Nothing where nothing was offered; where nobody asked, what was last known, and before that what was known first."""

    def rates(self) -> Rates:
        """As the chart takes them."""
        at = [self.start + index * HOUR for index in range(self.hours)]
        return {(str(venue), model): list(zip(at, rates, strict=True)) for (venue, model), rates in self.shown.items()}


def recorded(store: Store, start: datetime, hours: int) -> Recorded:
    """Of some hours from a full one on."""
    rows = store.connection.execute(_HOURLY, (stamp(start), stamp(start + hours * HOUR)))
    told: dict[tuple[Venue, str], dict[int, tuple[float, int]]] = {}
    for network, market, model, hour, nanos, offers in rows:
        index = (instant(hour) - start) // HOUR
        told.setdefault((Venue(NetworkId(network), market), model), {})[index] = (nanos / _NANO, offers)
    shown = {
        key: [known[index][0] if index in known and known[index][1] else None for index in range(hours)] for key, known in told.items()
    }
    return Recorded(start, hours, shown, {key: _filled(known, hours) for key, known in told.items()})


def _filled(known: Mapping[int, tuple[float, int]], hours: int) -> list[float]:
    last = known[min(known)][0]
    filled = []
    for index in range(hours):
        last = known[index][0] if index in known else last
        filled.append(last)
    return filled


def stayed(seen: Recorded, arrivals: Sequence[Arrival], view: View) -> list[float] | None:
    """Running sums of the net, one more than hours, of GPUs that stay where they were first. None where the rates are not known."""
    sums = [0.0] * seen.hours
    for device in view.devices:
        own = [each for each in arrivals if each.device == device.id]
        place = next(iter([each for each in own if each.at <= seen.start][-1:] or own), None)
        paid = None if place is None else _paid(seen, device, place.venue)
        if place is None or paid is None:
            return None
        begun = max((place.at - seen.start) // HOUR, 0)
        drawn = _drawn(seen, view, device, place.venue)
        sums = [total + (paid[index] - drawn[index] if index >= begun else 0.0) for index, total in enumerate(sums)]
    return [0.0, *accumulate(sums)] if view.devices else None


def _paid(seen: Recorded, device: Device, venue: Venue) -> Sequence[float] | None:
    return [0.0] * seen.hours if venue == IDLE else seen.paying.get((venue, device.model))


def _drawn(seen: Recorded, view: View, device: Device, venue: Venue) -> list[float]:
    """The power bill of each hour, USD."""
    draw = view.draws.get(device.id, Draw())
    return [float(draw.at(venue)) / _WATT * float(view.power.at(seen.start + index * HOUR)) for index in range(seen.hours)]


@dataclass(frozen=True, slots=True)
class Terms:
    """What a move took, for all that was moved."""

    downtime: timedelta
    fee: Usd


def foreseen(seen: Recorded, view: View, terms: Terms) -> list[float] | None:
    """Running sums of the net of perfect foresight over all GPUs, each on its own. None where no rate is known of one of them."""
    import numpy as np

    from autopilot.backtest.oracle import oracle

    hourly = np.zeros(seen.hours)
    for alike in _alike(view):
        columns = {venue: rates for (venue, model), rates in seen.paying.items() if model == alike[0].model}
        if not columns:
            return None
        best = oracle(np.array(list(columns.values())).T, _costs(seen, view, alike[0], list(columns), terms))
        if best.hourly is not None:
            hourly += len(alike) * best.hourly
    return [0.0, *np.cumsum(hourly).tolist()] if view.devices else None


def _alike(view: View) -> Iterable[Sequence[Device]]:
    """Devices of the same model and draw: what is best for one is best for all."""
    groups: dict[tuple[str, str], list[Device]] = {}
    for device in view.devices:
        groups.setdefault((device.model, repr(view.draws.get(device.id))), []).append(device)
    return groups.values()


def _costs(seen: Recorded, view: View, device: Device, venues: Sequence[Venue], terms: Terms) -> Costs:
    import numpy as np

    from autopilot.backtest.oracle import Costs

    draw = view.draws.get(device.id, Draw())
    tariff = np.array([float(view.power.at(seen.start + index * HOUR)) for index in range(seen.hours)])
    return Costs(terms.downtime, terms.fee, [draw.at(venue) for venue in venues], draw.idle, tariff)
