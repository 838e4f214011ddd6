"""What is on record of the rig, for the guards. It is read when one asks, and not before."""

from __future__ import annotations

from datetime import timedelta

from autopilot.guards import Presence
from autopilot.model.device import DeviceId, Venue
from autopilot.model.gpu import GpuState
from autopilot.pilot.world import World
from autopilot.store.ledger import Kind
from autopilot.units import Usd

_DAY = timedelta(days=1)
_WINDOW = timedelta(days=30)
"""How far back uptime is counted: the longest that a network publishes (Akash's ``uptime30d``)."""
_NO_TIME = timedelta(0)


class Memory:
    """The facts of the present instant."""

    def __init__(self, world: World) -> None:
        self._world = world

    def day(self) -> Usd:
        """Dark time has cost what the device earned an hour on average while it served; nothing where it earned nothing all day."""
        sums = self._world.store.ledger.sums(self._world.clock.now() - _DAY)
        made = Usd(0)
        for (device, kind), (amount, span) in sums.items():
            if kind is Kind.EARNED:
                dark = sums.get((device, Kind.DARK), (Usd(0), _NO_TIME))[1]
                made += amount - (amount / span * dark if span else Usd(0))
            elif kind in (Kind.POWER, Kind.FEE):
                made -= amount
        return made

    def presence(self, device: DeviceId, venue: Venue) -> Presence:
        """By our own journal. Time in which the daemon was away counts as it was before: nodes run on."""
        now, arrivals = self._world.clock.now(), self._world.store.journal.arrivals(device)
        start = max(next((each.at for each in arrivals if each.venue == venue), now), now - _WINDOW)
        ends = [*(each.at for each in arrivals[1:]), now]
        stays = (end - max(each.at, start) for each, end in zip(arrivals, ends, strict=True) if each.venue == venue and end > start)
        return Presence(sum(stays, _NO_TIME), now - start)

    def gpu(self, device: DeviceId) -> GpuState | None:
        """As of the last look."""
        return self._world.gpus().get(device)
