"""What an engine shows of a program, and what a network says of its work."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol, runtime_checkable

from autopilot.model.device import Device, Venue
from autopilot.model.node import Lease, Phase, Readiness

MARK = "YIELD_AUTOPILOT_NODE"
"""Set in the environment of what we start, to the network's name: it and its children are told from the owner's programs by it."""


@dataclass(frozen=True, slots=True)
class Look:
    """One look at the program that serves a device."""

    phase: Phase
    """ABSENT, STARTING, READY (it is up, whatever it does), DRAINING (it is on its way out), FAULT or UNKNOWN."""
    venue: Venue | None = None
    """The market it was started for, where that can be told."""
    note: str = ""
    """What a person should know: an exit code, a restart count."""
    ours: bool = True
    """Whether we started it. What somebody else started is never ended by us."""
    lives: bool = False
    """Whether something of a broken one may still run: then it is not gone because it was asked to go, and its work is asked about."""


ABSENT = Look(Phase.ABSENT)


class Shape(Protocol):
    """One engine's way of running one program for one device. Every verb returns soon and may be repeated."""

    def look(self, device: Device) -> Look:
        """Look, and change nothing. UNKNOWN rather than a guess; it raises nothing but AdapterError."""
        ...

    def launch(self, device: Device, venue: Venue) -> None:
        """Bring the program up. Only called where it was just seen ABSENT or FAULT. Raises NodeFault where it cannot."""
        ...

    def end(self, device: Device, grace: timedelta) -> None:
        """Ask it to go, and make it go when it was asked so long ago. What is left of a failed one is cleared away."""
        ...


@runtime_checkable
class PreparedShape(Shape, Protocol):
    """An engine that can say beforehand whether it could bring the program up."""

    def prepare(self, device: Device, venue: Venue) -> Readiness:
        """Whether what is to be launched is there; what takes long to fetch is begun, and told of. Nothing else changes."""
        ...


class Work(Protocol):
    """What only the network knows: the work on a device, and how to be given no more."""

    def leases(self, device: Device) -> tuple[Lease, ...]:
        """The work that runs now. Raises Transient where that cannot be told."""
        ...

    def refuse(self, device: Device) -> None:
        """Take no new work, and let what runs finish."""
        ...

    def accept(self, device: Device) -> None:
        """Take new work again."""
        ...


@runtime_checkable
class LastingWork(Work, Protocol):
    """Work that outlives its program: tenants' pods run on when what let them in has died."""

    def lasting(self, device: Device) -> tuple[Lease, ...]:
        """What runs now, asked without the program's help, for it comes up or is broken. Raises Transient where that cannot be told."""
        ...


class UnheardWork:
    """Work that nobody can ask about: a program that serves as long as it is up, and loses nothing when it goes."""

    def leases(self, device: Device) -> tuple[Lease, ...]:  # noqa: ARG002
        """None that we know of."""
        return ()

    def refuse(self, device: Device) -> None:
        """There is nothing to refuse."""

    def accept(self, device: Device) -> None:
        """There is nothing to accept."""
