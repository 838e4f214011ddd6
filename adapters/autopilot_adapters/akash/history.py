"""How many GPUs of a model were leased on past days, as hourly rates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

from autopilot.clock import Clock
from autopilot.model.device import Device, Venue
from autopilot.model.market import PastRate
from autopilot.units import HOUR, UsdPerHour, hour_start
from autopilot_adapters.akash.names import wanted
from autopilot_adapters.akash.rates import Terms, asked, utilisation
from autopilot_adapters.akash.wire import Console, Day, Kind

ASK_STANDS_ON = timedelta(days=14)
"""The bids of so many days make the ask of today."""
_DAY = timedelta(days=1)


class AkashHistory:
    """An *estimate*: the utilisation of each past day, which Akash publishes, times the ask of today, which it did not publish then.

    Prices do not persist: that of an H100 doubled within two months of 2026. So the ask is taken back only as far as it stands on,
    the bids of the last 14 days, or as far as ``reach`` says. Of the time before, nothing is told: utilisation without a price is no
    rate. The days are those of a model, whatever its memory and interface.

    It costs one request, and then one more for each model, side by side.
    """

    def __init__(self, console: Console, venue: Venue, clock: Clock, terms: Terms, reach: timedelta) -> None:
        self._console = console
        self._venue = venue
        self._clock = clock
        self._terms = terms
        self._reach = reach

    def hours(self, devices: Sequence[Device], since: datetime) -> Sequence[PastRate]:
        """The hours that are over, from an instant on, model by model. Raises Transient or Refused."""
        wants = {device.model: wanted(device) for device in devices}
        if not wants:
            return []
        rows, reply = self._console.gpu_prices(frozenset(kind for want in wants.values() for kind in want.kinds))
        named = {model: want.of(rows) for model, want in wants.items()}
        asks = {model: asked(own, self._terms, reply.seen_at) for model, own in named.items()}
        kinds = {model: {row.kind for row in named[model]} for model, ask in asks.items() if ask}
        days = self._days(sorted(set().union(*kinds.values())))
        return [
            past
            for model, ask in asks.items()
            if ask
            for day in _together([day for kind in sorted(kinds[model]) for day in days[kind]])
            for past in self._hours(model, ask.gross, day, since)
        ]

    def _days(self, kinds: Sequence[Kind]) -> Mapping[Kind, Sequence[Day]]:
        with ThreadPoolExecutor(max_workers=8, thread_name_prefix="akash-history") as pool:
            return dict(zip(kinds, pool.map(self._console.days, kinds), strict=True))

    def _hours(self, model: str, gross: UsdPerHour, day: Day, since: datetime) -> Iterator[PastRate]:
        """The hours of a day that are over. A day without a single GPU was one without a rate."""
        now = self._clock.now()
        hour = max(day.date, hour_start(since + HOUR - timedelta.resolution), hour_start(now - self._reach) + HOUR)
        rate = gross.scaled(utilisation(day.leased, day.total + 1)) if day.total else None
        while hour < day.date + _DAY and hour + HOUR <= now:
            yield PastRate(self._venue, model, hour, rate)
            hour += HOUR


def _together(days: Sequence[Day]) -> Sequence[Day]:
    """Days of models that a device may be, added up by date."""
    sums: dict[datetime, Day] = {}
    for day in days:
        before = sums.get(day.date, Day(day.date, 0, 0))
        sums[day.date] = Day(day.date, before.total + day.total, before.leased + day.leased)
    return [sums[date] for date in sorted(sums)]
