"""What a guard is, and what it may look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from autopilot.model.device import Device, DeviceId, Venue
from autopilot.model.gpu import GpuState
from autopilot.model.plan import Move
from autopilot.model.switch import Switch
from autopilot.model.view import View
from autopilot.units import Usd


@dataclass(frozen=True, slots=True)
class Presence:
    """How much of the time since it first came there, and of the last 30 days at most, a device was at a venue."""

    there: timedelta
    span: timedelta
    """That time; zero where it never was there."""


class Facts(Protocol):
    """What is on record besides the view. It is only looked at to hold a move back: no decision rests on it."""

    def day(self) -> Usd:
        """What the rig made in the last 24 hours, net by our own estimate, less what dark time has cost in income."""
        ...

    def presence(self, device: DeviceId, venue: Venue) -> Presence:
        """How much a device was at a venue."""
        ...

    def gpu(self, device: DeviceId) -> GpuState | None:
        """What is known of the GPU itself; None where nobody looks at it."""
        ...


@dataclass(frozen=True, slots=True)
class Case:
    """What a guard may look at."""

    move: Move
    moves: Sequence[Move]
    """All that would be made together, this one among them."""
    view: View
    device: Device
    past: Sequence[Switch]
    """The device's own switches, oldest first."""
    facts: Facts | None = None
    """None where nothing is on record."""


class Guard(Protocol):
    """One rule."""

    @property
    def absolute(self) -> bool:
        """Whether it holds for what a person orders, too."""
        ...

    def veto(self, case: Case) -> str | None:
        """Why the move must not be made; None to let it pass."""
        ...
