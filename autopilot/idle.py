"""Idle as a network: it pays nothing, costs nothing, is always there, and saves everybody from asking "is there a network?"."""

from __future__ import annotations

from collections.abc import Sequence

from autopilot.clock import Clock
from autopilot.contracts import Scope
from autopilot.model.device import IDLE, Device, DeviceId, NetworkId, Venue
from autopilot.model.market import Answer
from autopilot.model.node import Observation, Phase
from autopilot.model.plan import EntryCost, ExitCost


class Idle:
    """The adapter, rate source and node of doing nothing.

    It forgets everything with the process, and may: a device that no network holds is idle whoever says so.
    """

    network: NetworkId = IDLE.network
    scope = Scope.DEVICE
    payouts = None
    history = None

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._resting: set[DeviceId] = set()

    @property
    def rates(self) -> Idle:
        return self

    @property
    def node(self) -> Idle:
        return self

    def quotes(self, devices: Sequence[Device]) -> Sequence[Answer]:  # noqa: ARG002
        """Nothing to offer, and nothing to ask."""
        return ()

    def observe(self, device: Device) -> Observation:
        """READY where it was told to rest, ABSENT elsewhere."""
        now = self._clock.now()
        if device.id in self._resting:
            return Observation(device.id, IDLE, Phase.READY, now)
        return Observation(device.id, None, Phase.ABSENT, now)

    def start(self, device: Device, venue: Venue) -> None:  # noqa: ARG002
        """Rest."""
        self._resting.add(device.id)

    def drain(self, device: Device) -> None:
        """Nothing runs, so resting ends at once."""
        self.stop(device)

    def stop(self, device: Device) -> None:
        """Rest no more."""
        self._resting.discard(device.id)

    def exit_cost(self, seen: Observation) -> ExitCost:  # noqa: ARG002
        """None."""
        return ExitCost()

    def entry_cost(self, device: Device, venue: Venue) -> EntryCost:  # noqa: ARG002
        """None."""
        return EntryCost()

    def close(self) -> None:
        """Nothing is open."""
