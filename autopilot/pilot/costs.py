"""What arriving and leaving cost: the adapters' own words, and the times that our own switches took."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from autopilot.model.device import IDLE, Device, DeviceId, Venue
from autopilot.model.history import Key
from autopilot.model.node import Placement
from autopilot.model.plan import EntryCost, ExitCost
from autopilot.model.switch import Switch
from autopilot.pilot.timing import Timing
from autopilot.pilot.world import World
from autopilot.units import span_text

log = logging.getLogger(__name__)

_NO_TIME = timedelta(0)


class Costs:
    """An adapter that fails to say keeps its last word. Where it never said, nothing is known, and None is not zero."""

    def __init__(self, world: World) -> None:
        self._adapters = world.adapters
        self._models = {device.id: device.model for device in world.devices}
        self._timing = Timing(world)
        self._entries: dict[tuple[Venue, DeviceId], EntryCost] = {}
        self._exits: dict[tuple[Venue, DeviceId], ExitCost] = {}
        self._warned: set[Key] = set()

    def entry(self, device: Device, venue: Venue, source: Venue = IDLE) -> EntryCost | None:
        """What arriving there costs, from a venue; the time that the source takes to go is part of the boot, for it is as dark."""
        word = self._entry(device, venue)
        if word is None:
            return None
        key = (venue, device.model)
        gone = _NO_TIME if source == venue else self._timing.waits[source, device.model].typical(_NO_TIME)
        ramp = self._timing.ramps[key].typical(word.ramp) if word.ramp else _NO_TIME
        boot = self._timing.boots[key].typical(word.boot) + gone
        return word if boot == word.boot and ramp == word.ramp else replace(word, boot=boot, ramp=ramp)

    def exit(self, placement: Placement) -> ExitCost | None:
        """What leaving costs, given what was last seen."""
        word = self._exit(placement)
        if word is None:
            return None
        excess = self._timing.excesses[placement.venue, self._models[placement.device]].typical(_NO_TIME)
        drain = max(word.drain + excess, _NO_TIME)
        return word if drain == word.drain else replace(word, drain=drain)

    def told(self, device: DeviceId, venue: Venue) -> timedelta | None:
        """How long the adapter last said that the drain takes; None where it never said."""
        word = self._exits.get((venue, device))
        return word.drain if word else None

    def longest_boot(self, device: Device, ends: Iterable[Venue]) -> timedelta:
        """What a boot of either end takes at worst: a switch that turns back waits for its source."""
        words = {end: self._entry(device, end) or EntryCost() for end in ends}
        return max(max(word.boot, self._timing.boots[end, device.model].late(word.boot)) for end, word in words.items())

    def learn(self, switch: Switch) -> None:
        """Take in what a switch took that is over."""
        self._timing.learn(switch)
        key = (switch.target, self._models[switch.device])
        word = self._entries.get((switch.target, switch.device))
        late = self._timing.boots[key].late(word.boot) if word else _NO_TIME
        if word and late > word.boot and key not in self._warned:
            self._warned.add(key)
            log.warning("%s: boots of %s take up to %s, and its adapter says %s", *key, span_text(late), span_text(word.boot))

    def _entry(self, device: Device, venue: Venue) -> EntryCost | None:
        if venue.network not in self._adapters:
            return None
        try:
            self._entries[venue, device.id] = self._adapters[venue.network].entry_cost(device, venue)
        except Exception as error:  # noqa: BLE001  # a stranger's adapter may raise anything; the rig must fly on
            log.warning("%s: the cost of entry is not known anew: %s", venue, error)
        return self._entries.get((venue, device.id))

    def _exit(self, placement: Placement) -> ExitCost | None:
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
    boot, ramp, fee = max(one.boot, other.boot), max(one.ramp, other.ramp), max(one.fee, other.fee)
    uptime = max((each.uptime for each in (one, other) if each.uptime is not None), default=None)
    return EntryCost(boot, ramp, fee, max(one.least_stay, other.least_stay), uptime)
