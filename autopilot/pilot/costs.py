"""What arriving and leaving cost, in the adapters' own words."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from autopilot.contracts import Adapter
from autopilot.model.device import Device, DeviceId, NetworkId, Venue
from autopilot.model.history import Key
from autopilot.model.node import Placement
from autopilot.model.plan import EntryCost, ExitCost

log = logging.getLogger(__name__)


class Costs:
    """An adapter that fails to say keeps its last word. Where it never said, nothing is known, and None is not zero."""

    def __init__(self, adapters: Mapping[NetworkId, Adapter]) -> None:
        self._adapters = adapters
        self._entries: dict[tuple[Venue, DeviceId], EntryCost] = {}
        self._exits: dict[tuple[Venue, DeviceId], ExitCost] = {}

    def entry(self, device: Device, venue: Venue) -> EntryCost | None:
        """What arriving there costs."""
        if venue.network not in self._adapters:
            return None
        try:
            self._entries[venue, device.id] = self._adapters[venue.network].entry_cost(device, venue)
        except Exception as error:  # noqa: BLE001  # a stranger's adapter may raise anything; the rig must fly on
            log.warning("%s: the cost of entry is not known anew: %s", venue, error)
        return self._entries.get((venue, device.id))

    def exit(self, placement: Placement) -> ExitCost | None:
        """What leaving costs, given what was last seen."""
        key = (placement.venue, placement.device)
        if placement.venue.network not in self._adapters:
            return None
        try:
            self._exits[key] = self._adapters[placement.venue.network].exit_cost(placement.seen)
        except Exception as error:  # noqa: BLE001
            log.warning("%s: the cost of leaving is not known anew: %s", placement.venue, error)
        return self._exits.get(key)


def dearest(entries: Mapping[tuple[Venue, DeviceId], EntryCost], devices: Sequence[Device]) -> dict[Key, EntryCost]:
    """What arriving costs a GPU of a model: of its devices, the most in every respect."""
    models = {device.id: device.model for device in devices}
    most: dict[Key, EntryCost] = {}
    for (venue, device), cost in entries.items():
        key = (venue, models[device])
        most[key] = _worse(most[key], cost) if key in most else cost
    return most


def _worse(one: EntryCost, other: EntryCost) -> EntryCost:
    return EntryCost(max(one.boot, other.boot), max(one.ramp, other.ramp), max(one.fee, other.fee), max(one.least_stay, other.least_stay))
