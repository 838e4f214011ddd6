"""Vast's node is not driven yet: this distribution brings rates."""

from __future__ import annotations

from dataclasses import dataclass

from autopilot.clock import Clock
from autopilot.errors import NodeFault
from autopilot.model.device import Device, NetworkId, Venue
from autopilot.model.node import Observation, Phase


@dataclass(frozen=True, slots=True)
class RatesOnly:
    """Nothing is started, so nothing is there to drain or to stop. To unlist a machine is `vastai unlist machine`, by hand."""

    network: NetworkId
    clock: Clock

    def observe(self, device: Device) -> Observation:
        """ABSENT: no node of ours holds the device. The note says that nobody looked for others."""
        note = "rates only: a machine that was listed by hand is not seen"
        return Observation(device.id, None, Phase.ABSENT, self.clock.now(), note=note)

    def start(self, device: Device, venue: Venue) -> None:
        """Raises NodeFault, always: an open switch turns back."""
        raise NodeFault(self.network, f"{device.label} cannot be listed at {venue}: this adapter brings rates only")

    def drain(self, device: Device) -> None:
        """Nothing runs."""

    def stop(self, device: Device) -> None:
        """Nothing runs."""
