"""A power limit of its own for each venue: set when a GPU comes, taken back when it leaves."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace

from autopilot.model.device import DeviceId, Venue
from autopilot.model.gpu import Ailment, Reading
from autopilot.model.node import Placement
from autopilot.store.power_limits import Changed, PowerLimitBook
from autopilot.units import Watts

log = logging.getLogger(__name__)

Limit = Callable[[DeviceId, Watts], Ailment | None]
"""Sets the power limit of a GPU; None where that was done."""
_ROUNDED = Watts.of(1)
"""A board may round what it is told."""


class Limiter:
    """Compares, at every tick, the limit that is in force with the one that the GPU's venue asks for.

    So what a crash has left behind is put right by the first tick after it. A limit that somebody else has set meanwhile is his: it is
    neither changed nor taken back.
    """

    def __init__(self, wanted: Mapping[Venue, Watts], limit: Limit, book: PowerLimitBook) -> None:
        self._wanted = wanted
        self._limit = limit
        self._book = book
        self._complaints: dict[DeviceId, str] = {}

    def settle(self, placements: Mapping[DeviceId, Placement], seen: Mapping[DeviceId, Reading | Ailment]) -> None:
        """Set what is to be set. A GPU whose limit cannot be read is left alone."""
        changed = self._book.changed()
        for device, reading in seen.items():
            if isinstance(reading, Reading) and reading.limit is not None:
                self._settle(reading, reading.limit, self._wish(placements[device].venue), changed.get(device))

    def _wish(self, venue: Venue) -> Watts | None:
        return self._wanted.get(venue, self._wanted.get(Venue(venue.network)))

    def _settle(self, reading: Reading, now: Watts, wish: Watts | None, changed: Changed | None) -> None:
        device = reading.device
        if wish is None:
            if changed is not None and (not _same(now, changed.ours) or self._set(reading, changed.before)):
                self._book.forget(device)
        elif changed is None:
            if not _same(now, wish):
                self._change(reading, Changed(now, wish))
        elif any(_same(now, each) for each in (changed.before, changed.ours)) and not (wish == changed.ours and _same(now, wish)):
            self._change(reading, replace(changed, ours=wish))

    def _change(self, reading: Reading, changed: Changed) -> None:
        if self._allowed(reading, changed.ours):
            self._book.change(reading.device, changed)
            self._set(reading, changed.ours)

    def _allowed(self, reading: Reading, power: Watts) -> bool:
        if reading.limits is None or reading.limits[0] <= power <= reading.limits[1]:
            return True
        self._complain(reading.device, f"a power limit of {power} is outside of {reading.limits[0]} to {reading.limits[1]}, and is not set")
        return False

    def _set(self, reading: Reading, power: Watts) -> bool:
        refused = self._limit(reading.device, power)
        if refused is None:
            log.info("%s: its power limit is %s now", reading.device, power)
            self._complaints.pop(reading.device, None)
        else:
            self._complain(reading.device, f"its power limit stays as it is, {power} was refused: {refused.remedy}")
        return refused is None

    def _complain(self, device: DeviceId, why: str) -> None:
        """Once, however often it is tried."""
        if self._complaints.get(device) != why:
            log.warning("%s: %s", device, why)
        self._complaints[device] = why


def _same(one: Watts, other: Watts) -> bool:
    return abs(one - other) <= _ROUNDED
