"""A node that ended by itself earns nothing: its GPU is taken from it, and free to be sent anywhere, back there too."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from autopilot.model.device import IDLE, DeviceId
from autopilot.model.node import Phase, Placement
from autopilot.model.order import FREE, Bounds, Order
from autopilot.store.store import Store
from autopilot.switching import promised


class Mending:
    """Orders the GPU of a broken node to idle, which clears away what is left of it.

    One whose work may not be broken keeps it: nothing is cleared away before that has ended. From idle the strategy sends it on as it
    would any other, and the guards see to it that nobody tries again too often. A switch that is under way finds out by itself that
    its node is broken.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def bounds(self, now: datetime, placements: Mapping[DeviceId, Placement]) -> Bounds:  # noqa: ARG002  # the nodes say all
        """An order for every device that stands still and whose node is seen to be broken."""
        broken = [each for each in placements.values() if each.seen.phase is Phase.FAULT and not promised(each.seen)]
        if not broken:
            return FREE
        moving = {switch.device for switch in self._store.journal.open_switches()}
        return Bounds({each.device: Order(IDLE, _why(each)) for each in broken if each.device not in moving})


def _why(placement: Placement) -> str:
    return f"{placement.venue} is broken: {placement.seen.note or 'no reason given'}"
