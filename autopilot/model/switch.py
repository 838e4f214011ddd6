"""The execution of one move, and what happened to it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NewType

from autopilot.model.device import IDLE, DeviceId, Venue
from autopilot.model.plan import PlanId

SwitchId = NewType("SwitchId", str)


class State(StrEnum):
    """Where a switch stands. The last four are ends."""

    PREPARING = "preparing"
    """The target is made ready to start, and the source earns on: nothing has been told to it."""
    DRAINING = "draining"
    STOPPING = "stopping"
    STARTING = "starting"
    REVERTING = "reverting"
    CLEARING = "clearing"
    """It was called off while nothing served: what is left of both ends goes."""
    SETTLED = "settled"
    REVERTED = "reverted"
    CLEARED = "cleared"
    """Neither end holds the device: it is idle."""
    STRANDED = "stranded"
    """Nobody can tell that the device is free: it is fenced, and a human must look."""

    @property
    def over(self) -> bool:
        """Whether nothing more will happen."""
        return self in (State.SETTLED, State.REVERTED, State.CLEARED, State.STRANDED)

    @property
    def leaving(self) -> bool:
        """Whether the device is still at its source, which earns, and the move may be taken back."""
        return self in (State.PREPARING, State.DRAINING)


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
    failed: bool = False
    """Whether the target could not be started: a strike against it. A move that was only taken back did not fail."""
    told: timedelta | None = None
    """How long the drain was said to take when it was opened; None where nobody said, or where the drain was cut short."""

    @property
    def heading(self) -> Venue:
        """Where it leads as it stands."""
        ways = {State.REVERTING: self.source, State.REVERTED: self.source, State.CLEARING: IDLE, State.CLEARED: IDLE}
        return ways.get(self.state, self.target)


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
    prepare: timedelta = timedelta(hours=2)
    """The source earns meanwhile: a large image on a thin line is worth the wait."""
    steady: timedelta = timedelta(0)
    """No limit, but its contrary: how long a target that waits for work must be seen to serve before it is believed."""

    def covering(self, boot: timedelta) -> Limits:
        """The same limits, with room for a node that is known to take this long to come up."""
        room = 2 * boot
        return replace(self, start=max(self.start, room), revert=max(self.revert, room))
