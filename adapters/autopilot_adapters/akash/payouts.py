"""What the leases of our own provider came to, day by day: what Akash owes for the work, not what was withdrawn.

The console's index counts price times blocks. When the provider's program withdraws it to the provider's account (once an hour, by the
chart) is not told, so nothing here is settled. Nor is it told which GPU earned it, nor for which other hardware of the tenant's it is:
the provider's devices share it evenly, and all of the provider's hardware is taken to be in this rig.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from autopilot.clock import Clock
from autopilot.model.device import DeviceId, Venue
from autopilot.model.node import NativeAmount, Payout
from autopilot.units import Usd
from autopilot_adapters.akash.wire import Console, Earnings

_DAY = timedelta(days=1)
_REACH = 7
"""Days. A day costs one request, which has been seen to take 16 s; what is older when the autopilot starts is never told."""


class DayPayouts:
    """Whole days (UTC) that are over, each asked for until all of it is known."""

    def __init__(self, venue: Venue, clock: Clock, console: Console, provider: str, devices: Sequence[DeviceId]) -> None:
        self._venue = venue
        self._clock = clock
        self._console = console
        self._provider = provider
        self._devices = devices
        self._known: dict[datetime, Sequence[Payout]] = {}

    def payouts(self, since: datetime) -> Sequence[Payout]:
        """One for each day that ended after the instant, token and device; oldest first. Raises Transient or Refused."""
        today = self._clock.now().replace(hour=0, minute=0, second=0, microsecond=0)
        days = [today - back * _DAY for back in range(_REACH, 0, -1)]
        self._known = {day: self._known[day] for day in days if day in self._known}
        told: list[Payout] = []
        for day in days:
            if day + _DAY > since:
                told += self._known.get(day) or self._asked(day)
        return told

    def _asked(self, day: datetime) -> Sequence[Payout]:
        """Nothing for a day that the API's index has not left behind yet."""
        sums = self._console.earnings(self._provider, day, day + _DAY)
        if sums is None:
            return ()
        payouts = [part for whole in self._wholes(day, sums) for part in whole.among(self._devices)]
        if not sums.akt or sums.usd_per_akt:
            self._known[day] = payouts
        return payouts

    def _wholes(self, day: datetime, sums: Earnings) -> Iterator[Payout]:
        """A day without a lease owes nothing, which is told. AKT of a day for which the network has no price yet waits for one."""
        tokens = [("ACT", sums.act, Decimal(1)), ("AKT", sums.akt, sums.usd_per_akt)]
        for token, amount, price in tokens:
            if price is not None:
                ident = f"{self._provider}/{day:%Y-%m-%d}/{token}"
                native = NativeAmount(token, amount, price)
                yield Payout(ident, self._venue, self._devices[0], day, day + _DAY, Usd.of(amount * price), native, settled=False)
