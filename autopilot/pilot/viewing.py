"""Making the view that a strategy decides upon."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from autopilot.model.device import IDLE, DeviceId, Venue
from autopilot.model.history import Record
from autopilot.model.market import Answer
from autopilot.model.node import Placement
from autopilot.model.plan import EntryCost
from autopilot.model.view import View
from autopilot.pilot.costs import Costs, dearest
from autopilot.pilot.supplying import Supply
from autopilot.pilot.world import World


class Viewer:
    """Puts together what is known at an instant."""

    def __init__(self, world: World, costs: Costs, record: Record, supply: Supply) -> None:
        self._supply = supply
        self._costs = costs
        self._record = record
        self._devices = tuple(sorted(world.devices, key=lambda device: device.id))

    def view(
        self,
        now: datetime,
        quotes: Mapping[tuple[Venue, DeviceId], Answer],
        placements: Mapping[DeviceId, Placement],
        fixed: Collection[DeviceId],
        closed: Collection[tuple[Venue, DeviceId]] = (),
    ) -> View:
        """All of it, but for the venues that are closed to a device. A device that cannot say what leaving costs is fixed too."""
        known = self._entries(quotes, placements)
        self._record.enter(dearest(known, self._devices))
        entries = {key: cost for key, cost in known.items() if key not in closed or placements[key[1]].venue == key[0]}
        leaving = {device: self._costs.exit(placement) for device, placement in placements.items()}
        exits = {device: cost for device, cost in leaving.items() if cost is not None}
        return View(
            now,
            self._devices,
            dict(placements),
            {key: answer for key, answer in quotes.items() if key in entries},
            self._record.until_now(),
            entries,
            exits,
            self._supply.draws,
            self._supply.power.foreseen(now),
            frozenset(fixed) | (leaving.keys() - exits.keys()),
        )

    def note_costs(self, quotes: Mapping[tuple[Venue, DeviceId], Answer], placements: Mapping[DeviceId, Placement]) -> None:
        """Tell the record what arriving costs now, where no view is made."""
        self._record.enter(dearest(self._entries(quotes, placements), self._devices))

    def _entries(
        self, quotes: Mapping[tuple[Venue, DeviceId], Answer], placements: Mapping[DeviceId, Placement]
    ) -> dict[tuple[Venue, DeviceId], EntryCost]:
        """What arriving costs, wherever anything is known of it."""
        venues = {venue for venue, _ in quotes} | {IDLE} | {placement.venue for placement in placements.values()}
        costs = {
            (venue, device.id): self._costs.entry(device, venue, placements[device.id].venue)
            for venue in sorted(venues)
            for device in self._devices
        }
        return {key: cost for key, cost in costs.items() if cost is not None}
