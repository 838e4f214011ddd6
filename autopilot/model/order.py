"""What persons and the GPUs themselves ask for, besides the strategy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from autopilot.model.device import DeviceId, Venue


@dataclass(frozen=True, slots=True)
class Order:
    """Where a device has to go, whatever the strategy thinks of it: a person's wish, or an owner who wants the GPU."""

    target: Venue
    why: str
    at_once: bool = False
    """Whether work that may be broken is broken rather than waited for."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What the strategy may not decide at this instant, each with the reason in words."""

    orders: Mapping[DeviceId, Order] = field(default_factory=dict)
    held: Mapping[DeviceId, str] = field(default_factory=dict)
    """Devices that stay where they are. One that has an order goes where that says."""
    closed: Mapping[tuple[Venue, DeviceId], str] = field(default_factory=dict)
    """Venues that a device is not sent to. One that is there already stays, unless an order says otherwise."""
    alone: bool = False
    """Whether nobody who has less to say may order anything."""

    def over(self, other: Bounds) -> Bounds:
        """Both; where they speak of the same, this one counts."""
        orders = self.orders if self.alone else {**other.orders, **self.orders}
        return Bounds(orders, {**other.held, **self.held}, {**other.closed, **self.closed}, self.alone or other.alone)


FREE = Bounds()
"""Nobody asks for anything."""
