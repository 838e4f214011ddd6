"""What a move costs, and what a strategy answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NewType

from autopilot.model.device import DeviceId, Venue
from autopilot.units import Share, Usd, UsdPerHour

PlanId = NewType("PlanId", str)
_NO_TIME = timedelta(0)


@dataclass(frozen=True, slots=True)
class ExitCost:
    """What leaving takes: the wait until the node is empty, and what is lost by going."""

    drain: timedelta = _NO_TIME
    forfeits: Usd = Usd(0)
    identity: str = ""
    """What leaving may lose for good, in words: a registration that the next newcomer takes; empty where nothing is lost."""


@dataclass(frozen=True, slots=True)
class EntryCost:
    """What arriving takes."""

    boot: timedelta = _NO_TIME
    """Dark from the order to start until the node serves."""
    ramp: timedelta = _NO_TIME
    """Dark in money: serving, but not paid yet (warm-up, first epoch, queue)."""
    fee: Usd = Usd(0)
    """Paid on arrival whatever comes: gas, registration burn."""
    least_stay: timedelta = _NO_TIME
    """Leaving earlier than this costs reputation or the fee's worth."""
    uptime: Share | None = None
    """The share of the time for which whoever has come must be there; None where nobody counts it."""


@dataclass(frozen=True, slots=True)
class SwitchCost:
    """Both ends of a move."""

    exit: ExitCost
    entry: EntryCost

    @property
    def dark(self) -> timedelta:
        """Time in which the device earns nothing because of the move. A drain is still paid by its last job."""
        return self.entry.boot + self.entry.ramp

    @property
    def cash(self) -> Usd:
        """What is paid or forfeited outright."""
        return self.exit.forfeits + self.entry.fee

    def loss(self, arriving: UsdPerHour) -> Usd:
        """The whole price of the move: cash, and the dark time at the rate that it delays (docs/market.md §4: d·g + f)."""
        return self.cash + arriving * self.dark

    def pays_back(self, lead: UsdPerHour, arriving: UsdPerHour) -> timedelta | None:
        """How long the lead must last to earn the loss back. None where there is no lead."""
        return self.loss(arriving) / lead if lead.count > 0 else None


@dataclass(frozen=True, slots=True)
class Move:
    """One device from a venue to another. Going nowhere is not a move."""

    device: DeviceId
    source: Venue
    target: Venue

    def __post_init__(self) -> None:
        if self.source == self.target:
            msg = f"a move must lead somewhere: {self.device} is at {self.source} already"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class Plan:
    """Moves, with the arithmetic that asks for them."""

    id: PlanId
    made_at: datetime
    moves: tuple[Move, ...]
    gain: Usd
    """Over the horizon, before the cost; zero where the strategy does no such sum."""
    cost: Usd
    horizon: timedelta
    reason: str
    notes: Mapping[DeviceId, str] = field(default_factory=dict)
    """One sentence for each device, those that stay as well."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Stay, and say why."""

    made_at: datetime
    reason: str
    notes: Mapping[DeviceId, str] = field(default_factory=dict)

    @property
    def moves(self) -> tuple[Move, ...]:
        """None: so that a decision can be asked for its moves whatever it is."""
        return ()


Decision = Plan | Hold

Tips = Mapping[DeviceId, Mapping[Venue, UsdPerHour | None]]
"""At which quoted rate a decision would have been another: of a venue, the one from which on the device would be sent there; of the one
that it is at, the one below which it would leave. None where no rate would do; what is not known is not in it."""
