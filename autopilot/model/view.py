"""Everything that a strategy may know at an instant."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from autopilot.model.device import IDLE, Device, DeviceId, Venue
from autopilot.model.experience import Experience
from autopilot.model.history import History
from autopilot.model.market import Answer, Quote
from autopilot.model.node import Placement
from autopilot.model.plan import EntryCost, ExitCost, SwitchCost
from autopilot.model.power import Draw, PowerPrice


@dataclass(frozen=True, slots=True)
class View:
    """The present, and what led to it."""

    now: datetime
    devices: tuple[Device, ...]
    """In the order of their ids: a decision must not depend on it."""
    placements: Mapping[DeviceId, Placement]
    quotes: Mapping[tuple[Venue, DeviceId], Answer]
    """The newest answer of every venue that is not yet too old. A venue without one gave no answer: nothing is known."""
    history: History
    entries: Mapping[tuple[Venue, DeviceId], EntryCost]
    exits: Mapping[DeviceId, ExitCost]
    draws: Mapping[DeviceId, Draw]
    power: PowerPrice
    fixed: frozenset[DeviceId] = frozenset()
    """Devices that cannot be moved now: a switch is open on them, or they are fenced."""
    experience: Experience = Experience()
    """What the rig has seen of being hired."""

    def free(self) -> Iterator[Device]:
        """The devices that a decision may move."""
        return (device for device in self.devices if device.id not in self.fixed)

    def venue(self, device: Device) -> Venue:
        """Where the device is."""
        return self.placements[device.id].venue

    def quote(self, venue: Venue, device: Device) -> Quote | None:
        """What the venue offers; None where it offers nothing or did not answer."""
        answer = self.quotes.get((venue, device.id))
        return answer if isinstance(answer, Quote) else None

    def answered(self, venue: Venue, device: Device) -> bool:
        """Whether we know what the venue offers, be it nothing. Idle always answers."""
        return venue == IDLE or (venue, device.id) in self.quotes

    def offers(self, device: Device) -> dict[Venue, Quote]:
        """Every venue that offers something for the device, by name."""
        own = [(venue, answer) for (venue, owner), answer in self.quotes.items() if owner == device.id and isinstance(answer, Quote)]
        own.sort(key=_by_name)
        return dict(own)

    def cost(self, device: Device, target: Venue) -> SwitchCost:
        """What moving the device there would cost. A venue that names no cost has none."""
        exit_cost = self.exits.get(device.id, ExitCost())
        return SwitchCost(exit_cost, self.entries.get((target, device.id), EntryCost()))


def _by_name(offer: tuple[Venue, Quote]) -> tuple[str, str]:
    return offer[0].network, offer[0].market
