"""The node of a network whose rates we know and whose program we do not start yet."""

from __future__ import annotations

from autopilot.clock import Clock
from autopilot.errors import NodeFault
from autopilot.model.device import Device, NetworkId, Venue
from autopilot.model.node import Observation, Phase


class Unmanaged:
    """Nothing of this network was started by us, nothing can be, and so there is nothing to drain or to stop.

    It looks at nothing: a node that somebody started by hand is not seen, which the note of every observation says.
    """

    def __init__(self, network: NetworkId, clock: Clock) -> None:
        self._network = network
        self._clock = clock

    def observe(self, device: Device) -> Observation:
        """ABSENT: none of our nodes holds the device."""
        note = "rates only: no node was started, and one that was started by hand is not seen"
        return Observation(device.id, None, Phase.ABSENT, self._clock.now(), note=note)

    def start(self, device: Device, venue: Venue) -> None:
        """Raises NodeFault, always."""
        raise NodeFault(self._network, f"{device.label} cannot be started at {venue}: this adapter knows rates only, it starts no node")

    def drain(self, device: Device) -> None:
        """Nothing runs."""

    def stop(self, device: Device) -> None:
        """Nothing runs."""
