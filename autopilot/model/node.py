"""What can be seen of a node, and where a device is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from autopilot.model.device import DeviceId, Venue
from autopilot.units import Usd, UsdPerHour, divide_rounded

_TOKEN_PART = Decimal("1e-9")


class Phase(StrEnum):
    """What a node is doing with a device, as seen from outside."""

    ABSENT = "absent"
    """Nothing of this network holds the device."""
    STARTING = "starting"
    READY = "ready"
    """Serving, and waiting for work."""
    BUSY = "busy"
    """Serving a lease."""
    DRAINING = "draining"
    """Takes no new work; its leases, if any, run on."""
    FAULT = "fault"
    UNKNOWN = "unknown"
    """The node could not be asked. Nothing may be concluded."""

    @property
    def serves(self) -> bool:
        """Whether the device can earn here at this moment and will be given new work."""
        return self is Phase.READY or self is Phase.BUSY

    @property
    def lit(self) -> bool:
        """Whether the device is at work or ready for it: what it draws is the venue's draw."""
        return self is Phase.READY or self is Phase.BUSY or self is Phase.DRAINING


@dataclass(frozen=True, slots=True)
class Lease:
    """Work that a network is running on a device."""

    id: str
    since: datetime
    until: datetime | None = None
    """Its end, where it is known."""
    breakable: bool = False
    """Whether we may end it before its time, at the price that the exit cost names."""
    pays: UsdPerHour | None = None


@dataclass(frozen=True, slots=True)
class Observation:
    """One look at one network's node for one device."""

    device: DeviceId
    venue: Venue | None
    """The market it serves; None when absent or when it cannot be told."""
    phase: Phase
    at: datetime
    leases: tuple[Lease, ...] = ()
    note: str = ""
    """What a person should know: an exit code, a queue position."""
    tells_work: bool = True
    """Whether the node says what it works on. Where it does not, READY may be busy, and nobody knows how often it is hired."""


class Stage(StrEnum):
    """How far a node's preparations are."""

    READY = "ready"
    """A start would succeed, as far as can be told without starting."""
    WORKING = "working"
    """Something is still being fetched or made."""
    REFUSED = "refused"
    """A start would fail."""


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether a node can be started on a device, asked before what runs there is touched."""

    stage: Stage
    note: str = ""
    """How far it is, or what is missing and what to do."""


PREPARED = Readiness(Stage.READY)


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a device is, since when, and what was last seen of it there."""

    device: DeviceId
    venue: Venue
    since: datetime
    seen: Observation


@dataclass(frozen=True, slots=True)
class NativeAmount:
    """An amount as it was paid, before it became dollars."""

    token: str
    """A token, or a network's credits."""
    amount: Decimal
    usd_per_token: Decimal
    """The price at the time."""


@dataclass(frozen=True, slots=True)
class Payout:
    """Money that a network says it paid, or owes, for a span of work."""

    id: str
    """Unique within the network, and the same whenever it is asked for again: what was reported is paid under the id of the report."""
    venue: Venue
    device: DeviceId
    """Empty where nobody tells which device it was paid for."""
    start: datetime
    end: datetime
    amount: Usd
    native: NativeAmount | None = None
    """What it was in the network's own money, where that is no dollar."""
    settled: bool = True
    """Whether it was paid; a network may report what it owes before it pays it."""

    @property
    def span(self) -> timedelta:
        """The length of the work that it pays for."""
        return self.end - self.start

    @property
    def whole(self) -> str:
        """The id of the payout that it is a part of; its own where it is none."""
        return self.id.removesuffix(f"/{self.device}") if self.device else self.id

    def among(self, devices: Sequence[DeviceId]) -> Sequence[Payout]:
        """A part for each device, all alike but for the first, which has what is left over. Of several, each has an id of its own.

        They add up to the whole, to the nano-dollar and to the last digit of the token.
        """
        count = len(devices)
        usd = Usd(divide_rounded(self.amount.count, count))
        tokens = (self.native.amount / count).quantize(_TOKEN_PART) if self.native else Decimal(0)
        parts = []
        for number, device in enumerate(devices):
            own = usd if number else self.amount - usd * (count - 1)
            native = self.native and replace(self.native, amount=tokens if number else self.native.amount - tokens * (count - 1))
            ident = f"{self.id}/{device}" if count > 1 else self.id
            parts.append(replace(self, id=ident, device=device, amount=own, native=native))
        return parts
