"""Comparing what the networks paid with what they had quoted for the same hours (docs/market.md §5).

A quote often speaks of an hour that is over. So an hour's pay is compared with the rates that turned out to describe that very
hour, and not with the one in force while it was flown: a device goes where the last rate was high, and that rates come down from
there is no promise broken. Where pay is agreed with each job, what was agreed is in the ledger.

The sums are brought up to date once a stretch, from the ledger's last hours, and once a day from its last days: a view costs
nothing, and a calm rig is journalled the same for hours.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime, timedelta

from autopilot.model.device import DeviceId, NetworkId, Venue
from autopilot.model.experience import Realised
from autopilot.model.history import History, Key, Record
from autopilot.pilot.world import World
from autopilot.realised import STRETCH, Stretch, measured
from autopilot.store.ledger import Kind, Row
from autopilot.units import HOUR

_SOON = timedelta(hours=12)
"""Most is quoted and paid no later than this; what comes later counts from the next day on."""
_LATE = timedelta(days=3)
"""A payout that comes later than this after its work is only found by the next start; one for a longer span tells no hours apart."""
_LONGEST = timedelta(days=30)
"""How far back the beginning of a payout is looked for."""
_FIRST = datetime(1970, 1, 1, tzinfo=UTC)


class Realiser:
    """The running sums of every venue and model, which are those of the ledger: a restart reads them again."""

    def __init__(self, world: World, record: Record) -> None:
        self._world = world
        self._record = record
        self._stretches: dict[Key, dict[datetime, Stretch]] = defaultdict(dict)
        self._paid_until: dict[tuple[NetworkId, DeviceId], datetime] = {}
        self._until: datetime | None = None
        self._known: Mapping[Key, Realised] = {}

    def known(self, now: datetime, jobs: Collection[Key]) -> Mapping[Key, Realised]:
        """Of each venue and model for which enough is known. ``jobs`` are those that agree on the pay with every job."""
        until = _stretch(now)
        if until != self._until:
            self._read(self._since(until), until, jobs)
            self._until = until
            reckoned = {key: measured(stretches.values(), until) for key, stretches in self._stretches.items()}
            self._known = {key: each for key, each in sorted(reckoned.items()) if each is not None}
        return self._known

    def _since(self, until: datetime) -> datetime:
        """From where on anything may have changed since the last time."""
        if self._until is None:
            return _FIRST
        return self._until - (_SOON if self._until.date() == until.date() else _LATE)

    def _read(self, since: datetime, until: datetime, jobs: Collection[Key]) -> None:
        """Take in the hours of a span, in place of what was known of them."""
        history = self._record.until_now()
        for stretches in self._stretches.values():
            for number in range((until - since) // STRETCH):
                stretches.pop(since + number * STRETCH, None)
        booked = self._world.store.ledger.booked(since - _LATE)
        own = ((key, device) for key in sorted(history) for device in self._world.devices if device.model == key[1])
        pairs = [(key, device.id) for key, device in own if (key[0], device.id) in booked]
        payments = {(venue, device): self._payments(venue, device, since) for (venue, _), device in pairs}
        for key, device in pairs:
            paid, end = payments[key[0], device], min(self._complete(key, device, jobs), until)
            for hour, hours, quoted in self._quoted(key, device, (since, end), None if key in jobs else history):
                if math.isnan(earned := paid.get(hour, 0.0)):
                    continue
                start = _stretch(hour)
                _, served, due, had = self._stretches[key].get(start, Stretch(start, 0.0, 0.0, 0.0))
                self._stretches[key][start] = Stretch(start, served + hours, due + quoted, had + earned)

    def _payments(self, venue: Venue, device: DeviceId, since: datetime) -> dict[datetime, float]:
        """USD by the hour, a payout for several being shared out evenly. Not a number where nobody can tell what the hour was paid."""
        paid: dict[datetime, float] = defaultdict(float)
        for row in self._world.store.ledger.rows(Kind.PAID, venue, device, since, _LONGEST):
            key = (venue.network, device)
            self._paid_until[key] = max(row.end, self._paid_until.get(key, _FIRST))
            amount = float(row.amount) if row.end - row.start <= _LATE else math.nan
            for hour, share in _shares(row):
                paid[hour] += share * amount
        return paid

    def _complete(self, key: Key, device: DeviceId, jobs: Collection[Key]) -> datetime:
        """Until when nothing more is to be paid: what runs is not paid yet, where pay is by the job."""
        network = key[0].network
        if key in jobs:
            return self._paid_until.get((network, device), _FIRST)
        return max((end for (payer, _), end in self._paid_until.items() if payer == network), default=_FIRST)

    def _quoted(
        self, key: Key, device: DeviceId, span: tuple[datetime, datetime], history: History | None
    ) -> Iterator[tuple[datetime, float, float]]:
        """Each hour of a span in which the device served: its start, the hours served, and what was quoted for them in USD.

        Without a history, it is what was booked.
        """
        since, end = span
        for row in self._world.store.ledger.rows(Kind.EARNED, key[0], device, since):
            hour = row.hour
            if max(hour + HOUR, row.end) > end:
                continue
            served = row.span / HOUR
            if history is None:
                yield hour, served, float(row.amount)
            elif (rate := history.mean(*key, hour, hour + HOUR)) is not None:
                yield hour, served, rate * served


def _shares(row: Row) -> Iterator[tuple[datetime, float]]:
    """The hours of a payout, each with the share of it that is in the hour."""
    hour, start, end = row.hour, row.start, row.end
    if end <= hour + HOUR:
        yield hour, 1.0
        return
    while hour < end:
        yield hour, (min(hour + HOUR, end) - max(hour, start)) / (end - start)
        hour += HOUR


def _stretch(at: datetime) -> datetime:
    """The start of the stretch that an instant is in."""
    return at - (at - _FIRST) % STRETCH
