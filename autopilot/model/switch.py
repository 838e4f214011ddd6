"""The execution of one move, and what happened to it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NewType

from autopilot.model.device import DeviceId, Venue
from autopilot.model.plan import PlanId

SwitchId = NewType("SwitchId", str)


class State(StrEnum):
    """Where a switch stands. The last three are ends."""

    DRAINING = "draining"
    STOPPING = "stopping"
    STARTING = "starting"
    REVERTING = "reverting"
    SETTLED = "settled"
    REVERTED = "reverted"
    STRANDED = "stranded"
    """Neither end serves: the device is fenced, and a human must look."""

    @property
    def over(self) -> bool:
        """Whether nothing more will happen."""
        return self in (State.SETTLED, State.REVERTED, State.STRANDED)


@dataclass(frozen=True, slots=True)
class Switch:
    """One device on its way from a venue to another."""

    id: SwitchId
    plan: PlanId
    device: DeviceId
    source: Venue
    target: Venue
    state: State
    since: datetime
    """When it entered this state; after an outage, when we came back."""
    opened_at: datetime


@dataclass(frozen=True, slots=True)
class Event:
    """One change of a switch's state."""

    at: datetime
    switch: SwitchId
    before: State
    after: State
    why: str


@dataclass(frozen=True, slots=True)
class Limits:
    """How long each state may last. A limit bounds our patience, never a paid lease that may not be broken."""

    drain: timedelta = timedelta(hours=6)
    stop: timedelta = timedelta(minutes=10)
    start: timedelta = timedelta(minutes=30)
    revert: timedelta = timedelta(minutes=30)

    def covering(self, boot: timedelta) -> Limits:
        """The same limits, with room for a node that is known to take this long to come up."""
        room = 2 * boot
        return Limits(self.drain, self.stop, max(self.start, room), max(self.revert, room))
